"""The safety envelope as data and small rules: what must never be seen."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from homeward.governance.questions_edits import Edit
from homeward.governance.questions_tree import Steps
from homeward.governance.space_classes import a_gate

ENVELOPE = Path(__file__).with_name("envelope.yaml")
RELEASES = ("allow", "allow_redacted")
_ORDER = {"deny": 0, "defer": 1, "allow_redacted": 2, "allow": 2}
_HARD = ("HD", "H1")

Answer = Mapping[str, Any] | None
Data = Mapping[str, Any]


@dataclass(frozen=True)
class Invariant:
    """One thing that must hold for every document."""

    id: str
    title: str
    why: str
    source: str
    forbidden: str
    before: tuple[Edit, ...] = ()
    ways: tuple[tuple[Edit, ...], ...] = ()
    """How documents are changed; none: every document is looked at as it is."""
    broken: bool = False
    """They are changed in every way that does not fit a field."""
    only: Mapping[Steps, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    """What the rule under `forbidden` needs to know."""

    def concerns(self, values: Iterable[Any]) -> bool:
        """Tell whether it is about a document with these values at the places of `only`."""
        return all(_fits(wanted, v) for wanted, v in zip(self.only.values(), values, strict=True))

    def is_broken_by(self, before: Answer, after: Answer, seat: str, data: Data) -> bool:
        """Tell whether these answers, to one document before and after, must never be seen."""
        return _FORBIDDEN[self.forbidden](before, after, seat, data, self.more)


def is_locked(data: Data) -> bool:
    """Tell whether these policies have the lockdown on, which anything but a plain false is."""
    return data.get("lockdown") is not False


def read_envelope(data: Data) -> tuple[list[Invariant], list[dict[str, Any]]]:
    """Return the invariants for documents, and those for the whole space as they are written."""
    written = yaml.safe_load(ENVELOPE.read_bytes())
    commencement = datetime.date.fromisoformat(str(data["law"]["s16la"]["in_force_from"]))
    known = {
        "id", "title", "why", "source", "forbidden", "from", "changes", "broken", "only",
        "in_lockdown",
    }  # fmt: skip
    told = [
        Invariant(
            one["id"], one["title"], one["why"], one["source"], one["forbidden"],
            _edits(one.get("from", {}), commencement),
            tuple(_edits(change, commencement) for change in one.get("changes", ())),
            one.get("broken", False),
            {tuple(path.split(".")): wanted for path, wanted in one.get("only", {}).items()},
            {name: value for name, value in one.items() if name not in known},
        )
        for one in written["invariants"]
        if is_locked(data) or not one.get("in_lockdown", False)
    ]  # fmt: skip
    return told, written["over_the_whole_space"]


def _edits(change: Mapping[str, Any], commencement: datetime.date) -> tuple[Edit, ...]:
    edits = []
    for path, value in change.items():
        told = value
        if path.startswith("gates."):
            told = a_gate(value)
        elif isinstance(value, dict):
            told = str(commencement + datetime.timedelta(days=value["days_from_commencement"]))
        edits.append(Edit(tuple(path.split(".")), "set", told))
    return tuple(edits)


def _fits(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, list):
        return any(one is value or (one == value and type(one) is type(value)) for one in wanted)
    if "below" in wanted:
        return type(value) in (int, float) and value < wanted["below"]
    return bool(value != wanted["not"])


# What must never be seen. Each is given the answer before, the answer after, the seat, the data of
# the policies, and what the invariant says besides. No answer is no release.


def _releases(answer: Answer) -> bool:
    return answer is not None and answer["decision"] in RELEASES


def _unanswered(_before: Answer, after: Answer, _seat: str, _data: Data, _more: Data) -> bool:
    return after is None or not after.get("rule_ids") or after.get("decision") not in _ORDER


def _released(_before: Answer, after: Answer, _seat: str, _data: Data, _more: Data) -> bool:
    return _releases(after)


def _opened(before: Answer, after: Answer, _seat: str, _data: Data, _more: Data) -> bool:
    return not _releases(before) and _releases(after)


def _against_a_hard_deny(
    before: Answer, after: Answer, _seat: str, _data: Data, _more: Data
) -> bool:
    denied = before is not None and before["decision"] == "deny" and _hard(before)
    return denied and _releases(after)


def _narrowed(before: Answer, after: Answer, _seat: str, _data: Data, _more: Data) -> bool:
    if before is None or after is None:
        return _releases(before)
    if _ORDER[after["decision"]] < _ORDER[before["decision"]]:
        return True
    both = _releases(before) and _releases(after)
    return both and len(after["transforms"]) > len(before["transforms"])


def _denied_without_g1(_before: Answer, after: Answer, seat: str, data: Data, more: Data) -> bool:
    if after is None or after["decision"] != "deny" or _hard(after):
        return False
    row = after["rule_ids"][-1]
    if row in more["but_for_rows"] or row not in data["cells"]:
        return False
    seats = data["cells"][row][0]["seats"]
    return not seats.get(seat, seats["*"])["uses_g1"]


def _told_otherwise(before: Answer, after: Answer, _seat: str, _data: Data, _more: Data) -> bool:
    return {**(before or {}), "basis": []} != {**(after or {}), "basis": []}


def _with_identity(_before: Answer, after: Answer, _seat: str, data: Data, more: Data) -> bool:
    if after is None or not _releases(after):
        return False
    hiding = [name for name in after["transforms"] if name in more["anonymous"]]
    return not any(_is_anonymous(data["transforms"].get(name, {}), more) for name in hiding)


def _without_gate(_before: Answer, after: Answer, _seat: str, _data: Data, more: Data) -> bool:
    return after is not None and _releases(after) and more["gate"] not in after["gates_used"]


def _is_anonymous(transform: Data, more: Data) -> bool:
    parts, fields = transform.get("parts"), transform.get("fields")
    if parts is None or fields is None or not isinstance(fields, list):
        return False
    return not set(parts) & set(more["identity_parts"]) and not (
        set(fields) & set(more["identity_fields"])
    )


def _hard(answer: Mapping[str, Any]) -> bool:
    return any(rule.startswith(_HARD) for rule in answer["rule_ids"])


_FORBIDDEN: dict[str, Callable[[Answer, Answer, str, Data, Data], bool]] = {
    "unanswered": _unanswered,
    "released": _released,
    "opened": _opened,
    "released_against_a_hard_deny": _against_a_hard_deny,
    "narrowed": _narrowed,
    "denied_where_no_path_knows_g1": _denied_without_g1,
    "told_otherwise": _told_otherwise,
    "released_with_identity": _with_identity,
    "released_without_gate": _without_gate,
}
