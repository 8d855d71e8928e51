"""One round: a fresh home under load is broken at random, healed, looked at and judged."""

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from faults.breaking import Breaker
from faults.cases import Load
from faults.driving import Outside, RefusedError, UnansweredError
from faults.homes import BrokenHome, broken_home
from faults.oracle import violations
from faults.plans import Plan, draw
from faults.reading import Reader, join, stop_reading
from faults.watching import drain, lasting_rest, look

READY_AGAIN_S = 180.0


@dataclass
class Round:
    """What came of one round."""

    seed: int
    database: str
    began_at: str = ""
    took_s: float = 0
    trials: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    cases: int = 0
    decisions: int = 0
    releases: int = 0
    reads: int = 0
    withdrawals: int = 0
    never: int = 0
    """Pairs of item and recipient that no facts allowed."""
    changes: int = 0
    """Calls after which nothing was to leave that did not know of them."""
    restarts: int = 0
    put_off: dict[str, int] = field(default_factory=dict)
    """How often a call had to be made again, by reason."""

    @property
    def kills(self) -> int:
        """Return how many processes were killed."""
        return sum(n for kind, n in self.trials.items() if kind.startswith("kill -9"))


def play(seed: int, plan: Plan, folder: Path, *, on_postgres: bool) -> Round:
    """Play one round in `folder`, which stays where something was violated.

    Raises NoPostgresError where there is no server.
    """
    result = Round(seed, "Postgres" if on_postgres else "SQLite")
    result.began_at = datetime.now(UTC).isoformat(timespec="seconds")
    began = time.monotonic()
    with broken_home(folder, on_postgres=on_postgres, small_disk_mb=plan.small_disk_mb) as home:
        readers = join(home.home)
        asyncio.run(_play(home, readers, random.Random(seed), plan, result))
    result.took_s = round(time.monotonic() - began, 1)
    return result


async def _play(
    home: BrokenHome, readers: list[Reader], dice: random.Random, plan: Plan, result: Round
) -> None:
    outside = Outside(home.home)
    load = Load(outside, result.seed)
    breaker = Breaker(home, outside, readers, dice)
    reading = [asyncio.create_task(reader.keep_reading()) for reader in readers]
    loading = asyncio.create_task(
        load.run(at_once=plan.at_once, at_most=plan.cases, pace_s=plan.pace_s)
    )
    try:
        await _break(breaker, plan, load, loading)
        load.enough.set()
        await _heal(breaker, outside)
        await loading
        pending = await _come_to_rest(breaker, outside)
        await stop_reading(readers, reading)
        drained = await drain(readers)
        seen = await look(home.home, outside, load, readers)
        seen.drained, seen.pending, seen.poison = drained, pending, breaker.poison
        result.decisions, result.releases = len(seen.decisions), len(seen.releases)
        result.reads, result.withdrawals = len(seen.reads), len(seen.withdrawals)
        result.never, result.changes = len(seen.never), len(seen.changes)
        result.violations = [str(one) for one in violations(seen)]
    except* (RefusedError, UnansweredError, NotHealedError) as errors:
        result.violations += [f"{type(e).__name__}: {e}" for e in _each(errors)]
    finally:
        with suppress(Exception):
            await breaker.heal()
        for task in (*reading, loading):
            task.cancel()
        await asyncio.gather(*reading, loading, return_exceptions=True)
        await outside.close()
        result.trials = dict(breaker.trials)
        result.cases, result.restarts = load.done, home.restarts()
        result.put_off = outside.errors


class NotHealedError(Exception):
    """A home whose faults are over does not become ready."""


def _each(errors: BaseExceptionGroup) -> list[BaseException]:
    found: list[BaseException] = []
    for one in errors.exceptions:
        found += _each(one) if isinstance(one, BaseExceptionGroup) else [one]
    return found


async def _break(breaker: Breaker, plan: Plan, load: Load, loading: "asyncio.Task[None]") -> None:
    """Let faults happen, the rare ones at instants drawn before, until there were enough."""
    dice, began = breaker.dice, time.monotonic()
    rare = sorted((dice.uniform(0.1, 0.9), n, fault) for n, fault in enumerate(plan.rare))
    await asyncio.sleep(dice.uniform(0, 3))
    while not loading.done():
        if plan.kills:
            spent = (time.monotonic() - began) / plan.at_most_s
            progress = max(spent, breaker.kills / plan.kills)
        else:
            progress = load.done / plan.cases
        if progress >= 1:
            break
        while rare and rare[0][0] <= progress:
            breaker.begin(rare.pop(0)[2])
        if plan.kills:
            breaker.begin(draw(breaker))
        await asyncio.sleep(dice.expovariate(1 / plan.pause_s))
    for _, _, fault in rare:
        breaker.begin(fault)


async def _heal(breaker: Breaker, outside: Outside) -> None:
    """End all faults, wait until everything is ready, and make all clocks agree."""
    await breaker.heal()
    end = time.monotonic() + READY_AGAIN_S
    while not await outside.ready():
        if time.monotonic() > end:
            raise NotHealedError(f"not ready {READY_AGAIN_S:g} s after the last fault")
        await asyncio.sleep(0.2)
    now = datetime.now(UTC)
    breaker.latest = max(breaker.latest, now) + timedelta(hours=1)
    await outside.set_clock(breaker.latest)


async def _come_to_rest(breaker: Breaker, outside: Outside) -> dict[str, dict[str, float]]:
    """Wait for rest; return what is pending all the same, by service and kind."""
    left: dict[str, dict[str, float]] = {}
    for name, count in (await lasting_rest(outside)).items():
        service, _, kind = name.partition(" ")
        left.setdefault(service, {})[kind] = count
    return left
