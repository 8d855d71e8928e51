"""S4: three episodes in two months; a child who first says nothing, then no, then yes."""

from homeward.demo.actions import (
    add_recipient,
    agree,
    attempt,
    book,
    close,
    end,
    follow_up,
    judge,
    judged,
    line,
    note_triggers,
    refer,
    said,
    talk,
    tell,
    worker_is,
)
from homeward.demo.case import Action, Asserted, Case, Expected, ExpectedClock, london, step
from homeward.demo.cases.laura_said import SECOND, THIRD
from homeward.demo.partners import COMMISSIONER, LA, POLICE

KEY = "S4"
CHILD = {
    "external_ids": {"northshire_police": "NP-C-1004"},
    "given_name": "Laura",
    "family_name": "Example",
    "date_of_birth": "2013-02-20",
    "identity_status": "verified",
    "legal_status": "home",
    "responsible_la": "northshire",
    "address_confidential": False,
    "channels": [
        {"kind": "text", "address": "07700 900004", "safe": "safe", "whose": "child"},
    ],
}


def no_harm(at: str, episode: str) -> Action:
    """The safeguarding lead finds no sign of harm in what is known of one episode."""
    return judge(
        KEY,
        "dsl",
        at,
        *(
            judged(gate, False, "No sign of harm.", episode=episode)
            for gate in ("G2", "G3", "G4", "G5", "G6")
        ),
        judged("child_alleged_perpetrator", "none", "Nobody is alleged to have harmed her."),
    )


STEPS = (
    step("2026-10-03 21:00", "child", "Laura goes missing. Police find her at a party."),
    step("2026-10-04 02:30", "child", "She is brought home."),
    step(
        "2026-10-05 10:00", "child", "First referral.",
        worker_is("worker", "female"),
        refer(
            KEY, "E1", CHILD, missing_from="2026-10-03 21:00", returned="2026-10-04 02:30",
            at="2026-10-05 10:00", reference="NP/26/0941",
        ),
        add_recipient(
            KEY, "mother", type="carer_parent", role="mother", name="Laura's mother", pr=True,
            lives_with_child=True, channel_verified=True,
        ),
    ),
    step(
        "2026-10-05 16:20", "talk", "The worker reaches her. She will come and see.",
        attempt(KEY, "E1", "2026-10-05 16:20", "phone", outcome="contact"),
        book(KEY, "E1", "2026-10-06 16:00", "youth centre"),
    ),
    step(
        "2026-10-06 16:30", "talk",
        "She came, did not want to talk, and wants no help now. That is her right.",
        talk(
            KEY, "first", ["E1"], started="2026-10-06 16:00", ended="2026-10-06 16:25", items={},
            outcome="attended_not_engaged", service_outcome="declined",
            confidentiality_explained_at="2026-10-06T15:02:00+00:00", spoken_alone=True,
        ),
        agree(KEY, "2026-10-06 16:25", line("mother", "not_asked", "basic_outcome")),
    ),
    step(
        "2026-10-06 17:00", "judged",
        "Nothing was said, so nothing can be told but that a talk was offered and attended.",
        no_harm("2026-10-06 17:00", "E1"),
        judge(
            KEY, "worker", "2026-10-06 17:00",
            judged(
                "G1", True, "Feeds the missing risk.", to=[POLICE], categories=["basic_outcome"]
            ),
            judged("child_told", True, "Told before she left."),
        ),
        tell(KEY, "mother", "2026-10-06 17:00", "telephone"),
    ),
    step(
        "2026-10-13 15:30", "talk", "A week later the worker asks her and her school nurse.",
        follow_up(KEY, "E1", "2026-10-13 15:00", "child"),
        follow_up(KEY, "E1", "2026-10-13 15:30", "professional"),
        close(KEY, "E1"),
    ),
    step("2026-11-03 18:00", "child", "Laura is missing for an evening."),
    step("2026-11-03 23:10", "child", "She comes home."),
    step(
        "2026-11-04 11:00", "child", "Second referral: a fresh offer, whatever she said before.",
        refer(
            KEY, "E2", CHILD, missing_from="2026-11-03 18:00", returned="2026-11-03 23:10",
            at="2026-11-04 11:00", reference="NP/26/1037",
        ),
    ),
    step(
        "2026-11-04 17:30", "talk",
        "She talks on the phone: a misunderstanding, nothing is wrong, no interview please. "
        "She and her mother get the helpline number. Mum may know that she is OK.",
        attempt(KEY, "E2", "2026-11-04 17:30", "phone", outcome="contact"),
    ),
    step(
        "2026-11-04 17:50", "talk",
        "What she said is written down; what her mother thinks is kept apart.",
        talk(
            KEY, "second", ["E2"], kind="phone_discussion", started="2026-11-04 17:30",
            ended="2026-11-04 17:45", items=SECOND,
            confidentiality_explained_at="2026-11-04T17:31:00+00:00",
            first_content_at="2026-11-04T17:33:00+00:00", spoken_alone=True,
        ),
        talk(
            KEY, "mother's view", ["E2"], kind="carer_account", started="2026-11-04 17:45",
            ended="2026-11-04 17:50",
            items={
                "mother's view": said(
                    "narrative", "It is a bit better at home. We are glad that somebody asks.",
                    provenance="carer_said",
                )
            },
        ),
        end(
            KEY, "E2", "2026-11-04 17:46", "declined_by_child",
            helpline_given_to=["child", "carer"],
        ),
        attempt(KEY, "E2", "2026-11-04 17:50", "text", outcome="left_message"),
    ),
    step(
        "2026-11-04 18:10", "judged", "Who may know what is judged and agreed item by item.",
        judge(
            KEY, "worker", "2026-11-04 17:46",
            judged("competence", "competent", "At 13 she understands what would follow."),
        ),
        agree(
            KEY, "2026-11-04 17:46",
            line("mother", "agreed", "ok"),
            line("mother", "declined", "misunderstanding"),
            line(POLICE, "declined", "misunderstanding"),
            line(POLICE, "declined", "ok"),
        ),
        no_harm("2026-11-04 18:10", "E2"),
        judge(
            KEY, "worker", "2026-11-04 18:10",
            judged("G1", True, "Relevant to her welfare.", to=[LA], episode="E2"),
            judged(
                "G1", True, "Feeds the missing risk.", to=[POLICE], categories=["basic_outcome"],
                episode="E2",
            ),
            judged(
                "G1", False, "Not needed for police.", to=[POLICE],
                items=["misunderstanding", "ok"],
            ),
            judged("child_told", True, "Told on the phone what goes to whom."),
        ),
    ),
    step(
        "2026-11-04 18:30", "told", "Her mother hears that she is OK, and nothing else.",
        tell(KEY, "mother", "2026-11-04 18:30", "telephone"),
    ),
    step("2026-12-01 20:00", "child", "Laura goes missing a third time."),
    step("2026-12-02 06:00", "child", "She comes home in the morning."),
    step(
        "2026-12-02 12:00", "clock",
        "Third referral, the third in 90 days: a strategy meeting is asked for.",
        refer(
            KEY, "E3", CHILD, missing_from="2026-12-01 20:00", returned="2026-12-02 06:00",
            at="2026-12-02 12:00", reference="NP/26/1120",
        ),
        note_triggers(KEY),
    ),
    step(
        "2026-12-03 10:00", "talk", "The same worker reaches her. Now she wants to talk.",
        attempt(KEY, "E3", "2026-12-03 10:00", "phone", outcome="contact"),
        book(KEY, "E3", "2026-12-04 15:30", "youth centre"),
    ),
    step(
        "2026-12-04 16:20", "talk",
        "She talks, and takes the help. For each thing she says who may know it.",
        talk(
            KEY, "third", ["E3"], started="2026-12-04 15:30", ended="2026-12-04 16:15",
            items=THIRD, outcome="completed_engaged", service_outcome="accepted",
            confidentiality_explained_at="2026-12-04T15:32:00+00:00",
            first_content_at="2026-12-04T15:40:00+00:00", spoken_alone=True,
        ),
        judge(
            KEY, "worker", "2026-12-04 16:15",
            judged("competence", "competent", "She weighed what would follow for each item."),
        ),
        agree(
            KEY, "2026-12-04 16:15",
            *(line(LA, "agreed", item) for item in THIRD),
            line("mother", "agreed", "reasons"),
            line("mother", "agreed", "plan"),
            line("mother", "declined", "party"),
            line("mother", "declined", "address"),
            line(POLICE, "agreed", "address"),
            line(POLICE, "declined", "party"),
            line(POLICE, "declined", "reasons"),
            line(POLICE, "declined", "plan"),
        ),
    ),
    step(
        "2026-12-04 16:40", "judged", "The safeguarding lead finds no sign of harm.",
        no_harm("2026-12-04 16:40", "E3"),
        judge(
            KEY, "worker", "2026-12-04 16:40",
            judged("G1", True, "Relevant to her welfare.", to=[LA], episode="E3"),
            judged(
                "G1", True, "Feeds the missing risk.", to=[POLICE], categories=["basic_outcome"],
                episode="E3",
            ),
            judged(
                "G1", False, "Not needed for police.", to=[POLICE],
                items=["party", "reasons", "plan", "address"],
            ),
            judged("child_told", True, "Told at the end of the talk."),
        ),
    ),
    step(
        "2026-12-04 17:00", "told", "Her mother hears why, and what she herself can do.",
        tell(KEY, "mother", "2026-12-04 17:00", "telephone"),
        tell(KEY, "self", "2026-12-04 17:00", "written_link"),
    ),
    step(
        "2026-12-11 15:30", "talk", "A week later both are asked what was done.",
        follow_up(KEY, "E3", "2026-12-11 15:00", "child"),
        follow_up(KEY, "E3", "2026-12-11 15:30", "professional"),
        close(KEY, "E3"),
    ),
)  # fmt: skip

DECISIONS = (
    *(
        expected
        for outcome in ("outcome1", "outcome2", "outcome3")
        for expected in (
            Expected("CSC-01", LA, outcome, "allow"),
            Expected("POL-01", POLICE, outcome, "allow", ("G1",)),
            Expected("CAR-01", "mother", outcome, "allow_redacted"),
            Expected("COM-01", COMMISSIONER, outcome, "allow_redacted"),
        )
    ),
    Expected("CAR-10", "mother", "ok", "allow"),
    Expected("CAR-02", "mother", "misunderstanding", "deny"),
    Expected("CSC-10", LA, "ok", "allow", ("G1",)),
    Expected("CSC-02", LA, "misunderstanding", "allow", ("G1",)),
    Expected("POL-02", POLICE, "misunderstanding", "deny"),
    Expected("CSC-02", LA, "party", "allow"),
    Expected("CSC-03", LA, "reasons", "allow"),
    Expected("CAR-03", "mother", "reasons", "allow_redacted"),
    Expected("CAR-09", "mother", "plan", "allow_redacted"),
    Expected("POL-04", POLICE, "address", "allow"),
    Expected("POL-02", POLICE, "party", "deny"),
    Expected("CAR-02", "mother", "party", "deny"),
)


def _met(episode: str, clock: str, due: str, met: str) -> ExpectedClock:
    return ExpectedClock(episode, clock, london(due), london(met), "met")


CLOCKS = (
    _met("E1", "contact", "2026-10-06 10:00", "2026-10-05 16:20"),
    _met("E1", "rhi", "2026-10-07 02:30", "2026-10-06 16:00"),
    _met("E2", "contact", "2026-11-05 11:00", "2026-11-04 17:30"),
    _met("E3", "contact", "2026-12-03 12:00", "2026-12-03 10:00"),
    _met("E3", "rhi", "2026-12-05 06:00", "2026-12-04 15:30"),
)

ASSERTED = (
    Asserted(
        "No episode goes without an offer, whatever was said of an earlier one.",
        lambda found, world: len(world.of(KEY).episodes) == len(
            {clock.episode for clock in found.clocks if clock.clock == "contact"}
        ),
    ),
    Asserted(
        "Three in 30 days stays silent, three in 90 days fires on the third episode.",
        lambda _, world: [
            (trigger["count"], trigger["window_days"])
            for trigger in world.of(KEY).notes["triggers"]
        ] == [(3, 90)],
    ),
    Asserted(
        "Of the first talk, where nothing was said, only the outcome exists.",
        lambda found, _: {one.category for one in found.decisions if one.episode == "E1"}
        == {"basic_outcome"},
    ),
    Asserted(
        "What her mother said is proposed to nobody.",
        lambda found, world: all(
            one.item != world.of(KEY).items["mother's view"] for one in found.decisions
        ),
    ),
    Asserted(
        "What her mother was told does not hold where the party was.",
        lambda found, _: "Canal Street" not in str(found.readable.get("mother")),
    ),
)  # fmt: skip

CASE = Case(
    key=KEY,
    title="Laura, 13: a no, another no, and then a yes",
    story=(
        "Laura goes missing three times in two months. The first time she comes and says nothing, "
        "the second time she talks on the phone and wants no interview, the third time she talks. "
        "Each time there is a fresh offer by the same worker, and each time what she says goes "
        "only where she agrees or where it serves her welfare."
    ),
    recipients=(
        (LA, "childrens_services", "Children's services"),
        (POLICE, "police", "Police"),
        (COMMISSIONER, "commissioner", "Commissioner"),
        ("mother", "carer_parent", "Her mother"),
        ("self", "young_person", "Laura herself"),
    ),
    items=(
        ("outcome1", "E1", "basic_outcome", "A talk was offered and attended"),
        ("outcome2", "E2", "basic_outcome", "A talk was offered and declined"),
        ("misunderstanding", "E2", "narrative", "What she said on the phone"),
        ("ok", "E2", "wishes", "That mum may know she is OK"),
        ("outcome3", "E3", "basic_outcome", "A talk was offered and held"),
        ("party", "E3", "narrative", "How the night went"),
        ("reasons", "E3", "push_pull", "Why she left"),
        ("address", "E3", "whereabouts", "Where the party was"),
        ("plan", "E3", "safety_plan", "What would keep her safe"),
    ),
    steps=STEPS,
    decisions=DECISIONS,
    clocks=CLOCKS,
    asserted=ASSERTED,
)
