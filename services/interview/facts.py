"""The facts that may stand in an item's `facts`, with their types (sharing-rules, section 3.4).

A worker states here what was said or seen. What somebody has to judge, and what belongs to the
recipient, is refused here with the place where it goes: a judgement that came in with the item
would be the worker's own, in a role that may not make it.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from re import fullmatch
from typing import Final

Check = Callable[[object], str | None]
"""Returns a code when the value does not fit, else None."""

NAME: Final = r"[a-z][a-z0-9_]{0,63}"
"""How names of facts and fields are written; a name of another shape is never echoed."""


def _true_or_false(value: object) -> str | None:
    return None if isinstance(value, bool) else "fact.not_true_or_false"


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else "fact.not_text"


def _list(value: object) -> str | None:
    if not isinstance(value, list):
        return "fact.not_a_list"
    return None if all(isinstance(one, str) for one in value) else "fact.not_a_list_of_text"


def _number(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "fact.not_a_number"
    return None if isfinite(value) and value >= 0 else "fact.below_zero"


def _one_of(*codes: str) -> Check:
    return lambda value: None if value in codes else "fact.not_in_list"


_TRUE_OR_FALSE: Final = [
    "more_detrimental",
    "safety_critical",
    "factor_about_carer",
    "school_related",
    "clinically_relevant",
    "other_child_at_risk",
    "panel_has_police_la",
    "on_site_risk",
    "tracing_or_safety",
    "consensual_peer",
    "local_area_of_harm",
    "suspect_clinical",
    "telling_raises_risk",
    "open_missing",
    "sexual_health",
    "self_harm_plan",
    "safety_need",
    "quote_deidentified",
    "would_prejudice_action",
]

FACTS: Final[Mapping[str, Check]] = {
    **dict.fromkeys(_TRUE_OR_FALSE, _true_or_false),
    **dict.fromkeys(
        ("necessity_reason", "summary_text", "care_need", "qa_dpia_ref", "place_la"), _text
    ),
    **dict.fromkeys(
        (
            "extract_ids",
            "plan_actions_for_police",
            "plan_actions_for_carer",
            "plan_actions_for_school",
        ),
        _list,
    ),
    "distinct_children": _number,
    "distance_to_school_m": _number,
    "place_type": _one_of(
        "own_home",
        "third_party_home",
        "public_place",
        "business",
        "school",
        "transport",
        "online",
    ),
    "person_age_band": _one_of("adult", "under_18"),
    "reliability": _one_of("A", "B", "C", "D", "E"),
    "wish_scope": _one_of("approach", "placement", "for_carer", "general", "private"),
    "police_purpose": _one_of("prevention", "trigger_plan", "other"),
    "urgency": _one_of("tonight", "routine"),
}

JUDGED: Final = frozenset(
    [
        "dsl_signoff",
        "la_lead",
        "la_agrees",
        "police_no_objection",
        "approvals",
        "vir",
        "cell_counts",
        "inferable",
        "published",
        "alleged_perpetrator",
        "child_alleged_perpetrator",
        "recipient_alleged_perpetrator",
        "connected_to_perpetrator",
        "strategy_decision",
        "competence",
        "purpose",
        "child_told",
        "G1",
        "G2",
        "G3",
        "G4",
        "G5",
        "G6",
        "G7",
        "G8",
    ]
)
"""Put by role with `PUT /children/{id}/judgements` on sharing (design, section 5)."""

OF_RECIPIENT: Final = frozenset(("panel_membership", "open_case", "pseudonym_key"))
"""Set where the recipient is added; `pseudonym_key` is sharing's own."""


def faults_of_facts(facts: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return (name, code) for each fact that may not stand in an item, or does not fit its type.

    A fact that is null says nothing and is taken as absent, as policy takes it.
    """
    faults = []
    for name, value in facts.items():
        if name in JUDGED:
            faults.append((name, "fact.judged_elsewhere"))
        elif name in OF_RECIPIENT:
            faults.append((name, "fact.of_the_recipient"))
        elif name not in FACTS:
            faults.append((name if fullmatch(NAME, name) else "*", "fact.unknown"))
        elif value is not None and (code := FACTS[name](value)):
            faults.append((name, code))
    return faults
