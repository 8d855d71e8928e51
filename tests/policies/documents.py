"""Documents for tests: one valid case, single changes of it, and random ones."""

from __future__ import annotations

import copy
import random
from typing import Any

from tests.policies import reference as ref

Doc = dict[str, Any]
BOOLS = (True, False)
TRUTHS = [
    "more_detrimental",
    "safety_critical",
    "la_lead",
    "factor_about_carer",
    "school_related",
    "panel_membership",
    "open_case",
    "clinically_relevant",
    "dsl_signoff",
    "other_child_at_risk",
    "panel_has_police_la",
    "police_no_objection",
    "la_agrees",
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
    "published",
    "would_prejudice_action",
]
WRONG: tuple[Any, ...] = (None, "?", 7, [], {}, True, "", -1, ["x"])


def a_gate(value: object = True, **changes: object) -> Doc:
    return {
        "value": value,
        "by": "W-3",
        "role": "dsl",
        "at": "2026-11-30T17:20:00+00:00",
        "reason": "as it was seen",
        **changes,
    }


def a_document(**changes: Any) -> Doc:
    """The example of the contract: police, push/pull, declined, no harm. Changes go by `a__b`."""
    doc: Doc = {
        "now": "2026-11-30T17:25:00+00:00",
        "law": {
            "as_of": "2026-11-30",
            "s16la_in_force": True,
            "csa_duty_in_force": False,
            "controller": "charity",
        },
        "request": {"kind": "push", "instrument": None},
        "purpose": "prevent_harm",
        "child": {
            "id": "C-1",
            "age": 15,
            "identity_status": "verified",
            "legal_status": "home",
            "responsible_la": "northshire",
            "host_la": None,
            "address_confidential": False,
            "competence": "competent",
        },
        "episode": {"id": "E-1", "setting": "home"},
        "item": {
            "id": "I-7",
            "category": "push_pull",
            "subject": "child",
            "provenance": "child_said",
            "verbatim": False,
            "third_parties": [],
            "counselling": False,
            "offence_data": False,
            "special": [],
            "facts": {"police_purpose": "prevention"},
        },
        "recipient": {
            "id": "northshire-police",
            "type": "police",
            "role": "missing_unit",
            "is_16la_body": True,
            "competent_authority": True,
            "channel_verified": True,
            "pr": False,
            "lives_with_child": False,
            "alleged_perpetrator": "no",
            "connected_to_perpetrator": "no",
        },
        "agreement": {"status": "declined", "by": "child", "consequences_explained": True},
        "gates": {name: a_gate(value=False) for name in ("G2", "G3", "G4", "G6")},
        "alleged_perpetrator": "none",
        "strategy_decision": "not_held",
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        holder = doc
        for name in parents:
            holder = holder[name]
        holder[last] = copy.deepcopy(value)
    return doc


def a_random_document(rng: random.Random) -> Doc:
    """A document that fits the contract, with facts and gates that lean towards deciding."""
    kind = rng.choice([*ref.PREFIX, "lscb"])
    canonical = "lscp_panel" if kind == "lscb" else kind
    roles = ref.ROLES[canonical].split()
    odd = rng.random

    def usually(value: Any, *others: Any, p: float = 0.85) -> Any:
        return value if odd() < p else rng.choice(others)

    doc = a_document(
        law__as_of=usually("2026-11-30", "2026-09-30", "2026-09-29", "2027-03-01"),
        law__s16la_in_force=usually(True, False),
        law__controller=rng.choice(["la", "charity"]),
        request__kind=usually("push", "pull", "pull", "standing", "browse", "bulk"),
        request__instrument=usually(None, "order 7", ""),
        purpose=usually("prevent_harm", "locate_child", "locate_child", "gossip", None, p=0.7),
        child__age=usually(15, 9, 17, 18, 19),
        child__identity_status=usually("verified", "unverified"),
        child__host_la=usually("southshire", None),
        child__address_confidential=usually(False, True, p=0.6),
        child__competence=usually("competent", "not_competent", "unassessed", p=0.6),
        item__category=rng.choice(ref.CATEGORIES),
        item__subject=usually("child", "other_child", "other_adult", "place", p=0.75),
        item__provenance=usually("child_said", "worker_view", "other_child_said", p=0.93),
        item__verbatim=rng.choice(BOOLS),
        item__third_parties=usually([], ["P-1"], p=0.7),
        item__counselling=usually(False, True),
        item__facts=random_facts(rng),
        recipient__type=kind,
        recipient__role=usually(rng.choice(roles), "stranger", None, p=0.96),
        recipient__is_16la_body=usually(True, False),
        recipient__channel_verified=usually(True, False, p=0.9),
        recipient__pr=rng.choice(BOOLS),
        recipient__alleged_perpetrator=usually("no", "unassessed", "unassessed", "yes", p=0.9),
        recipient__connected_to_perpetrator=usually(
            "no", "unassessed", "unassessed", "yes", p=0.85
        ),
        agreement__status=rng.choice(["agreed", "declined", "not_asked", "withdrawn"]),
        agreement__by=usually("child", "pr_holder", "la", p=0.75),
        agreement__consequences_explained=usually(True, False, p=0.9),
        alleged_perpetrator=usually("none", "familial", "household", "other", "unassessed", p=0.55),
        strategy_decision=usually("not_held", "carer_may_be_told", "carer_not_to_be_told", p=0.6),
    )
    doc["gates"] = random_gates(rng)
    return doc


def random_gates(rng: random.Random) -> Doc:
    gates: Doc = {}
    lean = rng.choice([0.05, 0.3, 0.7])
    absent = rng.choice([0.0, 0.1, 0.5])
    for name in ("G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8"):
        if rng.random() < absent:
            continue
        gate = a_gate(value=rng.random() < lean)
        if rng.random() < 0.08:
            spoiled = rng.choice(["value", "by", "role", "at", "reason"])
            if rng.random() < 0.5:
                del gate[spoiled]
            else:
                gate[spoiled] = (
                    rng.choice([None, "", 3, "true"])
                    if spoiled == "value"
                    else rng.choice([None, "", 3])
                )
        gates[name] = gate if rng.random() > 0.02 else rng.choice([True, "yes", [], None])
    return gates


def random_facts(rng: random.Random) -> Doc:
    facts: Doc = {}
    absent = rng.choice([0.0, 0.0, 0.15, 0.6])
    true = rng.choice([0.2, 0.5, 0.9])

    def put(name: str, value: Any) -> None:
        if rng.random() >= absent:
            facts[name] = value if rng.random() < 0.96 else rng.choice(WRONG)

    for name in TRUTHS:
        put(name, rng.random() < true)
    put("inferable", rng.random() < 0.15)
    for name in ref.TEXTS:
        put(name, "given" if rng.random() < 0.8 else "")
    put("place_la", rng.choice(["southshire", "northshire"]))
    for name in ref.ARRAYS:
        put(name, ["one"] if rng.random() < 0.8 else [])
    for name, codes in ref.LISTS.items():
        put(name, rng.choice([*codes.split(), "unheard_of"]))
    put("person_age_band", rng.choice(["adult", "adult", "under_18"]))
    put(
        "approvals",
        rng.choice([["dpo", "dsl"], ["dpo", "dsl"], ["dpo"], [], ["dpo", "dsl", "boss"]]),
    )
    put(
        "cell_counts", rng.choice([[5, 9, None], [0, 12], [3, 8], [], [None], ["x"], [5.5], [True]])
    )
    put("distinct_children", rng.choice([0, 2, 3, 7, -1, 2.5]))
    put("distance_to_school_m", rng.choice([0, 400, 1000, 1001, -5]))
    vir = {
        "line_of_enquiry": rng.choice(["given", "given", ""]),
        "necessity": rng.choice(["given", "given", ""]),
        "notice": rng.choice(["given", "given", "", 3]),
        "counselling_test": rng.choice([True, True, False, None]),
        "senior_approval": rng.choice([True, True, False]),
    }
    if rng.random() < 0.2:
        del vir[rng.choice(list(vir))]
    put("vir", vir)
    return facts
