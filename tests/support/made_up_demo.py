"""A demo's results, made up: what the page and the terminal are tried on."""

from datetime import UTC, datetime, timedelta

from homeward.demo.results import (
    CaseFound,
    CheckFound,
    ClockFound,
    DecisionFound,
    DemoFound,
    ItemFound,
    Moment,
    RecipientFound,
)

START = datetime(2026, 10, 14, 9, 30, tzinfo=UTC)
RECIPIENTS = (
    ("northshire-childrens-services", "childrens_services", "Children's services", "feed"),
    ("northshire-police", "police", "Police", "feed"),
    ("sarc", "health", "Sexual assault referral centre", "feed"),
    ("northshire-missing-panel", "lscp_panel", "Missing panel", "feed"),
    ("northshire-strategic-group", "lscp_strategic", "Strategic group", "feed"),
    ("northshire-commissioning", "commissioner", "Commissioner", "feed"),
    ("mother", "carer_parent", "Mother", "worker"),
    ("school", "school_dsl", "School, safeguarding lead", "worker"),
    ("self", "young_person", "Fiona herself", "worker"),
)
ITEMS = (
    ("I-1", "basic_outcome", "That a talk was offered and held"),
    ("I-2", "narrative", "The night away"),
    ("I-3", "harm", "What the man did"),
    ("I-4", "harm", "What the uncle did"),
    ("I-5", "whereabouts", "The flat in Mill Street"),
    ("I-6", "associates", "The man of about 30"),
)


def a_decision(item: str, category: str, recipient: str, place: int) -> DecisionFound:
    """Return one decision; `place` picks its kind."""
    kinds = ("allow", "allow_redacted", "defer", "deny")
    return DecisionFound.model_validate(
        {
            "recipient": recipient,
            "item": item,
            "category": category,
            "episode": "E1",
            "decision": kinds[place % 4],
            "rule_ids": ["G3", "CSC-06"] if place % 4 < 2 else ["H1", "CAR-02"],
            "reasons": [
                "There is reason to think that somebody may be badly harmed.",
                "They are told what they need for this and no more.",
            ],
            "transforms": ["minimum_facts"] if place % 4 == 1 else [],
            "defer_to": {"owner": "dsl", "due_h": 1} if place % 4 == 2 else None,
            "at": START,
        }
    )


def a_demo() -> DemoFound:
    """Return a demo of one case that has everything the page can show."""
    case = CaseFound(
        case="S5",
        title="Fiona, 14: an assault, and an earlier one in the family",
        story="Fiona tells of two assaults. Those who can protect her must know the same day.",
        children=["C-1"],
        moments=[
            Moment(at=START - timedelta(days=3, hours=15), text="Goes missing", kind="child"),
            Moment(at=START - timedelta(days=2, hours=21), text="Comes home <safe>", kind="child"),
            Moment(at=START, text="Talk at the youth centre, alone", kind="talk"),
            Moment(at=START + timedelta(hours=1), text="The lead is paged", kind="page"),
            Moment(at=START + timedelta(hours=2), text="The lead judges", kind="judged"),
            Moment(at=START + timedelta(hours=3), text="Told what goes to whom", kind="told"),
        ],
        clocks=[
            ClockFound(
                episode="E1",
                clock="contact",
                started_at=START - timedelta(hours=64),
                due_at=START - timedelta(hours=40),
                met_at=START - timedelta(hours=47, minutes=30),
                state="met",
            ),
            ClockFound(
                episode="E1",
                clock="rhi",
                started_at=START - timedelta(hours=69),
                due_at=START + timedelta(hours=3),
                met_at=START + timedelta(hours=9),
                state="late",
            ),
        ],
        items=[
            ItemFound(item=item, episode="E1", category=category, label=label)
            for item, category, label in ITEMS
        ],
        recipients=[
            RecipientFound.model_validate({"recipient": r, "type": t, "label": label, "by": by})
            for r, t, label, by in RECIPIENTS
        ],
        decisions=[
            a_decision(item, category, recipient, row + column)
            for row, (item, category, _) in enumerate(ITEMS)
            for column, (recipient, *_) in enumerate(RECIPIENTS)
            if not (item == "I-6" and recipient == "school")
        ],
        readable={
            "northshire-police": [
                {
                    "item": "I-3",
                    "category": "harm",
                    "fields": {
                        "text": "He locked the door and did not let me leave.",
                        "event_at": "2026-10-10T22:30:00+00:00",
                        "place": "flat in Mill Street",
                    },
                }
            ],
            "mother": [{"item": "I-1", "category": "basic_outcome", "fields": {"offered": True}}],
        },
        checks=[
            CheckFound(sentence="Contact is met after 16 h 30 min", held=True),
            CheckFound(sentence="The school is told no detail", held=False, found="allow"),
        ],
    )
    return DemoFound(
        played_at=START,
        policy_version="2026.11.1",
        engine="opa 1.22.2",
        ledger="verified: 412 entries",
        ledger_holds=True,
        cases={"S5": case},
    )
