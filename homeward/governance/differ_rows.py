"""What differs in the rows of the table, in sentences."""

from collections.abc import Iterator, Mapping
from typing import Any

from homeward.governance import words
from homeward.governance.differ_paths import (
    Data,
    Words,
    gets,
    needs_told,
    paths_told,
    same,
    whom_of,
    written,
)

_IN_WORDS = ("recipient", "category", "not_for", "owner", "every_path_needs", "paths", "basis",
             "reads", "never", "why", "source", "valid_from", "earlier")  # fmt: skip


def rows_told(
    before: Mapping[str, Data], after: Mapping[str, Data], both: Words
) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Yield of each row that differs its title, the files it stands in, and the sentences.

    `before` and `after` are the rows by file, of the files that differ.
    """
    old = {name: (file, row) for file, rows in before.items() for name, row in rows.items()}
    new = {name: (file, row) for file, rows in after.items() for name, row in rows.items()}
    for name in sorted({*old, *new}):
        was, now = old.get(name), new.get(name)
        row = (now or was or ("", {}))[1]
        if not isinstance(row, dict) or (was and not isinstance(was[1], dict)):
            continue  # shown as it is written
        lines = list(_row(was[1] if was else None, now[1] if now else None, both))
        if was and now and was[0] != now[0]:
            lines.append(f"It is now written in {now[0]}, no longer in {was[0]}.")
        if lines:
            files = tuple(sorted({one[0] for one in (was, now) if one}))
            yield f"{name}: {_about(row, both['after' if now else 'before'])}", files, tuple(lines)


def _about(row: Data, data: Data) -> str:
    return f"{whom_of(row, {}, data)}, {words.category(str(row.get('category')))}"


def _row(was: Data | None, now: Data | None, both: Words) -> Iterator[str]:
    if was is None and now is not None:
        yield f"This row is new: {now.get('why')}"
        yield from (f"{gets(now, one, both['after'])}." for one in now.get("paths", ()))
        if not now.get("paths"):
            yield "Nothing opens it."
        yield from needs_told([], now.get("every_path_needs", []))
        yield (
            f"Never: {now.get('never') or 'nothing that the row names.'} "
            f"Basis: {words.listed(map(str, now.get('basis', ()))) or 'none'}. "
            f"Source: {now.get('source')}. From {now.get('valid_from')}."
        )
        return
    if now is None and was is not None:
        yield "This row is gone: nobody is told anything by it."
        yield from (f"No longer: {gets(was, one, both['before'])}." for one in was.get("paths", ()))
        return
    if was is None or now is None:
        return
    yield from _recipients(was, now, both)
    if not same(was.get("category"), now.get("category")):
        yield (
            f"It is now about {words.category(str(now.get('category')))}, "
            f"no longer about {words.category(str(was.get('category')))}."
        )
    if not same(was.get("not_for"), now.get("not_for")):
        old, new = _named(was.get("not_for")), _named(now.get("not_for"))
        yield f"It is now not for {new}; before not for {old}."
    yield from _texts(was, now, was, now, both)
    yield from _plain_words(was, now)
    yield from _earlier(was, now, both)
    for key in dict.fromkeys([*was, *now]):
        if key not in _IN_WORDS and not same(was.get(key), now.get(key)):
            yield f"`{key}` is now {written(now.get(key))}, was {written(was.get(key))}."


def _recipients(was: Data, now: Data, both: Words) -> Iterator[str]:
    old, new = was.get("recipient") or [], now.get("recipient") or []
    for one in new:
        if one not in old:
            whom = words.inside(words.recipient(str(one), both["after"]))
            yield f"The row is now also for {whom}."
    for one in old:
        if one not in new:
            whom = words.inside(words.recipient(str(one), both["before"]))
            yield f"The row is no longer for {whom}."
    if not same(old, new) and same(sorted(map(str, old)), sorted(map(str, new))):
        yield "Its recipients are named in another order."


def _texts(was: Data, now: Data, old_row: Data, new_row: Data, both: Words) -> Iterator[str]:
    """Tell what differs between two texts of a row: paths, what all need, bases, from when."""
    yield from paths_told(was, now, old_row, new_row, both)
    yield from needs_told(was.get("every_path_needs", []), now.get("every_path_needs", []))
    old, new = was.get("basis") or [], now.get("basis") or []
    for one in new:
        if one not in old:
            yield f"A release now also names the basis {_basis(one)}."
    for one in old:
        if one not in new:
            yield f"A release no longer names the basis {_basis(one)}."
    if not same(old, new) and same(sorted(map(str, old)), sorted(map(str, new))):
        yield f"The bases are named in another order: {words.listed(map(str, new))}."
    if not same(was.get("valid_from"), now.get("valid_from")):
        old, new = was.get("valid_from"), now.get("valid_from")
        yield f"This text applies from {new}; before it was from {old}."


def _basis(code: Any) -> str:
    return f"{code}, {words.BASES.get(str(code), 'not known')}"


def _plain_words(was: Data, now: Data) -> Iterator[str]:
    for key, what in (
        ("never", "What never goes"), ("why", "The reason for the row"), ("source", "The source"),
    ):  # fmt: skip
        if not same(was.get(key), now.get(key)):
            yield f"{what} now reads “{now.get(key)}”; before {words.quoted(was.get(key))}"
    if not same(was.get("owner"), now.get("owner")):
        old, new = (
            words.OWNERS.get(str(r.get("owner", "dsl")), str(r.get("owner"))) for r in (was, now)
        )
        yield f"Holds of this row now go to {new}; before to {old}."
    if not same(was.get("reads"), now.get("reads")):
        old, new = _named(was.get("reads")), _named(now.get("reads"))
        yield f"It is now said to read {new}; before {old}."


def _earlier(was: Data, now: Data, both: Words) -> Iterator[str]:
    old, new = _by_day(was), _by_day(now)
    lines = []
    for day in sorted({*old, *new}, reverse=True):
        if day not in old:
            lines.append(_kept(was, now, new[day], both))
        elif day not in new:
            lines.append(f"The earlier text from {day} is gone: days before are decided otherwise.")
        else:
            told = _texts(old[day], new[day], was, now, both)
            lines += [f"Earlier text from {day}: {line}" for line in told]
    twice = any(len(_by_day(one)) != len(one.get("earlier") or ()) for one in (was, now))
    if not same(was.get("earlier"), now.get("earlier")) and (twice or not lines):
        lines.append(
            f"The earlier texts are now {written(now.get('earlier'))}; "
            f"before {written(was.get('earlier'))}."
        )
    yield from lines


def _by_day(row: Data) -> dict[str, Data]:
    texts = row.get("earlier")
    found = [one for one in texts if isinstance(one, dict)] if isinstance(texts, list) else []
    return {str(one.get("valid_from")): one for one in found}


def _kept(was: Data, now: Data, text: Data, both: Words) -> str:
    """Tell of a new earlier text, which mostly is the one that stood there before."""
    day = text.get("valid_from")
    parts = ("paths", "every_path_needs", "basis", "valid_from")
    if all(same(text.get(part), was.get(part)) for part in parts):
        return f"Decisions about days from {day} are still made with the text of before."
    ways = "; ".join(gets(now, one, both["after"]) for one in text.get("paths") or ())
    needs = "".join(f" {one}" for one in needs_told([], text.get("every_path_needs") or []))
    bases = words.listed(map(str, text.get("basis") or ())) or "none"
    return (
        f"There is now an earlier text from {day}: {ways or 'nothing opens'}.{needs} "
        f"Basis: {bases}."
    )


def _named(names: Any) -> str:
    return words.listed(words.spaced(str(one)) for one in names or ()) or "nothing"
