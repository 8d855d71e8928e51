"""What a new answer means against the recorded one. Pure; four kinds, never one number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.sharing.domain.payload import Transform, UnknownTransformError, permitted_parts
from services.sharing.policy_data import PolicyData

LEARN, NOT_LEARN = "newly_learns", "newly_does_not"
HELD, OTHER = "newly_held", "other_reason"
KINDS = (LEARN, NOT_LEARN, HELD, OTHER)

HARM_GATES = frozenset({"G2", "G3", "G4", "G5", "G6"})
PROTECTING = frozenset({"police", "childrens_services", "lscp_panel", "lscb", "health"})
"""Types of recipients that a harm gate opens for so that somebody is protected."""

Answer = Mapping[str, Any]
_REASONS = ("rule_ids", "gates_used", "basis", "obligations", "defer_to")
_OUT = ("allow", "allow_redacted")


@dataclass(frozen=True)
class Change:
    """What is different. A release of other content may be learning and not learning at once."""

    kinds: tuple[str, ...]
    before: str
    """released, redacted, held or refused."""
    after: str
    safety_stop: bool = False
    """A harm gate had opened it towards those who protect; it would not go, or with less."""
    recall: bool = False
    """What had left would now be refused."""


def said(answer: Answer) -> str:
    """Return an answer in a word of the trade."""
    return {
        "allow": "released", "allow_redacted": "redacted", "defer": "held", "deny": "refused",
    }[answer["decision"]]  # fmt: skip


class Comparison:
    """Compares answers under the data by which each version lets parts of an item pass."""

    def __init__(self, before: PolicyData, after: PolicyData) -> None:
        self._before, self._after = before, after

    def change(self, old: Answer, new: Answer, type_: str) -> Change | None:
        """Return what changed for a recipient of this type, None where nothing did."""
        went, goes = old["decision"] in _OUT, new["decision"] in _OUT
        if went and goes:
            kinds = self._content(old["transforms"], new["transforms"], type_)
        elif goes:
            kinds = (LEARN,)
        elif old["decision"] != new["decision"]:
            kinds = (HELD,) if new["decision"] == "defer" else (NOT_LEARN,)
        else:
            kinds = ()
        if not kinds:
            same = all(old[part] == new[part] for part in (*_REASONS, "transforms"))
            if same:
                return None
            kinds = (OTHER,)
        less = went and (not goes or NOT_LEARN in kinds)
        return Change(
            kinds,
            said(old),
            said(new),
            safety_stop=less and type_ in PROTECTING and opened_by_harm(old),
            recall=went and new["decision"] == "deny",
        )

    def _content(self, old: Sequence[str], new: Sequence[str], type_: str) -> tuple[str, ...]:
        before, after = _reach(old, self._before, type_), _reach(new, self._after, type_)
        kinds = []
        if not after.within(before):
            kinds.append(LEARN)
        if not before.within(after):
            kinds.append(NOT_LEARN)
        return tuple(kinds)


def opened_by_harm(answer: Answer) -> bool:
    """Tell whether a gate about harm opened a release: the gate that did is its first rule."""
    rules = answer["rule_ids"]
    return answer["decision"] in _OUT and len(rules) > 1 and rules[0] in HARM_GATES


@dataclass(frozen=True)
class _Reach:
    """What of an item passes: parts, and of its fields those named (None: all) but for some."""

    parts: frozenset[str]
    fields: frozenset[str] | None
    without: frozenset[str]
    codes: bool

    def within(self, other: "_Reach") -> bool:
        """Tell whether all that passes here passes there."""
        if not self.parts <= other.parts:
            return False
        if "fields" not in self.parts:
            return True
        if self.fields is None:
            fewer = other.fields is None and other.without <= self.without
        else:
            passing = self.fields - self.without
            allowed = passing if other.fields is None else passing & other.fields
            fewer = passing == allowed - other.without
        return fewer and (self.codes or not other.codes)


def _reach(names: Sequence[str], data: PolicyData, type_: str) -> _Reach:
    try:
        parts = permitted_parts(names, data.transforms, data.whole)
    except UnknownTransformError:
        return _Reach(frozenset(), frozenset(), frozenset(), codes=True)
    those = [data.transforms[name] for name in names]
    fields: frozenset[str] | None = None
    for one in those:
        named = _named(one, type_)
        if named is not None:
            fields = named if fields is None else fields & named
    without = frozenset().union(*(one.without_fields for one in those))
    return _Reach(parts, fields, without, any(one.codes for one in those))


def _named(one: Transform, type_: str) -> frozenset[str] | None:
    if one.fields is None:
        return None
    return one.fields.get(type_, frozenset()) | one.fields.get("*", frozenset())
