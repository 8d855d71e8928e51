"""How much a round breaks, and how it draws what comes next."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from faults import faults, messages
from faults.breaking import SERVICES, Breaker

Fault = Callable[[Breaker], Awaitable[None]]

RARE: tuple[Fault, ...] = (
    faults.store_lost,
    faults.bit_flipped,
    faults.disk_full,
    faults.partner_away,
)
"""Each begins at an instant of its own, drawn before."""
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

    rare: tuple[Fault, ...] = RARE
    kills: int = 0
    """Faults go on until so many processes were killed; 0: only the rare ones happen."""
    at_most_s: float = 0
    """But no longer."""
    pause_s: float = 0.5
    """Between two faults, on average."""
    at_once: int = 4
    """Cases that are played side by side."""
    cases: int = 10_000
    """No more than these; where nothing is killed, exactly these."""
    pace_s: float = 0.2
    """Between two steps of a case, on average."""
    small_disk_mb: int = 48
    """Of the broker's disk, so that it can be filled; 0: that of the home."""


SHORT = Plan(kills=14, at_most_s=30, pause_s=1.0, cases=8)
"""Of `make test`: a little of everything."""
LONG = Plan(rare=RARE * 2, kills=120, at_most_s=200, at_once=6)


def store_lost(cases: int) -> Plan:
    """Return a plan in which the broker loses all it has, three times in the middle of `cases`."""
    return Plan((faults.store_lost,) * 3, cases=cases, at_once=6, pace_s=0.02, small_disk_mb=0)


def draw(breaker: Breaker) -> Fault:
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
