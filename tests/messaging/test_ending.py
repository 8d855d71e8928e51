"""A service ends although a library loses a cancellation."""

import asyncio

from messaging.background import end


async def test_work_that_lost_a_cancellation_ends_all_the_same():
    lost = 0

    async def work() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if lost:
                    raise
                lost += 1

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await end([task])

    assert lost == 1
    assert task.cancelled()


async def test_work_that_failed_while_it_ended_is_no_failure_of_the_end():
    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await end([task])

    assert isinstance(task.exception(), ValueError)
