"""Which judgements a hold waits for: read from the paths of its row that are not closed yet.

Three-valued like policy itself, but only to name what is missing: nothing is released on this.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from services.sharing.domain.document import Document, gate

Worth = tuple[bool | None, frozenset[str]]
"""True, false or unknown, and the names whose absence makes it unknown."""

_NONE: frozenset[str] = frozenset()
_MET_BY = {"G2": ("G2", "G3", "G4", "G6"), "G3": ("G3", "G6")}
_WATCHED = frozenset({"carer_parent", "carer_professional", "school_dsl", "young_person", "health"})
"""Types whose closeness to whoever may have harmed the child has to be known (HD1)."""


def missing(
    document: Document,
    paths: Iterable[Mapping[str, Any]],
    rule_ids: Sequence[str],
    kinds: Mapping[str, str],
) -> frozenset[str]:
    """Return the names of judgements and facts that this hold waits for; empty where of none."""
    found: frozenset[str] = _of_rules(document, rule_ids)
    if "H1" in rule_ids:
        return found
    for path in paths:
        worth, names = _all([_worth(one, document, kinds) for one in path["when"]])
        if worth is None:
            found |= names
    return found


def _of_rules(document: Document, rule_ids: Sequence[str]) -> frozenset[str]:
    """Return what unknown hard denies and H1 wait for."""
    found: set[str] = set()
    recipient = document["recipient"]
    if "HD1" in rule_ids and recipient["type"] in _WATCHED:
        for name, field in (
            ("recipient_alleged_perpetrator", "alleged_perpetrator"),
            ("connected_to_perpetrator", "connected_to_perpetrator"),
        ):
            if recipient[field] == "unassessed":
                found.add(name)
    if "H1" in rule_ids:
        if document["alleged_perpetrator"] == "unassessed":
            found.add("child_alleged_perpetrator")
        found |= _unassessed(document, ("G3", "G6"))
        if not found:
            found.add("strategy_decision")
    if "HD7" in rule_ids:
        found |= _unassessed(document, ("G4", "G8"))
    if "HD10" in rule_ids:
        found |= _unassessed(document, ("G3", "G4", "G6"))
    return frozenset(found)


def _unassessed(document: Document, names: Iterable[str]) -> set[str]:
    return {name for name in names if gate(document, name) is None}


def _all(worths: Sequence[Worth]) -> Worth:
    if any(worth is False for worth, _ in worths):
        return False, _NONE
    unknown = [names for worth, names in worths if worth is None]
    return (None, _NONE.union(*unknown)) if unknown else (True, _NONE)


def _any(worths: Sequence[Worth]) -> Worth:
    if any(worth is True for worth, _ in worths):
        return True, _NONE
    unknown = [names for worth, names in worths if worth is None]
    return (None, _NONE.union(*unknown)) if unknown else (False, _NONE)


def _not(worth: Worth) -> Worth:
    value, names = worth
    return (None if value is None else not value, names)


def _worth(condition: Any, document: Document, kinds: Mapping[str, str]) -> Worth:
    match condition:
        case str():
            return _named(condition, document, kinds)
        case {"any": list(several)}:
            return _any([_worth(one, document, kinds) for one in several])
        case {"not": inner}:
            return _not(_worth(inner, document, kinds))
        case dict() if len(condition) == 1:
            return _compared(*next(iter(condition.items())), document)
    return None, _NONE


def _compared(name: str, wanted: Any, document: Document) -> Worth:
    value = document["item"]["facts"].get(name)
    if isinstance(wanted, list):
        return (value in wanted, _NONE) if isinstance(value, str) else (None, frozenset({name}))
    if isinstance(value, int | float) and not isinstance(value, bool):
        fits = wanted.get("at_least", value) <= value <= wanted.get("at_most", value)
        return fits, _NONE
    return None, frozenset({name})


def _named(name: str, document: Document, kinds: Mapping[str, str]) -> Worth:
    if name in {f"G{n}" for n in range(1, 9)}:
        return _gate(name, document)
    special: Mapping[str, Callable[[], Worth]] = {
        "always": lambda: (True, _NONE),
        "agreed": lambda: _agreed(document),
        "objects": lambda: _objects(document),
        "competent": lambda: _competent(document),
        "pr": lambda: (document["recipient"]["pr"], _NONE),
        "professional_carer": lambda: (
            document["recipient"]["type"] == "carer_professional",
            _NONE,
        ),
        "instrument": lambda: (bool(document["request"]["instrument"]), _NONE),
        "purpose_locate_child": lambda: (document["purpose"] == "locate_child", _NONE),
        "la_has_decided": lambda: _la_has_decided(document),
        "counts": lambda: (bool(document["item"]["facts"].get("cell_counts")), _NONE),
        "approved": lambda: _approved(document),
        "place_in_host_area": lambda: _place_in_host_area(document),
    }
    if name in special:
        return special[name]()
    return _fact(name, document, kinds)


def _gate(name: str, document: Document) -> Worth:
    if name == "G1" and not document["recipient"]["is_16la_body"]:
        return False, _NONE
    return _any(
        [
            (gate(document, one), frozenset({one}) if gate(document, one) is None else _NONE)
            for one in _MET_BY.get(name, (name,))
        ]
    )


def _agreed(document: Document) -> Worth:
    said = document["agreement"]
    if said["status"] != "agreed" or not said["consequences_explained"]:
        return False, _NONE
    competent, names = _competent(document)
    if competent is None:
        return None, names
    return competent is (said["by"] == "child"), _NONE


def _objects(document: Document) -> Worth:
    if document["agreement"]["status"] not in {"declined", "withdrawn"}:
        return False, _NONE
    return _competent(document)


def _competent(document: Document) -> Worth:
    if document["child"]["age"] >= 18:
        return True, _NONE
    competence = document["child"]["competence"]
    if competence == "unassessed":
        return None, frozenset({"competence"})
    return competence == "competent", _NONE


def _la_has_decided(document: Document) -> Worth:
    if document["strategy_decision"] != "not_held":
        return document["strategy_decision"] == "carer_may_be_told", _NONE
    if document["alleged_perpetrator"] in {"familial", "household"}:
        return False, _NONE
    return None, frozenset({"strategy_decision"})


def _approved(document: Document) -> Worth:
    given = document["item"]["facts"].get("approvals")
    if given is None:
        return None, frozenset({"approvals"})
    return {"dpo", "dsl"} <= set(given), _NONE


def _place_in_host_area(document: Document) -> Worth:
    place = document["item"]["facts"].get("place_la")
    if not isinstance(place, str):
        return None, frozenset({"place_la"})
    return place == document["child"]["host_la"], _NONE


def _fact(name: str, document: Document, kinds: Mapping[str, str]) -> Worth:
    facts = document["item"]["facts"]
    if name.startswith("vir."):
        given = facts.get("vir")
        value = given.get(name.removeprefix("vir.")) if isinstance(given, dict) else None
        return (bool(value), _NONE) if value is not None else (None, frozenset({"vir"}))
    value = facts.get(name)
    kind = kinds.get(name)
    fits = isinstance(value, {"truth": bool, "text": str, "list": list}.get(kind or "", object))
    if value is None or not fits or kind is None:
        return None, frozenset({name} if kind is not None else ())
    return bool(value), _NONE
