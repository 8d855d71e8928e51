"""How a case is written down: facts, steps at their times, and what must come of them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from homeward.demo.results import CaseFound, Verdict
from homeward.demo.wording import LONDON
from homeward.demo.world import World

Action = Callable[[World], Awaitable[None]]
Kind = Literal["child", "clock", "talk", "judged", "told", "page"]


def london(text: str) -> datetime:
    """Return the instant of a local time of London, e.g. `2026-10-05 10:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


@dataclass(frozen=True)
class Step:
    """Something that happens at a time; one without actions is only told of."""

    at: datetime
    kind: Kind
    text: str
    actions: tuple[Action, ...] = ()


def step(at: str, kind: Kind, text: str, *actions: Action) -> Step:
    """Return a step at a local time of London."""
    return Step(london(at), kind, text, actions)


@dataclass(frozen=True)
class Expected:
    """What policy must answer for one item and recipient at the end of the case."""

    row: str
    recipient: str
    item: str
    decision: Verdict
    rules: tuple[str, ...] = ()
    """All rules that decided, the row left out; empty: not looked at."""


@dataclass(frozen=True)
class ExpectedClock:
    """When a clock of an episode must run out, and when it was met."""

    episode: str
    clock: str
    due_at: datetime
    met_at: datetime | None
    state: str


@dataclass(frozen=True)
class Asserted:
    """A sentence of the case that is true when `holds` says so of what was found."""

    sentence: str
    holds: Callable[[CaseFound, World], bool]


@dataclass(frozen=True)
class Case:
    """One worked case."""

    key: str
    title: str
    story: str
    recipients: Sequence[tuple[str, str, str]]
    """Key, type and what to call them, in the order they are shown."""
    items: Sequence[tuple[str, str, str, str]]
    """Name here, episode, category and what to call it."""
    steps: Sequence[Step]
    decisions: Sequence[Expected]
    clocks: Sequence[ExpectedClock]
    asserted: Sequence[Asserted] = field(default_factory=tuple)
