"""What differs in the lists beside the table, in sentences."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from homeward.governance import words
from homeward.governance.differ_paths import Words, same, written
from homeward.governance.differ_rows import rows_told

Data = dict[str, Any]

TITLES = {
    "codes": "Closed lists", "facts": "Facts", "vir": "Victim information requests",
    "hold_due_h": "When a hold is due", "row_number": "Numbers of rows",
    "policy_version": "The label", "judging": "Who may judge what", "law": "Dates of law",
    "reasons": "Sentences for a child", "recipients": "Types of recipients",
    "transforms": "What is taken out or marked", "whole": "What goes whole",
    "everywhere": "Paths that stand everywhere", "lockdown": "Lockdown",
}  # fmt: skip
"""What a reader calls each list."""

_RECIPIENT = {
    "title": "called",
    "is_16la_body": "a body of section 16LA",
    "competent_authority": "a competent authority (police and the like)",
    "g1_counts": "one for whom G1 counts",
    "urgent": "one whose urgent holds page the DSL",
    "carer": "a carer, under hold H1",
    "default_purpose": "told, unless judged otherwise, for the purpose",
    "rows": "one whose rows begin with",
    "channel": "told through",
}
_TRANSFORM = {
    "says": "says",
    "parts": "lets these parts pass",
    "fields": "lets of the fields pass",
    "codes": "lets only codes, numbers and truths pass",
    "without": "takes out",
    "without_fields": "takes out of the fields",
}
_KINDS = {
    "truth": "true or false", "text": "a text", "list": "a list", "code": "a code of its list",
    "number": "a number",
}  # fmt: skip


def described(key: str, old: Any, new: Any, both: Words) -> Iterator[str]:
    """Yield the sentences about one list; none where no words are known for it."""
    if key in _WORDS:
        yield from _WORDS[key](old, new, both)


def understood(key: str, old: Any, new: Any) -> bool:
    """Tell whether the list has words and the form that they are for."""
    form = dict if key in _NAMED else list if key == "everywhere" else (str, bool, int)
    return key in _WORDS and all(isinstance(one, form) or one is None for one in (old, new))


def _each(old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield each name of two sets of names under which something differs."""
    before, after = (one if isinstance(one, dict) else {} for one in (old, new))
    for name in dict.fromkeys([*before, *after]):
        if not same(before.get(name), after.get(name)) or (name in before) != (name in after):
            yield name, before.get(name), after.get(name)


def _members(what: str, old: Any, new: Any) -> Iterator[str]:
    """Tell what a list of words has more and what less."""
    before, after = (one if isinstance(one, list) else [] for one in (old, new))
    more = [written(one).strip('"') for one in after if not any(same(one, o) for o in before)]
    less = [written(one).strip('"') for one in before if not any(same(one, o) for o in after)]
    if more:
        yield f"{what} now also has {words.listed(more)}."
    if less:
        yield f"{what} no longer has {words.listed(less)}."
    if not more and not less:
        yield f"{what} is now {written(new)}, was {written(old)}."


def _now(after: Any, before: Any, verb: str = "is") -> str:
    was = {"is": "was"}.get(verb, f"before {verb}")
    verb = "is now" if verb == "is" else f"now {verb}"
    return f"{verb} {written(after)}, {was} {written(before)}."


def _codes(old: Any, new: Any, _: Words) -> Iterator[str]:
    for name, was, now in _each(old, new):
        yield from _members(f"The closed list {words.spaced(name)}", was, now)


def _facts(old: Any, new: Any, _: Words) -> Iterator[str]:
    for name, was, now in _each(old, new):
        kinds = [_KINDS.get(str(one), written(one)) for one in (was, now)]
        if was is None:
            yield f"There is a new fact, {words.spaced(name)}: {kinds[1]}."
        elif now is None:
            yield f"The fact {words.spaced(name)} ({kinds[0]}) is gone: no rule may read it."
        else:
            yield f"The fact {words.spaced(name)} is now {kinds[1]}, was {kinds[0]}."


def _hours(old: Any, new: Any, _: Words) -> Iterator[str]:
    for name, was, now in _each(old, new):
        whom = {"usual": "A hold", "harm": "A hold in a matter of harm"}.get(name, name)
        yield f"{whom} is now due within {written(now)} h, was within {written(was)} h."


def _row_number(old: Any, new: Any, _: Words) -> Iterator[str]:
    for name, was, now in _each(old, new):
        yield f"Rows about {words.category(name)} {_now(now, was, 'end in')}"


def _version(old: Any, new: Any, _: Words) -> Iterator[str]:
    yield f"The label of the version is now {new}, was {old}."


def _judging(old: Any, new: Any, _: Words) -> Iterator[str]:
    for name, was, now in _each(old, new):
        if was is None or now is None:
            yield f"{name}: {'is new' if was is None else 'is gone'}: {written(now or was)}."
            continue
        for part, before, after in _each(was, now):
            if part == "roles" and isinstance(before, list) and isinstance(after, list):
                for role in after:
                    if role not in before:
                        yield f"{name} may now also be judged by {words.role(str(role))}."
                for role in before:
                    if role not in after:
                        yield f"{name} may no longer be judged by {words.role(str(role))}."
                if sorted(map(str, before)) == sorted(map(str, after)):
                    yield f"{name}: the roles stand in another order."
            else:
                yield f"{name}: {words.spaced(part)} {_now(after, before)}"


def _law(old: Any, new: Any, _: Words) -> Iterator[str]:
    for name, was, now in _each(old, new):
        title = (now or was or {}).get("title", name) if isinstance(now or was, dict) else name
        for part, before, after in _each(was, now):
            if part == "in_force_from":
                yield f"{title}: in force from {after}, before {before}. It changes bases alone."
            else:
                yield f"{title}: {words.spaced(part)} {_now(after, before)}"
        if not isinstance(was, dict) or not isinstance(now, dict):
            yield f"{title} is {'new' if was is None else 'gone' if now is None else 'another'}."


def _reasons(old: Any, new: Any, both: Words, of: str = "") -> Iterator[str]:
    for name, was, now in _each(old, new):
        whole = f"{of} {name}".strip()
        if isinstance(was, dict) or isinstance(now, dict):
            yield from _reasons(was, now, both, whole)
        elif was is None:
            yield f"There is now a sentence for {whole}: “{now}”"
        elif now is None:
            yield f"There is no sentence for {whole} any more; it was “{was}”"
        else:
            yield f"The sentence for {whole} is now “{now}”, was “{was}”"


def _recipients(old: Any, new: Any, _: Words) -> Iterator[str]:
    for name, was, now in _each(old, new):
        if was is None or now is None or not isinstance(was, dict) or not isinstance(now, dict):
            how = (
                "There is a new type of recipient"
                if was is None
                else "This type of recipient is gone"
            )
            about = now if was is None else was
            title = about.get("title", name) if isinstance(about, dict) else name
            yield f"{how}: {title} ({name})."
            parts = about.items() if isinstance(about, dict) else ()
            yield from (
                f"{title}: {_RECIPIENT.get(k, k)}: {written(v)}." for k, v in parts if k != "title"
            )
            continue
        title = was.get("title", name)
        for part, before, after in _each(was, now):
            if part in ("roles", "aliases"):
                yield from _members(f"{title}: its list of {part}", before, after)
            else:
                said = _RECIPIENT.get(part, words.spaced(part))
                yield f"{title} is now {said}: {written(after)}; before: {written(before)}."


def _transforms(old: Any, new: Any, both: Words) -> Iterator[str]:
    for name, was, now in _each(old, new):
        if was is None:
            yield f"There is a new transform, {words.spaced(name)}: {written(now)}."
        elif now is None:
            yield f"The transform {words.spaced(name)} is gone."
        else:
            yield from _transform(words.spaced(name), was, now)


def _whole(old: Any, new: Any, _: Words) -> Iterator[str]:
    yield from _transform("What goes whole", old, new)


def _transform(name: str, old: Any, new: Any) -> Iterator[str]:
    for part, was, now in _each(old, new):
        said = f"{name} {_TRANSFORM.get(part, words.spaced(part))}"
        if part == "fields" and isinstance(was, dict) and isinstance(now, dict):
            for whom, before, after in _each(was, now):
                yield from _members(f"{said} for {words.spaced(whom)}: the list", before, after)
        elif isinstance(was, list) and isinstance(now, list):
            yield from _members(f"{said}: the list", was, now)
        else:
            yield f"{said}: now {written(now)}, before {written(was)}."


def _everywhere(old: Any, new: Any, both: Words) -> Iterator[str]:
    """Tell the paths that stand everywhere as if they were a row for everything."""
    rows = [{"category": "any", "paths": one or []} for one in (old, new)]
    for _, _, lines in rows_told({"": {"X": rows[0]}}, {"": {"X": rows[1]}}, both):
        yield from lines


def _lockdown(old: Any, new: Any, _: Words) -> Iterator[str]:
    yield (
        "Lockdown is off." if new is False
        else f"Lockdown is ON ({written(new)}): nothing leaves but what immediate danger opens."
    ) + f" Before: {written(old)}."  # fmt: skip


_WORDS: Mapping[str, Callable[[Any, Any, Words], Iterator[str]]] = {
    "codes": _codes, "facts": _facts, "vir": _facts, "hold_due_h": _hours,
    "row_number": _row_number, "policy_version": _version, "judging": _judging, "law": _law,
    "reasons": _reasons, "recipients": _recipients, "transforms": _transforms, "whole": _whole,
    "everywhere": _everywhere, "lockdown": _lockdown,
}  # fmt: skip
_NAMED = frozenset(_WORDS) - {"policy_version", "everywhere", "lockdown"}
"""Lists that are sets of names."""
