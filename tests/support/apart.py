"""Runs a coroutine beside the test's own loop, for fixtures that outlive one test."""

import asyncio
import threading
from collections.abc import Coroutine


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
