"""What follows from facts: what holds, what is asked, what passes, what is missing."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sharing.domain import agreement, payload
from services.sharing.domain.birthdays import a_year_after, age_at, birthday
from services.sharing.domain.document import digest, document, urgent
from services.sharing.domain.facts import (
    ChildFacts,
    Facts,
    ItemFacts,
    Judged,
    Line,
    RecipientFacts,
    of_snapshot,
    pairs,
    snapshot,
)
from services.sharing.domain.judgements import approvals, holding
from services.sharing.domain.judging import faults
from services.sharing.domain.missing import missing
from services.sharing.domain.releasing import (
    DELIVERED,
    FOLLOWS,
    LIVE,
    STOPPABLE,
    ForbiddenMoveError,
    first_state,
    move,
    release_id,
)
from services.sharing.domain.words import without_words
from services.sharing.policy_data import load

DATA = load(Path(__file__).parents[2] / "policies")
NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_child(**changes) -> ChildFacts:
    born = date(2011, 3, 2)
    return ChildFacts(
        **{
            "id": "CH-1",
            "controller": "charity",
            "identity_status": "verified",
            "legal_status": "home",
            "responsible_la": "northshire",
            "host_la": None,
            "address_confidential": False,
            "age": 15,
            "next_birthday_at": birthday(born, 16),
            "adult_at": birthday(born, 18),
        }
        | changes
    )


def an_item(**changes) -> ItemFacts:
    return ItemFacts(
        **{
            "id": "IT-1",
            "version": 1,
            "episode_id": "EP-1",
            "category": "narrative",
            "subject": "child",
            "provenance": "child_said",
            "existed_at": NOON,
        }
        | changes
    )


def a_recipient(**changes) -> RecipientFacts:
    return RecipientFacts(
        **{"key": "council", "type": "childrens_services", "role": "responsible_la"}
        | {"channel_verified": True}
        | changes
    )


def said(status: str, at: datetime = NOON, **changes) -> Line:
    return Line(status=status, by="child", consequences_explained=True, at=at, **changes)


def judged(name: str, value, at: datetime = NOON, **changes) -> Judged:
    return Judged(
        **{"name": name, "value": value, "by": "W-3", "role": "dsl", "at": at, "recorded_at": at}
        | {"reason": "given"}
        | changes
    )


def asked(*judgements: Judged, item=None, recipient=None, lines=(), child=None, now=NOON):
    item, recipient = item or an_item(), recipient or a_recipient()
    facts = Facts(
        child=child or a_child(),
        episodes={"EP-1": "home"},
        items=(item,),
        recipients=(recipient,),
        lines=tuple(lines),
        judgements=judgements,
    )
    return document(facts, item, recipient, DATA.types[recipient.type], DATA.law, now, "PS-1")


class TestAgreement:
    def resolve(self, *lines: Line, child=None, item=None, now=NOON) -> str:
        found = agreement.resolve(lines, child or a_child(), item or an_item(), "council", now)
        return found["status"]

    def test_nothing_said_is_not_asked(self):
        assert self.resolve() == "not_asked"

    def test_an_items_line_beats_a_later_one_of_its_category(self):
        lines = [
            said("agreed", item_id="IT-1"),
            said("declined", NOON + HOUR, category="narrative"),
        ]

        assert self.resolve(*lines) == "agreed"

    def test_a_categorys_line_beats_one_for_everything(self):
        lines = [said("agreed", category="narrative"), said("declined", NOON + HOUR)]

        assert self.resolve(*lines) == "agreed"

    def test_the_later_beats_the_earlier(self):
        assert self.resolve(said("agreed"), said("declined", NOON + HOUR)) == "declined"

    def test_a_line_written_down_late_does_not_beat_what_was_said_after_it(self):
        lines = [said("withdrawn", NOON + HOUR, seq=1), said("agreed", NOON, seq=2)]

        assert self.resolve(*lines) == "withdrawn"

    def test_a_withdrawal_of_everything_takes_an_items_yes_back(self):
        lines = [said("agreed", item_id="IT-1"), said("withdrawn", NOON + HOUR)]

        assert self.resolve(*lines) == "withdrawn"

    def test_a_yes_after_a_withdrawal_counts(self):
        lines = [said("withdrawn"), said("agreed", NOON + HOUR, recipient="council")]

        assert self.resolve(*lines) == "agreed"

    def test_a_line_for_another_recipient_does_not_count(self):
        assert self.resolve(said("agreed", recipient="police")) == "not_asked"

    def test_a_yes_given_at_17_is_no_adults_yes(self):
        child = a_child(adult_at=NOON)

        assert self.resolve(said("agreed", NOON - HOUR), child=child, now=NOON) == "not_asked"
        assert self.resolve(said("agreed", NOON), child=child, now=NOON) == "agreed"

    def test_a_no_given_at_17_stays_a_no(self):
        assert (
            self.resolve(said("declined", NOON - HOUR), child=a_child(adult_at=NOON)) == "declined"
        )


class TestJudgements:
    def test_what_nobody_judged_is_unassessed(self):
        assert holding([], "G2", an_item(), "council") is None

    def test_the_narrower_beats_the_wider_and_the_later_the_earlier(self):
        both = [
            judged("G2", True, item_ids=("IT-1",)),
            judged("G2", False, NOON + HOUR),
            judged("G2", False, NOON + HOUR, categories=("harm",)),
        ]

        assert holding(both, "G2", an_item(), "council").value is True
        assert holding(both, "G2", an_item(id="IT-2"), "council").value is False

    def test_no_harm_in_october_does_not_clear_december(self):
        october = judged("G3", False, NOON)

        assert holding([october], "G3", an_item(), "council").value is False
        assert holding([october], "G3", an_item(existed_at=NOON + HOUR), "council") is None

    def test_harm_judged_of_one_item_counts_for_every_item(self):
        harm = judged("G3", True, item_ids=("IT-1",))

        assert holding([harm], "G3", an_item(id="IT-9", existed_at=NOON + HOUR), "x").value is True

    def test_an_earlier_narrow_no_does_not_outlive_a_later_yes(self):
        both = [judged("G3", False, item_ids=("IT-1",)), judged("G3", True, NOON + HOUR)]

        assert holding(both, "G3", an_item(), "council").value is True

    def test_after_harm_was_ruled_out_a_new_item_is_unassessed(self):
        both = [judged("G4", True), judged("G4", False, NOON + HOUR)]

        assert holding(both, "G4", an_item(), "x").value is False
        assert holding(both, "G4", an_item(existed_at=NOON + 2 * HOUR), "x") is None

    def test_of_yes_and_no_at_the_same_moment_yes_counts(self):
        both = [judged("G6", True, seq=1), judged("G6", False, seq=2)]

        assert holding(both, "G6", an_item(), "x").value is True

    def test_a_duty_to_share_is_judged_of_items_that_are_there(self):
        g1 = judged("G1", True, role="practitioner")

        assert holding([g1], "G1", an_item(existed_at=NOON + HOUR), "council") is None

    def test_competence_stays_judged_when_another_item_comes(self):
        one = judged("competence", "competent")

        assert (
            holding([one], "competence", an_item(existed_at=NOON + HOUR), "x").value == "competent"
        )

    def test_null_takes_a_judgement_back(self):
        both = [judged("G2", True), judged("G2", None, NOON + HOUR)]

        assert holding(both, "G2", an_item(), "council") is None

    def test_a_dsl_cannot_approve_for_the_dpo(self):
        own = judged("approvals", ["dpo", "dsl"], role="dsl")

        assert approvals([own], an_item(), "police") == ["dsl"]

    def test_words_of_a_reason_are_not_in_the_document(self):
        found = asked(judged("G2", True))

        assert found["gates"]["G2"]["reason"] == "given"

    @pytest.mark.parametrize(
        ("name", "value", "reason"),
        [
            ("G3", "yes", "x"),
            ("G3", 1, "x"),
            ("G3", True, " "),
            ("competence", True, None),
            ("child_told", False, "no time"),
            ("purpose", "curiosity", None),
            ("cell_counts", [True], None),
            ("vir", {"name": "x"}, None),
            ("approvals", ["boss"], None),
        ],
    )
    def test_a_judgement_that_does_not_fit_is_named_without_its_value(self, name, value, reason):
        found = faults(name, value, reason, DATA.codes, DATA.not_told_reasons)

        assert found
        assert all(str(value) not in code for _, code in found if isinstance(value, str))


class TestDocument:
    def test_only_times_differ_and_it_is_the_same_document(self):
        first = asked(judged("G2", True))
        later = asked(judged("G2", True, NOON + HOUR), now=NOON + timedelta(days=3))

        assert digest(first) == digest(later)
        assert first != later

    @pytest.mark.parametrize(
        "other",
        [
            lambda: asked(judged("G2", False)),
            lambda: asked(judged("G2", True, by="W-4")),
            lambda: asked(judged("G2", True), lines=[said("agreed")]),
            lambda: asked(judged("G2", True), child=a_child(age=14)),
            lambda: asked(judged("G2", True), recipient=a_recipient(channel_verified=False)),
            lambda: asked(judged("G2", True), item=an_item(facts={"more_detrimental": True})),
        ],
    )
    def test_another_fact_makes_another_document(self, other):
        assert digest(other()) != digest(asked(judged("G2", True)))

    def test_the_day_on_which_a_duty_begins_makes_another_document(self):
        before = asked(now=datetime(2026, 9, 29, 22, 59, tzinfo=UTC))
        after = asked(now=datetime(2026, 9, 29, 23, 0, tzinfo=UTC))

        assert (before["law"]["s16la_in_force"], after["law"]["s16la_in_force"]) == (False, True)
        assert digest(before) != digest(after)

    def test_that_a_talk_was_held_gives_nothing_away_to_the_child_who_was_there(self):
        outcome = an_item(category="basic_outcome", provenance="worker_view")

        def told(*judgements: Judged):
            return asked(*judgements, item=outcome)["item"]["facts"].get("would_prejudice_action")

        assert told(judged("G3", True)) is False
        assert told(judged("G3", False)) is None
        assert told(judged("G3", True, reason=None)) is None  # nobody said why: not judged
        assert told() is None
        assert "would_prejudice_action" not in asked(judged("G3", True))["item"]["facts"]

    def test_judged_facts_in_an_items_facts_do_not_count(self):
        item = an_item(
            facts={"dsl_signoff": True, "approvals": ["dpo", "dsl"], "pseudonym_key": "x"}
        )

        assert asked(item=item)["item"]["facts"] == {}

    def test_only_a_commissioner_learns_the_pseudonym(self):
        team = a_recipient(key="contracts", type="commissioner", role="contract_team")

        assert asked(recipient=team)["item"]["facts"] == {"pseudonym_key": "PS-1"}

    def test_nobody_has_parental_responsibility_for_an_adult(self):
        mother = a_recipient(key="mother", type="carer_parent", role="mother", pr=True)

        assert asked(recipient=mother)["recipient"]["pr"] is True
        assert asked(recipient=mother, child=a_child(adult_at=NOON))["recipient"]["pr"] is False

    def test_the_young_person_harmed_nobody(self):
        own = a_recipient(key="self", type="young_person", role="self")

        assert asked(recipient=own)["recipient"]["connected_to_perpetrator"] == "no"

    def test_it_can_be_built_again_from_the_snapshot(self):
        item = an_item(facts={"place_type": "school"}, third_parties=("given",), special=("sex",))
        recipient = a_recipient(facts={"open_case": True})
        facts = Facts(
            child=a_child(host_la="eastvale"),
            episodes={"EP-1": "home"},
            items=(item,),
            recipients=(recipient,),
            lines=(said("agreed", category="narrative"),),
            judgements=(judged("G2", True, item_ids=("IT-1",)), judged("vir", {"notice": "given"})),
        )

        again = of_snapshot(json.loads(json.dumps(snapshot(facts))))

        kind = DATA.types[recipient.type]
        built = [document(f, item, recipient, kind, DATA.law, NOON) for f in (facts, again)]
        assert built[0] == built[1]
        assert again == facts

    def test_a_judgement_taken_back_and_a_fact_not_known_are_kept_as_such(self):
        item = an_item(facts={"place_la": None})
        judgements = (judged("G2", None), judged("cell_counts", [None, 5]))
        facts = Facts(a_child(), {"EP-1": "home"}, (item,), (a_recipient(),), (), judgements)

        assert of_snapshot(json.loads(json.dumps(snapshot(facts)))) == facts

    def test_harm_that_nobody_judged_is_urgent(self):
        assert urgent(asked(item=an_item(category="harm")))
        assert not urgent(asked())
        assert urgent(asked(judged("G6", True)))

    def test_harm_that_was_ruled_out_is_not_urgent(self):
        ruled_out = [judged(name, False) for name in ("G3", "G4", "G6")]

        assert not urgent(asked(*ruled_out, item=an_item(category="harm")))

    def test_nothing_is_proposed_to_a_carer_before_they_were_spoken_of(self):
        mother = a_recipient(key="mother", type="carer_parent", role="mother")
        facts = Facts(a_child(), {"EP-1": "home"}, (an_item(),), (mother,))

        assert list(pairs(facts, DATA.carers)) == []
        asked_for = Facts(
            facts.child, facts.episodes, facts.items, facts.recipients,
            (said("not_asked", recipient="mother"),),
        )  # fmt: skip
        assert len(list(pairs(asked_for, DATA.carers))) == 1


class TestMissing:
    def names(self, found, rules=("CSC-02",)) -> frozenset[str]:
        recipient = found["recipient"]
        paths = DATA.paths(recipient["type"], recipient["role"], found["item"]["category"])
        return missing(found, paths, rules, DATA.kinds)

    def test_an_unjudged_item_waits_for_every_gate_of_its_row(self):
        assert self.names(asked()) == {"G1", "more_detrimental", "G3", "G4", "G6"}

    def test_a_path_that_is_closed_asks_for_nothing(self):
        judgements = [judged(name, False) for name in ("G3", "G4", "G6")]
        judgements.append(judged("G1", False))

        assert self.names(asked(*judgements)) == frozenset()

    def test_a_yes_whose_competence_is_unknown_waits_for_competence(self):
        assert "competence" in self.names(asked(lines=[said("agreed")]))

    def test_who_is_asked_follows_from_who_may_judge(self):
        assert DATA.owner_of("G1") == "practitioner"
        assert DATA.owner_of("G3") == "dsl"
        assert DATA.owner_of("G8") == "dpo_and_dsl"
        assert DATA.owner_of("reliability") == "practitioner"


class TestPayload:
    parts: ClassVar = {
        "text": "her own words",
        "fields": {
            "codes": ["bored"],
            "plain_words": "a long row",
            "plan_actions_for_carer": "ring",
        },
        "summary": "two lines",
        "extracts": ["one"],
    }

    def passes(self, *names: str, kind="police", parts=None):
        found = payload.content(
            an_item(), parts or self.parts, kind, names, known=DATA.transforms, whole=DATA.whole
        )
        return None if found is None else found["fields"]

    def test_whole_is_whole(self):
        assert self.passes()["text"] == "her own words"

    @pytest.mark.parametrize("name", sorted(DATA.transforms))
    def test_the_account_never_passes_a_transform(self, name: str):
        assert "her own words" not in json.dumps(self.passes(name))

    def test_codes_only_lets_no_sentence_pass(self):
        assert self.passes("codes_only") == {"codes": ["bored"]}
        assert self.passes("codes_only", parts={"fields": {"codes": "a sentence"}}) is None

    def test_each_carer_gets_the_actions_that_are_theirs(self):
        assert self.passes("actions_for_recipient", kind="carer_parent") == {
            "plan_actions_for_carer": "ring"
        }
        assert self.passes("actions_for_recipient", kind="school_dsl") is None

    def test_of_two_transforms_only_what_both_let_pass_passes(self):
        assert self.passes("extract_only", "mark_verbatim") == {"extracts": ["one"]}
        assert self.passes("summary_only", "extract_only") is None

    def test_what_was_given_beyond_the_permitted_is_left_out(self):
        assert self.passes("summary_only", parts=self.parts | {"other": "x"}) == {
            "summary": "two lines"
        }

    def test_a_transform_that_nobody_described_lets_nothing_pass(self):
        with pytest.raises(payload.UnknownTransformError):
            self.passes("unheard_of")

    @pytest.mark.parametrize("name", ["counts_only", "themes_only"])
    def test_judged_counts_pass_where_counts_pass(self, name: str):
        parts = payload.with_counts(self.parts, [None, 7], [name], DATA.transforms)

        assert self.passes(name, parts=parts) == {"cell_counts": [None, 7]}

    @pytest.mark.parametrize("name", ["codes_only", "minimum_facts", "summary_only"])
    def test_judged_counts_pass_nowhere_else(self, name: str):
        assert payload.with_counts(self.parts, [7], [name], DATA.transforms) == self.parts

    def test_no_counts_are_added_that_nobody_judged(self):
        assert payload.with_counts(self.parts, None, ["counts_only"], DATA.transforms) == self.parts

    def test_a_worker_reads_moments_on_londons_clock(self):
        item = {
            "category": "whereabouts",
            "provenance": "child_said",
            "fields": {"event_at": "2026-10-10T22:30:00+00:00"},
        }

        assert payload.spoken({"item": item}) == (
            "whereabouts (child said)\nevent at: Saturday 10 October 2026, 23:30"
        )

    def test_words_are_kept_only_as_being_there(self):
        facts = {
            "necessity_reason": "because of him",
            "place_la": "northshire",
            "plan_actions_for_carer": ["ring me", "wait"],
            "reliability": "B",
            "distinct_children": 3,
            "summary_text": "",
            "secret": "x",
        }

        assert without_words(facts, DATA.kinds) == {
            "necessity_reason": "given",
            "place_la": "northshire",
            "plan_actions_for_carer": ["given", "given"],
            "reliability": "B",
            "distinct_children": 3,
            "summary_text": "",
        }


class TestReleasing:
    def test_nobody_hears_before_the_child_where_that_is_owed(self):
        assert first_state(feed=True, told_first=True, child_told=False) == "waiting_child_told"
        assert first_state(feed=True, told_first=True, child_told=True) == "queued"
        assert first_state(feed=False, told_first=False, child_told=False) == "tell"

    @given(st.lists(st.sampled_from(sorted(FOLLOWS)), max_size=30))
    def test_what_was_stopped_never_leaves_by_itself(self, wanted: list[str]):
        state, stopped = "waiting_child_told", False
        for to in wanted:
            try:
                state = move(state, to)
            except ForbiddenMoveError:
                continue
            stopped = stopped or state in {"cancelled", "superseded", "erased", "void"}
            if stopped:
                # a person may still report that somebody was told; no feed gets it any more
                assert state not in STOPPABLE | {"claimed", "sent"}

    @given(st.dictionaries(st.integers(0, 6), st.sampled_from(sorted(FOLLOWS))))
    def test_the_same_content_is_never_under_way_twice(self, states: dict[int, str]):
        known = {}
        for n in range(len(states)):
            if n not in states:
                break
            known[f"RL-{n}"] = states[n]
            if states[n] in LIVE or states[n] == "withdrawn":
                break
        name, new = release_id(lambda count: f"RL-{count}", known.get)

        assert new is (name not in known)
        live = [n for n, state in known.items() if state in LIVE or state == "withdrawn"]
        assert live == ([] if new else [name])

    def test_a_delivered_release_stays_delivered(self):
        assert FOLLOWS[DELIVERED] == frozenset()


class TestBirthdays:
    def test_the_day_begins_in_london(self):
        assert birthday(date(2009, 7, 15), 18) == datetime(2027, 7, 14, 23, 0, tzinfo=UTC)
        assert birthday(date(2009, 1, 15), 18) == datetime(2027, 1, 15, 0, 0, tzinfo=UTC)

    def test_born_on_a_leap_day_is_older_on_the_first_of_march(self):
        assert birthday(date(2008, 2, 29), 18) == datetime(2026, 3, 1, tzinfo=UTC)

    @given(st.dates(date(1995, 1, 1), date(2026, 1, 1)), st.integers(0, 25))
    def test_age_changes_at_the_birthday_and_not_before(self, born: date, age: int):
        at = birthday(born, age)

        assert age_at(born, at) == age
        assert age == 0 or age_at(born, at - timedelta(seconds=1)) == age - 1

    @given(
        st.dates(date(1995, 1, 1), date(2020, 1, 1)).filter(lambda d: (d.month, d.day) != (2, 29))
    )
    def test_the_next_birthday_is_a_year_after(self, born: date):
        assert a_year_after(birthday(born, 15)) == birthday(born, 16)


def test_whoever_has_to_act_on_harm_is_told_first_and_a_type_nobody_knows_last():
    types = ["nobody_knows", "commissioner", "health", "childrens_services", "police"]
    in_turn = sorted(types, key=DATA.turn_of)
    assert in_turn[:3] == ["police", "childrens_services", "health"]
    assert in_turn[-1] == "nobody_knows"
