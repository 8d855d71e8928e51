"""Whoever breaks a home: what runs of it, what is broken just now, and letting all of it go."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import psutil
from faults.driving import Outside
from faults.homes import BrokenHome
from faults.reading import Reader

from homeward.home import SERVICES

PROGRAMS = (*SERVICES, "nats", "opa")


class Breaker:
    """Breaks one home, drawing what and where from its own dice; `trials` counts by kind."""

    def __init__(
        self, home: BrokenHome, outside: Outside, readers: list[Reader], dice: random.Random
    ) -> None:
        self.home = home
        self.outside = outside
        self.readers = readers
        self.dice = dice
        self.trials: Counter[str] = Counter()
        self.latest = datetime.now(UTC)
        """No clock of a service has been set later."""
        self.poison: frozenset[str] = frozenset()
        """Ids of what was sent and is no event."""
        self.stopped: list[psutil.Process] = []
        """To be let go, at the latest in the end."""
        self.broker = asyncio.Lock()
        """Held by whoever spoils the broker's disk."""
        self.server = asyncio.Lock()
        """Held by whoever has Postgres down."""
        self._going: list[asyncio.Task[None]] = []

    @property
    def kills(self) -> int:
        """Return how many processes were killed so far."""
        return sum(count for kind, count in self.trials.items() if kind.startswith("kill -9"))

    @property
    def programs(self) -> tuple[str, ...]:
        """Return all programs there are to kill or stop."""
        return (*PROGRAMS, "postgres") if self.home.postgres is not None else PROGRAMS

    def begin(self, fault: Callable[["Breaker"], Awaitable[None]]) -> None:
        """Let a fault happen beside everything else."""

        async def happen() -> None:
            await fault(self)

        self._going = [one for one in self._going if not one.done() or one.exception()]
        self._going.append(asyncio.create_task(happen()))

    async def heal(self) -> None:
        """Let every fault that goes on come to its end, and everything run."""
        going, self._going = self._going, []
        ended = await asyncio.gather(*going, return_exceptions=True)
        self.home.hold_supervisor(False)
        for process in self.stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()
        for reader in self.readers:
            reader.away = False
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    def process(self, program: str) -> psutil.Process | None:
        """Return what runs of a program now."""
        if program == "postgres":
            return self.home.postgres.root if self.home.postgres else None
        return self.home.process(program)

    @contextmanager
    def broker_down(self) -> Iterator[None]:
        """Kill the broker and keep it down, however quick its supervisor is."""
        self.home.hold_supervisor(True)
        try:
            while process := self.home.process("nats"):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
                time.sleep(0.01)
            yield
        finally:
            self.home.hold_supervisor(False)

    def note(self, kind: str) -> None:
        """Count one trial."""
        self.trials[kind] += 1
