"""Clocks, answers and who may go: the facts of S1 to S6 and the rules of practice."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduling.domain import (
    Answer,
    NotAllowedError,
    Persistence,
    Tried,
    Wanted,
    Worker,
    alarm,
    clock_state,
    contact_due,
    follow_up_due,
    lateness_at_opening,
    light,
    may_answer,
    may_attempt,
    may_close,
    minutes_left,
    rhi_due,
    unfit,
)

LONDON = ZoneInfo("Europe/London")
moments = st.integers(0, 60 * 366 * 24 * 60).map(
    lambda minute: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def london(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=LONDON).astimezone(UTC)


# When things are due


@pytest.mark.parametrize(
    ("received", "due"),
    [
        (utc(2026, 11, 28, 9, 15), utc(2026, 11, 29, 9, 15)),  # S1
        (london(2027, 3, 27, 10), london(2027, 3, 28, 11)),  # S2, over the change to summer time
        (utc(2027, 1, 11, 9), utc(2027, 1, 12, 9)),  # S6
    ],
)
def test_contact_is_due_a_day_after_the_referral(received, due):
    assert contact_due(received) == due


@pytest.mark.parametrize(
    ("returned", "due"),
    [
        (utc(2026, 11, 27, 22, 40), utc(2026, 11, 30, 22, 40)),  # S1, over a weekend
        (utc(2027, 3, 26, 19), london(2027, 3, 29, 20)),  # S2, Easter counts
        (london(2027, 10, 30, 20), utc(2027, 11, 2, 19)),  # S2, end of summer time
        (utc(2027, 10, 31, 0, 30), utc(2027, 11, 3, 0, 30)),  # S2, the first 01:30
        (utc(2026, 12, 3, 1, 10), utc(2026, 12, 6, 1, 10)),  # S3, E1
        (utc(2027, 1, 9, 3, 20), utc(2027, 1, 12, 3, 20)),  # S6
    ],
)
def test_the_interview_is_due_three_days_after_the_return(returned, due):
    assert rhi_due(returned) == due


@pytest.mark.parametrize(
    ("ended", "due"),
    [
        (utc(2026, 11, 30, 17, 20), utc(2026, 12, 7, 17, 20)),  # S1
        (london(2027, 3, 29, 20, 15), london(2027, 4, 5, 20, 15)),  # S2
        (utc(2027, 3, 24, 16), london(2027, 3, 31, 17)),  # S2, side case
        (utc(2026, 12, 7, 16, 10), utc(2026, 12, 14, 16, 10)),  # S3
    ],
)
def test_follow_ups_are_due_a_week_after_the_interview(ended, due):
    assert follow_up_due(ended) == due


@given(moments, st.sampled_from([contact_due, rhi_due, follow_up_due]))
def test_due_times_are_elapsed_time_whatever_clocks_on_walls_do(moment, due):
    elapsed = {contact_due: 24, rhi_due: 72, follow_up_due: 168}[due]

    assert due(moment).timestamp() - moment.timestamp() == elapsed * 3600
    assert due(moment.astimezone(LONDON).astimezone(UTC)) == due(moment)


# How a clock stands

DUE = utc(2026, 11, 30, 22, 40)
SECOND = timedelta(seconds=1)


def test_exactly_on_the_deadline_is_met_and_one_second_later_is_late():
    assert clock_state(DUE, DUE, None, DUE) == "met"
    assert clock_state(DUE, DUE + SECOND, None, DUE + SECOND) == "late"


def test_a_clock_runs_to_its_last_instant_and_is_missed_a_second_after():
    assert clock_state(DUE, None, None, DUE) == "running"
    assert clock_state(DUE, None, None, DUE + SECOND) == "missed"


def test_what_happened_in_time_is_met_whenever_it_is_written_down():
    assert clock_state(DUE, DUE - SECOND, None, DUE + timedelta(days=3)) == "met"


def test_s2_a_contact_after_23_h_50_is_met_though_walls_showed_24_h_50():
    received, contact = london(2027, 3, 27, 10), london(2027, 3, 28, 10, 50)

    assert contact - received == timedelta(hours=23, minutes=50)
    assert clock_state(contact_due(received), contact, None, contact) == "met"


@pytest.mark.parametrize(
    ("returned", "started", "state"),
    [
        (utc(2026, 11, 27, 22, 40), utc(2026, 11, 30, 16, 30), "met"),  # S1, 65 h 50
        (utc(2027, 3, 26, 19), london(2027, 3, 29, 19, 30), "met"),  # S2, 71 h 30
        (utc(2027, 3, 26, 19), london(2027, 3, 29, 20, 0, 1), "late"),  # S2, one second
        (utc(2026, 12, 3, 1, 10), utc(2026, 12, 7, 15), "late"),  # S3, E1, 109 h 50
        (utc(2026, 12, 5, 6, 30), utc(2026, 12, 7, 15), "met"),  # S3, E2, 56 h 30
        (utc(2026, 12, 6, 2), utc(2026, 12, 7, 15), "met"),  # S3, E3, 37 h
        (london(2026, 10, 4, 2, 30), london(2026, 10, 6, 16), "met"),  # S4, E1, 61 h 30
        (utc(2026, 12, 2, 6), utc(2026, 12, 4, 15, 30), "met"),  # S4, E3, 57 h 30
        (utc(2027, 1, 9, 3, 20), utc(2027, 1, 12, 16), "late"),  # S6, 84 h 40
    ],
)
def test_interviews_of_the_worked_cases_are_in_time_or_late(returned, started, state):
    assert clock_state(rhi_due(returned), started, None, started) == state


def test_s6_a_case_opens_amber_with_18_h_20_left():
    returned, received = utc(2027, 1, 9, 3, 20), utc(2027, 1, 11, 9)

    assert minutes_left(rhi_due(returned), received) == 18 * 60 + 20
    assert light(returned, rhi_due(returned), "running", received) == "amber"


def test_a_clock_is_green_before_its_last_third_and_red_when_missed():
    start = DUE - timedelta(hours=72)

    assert light(start, DUE, "running", DUE - timedelta(hours=24) - SECOND) == "green"
    assert light(start, DUE, "missed", DUE + SECOND) == "red"
    assert light(start, DUE, "met", DUE) == "green"


def test_minutes_left_go_below_zero_when_the_time_has_passed():
    assert minutes_left(DUE, DUE + SECOND) == -1


def test_s6_lateness_is_put_down_to_the_host_authority():
    returned, received = utc(2027, 1, 9, 3, 20), utc(2027, 1, 11, 9)

    assert lateness_at_opening(returned, received, hosted=True) == "host_delay"
    assert lateness_at_opening(returned, received, hosted=False) == "late_referral"
    assert lateness_at_opening(returned, returned + timedelta(hours=8), hosted=True) is None


@given(st.lists(st.integers(0, 100 * 3600), min_size=1, max_size=12))
def test_however_often_it_is_asked_a_clock_rings_once_each_and_in_order(seconds):
    start = DUE - timedelta(hours=72)
    rung: list[str] = []
    next_at: datetime | None = DUE - timedelta(hours=12)
    for now in sorted(start + timedelta(seconds=second) for second in seconds):
        while next_at is not None and next_at <= now:
            rings = alarm("rhi", DUE, "near" in rung, now)
            if rings.announce:
                rung.append(rings.announce)
            next_at = rings.next_at

    assert rung in ([], ["near"], ["near", "missed"], ["missed"])
    passed = start + timedelta(seconds=max(seconds)) >= DUE + SECOND
    assert ("missed" in rung) == passed


def test_a_clock_asks_to_be_looked_at_a_second_after_its_end():
    assert alarm("rhi", DUE, near_told=True, now=DUE).next_at == DUE + SECOND


# What an offer allows


def tries(*what: tuple[str, datetime]) -> list[Tried]:
    return [Tried(method, at, "no_answer") for method, at in what]


SAT = utc(2026, 11, 28, 11)
ENOUGH = tries(
    ("phone", SAT), ("text", SAT), ("phone", SAT), ("phone", SAT + timedelta(hours=14)),
)  # fmt: skip


def answering(answer: Answer, **changes) -> None:
    usual = {
        "standing": None, "interviewed": False, "contact": False, "tried": [],
        "persistence": Persistence(),
    }  # fmt: skip
    may_answer(answer, **(usual | changes))


def refusal(answer: Answer, **changes) -> NotAllowedError:
    with pytest.raises(NotAllowedError) as refused:
        answering(answer, **changes)
    return refused.value


NOT_REACHED = Answer("no_contact")


def test_no_contact_may_be_said_after_four_attempts_two_methods_and_two_days():
    answering(NOT_REACHED, tried=ENOUGH)


@pytest.mark.parametrize(
    ("tried", "lacks"),
    [
        (ENOUGH[1:], {"attempts"}),
        ([replace(one, method="phone") for one in ENOUGH], {"methods"}),
        ([replace(one, at=SAT) for one in ENOUGH], {"days"}),
        ([], {"attempts", "methods", "days"}),
    ],
)
def test_no_contact_is_refused_with_what_was_not_tried(tried, lacks):
    refused = refusal(NOT_REACHED, tried=tried)

    assert refused.code == "no_contact.too_soon"
    assert {name for name, _ in refused.faults} == lacks


def test_days_are_those_of_london():
    late, after_midnight = utc(2026, 6, 1, 22, 30), utc(2026, 6, 1, 23, 30)
    tried = [replace(one, at=late) for one in ENOUGH[:3]] + [
        Tried("text", after_midnight, "contact")
    ]

    assert Persistence().lacking(tried) == []


def test_no_contact_cannot_be_said_of_a_child_who_was_reached():
    assert refusal(NOT_REACHED, tried=ENOUGH, contact=True).code == "no_contact.contact_was_made"


@pytest.mark.parametrize("outcome", ["declined_by_child", "declined_by_carer"])
def test_a_decline_comes_with_the_helpline_or_why_it_was_not_safe(outcome):
    assert refusal(Answer(outcome)).code == "helpline.missing"
    answering(Answer(outcome, helpline_given_to=("unsafe_to_give",)))


def test_only_the_child_reopens_what_ended():
    for standing in ("declined_by_child", "no_contact", "not_offered"):
        for by in (None, "carer", "worker"):
            assert refusal(Answer("accepted", by), standing=standing).code == "offer.ended"
        answering(Answer("accepted", "child"), standing=standing)


def test_a_carers_no_leaves_the_offer_open_for_anybody():
    answering(Answer("accepted", "worker"), standing="declined_by_carer")


def test_a_carer_cannot_decline_in_the_childs_name():
    refused = refusal(Answer("declined_by_child", "carer", ("carer",)))

    assert refused.code == "outcome.not_the_childs_word"


def test_not_offering_needs_a_reason():
    assert refusal(Answer("not_offered")).code == "reason.missing"
    answering(Answer("not_offered", reason="moved_abroad"))


def test_after_the_interview_the_offer_is_answered():
    assert refusal(Answer("accepted"), interviewed=True).code == "interview.held"


DECLINED = utc(2026, 11, 4, 17, 30)


def attempting(method: str, outcome: str, minutes: int, **changes) -> bool:
    usual = {"declined_at": DECLINED, "door_open_sent": False, "closed": False}
    attempt = Tried(method, DECLINED + timedelta(minutes=minutes), outcome)
    return may_attempt(attempt, **(usual | changes))


def test_after_a_decline_one_written_message_leaves_the_door_open():
    assert attempting("text", "left_message", 5) is True
    assert attempting("text", "left_message", 5, closed=True) is True


@pytest.mark.parametrize(
    ("method", "outcome", "changes"),
    [
        ("phone", "no_answer", {}),
        ("phone", "left_message", {}),
        ("text", "contact", {}),
        ("text", "left_message", {"door_open_sent": True}),
    ],
)
def test_after_a_decline_nothing_else_is_tried(method, outcome, changes):
    with pytest.raises(NotAllowedError) as refused:
        attempting(method, outcome, 5, **changes)

    assert refused.value.code == "offer.declined"


def test_what_was_tried_before_the_decline_may_be_written_down_after_it():
    assert attempting("phone", "no_answer", -60) is False


def test_without_a_decline_a_closed_episode_takes_no_attempt():
    with pytest.raises(NotAllowedError):
        attempting("phone", "no_answer", 5, declined_at=None, closed=True)


def closing(**changes) -> None:
    usual = {
        "outcome": "accepted", "interviewed": True, "follow_ups_open": (),
        "late_without_reason": False,
    }  # fmt: skip
    may_close(**(usual | changes))


def test_an_episode_closes_when_nothing_is_owed():
    closing()
    closing(outcome="declined_by_child", interviewed=False)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"interviewed": False}, "offer.open"),
        ({"interviewed": False, "outcome": None}, "offer.open"),
        ({"interviewed": False, "outcome": "declined_by_carer"}, "offer.open"),
        ({"follow_ups_open": ["follow_up_professional"]}, "follow_up.open"),
        ({"late_without_reason": True}, "lateness.reason_missing"),
    ],
)
def test_an_episode_stays_open_while_something_is_owed(changes, code):
    with pytest.raises(NotAllowedError) as refused:
        closing(**changes)

    assert refused.value.code == code


# Who may go

DAY = date(2026, 11, 30)


def codes(wanted: str = "any", *, required=False, asked=False, **changes) -> list[str]:
    worker = replace(Worker("W-1", "female"), **changes)
    return unfit(
        worker, "CH-1", Wanted(wanted), DAY, records_required=required, asked_for_by_child=asked
    )


def test_a_worker_without_objection_may_go():
    assert codes() == codes("female") == []


@pytest.mark.parametrize("gender", ["male", "other", "undisclosed"])
def test_a_childs_preference_is_a_hard_filter(gender):
    assert codes("female", gender=gender) == ["worker.not_as_the_child_prefers"]


def test_a_worker_who_is_too_close_goes_only_if_the_child_asks_for_them():
    for close in ({"conflicts": frozenset({"CH-1"})}, {"independent": False}):
        assert codes(**close) == ["worker.conflicted"]
        assert codes(asked=True, **close) == []


def test_lapsed_training_or_dbs_bars():
    before = DAY - timedelta(days=1)

    assert codes(trained_until=before) == ["worker.training_lapsed"]
    assert codes(dbs_until=before) == ["worker.dbs_lapsed"]
    assert codes(trained_until=DAY, dbs_until=DAY) == []


def test_missing_records_bar_where_the_site_requires_them():
    assert codes(required=True) == ["worker.training_not_recorded", "worker.dbs_not_recorded"]


def test_an_inactive_worker_goes_nowhere():
    assert codes(active=False) == ["worker.inactive"]
