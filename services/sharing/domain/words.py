"""What of an item's facts is kept for deciding: codes and numbers stay, words become `given`."""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from services.sharing.domain.facts import GIVEN

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}\Z")
"""A value without spaces: an id or a code, not a sentence."""

CODED_TEXTS = frozenset({"place_la", "qa_dpia_ref", "pseudonym_key"})
"""Facts of kind text that policy compares or that name a record: kept when they are codes."""


def without_words(facts: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Return `facts` with each free text replaced; facts of no known kind are left out.

    `kinds` says of each fact whether it is truth, text, code, list or number (policy data). A value
    of the wrong type stays wrong: policy takes it as unknown, and so it has to see that it is.
    """
    return {
        name: _kept(name, value, kinds[name])
        for name, value in facts.items()
        if name in kinds and value is not None
    }


def _kept(name: str, value: Any, kind: str) -> Any:
    match value:
        case bool() | int() | float():
            return value if isfinite(value) else None
        case "":
            return ""
        case str() if kind == "code" or name in CODED_TEXTS:
            return coded(value)
        case str():
            return GIVEN
        case list() | tuple():
            return [one if _number(one) else GIVEN for one in value]
    return GIVEN if kind == "text" else None


def _number(value: Any) -> bool:
    return value is None or (
        isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    )


def coded(value: str) -> str:
    """Return a code as it is, anything else as `given`."""
    return value if _CODE.match(value) else GIVEN


def request_without_words(value: Any) -> Any:
    """Return a victim information request with its three texts replaced."""
    if not isinstance(value, Mapping):
        return None
    kept: dict[str, Any] = {}
    for name in ("line_of_enquiry", "necessity", "notice"):
        if isinstance(value.get(name), str):
            kept[name] = GIVEN if value[name].strip() else ""
    for name in ("counselling_test", "senior_approval"):
        if isinstance(value.get(name), bool):
            kept[name] = value[name]
    return kept
