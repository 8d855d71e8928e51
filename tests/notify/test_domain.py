"""Which channel is safe, and what follows from an attempt to send."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.notify.domain import (
    TASK_TEXTS,
    Appointment,
    ChildChannel,
    Next,
    Outcome,
    State,
    abandoned,
    after,
    pick,
    retry_after,
    still_true,
)

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
TALK = Appointment("BK-1", "C-1", NOW + timedelta(hours=7))


def a_channel(**changes) -> ChildChannel:
    channel = ChildChannel(kind="email", address="child@example.org", safe="safe", whose="child")
    return replace(channel, **changes)


def test_a_safe_channel_of_the_childs_own_is_used():
    assert pick([a_channel()], {"email"}, had_one=False) == a_channel()


@pytest.mark.parametrize(
    "changes",
    [
        {"safe": "unknown"},
        {"safe": "unsafe"},
        {"safe": "SAFE"},
        {"safe": ""},
        {"whose": "carer"},
        {"whose": ""},
        {"kind": "phone"},
        {"kind": "pigeon"},
    ],
)
def test_whatever_is_not_known_to_be_safe_and_the_childs_is_never_used(changes):
    assert pick([a_channel(**changes)], {"email", "text", "phone"}, False) == "no_safe_channel"


def test_a_safe_channel_that_was_lost_is_told_as_a_change():
    assert pick([a_channel(safe="unsafe")], {"email"}, had_one=True) == "channel_changed"


def test_the_first_safe_channel_we_can_send_by_is_used():
    channels = [
        a_channel(whose="carer"),
        a_channel(kind="text", safe="unknown"),
        a_channel(kind="letter"),
        a_channel(address="second@example.org"),
    ]

    assert pick(channels, {"email"}, False) == a_channel(address="second@example.org")
    assert pick(channels, {"email", "letter"}, False) == a_channel(kind="letter")


def test_a_safe_channel_without_a_provider_is_left_to_a_worker():
    assert pick([a_channel(kind="text")], {"email"}, False) == "no_provider"


def test_an_appointment_that_still_stands_may_be_told():
    assert still_true(TALK, TALK, NOW) is None


@pytest.mark.parametrize(
    ("booked", "state", "code"),
    [
        (None, State.BLOCKED, "booking_unknown"),
        (replace(TALK, child_id="C-2"), State.BLOCKED, "booking_unknown"),
        (replace(TALK, starts_at=TALK.starts_at + timedelta(hours=1)), State.SUPERSEDED, None),
        (replace(TALK, stands=False), State.SUPERSEDED, None),
    ],
)
def test_an_appointment_that_is_no_more_is_not_told(booked, state, code):
    assert still_true(TALK, booked, NOW) == Next(state, code=code, task=code is not None)


def test_an_appointment_is_not_told_once_it_has_begun():
    assert still_true(TALK, TALK, TALK.starts_at) == Next(State.BLOCKED, None, "too_late", True)


@pytest.mark.parametrize("kind", ["page", "deadline", "appointment"])
def test_what_was_accepted_is_sent(kind):
    assert after(kind, Outcome.ACCEPTED, 1, NOW) == Next(State.SENT)


@pytest.mark.parametrize("kind", ["page", "deadline", "appointment"])
def test_what_certainly_did_not_leave_is_tried_again(kind):
    assert after(kind, Outcome.AWAY, 1, NOW) == Next(State.WAITING, NOW + timedelta(seconds=1))


def test_a_page_that_may_have_left_is_sent_again():
    assert after("page", Outcome.UNSURE, 1, NOW).state == State.WAITING
    assert abandoned("page", NOW).state == State.WAITING


def test_a_childs_message_that_may_have_left_is_not_sent_again():
    for following in (after("appointment", Outcome.UNSURE, 1, NOW), abandoned("appointment", NOW)):
        assert following == Next(State.UNSURE, None, "unsure", task=True)


def test_a_page_whose_address_is_refused_goes_on_and_gives_the_manager_a_task():
    following = after("page", Outcome.REFUSED, 1, NOW)

    assert following == Next(State.WAITING, NOW + timedelta(seconds=30), "address_refused", True)


def test_a_childs_address_that_is_refused_is_for_a_worker():
    assert after("appointment", Outcome.REFUSED, 1, NOW).state == State.BLOCKED


def test_waiting_grows_to_half_a_minute_for_a_page_and_never_ends():
    waits = [retry_after("page", attempts).total_seconds() for attempts in (1, 2, 3, 4, 5, 6, 999)]

    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_no_task_names_anybody_and_each_says_what_to_do():
    for text in TASK_TEXTS.values():
        assert text.endswith(".")
        assert ". " in text
