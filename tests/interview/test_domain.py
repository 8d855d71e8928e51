"""What a talk must look like and what follows from it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.interview import ItemNamed
from services.interview.domain import (
    Episode,
    Said,
    Talk,
    amended,
    episode_of,
    faults_of_item,
    faults_of_talk,
    judged_facts,
    may_amend,
    may_read_words,
    recorded,
    reviews,
    whose,
)

START = datetime(2026, 11, 30, 16, 30, tzinfo=UTC)
END = datetime(2026, 11, 30, 17, 20, tzinfo=UTC)
NOW = END + timedelta(minutes=5)


def a_talk(**changes) -> Talk:
    talk = Talk(
        kind="interview",
        episode_ids=("EP-1",),
        started_at=START,
        ended_at=END,
        outcome="completed_engaged",
        confidentiality_explained_at=START + timedelta(minutes=2),
        first_content_at=START + timedelta(minutes=20),
        spoken_alone=True,
    )
    return replace(talk, **changes)


def an_item(**changes) -> Said:
    said = Said(category="push_pull", provenance="child_said", subject="child", text="They shout.")
    return replace(said, **changes)


def an_episode(episode: str = "EP-1", child: str = "C-1", day: int = 1) -> Episode:
    return Episode(episode, child, datetime(2026, 12, day, tzinfo=UTC))


def announced(talk: Talk):
    return recorded(
        "EV-1",
        interview_id="IV-1",
        child_id="C-1",
        worker="W-1",
        talk=talk,
        items=[ItemNamed(item_id="IT-1", version=1, category="push_pull")],
    )


def test_a_usual_talk_has_no_faults_and_nothing_to_review():
    assert faults_of_talk(a_talk(), NOW) == []
    assert reviews(a_talk()) == ()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"ended_at": START - timedelta(seconds=1)}, ("ended_at", "time.before_start")),
        ({"ended_at": NOW + timedelta(minutes=2)}, ("ended_at", "time.in_future")),
        ({"first_content_at": NOW + timedelta(hours=1)}, ("first_content_at", "time.in_future")),
        ({"outcome": None}, ("outcome", "outcome.missing")),
        ({"episode_ids": ("EP-1", "EP-1")}, ("episode_ids", "episode.twice")),
    ],
)
def test_a_talk_that_cannot_be_so_names_the_field(changes, fault):
    assert [fault] == faults_of_talk(a_talk(**changes), NOW)


def test_a_device_that_runs_half_a_minute_fast_is_believed():
    assert faults_of_talk(a_talk(ended_at=NOW + timedelta(seconds=30)), NOW) == []


def test_a_talk_by_telephone_needs_no_outcome():
    assert faults_of_talk(a_talk(kind="phone_discussion", outcome=None), NOW) == []


@pytest.mark.parametrize("explained", [None, START + timedelta(minutes=21)])
def test_limits_explained_late_or_never_are_recorded_and_flagged(explained):
    talk = a_talk(confidentiality_explained_at=explained)

    assert faults_of_talk(talk, NOW) == []
    assert reviews(talk) == ("confidentiality_late",)


@pytest.mark.parametrize("alone", [False, None])
def test_a_child_not_known_to_have_been_alone_is_for_the_supervisor(alone):
    assert reviews(a_talk(spoken_alone=alone)) == ("not_alone",)


def test_a_carers_account_raises_no_review_of_the_childs_talk():
    assert reviews(a_talk(kind="carer_account", spoken_alone=False, first_content_at=START)) == ()


def test_a_usual_item_has_no_faults():
    assert faults_of_item(an_item(facts={"school_related": True}), ("EP-1",)) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"category": "basic_outcome"}, ("category", "category.not_recorded_here")),
        ({"category": "aggregates"}, ("category", "category.not_recorded_here")),
        ({"episode_id": "EP-9"}, ("episode_id", "episode.not_of_interview")),
        ({"text": None}, ("text", "item.empty")),
        ({"fields": {"Mary Smith": 1}}, ("fields.*", "field.name")),
        ({"text": "a\x00b"}, ("text", "text.not_storable")),
        ({"fields": {"who": ["\ud800"]}}, ("fields", "text.not_storable")),
        ({"fields": {"age": float("nan")}}, ("fields", "number.not_finite")),
        ({"facts": {"dsl_signoff": True}}, ("facts.dsl_signoff", "fact.judged_elsewhere")),
        ({"facts": {"vir": {}}}, ("facts.vir", "fact.judged_elsewhere")),
        ({"facts": {"G3": True}}, ("facts.G3", "fact.judged_elsewhere")),
        ({"facts": {"pseudonym_key": "x"}}, ("facts.pseudonym_key", "fact.of_the_recipient")),
        ({"facts": {"favourite": True}}, ("facts.favourite", "fact.unknown")),
        ({"facts": {"Mary Smith": True}}, ("facts.*", "fact.unknown")),
        ({"facts": {"school_related": 1}}, ("facts.school_related", "fact.not_true_or_false")),
        ({"facts": {"care_need": True}}, ("facts.care_need", "fact.not_text")),
        ({"facts": {"extract_ids": "x1"}}, ("facts.extract_ids", "fact.not_a_list")),
        ({"facts": {"extract_ids": [1]}}, ("facts.extract_ids", "fact.not_a_list_of_text")),
        ({"facts": {"distinct_children": True}}, ("facts.distinct_children", "fact.not_a_number")),
        (
            {"facts": {"distance_to_school_m": -1}},
            ("facts.distance_to_school_m", "fact.below_zero"),
        ),
        ({"facts": {"place_type": "castle"}}, ("facts.place_type", "fact.not_in_list")),
        ({"facts": {"reliability": ["A"]}}, ("facts.reliability", "fact.not_in_list")),
    ],
)
def test_an_item_that_cannot_be_so_names_the_field(changes, fault):
    assert [fault] == faults_of_item(an_item(**changes), ("EP-1",))


def test_a_fact_that_is_null_is_taken_as_absent():
    said = an_item(facts={"school_related": None, "urgency": "tonight"})

    assert faults_of_item(said, ("EP-1",)) == []
    assert judged_facts(said) == {"urgency": "tonight"}


def test_episodes_of_two_children_are_nobodys():
    assert whose([an_episode("EP-1", "C-1"), an_episode("EP-2", "C-2")]) is None
    assert whose([an_episode("EP-1"), an_episode("EP-2")]) == "C-1"


def test_an_item_that_names_no_episode_is_about_the_latest():
    episodes = [an_episode("EP-1", day=3), an_episode("EP-2", day=6), an_episode("EP-3", day=5)]

    assert episode_of(an_item(), episodes) == "EP-2"
    assert episode_of(an_item(episode_id="EP-1"), episodes) == "EP-1"


def test_words_are_for_the_worker_who_wrote_them_managers_and_the_dsl():
    assert may_read_words("W-1", {"practitioner"}, "W-1")
    assert may_read_words("W-2", {"manager"}, "W-1")
    assert may_read_words("W-2", {"dsl"}, "W-1")
    assert not may_read_words("W-2", {"practitioner"}, "W-1")
    assert not may_read_words("W-1", {"dpo", "ig_lead", "ops", "partner", "service"}, "W-1")
    assert not may_read_words("W-1", set(), "W-1")


def test_an_item_is_amended_by_its_worker_or_a_manager():
    assert may_amend("W-1", {"practitioner"}, "W-1")
    assert may_amend("W-2", {"manager"}, "W-1")
    assert not may_amend("W-2", {"practitioner"}, "W-1")
    assert not may_amend("W-1", {"dsl"}, "W-1")


def test_an_interview_is_announced_with_its_items_and_outcome():
    event = announced(a_talk())

    assert event.outcome == "completed_engaged"
    assert [item.item_id for item in event.items] == ["IT-1"]


def test_a_carers_account_is_announced_without_items_or_outcome():
    event = announced(a_talk(kind="carer_account"))

    assert event.items == ()
    assert event.outcome is None


def test_a_talk_by_telephone_never_carries_an_interviews_outcome():
    event = announced(a_talk(kind="phone_discussion"))

    assert event.outcome is None
    assert len(event.items) == 1


def test_a_new_version_of_a_carers_account_is_announced_to_nobody():
    event = amended(
        "EV-2",
        apart=True,
        interview_id="IV-1",
        child_id="C-1",
        episode_id="EP-1",
        item=ItemNamed(item_id="IT-1", version=2, category="narrative"),
        at=NOW,
    )

    assert event is None
