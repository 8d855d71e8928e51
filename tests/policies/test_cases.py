"""Worked cases as far as they are single decisions."""

from typing import Any

from tests.policies.conftest import Decide
from tests.policies.documents import a_document, a_gate

MOTHER: dict[str, Any] = {
    "recipient__type": "carer_parent", "recipient__role": "mother", "recipient__pr": True,
    "recipient__is_16la_body": False,
}  # fmt: skip
LA: dict[str, Any] = {"recipient__type": "childrens_services", "recipient__role": "responsible_la"}
HEALTH: dict[str, Any] = {"recipient__type": "health", "recipient__role": "named_clinician"}
NO_HARM = {name: a_gate(value=False) for name in ("G1", "G2", "G3", "G4", "G5", "G6")}
FIONA: dict[str, Any] = {
    "law__as_of": "2026-10-14",
    "alleged_perpetrator": "familial",
    "gates": {**NO_HARM, **{name: a_gate() for name in ("G2", "G3", "G5", "G6")}},
    "child__age": 14,
}
ADULT = {"reliability": "B", "person_age_band": "adult", "other_child_at_risk": True}


def test_fiona_is_protected_over_her_objection_and_her_mother_waits(decide: Decide) -> None:
    open_mother = MOTHER | {"recipient__connected_to_perpetrator": "unassessed"}
    asked: dict[str, tuple[dict[str, Any], str]] = {
        "CSC-02": (LA | {"item__category": "narrative"}, "allow"),
        "CSC-06": (LA | {"item__category": "harm"}, "allow"),
        "POL-06": (
            {"item__category": "harm", "item__facts": {"consensual_peer": False}}, "allow_redacted",
        ),
        "POL-05": ({"item__category": "associates", "item__facts": ADULT}, "allow_redacted"),
        "POL-04": ({"item__category": "whereabouts", "item__facts": {}}, "allow"),
        "POL-07": (
            {"item__category": "health", "item__facts": {"safety_critical": False}}, "deny",
        ),
        "CAR-01": (open_mother | {"item__category": "basic_outcome"}, "allow_redacted"),
        "CAR-02": (open_mother | {"item__category": "narrative"}, "defer"),
        "CAR-06": (open_mother | {"item__category": "harm"}, "deny"),
        "HEA-06": (
            HEALTH | {"item__category": "harm", "item__facts": {"suspect_clinical": False}},
            "allow_redacted",
        ),
    }  # fmt: skip

    answers = decide(a_document(**(FIONA | changes)) for changes, _ in asked.values())

    told = {a["rule_ids"][-1]: a["decision"] for a in answers}
    assert told == {row: decision for row, (_, decision) in asked.items()}


def test_an_associate_of_sixteen_waits_for_the_dsl(decide: Decide) -> None:
    young = ADULT | {"person_age_band": "under_18"}
    (answer,) = decide([a_document(**FIONA, item__category="associates", item__facts=young)])

    assert (answer["decision"], answer["rule_ids"]) == ("defer", ["POL-05"])


def test_police_who_ask_by_e_mail_wait_and_support_notes_stay(decide: Decide) -> None:
    asked = FIONA | {"request__kind": "pull", "item__category": "narrative", "gates": NO_HARM}
    vir = {"counselling_test": False, "senior_approval": False}
    notes = asked | {"item__counselling": True, "item__facts": {"vir": vir}}
    approved = {
        "vir": {"line_of_enquiry": "given", "necessity": "given", "notice": "given"},
        "approvals": ["dpo", "dsl"],
    }
    valid = {"gates": {**NO_HARM, "G8": a_gate()}}

    answers = decide(
        [
            a_document(**asked),
            a_document(**(notes | valid)),
            a_document(**(asked | valid | {"item__facts": approved})),
        ]
    )

    assert [(a["decision"], a["rule_ids"]) for a in answers] == [
        ("defer", ["POL-12"]),
        ("deny", ["HD7", "POL-12"]),
        ("allow_redacted", ["G8", "POL-12"]),
    ]


def test_at_eighteen_the_adviser_waits_and_a_girl_at_risk_is_protected(decide: Decide) -> None:
    grown = {"child__age": 18, "agreement__status": "not_asked", "gates": NO_HARM}
    other = {
        "item__category": "associates", "item__subject": "other_adult", "item__facts": ADULT,
        "gates": {**NO_HARM, "G5": a_gate()},
    }  # fmt: skip

    own, girl = decide(
        [a_document(**(LA | grown | {"item__category": "narrative"})),
         a_document(**(grown | other))]
    )  # fmt: skip

    assert (own["decision"], own["rule_ids"]) == ("defer", ["SWEEP", "CSC-02"])
    assert girl["transforms"] == ["identifiers_only", "mask_source"]
