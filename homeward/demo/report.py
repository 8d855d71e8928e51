"""Say on a terminal what a demo found: clocks, who was told what and why, and what is wrong."""

from collections.abc import Iterator

from homeward.demo import wording
from homeward.demo.results import CaseFound, ClockFound, DecisionFound, DemoFound

MARKS = {"allow": "●", "allow_redacted": "◐", "defer": "◷", "deny": "○"}


def report(found: DemoFound) -> str:
    """Return everything as lines for a person."""
    lines = [line for case in found.cases.values() for line in _case(case)]
    return "\n".join([*lines, *_end(found)])


def _case(case: CaseFound) -> Iterator[str]:
    yield ""
    yield f"━━ {case.case}  {case.title}"
    yield ""
    yield "   Clocks"
    for clock in case.clocks:
        yield f"   {_clock(clock)}"
    labels = {item.item: item.label for item in case.items}
    for who in case.recipients:
        decisions = [one for one in case.decisions if one.recipient == who.recipient]
        yield ""
        yield f"   {who.label}"
        for one in sorted(decisions, key=lambda one: list(MARKS).index(one.decision)):
            yield from _decision(one, labels.get(one.item, one.category))
        read = case.readable.get(who.recipient, [])
        how = "could decrypt from the feed" if who.by == "feed" else "was told by a worker"
        names = sorted(
            {labels.get(str(entry.get("item")), str(entry.get("category"))) for entry in read}
        )
        yield f"     {how}: {'; '.join(names) or 'nothing'}"


def _clock(clock: ClockFound) -> str:
    name = wording.CLOCKS.get(clock.clock, (clock.clock, ""))[0]
    when = f"{wording.day_and_time(clock.met_at)}, " if clock.met_at else ""
    after = f"after {wording.span(clock.met_at - clock.started_at)}" if clock.met_at else ""
    return (
        f"{clock.episode}  {name:<30} due {wording.day_and_time(clock.due_at)}   "
        f"{clock.state}  {when}{after}"
    ).rstrip()


def _decision(one: DecisionFound, label: str) -> Iterator[str]:
    how = [wording.TRANSFORMS.get(transform, transform) for transform in one.transforms]
    part = f" ({', '.join(how)})" if how else ""
    word = wording.DECISIONS[one.decision]
    yield f"     {MARKS[one.decision]} {word:<12} {label}{part}"
    yield f"         {' '.join(one.reasons)}  [{' '.join(one.rule_ids)}]"


def _end(found: DemoFound) -> Iterator[str]:
    checks = [check for case in found.cases.values() for check in case.checks]
    yield ""
    yield f"   Ledger: {found.ledger}"
    yield f"   {len(checks) - len(found.failed)} of {len(checks)} statements of the cases hold."
    for case in found.cases.values():
        for check in case.checks:
            if not check.held:
                yield f"   NOT SO  {case.case}: {check.sentence} Found: {check.found}"
