"""What Laura told the second and the third time, with the facts that her worker noted."""

from homeward.demo.actions import said

SECOND = {
    "misunderstanding": said(
        "narrative",
        "It was a misunderstanding. I was at my cousin's and my phone was off. Nothing is wrong.",
        summary="She was with family and says nothing is wrong.",
        facts={"more_detrimental": False, "safety_critical": False},
    ),
    "ok": said(
        "wishes",
        "You can tell mum that I am OK.",
        facts={"wish_scope": "for_carer"},
    ),
}
THIRD = {
    "party": said(
        "narrative",
        "There was a party again. I did not like how it went, so I stayed out until morning.",
        summary="She was at a party and stayed out until morning.",
        facts={"more_detrimental": False, "safety_critical": False},
    ),
    "reasons": said(
        "push_pull",
        "It is boring at home and everybody is at the parties.",
        fields={
            "codes": ["loneliness", "parties", "friends"],
            "plain_words": ["Lonely at home", "Friends and parties"],
        },
        facts={"police_purpose": "prevention", "factor_about_carer": False},
    ),
    "address": said(
        "whereabouts",
        "It was above the snooker hall in Canal Street.",
        fields={"place": "snooker hall", "street": "Canal Street", "town": "Northport"},
        event_at="2026-12-01T22:00:00+00:00",
        subject="place",
        facts={"place_type": "business"},
    ),
    "plan": said(
        "safety_plan",
        "If I want to go I text mum first, and she picks me up without shouting.",
        fields={
            "plan_actions_for_carer": ["Answer her text at once", "Pick her up without questions"],
            "own_plan": ["Text before leaving"],
        },
        facts={
            "plan_actions_for_carer": ["answer_text", "pick_up"],
            "plan_actions_for_police": [],
        },
    ),
}
