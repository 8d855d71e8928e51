"""What differs in the paths of a row, in sentences."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homeward.governance import words

Data = dict[str, Any]
Words = Mapping[str, Data]
"""`before` and `after`: the lists that sentences borrow their words from."""


def whom_of(row: Data, path: Data, data: Data) -> str:
    """Return for whom a path of a row is."""
    named = path.get("for") or row.get("recipient") or ()
    titles = [words.recipient(str(one), data) for one in named]
    return words.listed([*titles[:1], *map(words.inside, titles[1:])]) or "Nobody"


def paths_told(was: Data, now: Data, old_row: Data, new_row: Data, both: Words) -> Iterator[str]:
    """Yield what differs between the paths of two texts of a row."""
    old, new = list(was.get("paths") or ()), list(now.get("paths") or ())
    gone = [one for one in old if not any(same(one, other) for other in new)]
    come = [one for one in new if not any(same(one, other) for other in old)]
    about = words.thing(str(new_row.get("category")))
    for path in come:
        whom = whom_of(new_row, path, both["after"])
        twin = next(
            (o for o in gone if same(o.get("when"), path.get("when")) and _seat(o, path)), None
        )
        if twin is None:
            twin = next(
                (
                    o
                    for o in gone
                    if same(o.get("transforms"), path.get("transforms")) and _seat(o, path)
                ),
                None,
            )
            verb = "now" if twin else "now also"
            what = f"{_what(path, both['after'])}{_before(twin)}"
            yield f"{whom} {verb} receive {about} {_when(path)}: {what}."
        else:
            yield (
                f"{whom} now receive {about} {_when(path)}: {_what(path, both['after'])}; "
                f"before: {_what(twin, both['before'])}."
            )
        if twin is not None:
            gone.remove(twin)
    for path in gone:
        whom = whom_of(old_row, path, both["before"])
        yield f"{whom} no longer receive {about} {_when(path)} ({_what(path, both['before'])})."
    kept_old = [written(one) for one in old if any(same(one, other) for other in new)]
    kept_new = [written(one) for one in new if any(same(one, other) for other in old)]
    if kept_old != kept_new or (not gone and not come and not same(old, new)):
        yield "Its paths stand in another order, or one of them stands more than once."


def _seat(one: Data, other: Data) -> bool:
    return same(one.get("for"), other.get("for"))


def _before(twin: Data | None) -> str:
    return f"; before {_when(twin)}" if twin is not None else ""


def _when(path: Data) -> str:
    said = words.conditions(path.get("when") or [])
    return "whether agreed or not" if said == "always" else f"when {said}"


def _what(path: Data, data: Data) -> str:
    told = words.transforms([str(one) for one in path.get("transforms") or ()], data)
    if path.get("by_voice"):
        told += ", also by voice to a known number while the channel is not verified"
    if path.get("owner"):
        told += (
            f", and {words.OWNERS.get(path['owner'], path['owner'])} decides where it is not known"
        )
    for key in path.keys() - {"when", "for", "by_voice", "owner", "transforms", "why", "source"}:
        told += f", {key}: {written(path[key])}"
    return told


def gets(row: Data, path: Data, data: Data) -> str:
    """Return what somebody receives by one path."""
    about = words.thing(str(row.get("category")))
    return f"{whom_of(row, path, data)} receive {about} {_when(path)}: {_what(path, data)}"


def needs_told(old: Sequence[Any], new: Sequence[Any]) -> Iterator[str]:
    """Yield what differs in what every path of a row needs."""
    gone = [one for one in old if not any(same(one, other) for other in new)]
    come = [one for one in new if not any(same(one, other) for other in old)]
    for one in come:
        twin = next((o for o in gone if _name(o) == _name(one)), None)
        if twin is not None:
            gone.remove(twin)
        before = f"; before that {words.condition(twin)}" if twin is not None else ""
        yield f"Every path of it now needs that {words.condition(one)}{before}."
    yield from (f"No path of it needs any longer that {words.condition(one)}." for one in gone)
    if not gone and not come and not same(old, new):
        yield "What every path needs stands in another order."


def _name(condition: Any) -> str:
    while isinstance(condition, dict) and len(condition) == 1:
        ((name, inner),) = condition.items()
        if name != "not":
            return str(name)
        condition = inner
    return str(condition)


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same to an engine: `true` is not `1`."""
    return written(one) == written(other)


def written(value: Any) -> str:
    """Return a value as JSON."""
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)
