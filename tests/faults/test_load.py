"""The load knows of itself what nobody may ever be told of its children, and what it changed."""

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from faults.cases import Case, never
from faults.driving import Answer
from faults.reading import COMMISSIONER, LA, POLICE
from faults.seen import ClockSet, Seen
from faults.watching import _changes

ITEMS = {name: f"IT-{name}" for name in ("party", "reasons", "address", "plan", "assault", "flat")}


def a_case(*, harmed: bool, declined_by: str = "") -> Case:
    """Return a case with an item of each kind, of which the child declined all to somebody."""
    case = Case(1, 1, harmed=harmed, items=dict(ITEMS))
    case.declined = {(item, declined_by) for item in ITEMS.values() if declined_by}
    return case


def closed(case: Case, recipient: str) -> set[str]:
    return {item.removeprefix("IT-") for item, whom in never(case) if whom == recipient}


@pytest.mark.parametrize("harmed", [False, True])
def test_who_commissions_is_never_told_what_a_child_said(harmed):
    assert closed(a_case(harmed=harmed), COMMISSIONER) == set(ITEMS)


@pytest.mark.parametrize("harmed", [False, True])
def test_childrens_services_may_always_come_to_know(harmed):
    assert closed(a_case(harmed=harmed, declined_by=LA), LA) == set()


def test_police_are_never_told_what_a_child_declined_without_harm():
    case = a_case(harmed=False, declined_by=POLICE)

    assert closed(case, POLICE) == {"party", "reasons", "address", "plan"}


def test_police_may_be_told_of_harm_although_the_child_declined():
    case = a_case(harmed=True, declined_by=POLICE)

    assert closed(case, POLICE) == {"party", "plan"}


def test_police_may_be_told_what_a_child_agreed_to():
    assert closed(a_case(harmed=False), POLICE) == {"plan"}


def test_each_call_about_a_child_that_sharing_answered_is_a_change():
    def answered(service: str, path: str) -> Answer:
        body = {"epoch": 7}
        return Answer("worker", "PUT", service, path, None, None, 200, body, 1.0, 2.5, 1)

    answers = [
        answered("sharing", "/children/CH-1/agreement"),
        answered("sharing", "/partners"),
        answered("referral", "/children/CH-1"),
    ]
    (change,) = _changes(SimpleNamespace(answers=answers))

    assert (change.child_id, change.epoch, change.answered_at) == ("CH-1", 7, 2.5)


def test_of_several_clocks_that_may_have_said_a_time_the_one_counts_that_said_it_first():
    now, began = datetime.now(UTC), time.monotonic()
    a_day = timedelta(days=1)
    clocks = [
        ClockSet(began, now), ClockSet(began + 10, now - a_day), ClockSet(began + 20, now + a_day),
    ]  # fmt: skip
    seen = Seen(clocks=clocks)

    assert seen.not_before(now + timedelta(seconds=5)) == began + 5
    assert seen.not_before(now + a_day + timedelta(seconds=5)) == began + 25
    assert seen.not_before(now - a_day + timedelta(seconds=5)) == began + 15
    assert seen.not_before(now - 2 * a_day) is None
