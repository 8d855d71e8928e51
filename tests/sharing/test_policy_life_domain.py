"""What a version needs before it is approved or activated, and who may answer for what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sharing.domain.versions import (
    ACTIVE,
    APPROVED,
    DRAFT,
    SUPERSEDED,
    Life,
    Step,
    missing_before_activation,
    missing_before_approval,
    not_overridden,
    state,
)

AUTHOR, SECOND, NOW = "ig-1", "ig-2", frozenset({"active"})
STOP = {"id": "F-1", "kind": "safety_stop", "text": "", "children": ["CH-1"]}
SHOWN = (
    Step("drafted", AUTHOR, "ig_lead"),
    Step("checked", AUTHOR, "ig_lead", report="r1", ok=True),
    Step("compared", AUTHOR, "ig_lead", report="r2", against="active", ok=True),
    Step("proved", AUTHOR, "ig_lead", report="r3", ok=True),
)
YES = Step("approved", SECOND, "ig_lead")


def a_life(*more: Step, shown=SHOWN) -> Life:
    return Life("draft", AUTHOR, [*shown, *more])


def overridden(by: str, role: str, report: str = "r4", finding: str = "F-1") -> Step:
    return Step("overridden", by, role, findings=[{"id": finding, "report": report}])


def test_a_version_that_was_shown_in_every_way_may_be_approved_and_then_activated():
    assert missing_before_approval(a_life(), NOW) == []
    assert missing_before_activation(a_life(YES), NOW, AUTHOR) == []


@pytest.mark.parametrize("kind", ["checked", "compared", "proved"])
def test_each_report_has_to_be_there_and_to_be_good(kind):
    without = [step for step in SHOWN if step.kind != kind]
    assert missing_before_approval(a_life(shown=without), NOW) == [(kind, "step.missing")]
    for ok in (False, None):
        failed = Step(kind, AUTHOR, "ig_lead", report="r", against="active", ok=ok)
        assert missing_before_approval(a_life(failed), NOW) == [(kind, "step.failed")]


def test_a_comparison_with_a_version_that_decides_no_more_is_stale():
    assert missing_before_approval(a_life(), {"another"}) == [("compared", "step.stale")]
    assert missing_before_activation(a_life(YES), {"another"}, AUTHOR) == [
        ("compared", "step.stale")
    ]
    nothing = Step("compared", AUTHOR, "ig_lead", report="r", against=None, ok=True)
    assert missing_before_approval(a_life(nothing), NOW) == [("compared", "step.stale")]


def test_what_is_shown_after_an_approval_has_to_be_approved_again():
    again = Step("proved", AUTHOR, "ig_lead", report="r5", ok=True)
    assert missing_before_activation(a_life(YES, again), NOW, AUTHOR) == [
        ("approved", "step.missing")
    ]
    assert missing_before_activation(a_life(YES, again, YES), NOW, AUTHOR) == []


def with_stop(*more: Step) -> Life:
    found = Step("compared", AUTHOR, "ig_lead", report="r4", against="active", ok=True,
                 findings=[STOP, {"id": "F-2", "kind": "newly_learn"}])  # fmt: skip
    return a_life(found, *more)


def test_what_would_stop_a_warning_stands_until_two_people_have_answered_for_it():
    dpo, dsl = overridden("dpo-1", "dpo"), overridden("dsl-1", "dsl")
    assert not_overridden(with_stop()) == [STOP]
    assert not_overridden(with_stop(dpo)) == [STOP]
    assert not_overridden(with_stop(dpo, dsl)) == []


@pytest.mark.parametrize(
    "two",
    [
        (overridden("dpo-1", "dpo"), overridden("dpo-1", "dpo")),
        (overridden("both", "dpo"), overridden("both", "dsl")),
        (overridden("dsl-1", "dsl"), overridden("manager-1", "manager")),
        (overridden(AUTHOR, "dpo"), overridden("dsl-1", "dsl")),
        (overridden("dpo-1", "dpo"), overridden(AUTHOR, "dsl")),
        (overridden("dpo-1", "dpo"), overridden("dsl-1", "dsl", report="r2")),
        (overridden("dpo-1", "dpo"), overridden("dsl-1", "dsl", finding="F-2")),
    ],
)
def test_the_same_person_twice_no_dpo_the_author_or_another_finding_do_not_count(two):
    assert not_overridden(with_stop(*two)) == [STOP]


def test_a_later_report_that_finds_it_again_needs_them_again():
    both = overridden("dpo-1", "dpo"), overridden("dsl-1", "dsl")
    later = Step("compared", AUTHOR, "ig_lead", report="r9", against="active", ok=True,
                 findings=[STOP])  # fmt: skip
    assert not_overridden(with_stop(*both, later)) == [STOP]


def test_the_version_that_ends_a_lockdown_needs_two_people_and_no_new_reports():
    locked = {"a lockdown", "draft"}
    back = a_life(YES, Step("activated"), Step("superseded"))
    assert missing_before_activation(back, locked, SECOND) == [("approved", "step.missing")]
    again = Life("draft", AUTHOR, [*back.steps, YES])
    assert missing_before_activation(again, locked, SECOND) == [("approved", "person.not_another")]
    assert missing_before_activation(again, locked, "dpo-1") == []


def test_any_other_version_that_decided_before_shows_everything_anew():
    again = a_life(YES, Step("activated"), Step("superseded"), YES)
    assert ("compared", "step.stale") in missing_before_activation(again, {"another"}, "dpo-1")


def test_where_a_version_stands():
    assert state(a_life(), "another") == DRAFT
    assert state(a_life(YES), "another") == APPROVED
    assert state(a_life(YES, Step("activated")), "draft") == ACTIVE
    assert state(a_life(YES, Step("activated"), Step("superseded")), "another") == SUPERSEDED


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["dpo", "dsl", "manager"]))))
def test_an_override_counts_exactly_with_two_people_of_whom_one_is_the_dpo(people):
    steps = [overridden(by, role) for by, role in people]
    enough = any(role == "dpo" for _, role in people) and len({by for by, _ in people}) > 1
    assert (not_overridden(with_stop(*steps)) == []) is enough
