"""A call may name an id whose event is still under way: it waits a little before its 404."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_FIRST_S = 0.02
_LONGEST_S = 0.2


async def arrived(find: Callable[[], Awaitable[T | None]], up_to_s: float = 2.0) -> T | None:
    """Return what `find` returns, asked again for up to `up_to_s` seconds while it is None.

    `find` opens its own transaction each time; called inside one it would never see the change.
    """
    until = time.monotonic() + up_to_s
    pause_s = _FIRST_S
    while True:
        found = await find()
        if found is not None or time.monotonic() >= until:
            return found
        await asyncio.sleep(min(pause_s, max(0.0, until - time.monotonic())))
        pause_s = min(_LONGEST_S, pause_s * 2)
