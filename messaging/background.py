"""Work that no request asks for: timers, and loops that are started again when they fail."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from messaging import trust
from messaging.telemetry import get_logger

if TYPE_CHECKING:
    from messaging.app import App

log = get_logger()

_SAFETY_S = 1.0
_PAUSE_S = 0.05
"""Between two looks at least: under load each commit wakes us, and most have changed nothing."""
_DELAY_MAX_S = 30.0
_CANCEL_AGAIN_S = 0.5
_ROUNDS_MAX = 10_000
"""A timer that is due again at once this often in a row is a mistake in it."""


class TimerFailedError(Exception):
    """A timer's work failed; it is tried again within a second."""


class Timers:
    """Runs the `due` functions at their time: each does all work due by now, says when next."""

    def __init__(
        self, app: "App", functions: Sequence[Callable[["App"], Awaitable[datetime | None]]]
    ) -> None:
        self._app = app
        self._functions = functions
        self._alone = asyncio.Lock()

    async def run(self, now: datetime | None = None) -> datetime | None:
        """Do all work due, after setting a test clock to `now`; return the next due instant.

        All functions run even where one fails; then TimerFailedError is raised.
        """
        async with self._alone:
            if now is not None:
                self._app.clock.set(now)  # type: ignore[attr-defined] # a TestClock, see routes.py
            nexts: list[datetime] = []
            failed: Exception | None = None
            for function in self._functions:
                try:
                    if (following := await self._exhaust(function)) is not None:
                        nexts.append(following)
                except Exception as error:
                    self._app.metrics.failures.labels(function.__name__).inc()
                    log.warning("timer.failed", name=function.__name__, exc_info=error)
                    failed = error
            if failed is not None:
                raise TimerFailedError from failed
            return min(nexts, default=None)

    async def _exhaust(
        self, function: Callable[["App"], Awaitable[datetime | None]]
    ) -> datetime | None:
        for _ in range(_ROUNDS_MAX):
            following = await function(self._app)
            if following is None or following > self._app.clock.now():
                return following
        raise RuntimeError("a timer is due again and again")

    async def keep(self) -> None:
        """Run for ever: at the next due time, when woken as "due", and each second for safety."""
        loop = asyncio.get_running_loop()
        while True:
            began, pause_s = loop.time(), _SAFETY_S
            try:
                following = await self.run()
                if following is not None:
                    pause_s = min(pause_s, (following - self._app.clock.now()).total_seconds())
            except TimerFailedError:
                pass
            await self._app.woken("due", pause_s)
            await asyncio.sleep(max(0.0, began + _PAUSE_S - loop.time()))


async def supervise(app: "App", name: str, work: Callable[["App"], Awaitable[None]]) -> None:
    """Run `work`, and again after a growing delay where it fails; it ends when it returns."""
    delay_s = 0.1
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await work(app)
        except Exception as error:
            if asyncio.get_running_loop().time() - began > _DELAY_MAX_S:
                delay_s = 0.1  # it had run well for a while
            app.metrics.failures.labels(name).inc()
            why = trust.reason(error)
            log.warning("background.failed", name=name, delay_s=delay_s, exc_info=error, reason=why)
            await asyncio.sleep(delay_s)
            delay_s = min(_DELAY_MAX_S, delay_s * 2)
        else:
            return


async def end(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Cancel tasks until each has ended, whatever it ends with.

    Once is not enough: before Python 3.12 `asyncio.wait_for`, which the broker's client uses, loses
    a cancellation that comes in the same moment as the answer; the loop around it then goes on.
    """
    while open_ := [task for task in tasks if not task.done()]:
        for task in open_:
            task.cancel()
        await asyncio.wait(open_, timeout=_CANCEL_AGAIN_S)
