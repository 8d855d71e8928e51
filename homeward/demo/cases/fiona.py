"""S5: harm is told, the child objects, and those who can protect her must know the same day.

Everything of October 2026 but the referral of another girl, which would be a case of its own.
"""

from homeward.demo.actions import (
    add_recipient,
    agree,
    amend,
    attempt,
    book,
    close,
    follow_up,
    judge,
    judged,
    line,
    note_decisions,
    note_mail,
    note_tasks,
    refer,
    talk,
    tell,
    tell_by_phone,
    worker_is,
)
from homeward.demo.case import Asserted, Case, Expected, ExpectedClock, london, step
from homeward.demo.cases.fiona_said import ITEMS
from homeward.demo.partners import COMMISSIONER, HEALTH, LA, PANEL, POLICE, STRATEGIC
from homeward.demo.world import World

KEY = "S5"
SCHOOL = "hillside-school"
CHILD = {
    "external_ids": {"northshire_police": "NP-C-1005"},
    "given_name": "Fiona",
    "family_name": "Example",
    "date_of_birth": "2012-03-09",
    "identity_status": "verified",
    "legal_status": "home",
    "responsible_la": "northshire",
    "address_confidential": False,
    "channels": [
        {"kind": "text", "address": "07700 900005", "safe": "safe", "whose": "child"},
        {"kind": "letter", "address": "2 Example Road", "safe": "unsafe", "whose": "child"},
    ],
}
ASSOCIATES = ("man", "supplier", "boy")

STEPS = (
    step("2026-10-10 19:00", "child", "Fiona goes missing."),
    step("2026-10-11 13:00", "child", "She is back on Sunday."),
    step(
        "2026-10-11 18:00", "child", "Police refer her the same evening.",
        worker_is("worker", "female"),
        refer(
            KEY, "E1", CHILD, missing_from="2026-10-10 19:00", returned="2026-10-11 13:00",
            at="2026-10-11 18:00", reference="NP/26/0967",
        ),
    ),
    step(
        "2026-10-12 10:30", "talk", "The worker reaches her.",
        attempt(KEY, "E1", "2026-10-12 10:30", "phone", outcome="contact"),
        book(KEY, "E1", "2026-10-14 10:30", "youth centre"),
    ),
    step(
        "2026-10-14 11:41", "talk",
        "They talk at the youth centre, alone, with open questions only. She tells of an assault "
        "on Saturday and of one by her uncle a year before. She wants neither police nor her "
        "mother to know.",
        add_recipient(
            KEY, "mother", type="carer_parent", role="mother", name="Fiona's mother", pr=True,
            lives_with_child=True, channel_verified=True,
        ),
        add_recipient(
            KEY, SCHOOL, type="school_dsl", role="dsl", name="Hillside School",
            channel_verified=True,
        ),
        add_recipient(
            KEY, HEALTH, type="health", role="named_clinician",
            name="Sexual assault referral centre", channel_verified=True,
        ),
        add_recipient(
            KEY, PANEL, type="lscp_panel", role="panel_member", name="Missing panel",
            channel_verified=True,
        ),
        add_recipient(
            KEY, STRATEGIC, type="lscp_strategic", role="strategic_group",
            name="Strategic group", channel_verified=True,
        ),
        talk(
            KEY, "talk", ["E1"], started="2026-10-14 10:30", ended="2026-10-14 11:40",
            items=ITEMS, outcome="completed_engaged", service_outcome="accepted",
            confidentiality_explained_at="2026-10-14T09:32:00+00:00",
            first_content_at="2026-10-14T09:50:00+00:00", spoken_alone=True,
        ),
        agree(
            KEY, "2026-10-14 11:35",
            line(POLICE, "declined"),
            line("mother", "declined"),
            line(HEALTH, "not_asked"),
        ),
    ),
    step(
        "2026-10-14 11:42", "page",
        "The safeguarding lead is alerted, once. Had nobody judged by 12:42, the manager on call "
        "would be.",
        note_mail(KEY, "mail at 11:42"),
        note_tasks(KEY, "tasks at 11:42"),
    ),
    step(
        "2026-10-14 11:55", "judged",
        "She judges: significant harm, sexual abuse, others at risk; telling Fiona raises no "
        "risk. The uncle is family, and no strategy discussion has been held.",
        amend(KEY, "talk", "night", ITEMS["night"], telling_raises_risk=False,
              care_need="Care after an assault."),
        *(
            amend(KEY, "talk", name, ITEMS[name], telling_raises_risk=False)
            for name in ("assault", "uncle", "flat", "health")
        ),
        *(
            amend(
                KEY, "talk", name, ITEMS[name], telling_raises_risk=False,
                other_child_at_risk=True,
            )
            for name in ASSOCIATES
        ),
        judge(
            KEY, "worker", "2026-10-14 11:55",
            judged("competence", "competent", "She understands what would follow, and objects."),
            judged(
                "G1", True, "Feeds the missing risk.", to=[POLICE], categories=["basic_outcome"]
            ),
            judged("G1", False, "Not for police.", to=[POLICE], categories=["health"]),
            judged("G1", False, "School has no part in this.", to=[SCHOOL]),
            judged("G1", False, "Not needed for care.", to=[HEALTH]),
        ),
        judge(
            KEY, "dsl", "2026-10-14 11:55",
            judged("child_alleged_perpetrator", "familial", "Her uncle, who lives elsewhere."),
            judged("strategy_decision", "not_held", "No strategy discussion yet."),
            judged("recipient_alleged_perpetrator", "no", "Not alleged.",
                   to=["mother", SCHOOL, HEALTH, "self"]),
            judged("connected_to_perpetrator", "no", "No connection.",
                   to=[SCHOOL, HEALTH, "self"]),
            judged("la_lead", False, "Children's services do not lead yet.", to=[SCHOOL]),
            judged("G4", False, "No immediate danger: she is safe with her aunt."),
            *(judged(gate, True, "Assault and abuse told.") for gate in ("G2", "G3", "G5", "G6")),
        ),
    ),
    step(
        "2026-10-14 12:00", "talk",
        "Fiona is told what goes to whom and why. Her objection is kept.",
        judge(
            KEY, "worker", "2026-10-14 12:00",
            judged("child_told", True, "Told at 12:00 what goes to whom and why."),
        ),
    ),
    step(
        "2026-10-14 12:10", "told", "Children's services are told by telephone; the feed follows.",
        tell_by_phone(KEY, LA, ("assault", "uncle"), "2026-10-14 12:10"),
    ),
    step(
        "2026-10-14 12:20", "told", "Police get the minimum facts.",
        tell_by_phone(KEY, POLICE, ("assault", "uncle"), "2026-10-14 12:20"),
    ),
    step("2026-10-14 12:40", "told", "The written referral is with children's services."),
    step(
        "2026-10-14 12:45", "clock", "Nobody had to be called out.",
        note_mail(KEY, "mail at 12:45"),
    ),
    step(
        "2026-10-14 14:00", "judged",
        "For statistics a manager gives numbers; those under five are suppressed.",
        judge(
            KEY, "manager", "2026-10-14 14:00",
            judged("cell_counts", [None], "Fewer than five.", to=[STRATEGIC, COMMISSIONER],
                   categories=["harm"]),
            judged("inferable", False, "Cannot be worked out.", to=[STRATEGIC, COMMISSIONER],
                   categories=["harm"]),
        ),
        note_decisions(KEY, "before the authority leads"),
    ),
    step(
        "2026-10-15 10:00", "judged",
        "Children's services now lead. School hears how to protect her, and no detail.",
        judge(
            KEY, "dsl", "2026-10-15 10:00",
            judged("la_lead", True, "Children's services lead.", to=[SCHOOL],
                   categories=["harm"]),
        ),
    ),
    step(
        "2026-10-15 10:30", "told", "Fiona has her feedback by text link, not by post.",
        tell(KEY, "self", "2026-10-15 10:30", "written_link"),
        tell(KEY, "mother", "2026-10-15 10:30", "telephone"),
        tell(KEY, SCHOOL, "2026-10-15 10:30", "telephone"),
    ),
    step("2026-10-17 23:30", "clock", "The seven days for forensic evidence end."),
    step(
        "2026-10-21 10:30", "talk", "A week later the worker asks what was done.",
        follow_up(KEY, "E1", "2026-10-21 10:00", "child"),
        follow_up(KEY, "E1", "2026-10-21 10:30", "professional"),
        close(KEY, "E1"),
    ),
)  # fmt: skip

DECISIONS = (
    Expected("CSC-01", LA, "outcome", "allow"),
    Expected("CSC-02", LA, "night", "allow", ("G3",)),
    Expected("CSC-04", LA, "flat", "allow"),
    *(Expected("CSC-05", LA, name, "allow") for name in ASSOCIATES),
    *(Expected("CSC-06", LA, name, "allow") for name in ("assault", "uncle")),
    *(Expected("POL-06", POLICE, name, "allow_redacted") for name in ("assault", "uncle")),
    Expected("POL-05", POLICE, "man", "allow_redacted"),
    Expected("POL-05", POLICE, "supplier", "allow_redacted"),
    Expected("POL-05", POLICE, "boy", "defer"),
    Expected("POL-04", POLICE, "flat", "allow"),
    Expected("POL-02", POLICE, "night", "allow_redacted"),
    Expected("POL-07", POLICE, "health", "deny"),
    *(Expected("HEA-06", HEALTH, name, "allow_redacted", ("G3",)) for name in ("assault", "uncle")),
    Expected("CAR-01", "mother", "outcome", "allow_redacted"),
    Expected("CAR-02", "mother", "night", "defer", ("H1",)),
    Expected("CAR-04", "mother", "flat", "defer", ("H1",)),
    *(Expected("CAR-05", "mother", name, "defer", ("H1",)) for name in ASSOCIATES),
    *(Expected("CAR-06", "mother", name, "deny", ("H1",)) for name in ("assault", "uncle")),
    Expected("CAR-07", "mother", "health", "defer", ("H1",)),
    *(Expected("SCH-06", SCHOOL, name, "allow_redacted", ("G3",)) for name in ("assault", "uncle")),
    *(Expected("LSC-06", PANEL, name, "allow_redacted") for name in ("assault", "uncle")),
    *(Expected("LSC-06", STRATEGIC, name, "allow_redacted") for name in ("assault", "uncle")),
    *(Expected("COM-06", COMMISSIONER, name, "allow_redacted") for name in ("assault", "uncle")),
    Expected("COM-02", COMMISSIONER, "night", "deny", ("HD8",)),
    Expected("YP-01", "self", "assault", "allow_redacted"),
)


def _met(clock: str, due: str, met: str) -> ExpectedClock:
    return ExpectedClock("E1", clock, london(due), london(met), "met")


CLOCKS = (
    _met("contact", "2026-10-12 18:00", "2026-10-12 10:30"),
    _met("rhi", "2026-10-14 13:00", "2026-10-14 10:30"),
    _met("follow_up_child", "2026-10-21 11:40", "2026-10-21 10:00"),
    _met("follow_up_professional", "2026-10-21 11:40", "2026-10-21 10:30"),
)


def _mail(world: World, name: str, to: str) -> int:
    return sum(address.startswith(to) for address in world.of(KEY).notes[name])


ASSERTED = (
    Asserted(
        "The safeguarding lead is alerted once by 11:42, before anything was judged.",
        lambda _, world: _mail(world, "mail at 11:42", "dsl@northshire") == 1,
    ),
    Asserted(
        "As she judged in time, the manager on call is not.",
        lambda _, world: _mail(world, "mail at 12:45", "on-call@") == 0,
    ),
    Asserted(
        "Before children's services lead, school is told no harm.",
        lambda _, world: (
            {
                decision["decision"]
                for decision in world.of(KEY).notes["before the authority leads"]
                if decision["recipient"] == SCHOOL and decision["category"] == "harm"
            }
            == {"deny"}
        ),
    ),
    Asserted(
        "What she told goes to children's services on the day.",
        lambda found, _: all(
            "same_day" in one.obligations
            for one in found.decisions
            if one.recipient == LA and one.category == "harm"
        ),
    ),
    Asserted(
        "Nothing her mother could be told says what happened.",
        lambda found, _: (
            not any(
                word in str(found.readable.get("mother")) for word in ("uncle", "assault", "Mill")
            )
        ),
    ),
    Asserted(
        "What the strategic group and the commissioner read holds neither her name nor her words.",
        lambda found, _: (
            not any(
                word in str(found.readable.get(recipient))
                for recipient in (STRATEGIC, COMMISSIONER)
                for word in ("Fiona", "locked", "uncle")
            )
        ),
    ),
    Asserted(
        "School reads neither what was done nor by whom.",
        lambda found, _: (
            not any(
                word in str(found.readable.get(SCHOOL)) for word in ("locked", "uncle", "Adult5")
            )
        ),
    ),
)

CASE = Case(
    key=KEY,
    title="Fiona, 14: harm told, and a child who objects",
    story=(
        "Fiona tells of a sexual assault on the night she was missing, and of an earlier rape by "
        "her uncle. She wants neither police nor her mother to know. Whoever can protect her must "
        "know the same day; she hears first what goes to whom; her mother, who may be close to the "
        "uncle, waits until it is decided who tells her."
    ),
    recipients=(
        (LA, "childrens_services", "Children's services"),
        (POLICE, "police", "Police"),
        (HEALTH, "health", "Sexual assault referral centre"),
        (PANEL, "lscp_panel", "Missing panel"),
        (STRATEGIC, "lscp_strategic", "Strategic group"),
        (COMMISSIONER, "commissioner", "Commissioner"),
        ("mother", "carer_parent", "Her mother"),
        (SCHOOL, "school_dsl", "School (safeguarding lead)"),
        ("self", "young_person", "Fiona herself"),
    ),
    items=(
        ("outcome", "E1", "basic_outcome", "A talk was offered and held"),
        ("assault", "E1", "harm", "The assault on Saturday"),
        ("uncle", "E1", "harm", "What her uncle did"),
        ("night", "E1", "narrative", "How the night went"),
        ("flat", "E1", "whereabouts", "The flat in Mill Street"),
        ("man", "E1", "associates", "The man of about 30"),
        ("supplier", "E1", "associates", "The man who supplies drugs"),
        ("boy", "E1", "associates", "A boy of 16"),
        ("health", "E1", "health", "That she needs care"),
    ),
    steps=STEPS,
    decisions=DECISIONS,
    clocks=CLOCKS,
    asserted=ASSERTED,
)
