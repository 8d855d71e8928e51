"""Rounds of faults: a fresh home under load is broken at random, healed, looked at and judged."""

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # `faults` and `support` are imported by name

from faults import faults, messages, report
from faults.breaking import Breaker
from faults.cases import Load
from faults.driving import Outside, RefusedError, UnansweredError
from faults.homes import BrokenHome, broken_home
from faults.oracle import violations
from faults.reading import Reader, join
from faults.watching import drain, lasting_rest, look
from support.postgres import NoPostgresError

Fault = Callable[[Breaker], Awaitable[None]]

SERVICES = ("referral", "scheduling", "interview", "sharing", "notify")
READY_AGAIN_S = 180.0
ONCE: tuple[Fault, ...] = (
    faults.store_lost,
    faults.bit_flipped,
    faults.disk_full,
    faults.partner_away,
)
"""Begun at an instant of their own, each `Plan.heavy` times."""
OFTEN: tuple[Fault, ...] = (
    faults.database_locked,
    faults.connections_cut,
    faults.clock_off,
    messages.told_again,
    messages.poison,
)
"""Drawn now and then, among kills and stops."""


@dataclass(frozen=True)
class Plan:
    """How much a round does."""

    kills: int
    """Faults go on until so many processes were killed."""
    at_most_s: float
    """But no longer."""
    pause_s: float
    """Between two faults, on average."""
    at_once: int = 4
    cases: int = 10_000
    pace_s: float = 0.2
    heavy: int = 1
    small_disk_mb: int = 48


SHORT = Plan(kills=14, at_most_s=30, pause_s=1.0, at_once=4, cases=8, heavy=1)
"""Of `make test`: every kind of fault at least once, as far as the dice allow."""
LONG = Plan(kills=120, at_most_s=200, pause_s=0.5, at_once=6, heavy=2)


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
        await _break(breaker, plan, loading)
        load.enough.set()
        await _heal(breaker, outside)
        await loading
        pending = await _come_to_rest(breaker, outside)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        drained = await drain(readers)
        seen = await look(home.home, outside, load, readers)
        seen.drained, seen.pending, seen.poison = drained, pending, breaker.poison
        result.decisions, result.releases = len(seen.decisions), len(seen.releases)
        result.reads, result.withdrawals = len(seen.reads), len(seen.withdrawals)
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


async def _break(breaker: Breaker, plan: Plan, loading: "asyncio.Task[None]") -> None:
    """Let faults happen, the rare ones at instants drawn before, until there were enough."""
    dice, began = breaker.dice, time.monotonic()
    rare = [(dice.uniform(0.1, 0.9), fault) for fault in ONCE for _ in range(plan.heavy)]
    rare.sort(key=lambda one: one[0])
    await asyncio.sleep(dice.uniform(0, 3))
    while not loading.done():
        spent = time.monotonic() - began
        progress = max(spent / plan.at_most_s, breaker.kills / plan.kills)
        if progress >= 1:
            break
        while rare and rare[0][0] <= progress:
            breaker.begin(rare.pop(0)[1])
        breaker.begin(_draw(breaker))
        await asyncio.sleep(dice.expovariate(1 / plan.pause_s))
    for _, fault in rare:
        breaker.begin(fault)


def _draw(breaker: Breaker) -> Fault:
    """Return a fault: kills above all; of each service fewer, because they take seconds to start.

    Postgres is one for all: killed as often as the broker it would leave nothing to break.
    """
    dice = breaker.dice
    kind = dice.choices(("kill", "stop", "other"), (74, 12, 14))[0]
    if kind == "other":
        return dice.choice(OFTEN)
    weights = {"nats": 2.5, "opa": 2.5} | dict.fromkeys(SERVICES, 1.0)
    programs = breaker.programs
    (program,) = dice.choices(programs, [weights.get(program, 0.7) for program in programs])
    return faults.kill(program) if kind == "kill" else faults.stop(program)


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Play a number of rounds, SQLite and Postgres in turns; 1 where anything was violated."""
    parser = argparse.ArgumentParser(prog="faults.rounds", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count on")
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    parser.add_argument("--short", action="store_true", help="rounds as in `make test`")
    parser.add_argument("--report", type=Path, help="page to write")
    parser.add_argument("--log", type=Path, help="results so far, a JSON line a round; continued")
    chosen = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # nothing is left running behind us
    plan = SHORT if chosen.short else LONG
    seed = chosen.seed if chosen.seed is not None else int(time.time()) % 1_000_000
    results = report.read(chosen.log) if chosen.log else []
    bad = 0
    for number in range(chosen.rounds):
        on_postgres = chosen.only == "postgres" or (chosen.only is None and number % 2 == 1)
        folder = Path(tempfile.mkdtemp(prefix="homeward-faults-"))
        try:
            result = play(seed + number, plan, folder, on_postgres=on_postgres)
        except NoPostgresError as reason:
            print(f"no round on Postgres: {reason}", flush=True)
            shutil.rmtree(folder)
            continue
        results.append(asdict(result))
        print(_line(result), flush=True)
        if result.violations:
            bad += 1
            print(
                f"   the home stays in {folder}", *result.violations[:20], sep="\n   ", flush=True
            )
        else:
            shutil.rmtree(folder, ignore_errors=True)
        if chosen.log:
            with chosen.log.open("a") as log:
                log.write(json.dumps(asdict(result)) + "\n")
        if chosen.report:
            report.write(chosen.report, results)
    return 1 if bad else 0


def _line(result: Round) -> str:
    others = Counter(result.trials)
    return (
        f"seed {result.seed} on {result.database}: {result.kills} kills, "
        f"{others.total() - result.kills} other faults, {result.cases} cases, "
        f"{result.releases} releases, {result.reads} reads, {result.took_s:g} s, "
        f"{len(result.violations)} violations"
    )


if __name__ == "__main__":
    sys.exit(main())
