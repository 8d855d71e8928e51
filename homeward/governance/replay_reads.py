"""Which ids, times and other fields a policy cannot tell apart, from its parsed rules.

A field may be replaced by a stand-in where every rule that sees it is one that is known, word for
word, not to tell the stand-in from the value. One edited word, a new rule that looks, or one that
takes the whole input, and the field stays as it is: that costs time and never an answer.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

Path = tuple[str, ...]

FITS = frozenset({"fits", "has_truths", "has_words", "has_codes"})
"""They look only whether a field has its type, or its code is of the closed list."""
KNOWN: Mapping[str, str] = {
    "able_to_agree": "4dcbbb8e7245326d",
    "agreement": "382ed9b02422e47b",
    "competent": "235b6337bc2d2da5",
    "due_h": "92f540ad332478d3",
    "g1": "1c05d627d48e6c31",
    "g2": "864af50652ccc5fd",
    "g3": "37405f532cb140ad",
    "g4": "2ca5fffad967f468",
    "g5": "fa870f503ed3e4f6",
    "g7": "5ce5f6d31d3541e3",
    "g8": "568b7425ec90c195",
    "h1": "7a2582c6076cce9b",
    "hd1": "7f595ca5615941c8",
    "hd3": "0bf4643119cd3e17",
    "hd4": "abd65fabc94a25de",
    "hd7": "dc6535a00620eb96",
    "hd9": "4e2b13773c9b596a",
    "in_rows": "12a45f96c0227cb8",
    "inside": "478474e9b1910523",
    "la_has_decided": "35fd8e2d4e9b73b3",
    "objects": "0c7f0e1deb3e0f30",
    "owed": "7f9e5d80c10a1845",
    "perpetrator_elsewhere": "c505993c929082c0",
    "pr": "1abe6cbb3d76c76b",
    "purpose_locate_child": "fbef90bb1c2d4749",
    "recipient_type": "7f8152b75c29e1a0",
    "refusal_reasons": "fc0dc9a89212bdb2",
    "seat": "d96bf36ed3741f58",
    "sweep": "80cb5ad77cdac0de",
    "to_an_authority": "71d4baef350dac92",
    "added": "42314b095a8940ed",
    "adult": "260b8374ce8bcdea",
    "basis_now": "7655d63fb97fe0f6",
    "fits": "0fcab503bcdb557d",
    "has_codes": "5caa0afa1c56aeef",
    "has_truths": "e20149c5a3519a14",
    "has_words": "45be829f47e32fc1",
    "place_in_host_area": "991046bef5db7f1f",
    "recorded": "b17117dd11783501",
    "text": "2f5b4fb5033022bf",
}
"""Digest of each rule that was read by a person for what it can tell apart."""
RULE = "rule"
"""First step of a path that stands for a rule, which other rules see as they see a field."""
SEEN_BY: Mapping[Path, frozenset[str]] = {
    ("now",): FITS,
    ("law", "as_of"): FITS | {"basis_now", "text"},
    ("law", "csa_duty_in_force"): FITS,
    ("child", "id"): FITS,
    ("child", "age"): FITS | {"adult"},
    ("child", "legal_status"): FITS,
    ("child", "responsible_la"): FITS,
    ("child", "host_la"): FITS | {"place_in_host_area"},
    ("episode", "id"): FITS,
    ("episode", "setting"): FITS,
    ("item", "id"): FITS,
    ("item", "third_parties"): FITS | {"added"},
    ("item", "special"): FITS,
    ("item", "offence_data"): FITS,
    ("recipient", "id"): FITS,
    ("recipient", "competent_authority"): FITS,
    ("recipient", "lives_with_child"): FITS,
    ("gates",): FITS | {"recorded"},
    # seen by more rules, so that only under some conditions nothing follows from them
    ("child", "competence"): FITS | {"competent"},
    ("child", "address_confidential"): FITS | {"hd9"},
    ("item", "provenance"): FITS | {"hd4"},
    ("item", "counselling"): FITS | {"hd7"},
    ("item", "verbatim"): FITS | {"owed"},
    ("recipient", "pr"): FITS | {"pr"},
    ("recipient", "role"): FITS | {"seat", "hd3"},
    ("purpose",): FITS | {"purpose_locate_child", "hd3"},
    ("agreement", "by"): FITS | {"able_to_agree"},
    ("agreement", "consequences_explained"): FITS | {"agreement"},
    ("agreement", "status"): FITS | {"agreement", "objects", "refusal_reasons"},
    ("strategy_decision",): FITS | {"h1", "la_has_decided"},
    ("alleged_perpetrator",): FITS
    | {
        "h1",
        "hd1",
        "inside",
        "la_has_decided",
        "perpetrator_elsewhere",
    },
    (RULE, "able_to_agree"): frozenset({"agreement"}),
    (RULE, "competent"): frozenset({"able_to_agree", "objects"}),
    (RULE, "objects"): frozenset({"owed"}),
    (RULE, "pr"): frozenset(),
    (RULE, "purpose_locate_child"): frozenset(),
    (RULE, "la_has_decided"): frozenset(),
    (RULE, "inside"): frozenset({"h1"}),
    (RULE, "perpetrator_elsewhere"): frozenset({"due_h"}),
    (RULE, "to_an_authority"): frozenset({"added"}),
    ("recipient", "type"): FITS | {"recipient_type"},
    (RULE, "recorded"): frozenset({"g3", "g4", "in_rows", "hd7", "sweep"}),
    (RULE, "in_rows"): frozenset({"g1", "g2", "g5", "g7", "g8", "sweep"}),
}
"""Fields that have stand-ins, and the rules that may see them."""


def free(modules: Mapping[str, Any]) -> frozenset[Path]:
    """Return the fields of SEEN_BY that these parsed rules see in the known ways only."""
    seen: dict[Path, set[str]] = {}
    texts: dict[str, list[str]] = {}
    for name in sorted(modules):
        module = modules[name]
        if any(_input(one["path"]) is not None for one in module.get("imports") or ()):
            return frozenset()
        for rule in module.get("rules") or ():
            named = _name(rule)
            texts.setdefault(named, []).append(_text(rule))
            if _replaces_input(rule):
                return frozenset()
            for path in _paths(rule):
                seen.setdefault(path, set()).add(named)
            for other in _names(rule) - {named}:
                seen.setdefault((RULE, other), set()).add(named)
    known = {name for name, several in texts.items() if KNOWN.get(name) == digest(several)}
    return frozenset(
        field
        for field, rules in SEEN_BY.items()
        if {
            name
            for path, names in seen.items()
            if path[: len(field)] == field or field[: len(path)] == path
            for name in names
        }
        <= rules & known
        and (field[0] != RULE or field[1] in known)
    )


CODES = {
    ("law", "controller"): "controller",
    ("request", "kind"): "request_kind",
    ("child", "identity_status"): "identity_status",
    ("child", "legal_status"): "legal_status",
    ("child", "competence"): "competence",
    ("item", "category"): "category",
    ("item", "subject"): "subject",
    ("item", "provenance"): "provenance",
    ("recipient", "type"): "recipient_type",
    ("recipient", "alleged_perpetrator"): "yes_no_unassessed",
    ("recipient", "connected_to_perpetrator"): "yes_no_unassessed",
    ("agreement", "status"): "agreement_status",
    ("agreement", "by"): "agreement_by",
    ("alleged_perpetrator",): "alleged_perpetrator",
    ("strategy_decision",): "strategy_decision",
}
"""The list of codes of each field, as the rule `has_codes` of KNOWN has them: it is true exactly
where each is of its list, whichever it is."""


def has_known_codes(modules: Mapping[str, Any]) -> bool:
    """Tell whether these parsed rules have the rule `has_codes` that CODES describes."""
    return digests(modules).get("has_codes") == KNOWN["has_codes"]


def digest(texts: list[str]) -> str:
    """Return the digest of a rule, all of its clauses, as OPA parsed them."""
    return sha256("\n".join(texts).encode()).hexdigest()[:16]


def digests(modules: Mapping[str, Any]) -> dict[str, str]:
    """Return the digest of every rule of KNOWN in these modules."""
    texts: dict[str, list[str]] = {}
    for name in sorted(modules):
        for rule in modules[name].get("rules") or ():
            texts.setdefault(_name(rule), []).append(_text(rule))
    return {name: digest(texts[name]) for name in sorted(KNOWN) if name in texts}


def _text(rule: Any) -> str:
    """Return a rule as text that is the same for every version of OPA's parser."""
    return json.dumps(_bare(rule), sort_keys=True)


def _bare(node: Any) -> Any:
    if isinstance(node, list):
        return [_bare(one) for one in node]
    if isinstance(node, dict):
        return {key: _bare(one) for key, one in node.items() if key not in _NOTES}
    return node


_NOTES = frozenset({"generated", "index", "location"})


def _name(rule: Mapping[str, Any]) -> str:
    return ".".join(str(part["value"]) for part in rule["head"]["ref"])


def _input(term: Any) -> Path | None:
    """Return the named steps below the input of a reference; None for any other term."""
    if term.get("type") == "var" and term.get("value") == "input":
        return ()
    if term.get("type") != "ref" or term["value"][0] != {"type": "var", "value": "input"}:
        return None
    steps = []
    for part in term["value"][1:]:
        if part["type"] != "string":
            break
        steps.append(part["value"])
    return tuple(steps)


def _paths(node: Any) -> Iterator[Path]:
    if isinstance(node, list):
        for one in node:
            yield from _paths(one)
    elif isinstance(node, dict):
        path = _input(node)
        if path is not None:
            yield path
        if path is None or node["type"] == "ref":
            below = node["value"][1:] if path is not None else list(node.values())
            yield from _paths(below)


def _names(node: Any) -> set[str]:
    """Return every name in a rule: whatever it is there, it may be that of another rule."""
    if isinstance(node, list):
        return set().union(*map(_names, node))
    if not isinstance(node, dict):
        return set()
    if _input(node) is not None:
        steps = node["value"] if node["type"] == "ref" else []
        return _names([part for part in steps[1:] if part["type"] != "string"])
    own = {str(node["value"])} if node.get("type") in ("var", "string") else set()
    return own.union(*map(_names, node.values()))


def _replaces_input(node: Any) -> bool:
    if isinstance(node, list):
        return any(map(_replaces_input, node))
    if isinstance(node, dict):
        return bool(node.get("with")) or any(map(_replaces_input, node.values()))
    return False
