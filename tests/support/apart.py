"""Work beside the test's own loop, and programs that must not outlive the test run."""

import asyncio
import ctypes
import signal
import sys
import threading
from collections.abc import Coroutine

_LIBC = ctypes.CDLL(None)
"""Loaded before any fork: in the child nothing may be loaded or locked."""


def run(work: Coroutine) -> None:
    """Run a coroutine to its end in a thread, also while a loop runs in this one."""
    failed: list[BaseException] = []

    def inside() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def end_with_us() -> None:
    """Ask the kernel, in a child before it becomes another program, to end it when we end."""
    if sys.platform == "linux":
        _LIBC.prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG
