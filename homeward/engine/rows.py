"""The table of the sharing rules as OPA runs it fastest: a rule per row and seat.

People review the rows as data; reading them as data for every decision took most of its time. The
text of these rules is made of names from the closed lists below and of quoted words, never of what
a table says, so that a table cannot bring code along.
"""

import json
from collections.abc import Iterator
from typing import Any

PACKAGE = "homeward.rows"
GATES = frozenset(f"G{number}" for number in range(1, 9))
NAMES = {name: name for name in (
    "agreed", "always", "objects", "competent", "counts", "pr", "professional_carer", "approved",
    "la_has_decided", "a_person_decides", "purpose_locate_child", "place_in_host_area",
    "instrument",
)} | {gate: gate.lower() for gate in GATES - {"G6"}} | {
    f"vir.{name}": f"vir_{name}"
    for name in ("line_of_enquiry", "necessity", "notice", "counselling_test", "senior_approval")
}  # fmt: skip
"""The conditions that are rules in `policies/`, by what the table calls them."""

_ANYBODY = "*"
"""The seat of one whose role is not known: no path that is for somebody."""
_NOT_YET = {"paths": [], "basis": [], "valid_from": ""}
"""What a row says before its first text."""
_UNKNOWN = "1"
_TRUTHS = {True: 2, False: 0}

Data = dict[str, Any]


def compiled(data: Data) -> tuple[Data, str]:
    """Return what the policies look up of each row, and the rules that judge its paths."""
    cells: Data = {}
    rules = [f"package {PACKAGE}\n"]
    for name, row in sorted(data["table"].items()):
        earlier = sorted(row.get("earlier", ()), key=lambda t: str(t["valid_from"]), reverse=True)
        cells[name] = []
        for number, text in enumerate((row, *earlier, _NOT_YET)):
            seats = {}
            for seat in _seats(data, name):
                paths = [*_of(seat, text["paths"]), *_everywhere(data, name, row, seat)]
                needs = text.get("every_path_needs", [])
                own = len(_of(seat, text["paths"]))
                seats[seat] = _cell(paths, seat) | {"text": str(number)}
                worth = ", ".join(
                    _weakest([*(needs if place < own else ()), *path["when"]], data)
                    for place, path in enumerate(paths)
                )
                at = "][".join(json.dumps(one) for one in (name, str(number), seat))
                rules.append(f"worth[{at}] := [{worth}]\n")
            cells[name].append(
                {
                    "from": text["valid_from"],
                    "known": text is not _NOT_YET,
                    "basis": text.get("basis", []),
                    "owner": row.get("owner", "dsl"),
                    "seats": seats,
                }
            )
    return cells, "\n".join(rules)


def paths_of(data: Data, name: str, text: Data, seat: str) -> list[tuple[Data, list[Any]]]:
    """Return the paths that a text of a row has for a seat, each with all that it needs."""
    row = data["table"][name]
    own = _of(seat, text["paths"])
    needs = text.get("every_path_needs", [])
    return [
        (path, [*(needs if place < len(own) else ()), *path["when"]])
        for place, path in enumerate([*own, *_everywhere(data, name, row, seat)])
    ]


def judging(condition: Any, data: Data) -> str:
    """Return the Rego by which a row judges a condition: 2, 1 or 0."""
    return _condition(condition, data)


def _seats(data: Data, row: str) -> list[str]:
    """An authority sits by its role, anybody else by type."""
    seats = [_ANYBODY]
    for kind, about in data["recipients"].items():
        if about["rows"] == row.split("-", maxsplit=1)[0]:
            seats += about["roles"] if kind == "childrens_services" else [kind]
    return seats


def _of(seat: str, paths: list[Data]) -> list[Data]:
    return [path for path in paths if seat in path.get("for", [seat])]


def _everywhere(data: Data, name: str, row: Data, seat: str) -> list[Data]:
    """Counts and requests have no paths but their own."""
    if name == "POL-12" or row["category"] == "aggregates":
        return []
    return _of(seat, data["everywhere"])


def _cell(paths: list[Data], seat: str) -> Data:
    gates = [[g for c in path["when"] for g in _alternatives(c) if _is_gate(g)] for path in paths]
    cost = [len(path["transforms"]) for path in paths]
    return {
        "seat": seat,
        "paths": [
            {
                "gates": gates[place],
                "agreed": "agreed" in path["when"],
                "transforms": path["transforms"],
                "by_voice": path.get("by_voice", False),
            }
            | ({"owner": path["owner"]} if "owner" in path else {})
            for place, path in enumerate(paths)
        ],
        "fewest_first": sorted(range(len(paths)), key=lambda place: cost[place]),
        "uses_g1": any("G1" in one for one in gates),
        "asks_for_counts": any("counts" in path["when"] for path in paths),
    }


def _alternatives(condition: Any) -> list[Any]:
    if isinstance(condition, str):
        return [condition]
    return list(condition.get("any", ()))


def _is_gate(condition: Any) -> bool:
    return isinstance(condition, str) and condition in GATES


def _weakest(conditions: list[Any], data: Data) -> str:
    told = list(dict.fromkeys(_condition(one, data) for one in conditions))
    return told[0] if len(told) == 1 else f"min([{', '.join(told or [_UNKNOWN])}])"


def _condition(condition: Any, data: Data) -> str:
    if isinstance(condition, str):
        return _named(condition, data)
    ((name, wanted),) = condition.items()
    if name == "any":
        return f"max([{', '.join(_beside(wanted, data))}])"
    if name == "not":
        return f"2 - {_condition(wanted, data)}"
    if isinstance(wanted, list):
        codes = data["codes"].get(name, ())
        return _looked_up(name, {code: 2 * (code in wanted) for code in codes})
    ((limit, number),) = wanted.items()
    if data["facts"].get(name) == "number" and limit in ("at_most", "at_least"):
        return f"data.homeward.sharing.{limit}({_fact(name)}, {json.dumps(number)})"
    return _UNKNOWN


def _beside(alternatives: list[Any], data: Data) -> Iterator[str]:
    """A fact that stands beside a gate opens without one, so not while it is unsure who it is."""
    gated = any(_is_gate(one) for one in alternatives)
    for one in alternatives:
        value = _condition(one, data)
        fact = isinstance(one, str) and one in data["facts"]
        yield f"data.homeward.sharing.if_identity_is_sure({value})" if gated and fact else value


def _named(name: str, data: Data) -> str:
    kind = data["facts"].get(name)
    if name in NAMES:
        return f"data.homeward.sharing.{NAMES[name]}"
    if kind == "truth":
        return _looked_up(name, _TRUTHS)
    if kind in ("text", "list"):
        return f"data.homeward.sharing.filled_{kind}({_fact(name)})"
    return _UNKNOWN


def _looked_up(name: str, values: dict[Any, int]) -> str:
    worth = ", ".join(f"{json.dumps(key)}: {value}" for key, value in values.items())
    return f"object.get({{{worth}}}, [{_fact(name)}], {_UNKNOWN})"


def _fact(name: str) -> str:
    return f"object.get(input.item.facts, {json.dumps(name)}, null)"
