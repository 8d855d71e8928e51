"""Mutants of the table: one row of the data changed in one way."""

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

Data = dict[str, Any]

OTHER_GATES = {
    "G1": ("G2",), "G2": ("G3", "G1", "G5"), "G3": ("G2", "G4"), "G4": ("G3",), "G5": ("G2",),
    "G7": ("G8",), "G8": ("G7",), "agreed": ("always", "G2"), "always": ("agreed",),
}  # fmt: skip
"""A weaker or a stronger one, or another."""


class RowMutant(NamedTuple):
    """What was changed where, and the row as it then is."""

    name: str
    row: str
    text: Data


def of_table(data: Data) -> Iterator[RowMutant]:
    """Yield every mutant of every row, of the paths that stand everywhere last."""
    for name, row in sorted(data["table"].items()):
        for change, text in _of_row(row, data):
            yield RowMutant(f"{name}: {change}", name, text)


def of_everywhere(data: Data) -> Iterator[tuple[str, Data]]:
    """Yield the data with one of the paths that stand everywhere changed."""
    for change, text in _of_row({"paths": data["everywhere"]}, data):
        yield f"everywhere: {change}", {**data, "everywhere": text["paths"]}


def of_recipients(data: Data) -> Iterator[tuple[str, Data]]:
    """Yield the data with one fact about a type of recipient turned round, or a role more."""
    for kind, about in data["recipients"].items():
        for fact in ("g1_counts", "carer"):
            other = copy.deepcopy(data)
            other["recipients"][kind][fact] = not about[fact]
            yield f"recipients.{kind}: {fact} turned round", other
        other = copy.deepcopy(data)
        other["recipients"][kind]["roles"].append("stranger")
        yield f"recipients.{kind}: role stranger added", other


def of_numbers(data: Data) -> Iterator[tuple[str, Data]]:
    """Yield the data with a time limit or a date of law moved."""
    for which, hours in data["hold_due_h"].items():
        other = copy.deepcopy(data)
        other["hold_due_h"][which] = hours + 1
        yield f"hold_due_h.{which}: {hours + 1}", other
    for day in ("2026-09-29", "2026-10-01"):
        other = copy.deepcopy(data)
        other["law"]["s16la"]["in_force_from"] = day
        yield f"law.s16la: in force from {day}", other


def _of_row(row: Data, data: Data) -> Iterator[tuple[str, Data]]:
    needs = row.get("every_path_needs", [])
    for place, condition in enumerate(needs):
        yield (
            f"every path no longer needs {_said(condition)}",
            {**row, "every_path_needs": _without(needs, place)},
        )
        for change, other in _of_condition(condition, data):
            yield (
                f"every path needs {change}",
                {**row, "every_path_needs": _with(needs, place, other)},
            )
    paths = row["paths"]
    for place, path in enumerate(paths):
        yield f"path {place + 1} dropped", {**row, "paths": _without(paths, place)}
        for change, other in _of_path(path, data):
            yield f"path {place + 1}: {change}", {**row, "paths": _with(paths, place, other)}
    for place in range(len(paths) - 1):
        if not _order_matters(paths[place], paths[place + 1]):
            continue
        turned = [*paths[:place], paths[place + 1], paths[place], *paths[place + 2 :]]
        yield f"paths {place + 1} and {place + 2} change places", {**row, "paths": turned}
    for place, code in enumerate(row.get("basis", [])):
        yield f"basis {code} lost", {**row, "basis": _without(row["basis"], place)}
    for member in ("owner", "not_for"):
        if member in row:
            yield f"{member} lost", {k: v for k, v in row.items() if k != member}
    if "valid_from" in row and paths:
        yield "valid later", {**row, "valid_from": "2027-06-01"}


def _order_matters(one: Data, other: Data) -> bool:
    """Not where they are for different seats, or fewer transforms decide between the two."""
    seats = [set(path["for"]) if "for" in path else None for path in (one, other)]
    apart = all(seats) and not seats[0] & seats[1]  # type: ignore[operator]
    alike = len(one["transforms"]) == len(other["transforms"])
    return not apart and (alike or one.get("owner") != other.get("owner"))


def _of_path(path: Data, data: Data) -> Iterator[tuple[str, Data]]:
    when = path["when"]
    for place, condition in enumerate(when):
        if len(when) > 1:
            yield f"{_said(condition)} dropped", {**path, "when": _without(when, place)}
        for change, other in _of_condition(condition, data):
            yield change, {**path, "when": _with(when, place, other)}
        if isinstance(condition, dict) and "any" in condition:
            spread = [*when[:place], *condition["any"], *when[place + 1 :]]
            yield f"any of {_said(condition)} became all", {**path, "when": spread}
    marks = path["transforms"]
    for place, mark in enumerate(marks):
        yield f"transform {mark} lost", {**path, "transforms": _without(marks, place)}
        other = "codes_only" if mark != "codes_only" else "minimum_facts"
        yield f"transform {mark} became {other}", {**path, "transforms": _with(marks, place, other)}
    if not marks:
        yield "transform codes_only added", {**path, "transforms": ["codes_only"]}
    for member in ("for", "owner", "by_voice"):
        if member in path:
            yield f"{member} lost", {k: v for k, v in path.items() if k != member}
    for place, seat in enumerate(path.get("for", []) if len(path.get("for", [])) > 1 else []):
        yield f"no longer for {seat}", {**path, "for": _without(path["for"], place)}


def _of_condition(condition: Any, data: Data) -> Iterator[tuple[str, Any]]:
    if isinstance(condition, str):
        for other in OTHER_GATES.get(condition, ()):
            yield f"{condition} became {other}", other
        yield f"not added before {condition}", {"not": condition}
        return
    ((name, wanted),) = condition.items()
    if name == "not":
        yield f"not removed before {_said(wanted)}", wanted
    elif name == "any":
        for place, one in enumerate(wanted):
            rest = _without(wanted, place)
            yield (
                f"{_said(one)} dropped from any",
                {"any": rest} if len(rest) > 1 else rest[0],
            )
            for change, other in _of_condition(one, data):
                if not (isinstance(other, dict) and "any" in other):
                    yield f"in any, {change}", {"any": _with(wanted, place, other)}
    elif isinstance(wanted, list):
        more = [code for code in data["codes"][name] if code not in wanted]
        if more:
            yield f"{name} widened by {more[0]}", {name: [*wanted, more[0]]}
        if len(wanted) > 1:
            yield f"{name} without {wanted[-1]}", {name: wanted[:-1]}
        yield f"not added before {name}", {"not": condition}
    else:
        ((limit, number),) = wanted.items()
        for other in (number - 1, number + 1):
            yield f"{name} {limit} {other}", {name: {limit: other}}


def _said(condition: Any) -> str:
    if isinstance(condition, str):
        return condition
    ((name, wanted),) = condition.items()
    if name == "any":
        return "/".join(_said(one) for one in wanted)
    return f"not {_said(wanted)}" if name == "not" else str(name)


def _without(values: list[Any], place: int) -> list[Any]:
    return [*values[:place], *values[place + 1 :]]


def _with(values: list[Any], place: int, other: Any) -> list[Any]:
    return [*values[:place], other, *values[place + 1 :]]
