"""Compare what a demo found with what its worked case says must come of it."""

from collections.abc import Iterator

from homeward.demo import wording
from homeward.demo.case import Case, Expected, ExpectedClock
from homeward.demo.results import CaseFound, CheckFound, DecisionFound
from homeward.demo.world import World


def check(case: Case, found: CaseFound, world: World) -> list[CheckFound]:
    """Return each sentence of the case and whether it held."""
    return [
        *(_clock(expected, found) for expected in case.clocks),
        *(_decision(expected, case, found, world) for expected in case.decisions),
        *_asserted(case, found, world),
        *_always(found),
    ]


def _decision(expected: Expected, case: Case, found: CaseFound, world: World) -> CheckFound:
    label = {key: text for key, _, text in case.recipients}[expected.recipient]
    about = {name: text for name, _, _, text in case.items}[expected.item]
    rules = f" ({', '.join(expected.rules)})" if expected.rules else ""
    word = wording.DECISIONS[expected.decision].lower()
    sentence = f"{expected.row}{rules}: {label}, “{about}”: {word}."
    item = world.of(case.key).items.get(expected.item)
    one = next(
        (d for d in found.decisions if (d.item, d.recipient) == (item, expected.recipient)), None
    )
    if one is None:
        return CheckFound(sentence=sentence, held=False, found="no decision")
    held = one.decision == expected.decision and one.rule_ids[-1:] == [expected.row]
    if expected.rules:
        held = held and one.rule_ids[:-1] == list(expected.rules)
    return CheckFound(sentence=sentence, held=held, found=f"{one.decision} by {one.rule_ids}")


def _clock(expected: ExpectedClock, found: CaseFound) -> CheckFound:
    name = wording.CLOCKS[expected.clock][0]
    due = wording.day_and_time(expected.due_at)
    met = wording.day_and_time(expected.met_at) if expected.met_at else "not yet"
    sentence = f"{name}, {expected.episode}: due {due}; {expected.state}, {met}."
    one = next(
        (c for c in found.clocks if (c.episode, c.clock) == (expected.episode, expected.clock)),
        None,
    )
    if one is None:
        return CheckFound(sentence=sentence, held=False, found="no such clock")
    held = (one.due_at, one.met_at, one.state) == (
        expected.due_at, expected.met_at, expected.state,
    )  # fmt: skip
    return CheckFound(
        sentence=sentence, held=held, found=f"due {one.due_at}, {one.state} {one.met_at}"
    )


def _asserted(case: Case, found: CaseFound, world: World) -> Iterator[CheckFound]:
    for one in case.asserted:
        try:
            held, error = one.holds(found, world), ""
        except (KeyError, IndexError, TypeError) as failed:
            held, error = False, f"not to be seen: {failed!r}"
        yield CheckFound(sentence=one.sentence, held=held, found=error or "it is not so")


def _always(found: CaseFound) -> Iterator[CheckFound]:
    """Give what holds in every case, whatever its story."""
    yield _all(
        "Every decision names its rules and says why.",
        [one for one in found.decisions if not (one.rule_ids and one.reasons)],
    )
    yield _all(
        "Every hold has an owner and a time by which they judge.",
        [
            one
            for one in found.decisions
            if one.decision == "defer"
            and not (one.defer_to and one.defer_to.get("owner") and one.defer_to.get("due_h"))
        ],
    )
    permitted = {
        (one.item, one.recipient)
        for one in found.decisions
        if one.decision in {"allow", "allow_redacted"}
    }
    left = {(one.item, one.recipient) for one in found.releases if one.state != "cancelled"}
    yield CheckFound(
        sentence="Nothing left that was not decided to be told.",
        held=left <= permitted,
        found=f"{len(left - permitted)} releases without a decision that still stands",
    )


def _all(sentence: str, against: list[DecisionFound]) -> CheckFound:
    rows = [one.rule_ids[-1] if one.rule_ids else "?" for one in against]
    return CheckFound(sentence=sentence, held=not against, found=", ".join(rows))
