"""S1: two clocks over a weekend, and a child who decides for each item who may know."""

from homeward.demo.actions import (
    add_recipient,
    agree,
    attempt,
    book,
    close,
    follow_up,
    judge,
    judged,
    line,
    note_mail,
    note_tasks,
    refer,
    said,
    talk,
    tell,
    worker_is,
)
from homeward.demo.case import Asserted, Case, Expected, ExpectedClock, london, step
from homeward.demo.partners import COMMISSIONER, LA, POLICE

KEY = "S1"
SCHOOL = "oakfield-school"
CHILD = {
    "external_ids": {"northshire_police": "NP-C-1001"},
    "given_name": "Maya",
    "family_name": "Example",
    "date_of_birth": "2011-05-14",
    "identity_status": "verified",
    "legal_status": "home",
    "responsible_la": "northshire",
    "address_confidential": False,
    "channels": [
        {"kind": "text", "address": "07700 900001", "safe": "safe", "whose": "child"},
    ],
}
ITEMS = {
    "evening": said(
        "narrative",
        "We argued about my phone again, so I went to the shopping centre and stayed with a "
        "friend until it was late.",
        summary="She left after a quarrel, was with a friend, and came home by herself.",
        facts={"more_detrimental": False, "safety_critical": False},
    ),
    "reasons": said(
        "push_pull",
        "The rules about the phone are not fair, and my friends were out.",
        fields={
            "codes": ["boundaries_dispute", "friends"],
            "plain_words": ["Rules about the phone", "Being with friends"],
        },
        facts={
            "police_purpose": "prevention",
            "factor_about_carer": False,
            "school_related": False,
        },
    ),
    "place": said(
        "whereabouts",
        "The shopping centre by the station, upstairs.",
        fields={
            "place_type": "public_place",
            "place": "shopping centre",
            "street": "Station Road",
            "town": "Northport",
        },
        event_at="2026-11-27T20:30:00+00:00",
        subject="place",
        facts={"place_type": "public_place", "distance_to_school_m": 4000},
    ),
    "wish": said(
        "wishes",
        "I want to decide about my phone together with my mum.",
        facts={"wish_scope": "general"},
    ),
}

STEPS = (
    step("2026-11-27 18:30", "child", "Maya goes out after a quarrel and does not come home."),
    step("2026-11-27 22:40", "child", "She comes home. Police talk to her at 23:30."),
    step(
        "2026-11-28 09:15",
        "child",
        "Police refer her: contact is due within 24 hours, a talk within 72 hours of her return.",
        worker_is("worker", "female"),
        worker_is("other worker", "male"),
        refer(
            KEY, "E1", CHILD, missing_from="2026-11-27 18:30", returned="2026-11-27 22:40",
            at="2026-11-28 09:15", reference="NP/26/1001",
        ),
    ),
    step(
        "2026-11-28 11:00",
        "talk",
        "The worker calls. Nobody answers.",
        attempt(KEY, "E1", "2026-11-28 11:00", "phone", outcome="no_answer"),
    ),
    step(
        "2026-11-28 11:05",
        "talk",
        "She sends a text. That is an attempt, not yet contact.",
        attempt(KEY, "E1", "2026-11-28 11:05", "text", outcome="left_message"),
    ),
    step(
        "2026-11-29 08:50",
        "talk",
        "Maya answers. She hears what this is, and asks to talk to a woman.",
        attempt(
            KEY, "E1", "2026-11-29 08:50", "phone", outcome="contact", preference="female"
        ),
    ),
    step(
        "2026-11-29 09:00",
        "talk",
        "A man cannot be booked; Sam Okafor, who is a woman, is.",
        book(KEY, "E1", "2026-11-30 16:30", "library", "W-2", refused=True),
        book(KEY, "E1", "2026-11-30 16:30", "library", "W-1"),
    ),
    step("2026-11-30 16:30", "talk", "They talk in the library, alone. What must be shared and "
         "what stays private is explained before anything is said."),
    step(
        "2026-11-30 17:25",
        "talk",
        "What she said is written down. Nothing leaves: judgements are missing, and they are "
        "asked for once.",
        add_recipient(
            KEY, "mother", type="carer_parent", role="mother", name="Maya's mother", pr=True,
            lives_with_child=True, channel_verified=True,
        ),
        add_recipient(
            KEY, SCHOOL, type="school_dsl", role="dsl", name="Oakfield School",
            channel_verified=True,
        ),
        talk(
            KEY, "talk", ["E1"], started="2026-11-30 16:30", ended="2026-11-30 17:20",
            items=ITEMS, outcome="completed_engaged", service_outcome="accepted",
            confidentiality_explained_at="2026-11-30T16:32:00+00:00",
            first_content_at="2026-11-30T16:50:00+00:00", spoken_alone=True,
        ),
    ),
    step(
        "2026-11-30 17:27",
        "judged",
        "One task waits for the worker and one for the safeguarding lead.",
        note_tasks(KEY, "tasks after the talk"),
    ),
    step(
        "2026-11-30 17:30",
        "judged",
        "Maya's agreement: children's services everything, police places and codes, her mother "
        "the reasons, school nothing.",
        judge(
            KEY, "worker", "2026-11-30 17:18",
            judged("competence", "competent", "She explained in her own words what would follow."),
        ),
        agree(
            KEY, "2026-11-30 17:15",
            line(LA, "agreed"),
            line(POLICE, "declined"),
            line(POLICE, "agreed", "place"),
            line(POLICE, "agreed", "reasons"),
            line("mother", "agreed", "reasons"),
            line("mother", "declined", "evening"),
            line("mother", "declined", "place"),
            line("mother", "declined", "wish"),
            line("mother", "not_asked", "basic_outcome"),
            line(SCHOOL, "declined"),
        ),
    ),
    step(
        "2026-11-30 17:40",
        "judged",
        "The safeguarding lead finds no sign of harm. The worker judges what helps whom.",
        judge(
            KEY, "dsl", "2026-11-30 17:40",
            *(judged(gate, False, "No sign of harm.") for gate in ("G2", "G3", "G4", "G5", "G6")),
            judged("child_alleged_perpetrator", "none", "Nobody is alleged to have harmed her."),
        ),
        judge(
            KEY, "worker", "2026-11-30 17:40",
            judged("G1", True, "Relevant to her welfare.", to=[LA]),
            judged(
                "G1", True, "Feeds the missing risk.", to=[POLICE], categories=["basic_outcome"]
            ),
            judged(
                "G1", False, "Not needed for police.", to=[POLICE],
                categories=["narrative", "push_pull", "whereabouts", "wishes"],
            ),
            judged("G1", False, "School has no part in this.", to=[SCHOOL]),
            judged("child_told", True, "Told at 17:18 what goes to whom."),
        ),
    ),
    step(
        "2026-11-30 18:10",
        "told",
        "Her mother is told by telephone the reasons Maya wanted her to know, and no more.",
        tell(KEY, "mother", "2026-11-30 18:10", "telephone"),
    ),
    step(
        "2026-12-01 10:00",
        "told",
        "Maya opens her written feedback; the spoken one was at 17:18 the day before.",
        tell(KEY, "self", "2026-12-01 10:00", "written_link"),
    ),
    step(
        "2026-12-07 16:00",
        "talk",
        "A week later the worker asks Maya what has been done.",
        follow_up(KEY, "E1", "2026-12-07 16:00", "child"),
        close(KEY, "E1", refused=True),
        note_mail(KEY, "mail before 17:20"),
    ),
    step(
        "2026-12-07 17:20:01",
        "clock",
        "The social worker has not been asked: one second late, and a manager hears of it.",
        note_mail(KEY, "mail after 17:20"),
    ),
    step(
        "2026-12-08 10:00",
        "talk",
        "The social worker is asked. Now the episode can close.",
        follow_up(KEY, "E1", "2026-12-08 10:00", "professional"),
        close(KEY, "E1"),
    ),
)  # fmt: skip

DECISIONS = (
    Expected("CSC-01", LA, "outcome", "allow"),
    Expected("CSC-02", LA, "evening", "allow"),
    Expected("CSC-03", LA, "reasons", "allow"),
    Expected("CSC-04", LA, "place", "allow"),
    Expected("CSC-10", LA, "wish", "allow"),
    Expected("POL-01", POLICE, "outcome", "allow", ("G1",)),
    Expected("POL-02", POLICE, "evening", "deny"),
    Expected("POL-03", POLICE, "reasons", "allow_redacted"),
    Expected("POL-04", POLICE, "place", "allow"),
    Expected("POL-10", POLICE, "wish", "deny"),
    Expected("CAR-01", "mother", "outcome", "allow_redacted"),
    Expected("CAR-02", "mother", "evening", "deny"),
    Expected("CAR-03", "mother", "reasons", "allow_redacted"),
    Expected("CAR-04", "mother", "place", "deny"),
    Expected("CAR-10", "mother", "wish", "deny"),
    Expected("SCH-01", SCHOOL, "outcome", "deny"),
    Expected("SCH-02", SCHOOL, "evening", "deny"),
    Expected("SCH-03", SCHOOL, "reasons", "deny"),
    Expected("SCH-04", SCHOOL, "place", "deny"),
    Expected("SCH-10", SCHOOL, "wish", "deny"),
    Expected("COM-01", COMMISSIONER, "outcome", "allow_redacted"),
    Expected("COM-02", COMMISSIONER, "evening", "deny", ("HD8",)),
    Expected("COM-03", COMMISSIONER, "reasons", "deny", ("HD8",)),
    Expected("YP-01", "self", "evening", "allow"),
)

CLOCKS = (
    ExpectedClock(
        "E1", "contact", london("2026-11-29 09:15"), london("2026-11-29 08:50"), "met"
    ),
    ExpectedClock("E1", "rhi", london("2026-11-30 22:40"), london("2026-11-30 16:30"), "met"),
    ExpectedClock(
        "E1", "follow_up_child", london("2026-12-07 17:20"), london("2026-12-07 16:00"), "met"
    ),
    ExpectedClock(
        "E1", "follow_up_professional", london("2026-12-07 17:20"), london("2026-12-08 10:00"),
        "late",
    ),
)  # fmt: skip


ASSERTED = (
    Asserted(
        "Only a woman could be booked, because Maya asked for one.",
        lambda _, world: bool(world.of(KEY).notes.get("W-2 refused")),
    ),
    Asserted(
        "After the talk the worker has one task, and the safeguarding lead one.",
        lambda _, world: all(
            [task["kind"] for task in tasks] == ["hold"]
            for tasks in world.of(KEY).notes["tasks after the talk"].values()
        ),
    ),
    Asserted(
        "The follow-up with the social worker escalates at 17:20:01 and not before.",
        lambda _, world: _escalated(world.of(KEY).notes),
    ),
    Asserted(
        "The episode cannot close before both follow-ups are done, and closes after.",
        lambda _, world: bool(
            world.of(KEY).notes.get("E1 not closed") and world.of(KEY).notes.get("E1 closed")
        ),
    ),
    Asserted(
        "What the commissioner reads names nobody.",
        lambda found, _: "Maya" not in str(found.readable.get(COMMISSIONER)),
    ),
    Asserted(
        "What police read does not hold what she told of the evening.",
        lambda found, _: "argued" not in str(found.readable.get(POLICE)),
    ),
)


def _escalated(notes: dict[str, list[str]]) -> bool:
    to_manager = [
        sum("manager@northshire" in address for address in notes[name])
        for name in ("mail before 17:20", "mail after 17:20")
    ]
    return to_manager[1] > to_manager[0]


CASE = Case(
    key=KEY,
    title="Maya, 15: two clocks over a weekend",
    story=(
        "Maya is back on a Friday night. Clocks do not rest at weekends. She asks to talk to a "
        "woman, and decides for each thing she says who may know it: children's services all of "
        "it, police the places and the codes, her mother the reasons, school nothing."
    ),
    recipients=(
        (LA, "childrens_services", "Children's services"),
        (POLICE, "police", "Police"),
        (COMMISSIONER, "commissioner", "Commissioner"),
        ("mother", "carer_parent", "Her mother"),
        (SCHOOL, "school_dsl", "School (safeguarding lead)"),
        ("self", "young_person", "Maya herself"),
    ),
    items=(
        ("outcome", "E1", "basic_outcome", "A talk was offered and held"),
        ("evening", "E1", "narrative", "How the evening went"),
        ("reasons", "E1", "push_pull", "Why she left"),
        ("place", "E1", "whereabouts", "The shopping centre"),
        ("wish", "E1", "wishes", "To decide about the phone together"),
    ),
    steps=STEPS,
    decisions=DECISIONS,
    clocks=CLOCKS,
    asserted=ASSERTED,
)
