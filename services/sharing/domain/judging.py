"""What may be judged, and which values fit: checked before a judgement is recorded."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.sharing.domain.document import GATES
from services.sharing.domain.words import request_without_words

_CODES = {
    "competence": "competence",
    "purpose": "purpose",
    "child_alleged_perpetrator": "alleged_perpetrator",
    "recipient_alleged_perpetrator": "yes_no_unassessed",
    "connected_to_perpetrator": "yes_no_unassessed",
    "strategy_decision": "strategy_decision",
}
"""Closed list of each judgement that is a code."""
_TRUTHS = frozenset(
    {
        *GATES,
        "child_told",
        "dsl_signoff",
        "la_lead",
        "la_agrees",
        "police_no_objection",
        "inferable",
        "published",
    }
)


def faults(
    name: str,
    value: Any,
    reason: str | None,
    codes: Mapping[str, Sequence[str]],
    not_told: Sequence[str],
) -> list[tuple[str, str]]:
    """Return (field, code) for what does not fit in one judgement; null takes a judgement back."""
    if value is None:
        return []
    if not _fits(name, value, codes):
        return [("value", "value.not_fit")]
    words = (reason or "").strip()
    if name in GATES and not words:
        return [("reason", "reason.missing")]  # a gate without one would stay unassessed
    if name == "child_told" and value is False and words not in not_told:
        return [("reason", "reason.not_in_list")]
    return []


def _fits(name: str, value: Any, codes: Mapping[str, Sequence[str]]) -> bool:
    if name in _TRUTHS:
        return isinstance(value, bool)
    if name in _CODES:
        return isinstance(value, str) and value in codes.get(_CODES[name], ())
    if name == "approvals":
        known = codes.get("approvals", ())
        return isinstance(value, bool) or (
            isinstance(value, list) and all(isinstance(one, str) and one in known for one in value)
        )
    if name == "cell_counts":
        return isinstance(value, list) and all(one is None or _count(one) for one in value)
    if name == "vir":
        return isinstance(value, dict) and set(value) <= {
            "line_of_enquiry", "necessity", "notice", "counselling_test", "senior_approval",
        }  # fmt: skip
    return False


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def kept(name: str, value: Any) -> Any:
    """Return the value as it is stored: without words."""
    return request_without_words(value) if name == "vir" else value
