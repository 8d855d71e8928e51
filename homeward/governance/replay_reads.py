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
    "added": "42314b095a8940ed",
    "adult": "260b8374ce8bcdea",
    "basis_now": "7655d63fb97fe0f6",
    "fits": "0fcab503bcdb557d",
    "has_codes": "5caa0afa1c56aeef",
    "has_truths": "e20149c5a3519a14",
    "has_words": "45be829f47e32fc1",
    "recorded": "b17117dd11783501",
    "text": "2f5b4fb5033022bf",
}
"""Digest of each rule that was read by a person for what it can tell apart."""
SEEN_BY: Mapping[Path, frozenset[str]] = {
    ("now",): FITS,
    ("law", "as_of"): FITS | {"basis_now", "text"},
    ("law", "csa_duty_in_force"): FITS,
    ("child", "id"): FITS,
    ("child", "age"): FITS | {"adult"},
    ("child", "legal_status"): FITS,
    ("child", "responsible_la"): FITS,
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


def _replaces_input(node: Any) -> bool:
    if isinstance(node, list):
        return any(map(_replaces_input, node))
    if isinstance(node, dict):
        return bool(node.get("with")) or any(map(_replaces_input, node.values()))
    return False
