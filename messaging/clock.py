"""What time it is; services ask the clock they are given, so that a test can set it."""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Real time."""

    def now(self) -> datetime:
        """Return the time as aware UTC."""
        return datetime.now(UTC)


class TestClock(Clock):
    """Time that can be set; from there real elapsed time goes on, so timers still fire."""

    __test__ = False  # pytest would otherwise take the class for a test

    def __init__(self, now: datetime | None = None) -> None:
        self.set(now or datetime.now(UTC))

    def set(self, now: datetime) -> None:
        """Make it `now`, which must be aware."""
        if now.tzinfo is None:
            raise ValueError("a naive time is no instant")
        self._start = now.astimezone(UTC)
        self._from = time.monotonic()

    def now(self) -> datetime:
        """Return the set time plus what has elapsed since."""
        return self._start + timedelta(seconds=time.monotonic() - self._from)
