"""Gauges that are looked up when somebody asks: none can fail the answer or hold it up.

Each look has its own short time. One that is not back by then reads NaN, alone, and is not begun
again while it still runs: a database that hangs would otherwise collect a query per scrape.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from messaging.app import App

T = TypeVar("T")

WITHIN_S = 2.0
"""Prometheus waits 10 s for an answer; all looks run side by side within this."""
FRESH_S = 1.0
"""What was found so lately is told again: who looks more often is not looking at these."""
COUNTED_MAX = 10_000
"""Counts stop here: beyond it nobody's decision depends on the number, and counting would cost."""

Labels = tuple[str, ...]
Values = Mapping[Labels, float]


@dataclass(frozen=True)
class Family:
    """One gauge: its name, what it says in plain words, and what is 0 rather than absent."""

    name: str
    text: str
    labels: Labels = ()
    known: Sequence[Labels] = ()
    """Values of the labels that are always reported; none needed for a gauge without labels."""


@dataclass(frozen=True)
class Look:
    """One question to the database, or elsewhere, that answers some gauges at once."""

    families: Sequence[Family]
    read: "Callable[[App], Awaitable[Mapping[str, Values]]]"
    """Return the values of each gauge by its name. Indexed and bounded: called every few seconds
    on a million rows."""


class Gauges(Collector):
    """What was found at the last look, in Prometheus' form."""

    def __init__(self, looks: Iterable[Look]) -> None:
        self._looks = tuple(looks)
        self._found: dict[str, dict[Labels, float]] = {}
        self._running: dict[int, tuple[float, asyncio.Future[Mapping[str, Values]]]] = {}
        self._unknown: set[int] = set()
        self._taken_at = -math.inf

    async def take(self, app: "App") -> None:
        """Look everywhere; returns in time whatever happens."""
        if time.monotonic() < self._taken_at + FRESH_S:
            return
        await asyncio.gather(*(self._one(app, at) for at in range(len(self._looks))))
        self._taken_at = time.monotonic()

    async def _one(self, app: "App", at: int) -> None:
        look = self._looks[at]
        try:
            found = await self._reading(app, at)
        except Exception:
            for family in look.families:
                before = self._found.get(family.name, {})
                everything = {*_always(family), *before}
                self._found[family.name] = dict.fromkeys(everything, math.nan)
            self._unknown.add(at)
            return
        for family in look.families:
            zeros = dict.fromkeys(_always(family), 0.0)
            self._found[family.name] = {**zeros, **found.get(family.name, {})}
        self._unknown.discard(at)

    async def _reading(self, app: "App", at: int) -> Mapping[str, Values]:
        """Look, or wait for the look that another scrape has begun."""
        began, task = self._running.get(at, (0.0, None))
        if task is None or task.done():
            began, task = time.monotonic(), asyncio.ensure_future(self._looks[at].read(app))
            self._running[at] = began, task
        return await in_time(task, began + WITHIN_S - time.monotonic())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give what was found last."""
        for look in self._looks:
            for family in look.families:
                made = GaugeMetricFamily(family.name, family.text, labels=family.labels)
                for labels, value in sorted(self._found.get(family.name, {}).items()):
                    made.add_metric(labels, value)
                yield made
        yield GaugeMetricFamily(
            "homeward_looks_failed",
            "Questions behind these gauges that had no answer just now; their gauges read NaN",
            value=len(self._unknown),
        )


def _always(family: Family) -> Sequence[Labels]:
    return family.known if family.labels else ((),)


async def in_time(work: "Coroutine[Any, Any, T] | asyncio.Future[T]", within_s: float) -> T:
    """Return what `work` returns. Raises TimeoutError in time, even where it cannot be cancelled.

    `asyncio.timeout` waits for the cancelled one to end, and a driver whose server hangs does not.
    """
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=max(0.0, within_s))
    if not done:
        task.add_done_callback(_unheard)
        task.cancel()
        raise TimeoutError
    return task.result()


def _unheard(task: "asyncio.Future[Any]") -> None:
    """Take note of an error that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
