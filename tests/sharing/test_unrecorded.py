"""Answers that could not be recorded: for whom they hold a moment later, and for whom not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from services.sharing.domain.answer import Answer, no_decision
from services.sharing.domain.facts import ItemFacts, RecipientFacts
from services.sharing.proposal import Pair
from services.sharing.unrecorded import LASTS, Unrecorded

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
ALLOWED = Answer("allow", ("POL-03",), "2026.11.1")
ITEM = ItemFacts("IT-1", 1, "EP-1", "wishes", "child", "child_said", existed_at=NOON)
POLICE = RecipientFacts("police", "police", "missing_unit", channel_verified=True)


def a_pair(*, at=NOON, answer=None, item=ITEM, recipient=POLICE, **document) -> Pair:
    """One pair whose document was made `at`; with an answer it was asked about."""
    asked = {"now": at.isoformat(), "law": {"as_of": "2026-11-30"}, "gates": {}} | document
    return Pair(item, recipient, asked, "digest", None, answer=answer, decided=answer is not None)


def a_look(*pairs: Pair, policies="one"):
    """What was proposed about one child."""
    child = SimpleNamespace(id="CH-1")
    return SimpleNamespace(
        facts=SimpleNamespace(child=child), policy=SimpleNamespace(digest=policies), pairs=pairs
    )


def taken_over(told: Pair, then: Pair, at=NOON, policies="one") -> bool:
    """Tell whether the second look takes over what the first was told at noon."""
    kept = Unrecorded()
    kept.keep(a_look(told), NOON)
    kept.take_over(a_look(then, policies=policies), at)
    assert then.answer in (None, told.answer)
    return then.decided


def test_the_very_same_question_is_not_asked_twice_in_a_moment():
    later = NOON + LASTS
    assert taken_over(a_pair(answer=ALLOWED), a_pair(at=later), at=later)


def test_an_answer_that_has_grown_old_is_asked_for_again():
    assert not taken_over(a_pair(answer=ALLOWED), a_pair(), at=NOON + LASTS + timedelta(seconds=1))


def test_an_answer_from_a_later_moment_than_now_is_asked_for_again():
    assert not taken_over(a_pair(answer=ALLOWED), a_pair(), at=NOON - timedelta(seconds=1))


def test_an_answer_of_other_policies_is_none():
    assert not taken_over(a_pair(answer=ALLOWED), a_pair(), policies="two")


@pytest.mark.parametrize(
    "changed",
    [
        a_pair(law={"as_of": "2026-12-01"}),
        a_pair(gates={"G3": {"value": True}}),
        a_pair(agreement={"status": "withdrawn"}),
        a_pair(item=replace(ITEM, version=2)),
        a_pair(recipient=replace(POLICE, version=2)),
    ],
    ids=["another day of law", "a gate", "an agreement", "a new version", "a new recipient"],
)
def test_another_question_is_asked(changed):
    assert not taken_over(a_pair(answer=ALLOWED), changed)


def test_no_answer_is_asked_for_again():
    assert not taken_over(a_pair(answer=no_decision(harm=False)), a_pair())


def test_an_answer_is_taken_over_once():
    kept, then = Unrecorded(), a_pair()
    kept.keep(a_look(a_pair(answer=ALLOWED)), NOON)
    kept.take_over(a_look(a_pair()), NOON)
    kept.take_over(a_look(then), NOON)
    assert not then.decided


def test_an_answer_that_is_kept_again_is_as_old_as_it_was():
    kept, then = Unrecorded(), a_pair()
    kept.keep(a_look(a_pair(answer=ALLOWED)), NOON)
    again, later = a_look(a_pair()), NOON + LASTS
    kept.keep(again, kept.take_over(again, later))
    kept.take_over(a_look(then), later + timedelta(seconds=0.5))
    assert not then.decided
