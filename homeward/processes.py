"""Processes that a home started, known again by id and start time together."""

import contextlib
import time
from typing import TypedDict

import psutil

SAME_START_S = 1.5
"""Start times are counted in ticks from boot; a step of the wall clock moves them a little."""


class Known(TypedDict):
    """A process as `state.json` remembers it."""

    pid: int
    created: float


def known(pid: int) -> Known:
    """Return what is needed to know process `pid` again later."""
    try:
        return {"pid": pid, "created": psutil.Process(pid).create_time()}
    except psutil.NoSuchProcess:
        return {"pid": pid, "created": 0.0}


def find(remembered: Known | None) -> psutil.Process | None:
    """Return the process if it still runs and is the very one that was remembered."""
    if not remembered:
        return None
    try:
        process = psutil.Process(remembered["pid"])
        if abs(process.create_time() - remembered["created"]) > SAME_START_S:
            return None
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.NoSuchProcess:
        return None
    return process


def stop(remembered: Known | None, grace_s: float = 10.0) -> bool:
    """End the process, asking first; tell whether there was one to end."""
    process = find(remembered)
    if process is None:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        end = time.monotonic() + grace_s
        while time.monotonic() < end:
            if find(remembered) is None:
                return True
            time.sleep(0.02)
        process.kill()
        while find(remembered) is not None and time.monotonic() < end + 5:
            time.sleep(0.02)
    return True
