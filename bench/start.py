"""Bars 4 and 5: how soon a home is ready, and what its services hold in memory."""

import asyncio
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.events import STREAM, an_episode
from bench.measure import Figure, Side, rss_mb
from bench.stage import Stage
from homeward import up
from homeward.home import SERVICES, Home

EVENTS = 10_000
SAMPLES = 100
IDLE_S = 5.0
WITHIN_S = 600.0


@dataclass
class Course:
    """Throughput and memory while events are handled, for the plots."""

    handled: list[int] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    memory_mb: dict[str, list[float]] = field(default_factory=dict)


async def start(rounds: int = 5) -> Figure:
    """Return how long `homeward up` takes until all is ready; each time a new home."""
    figure = Figure("homeward up → all ready", 8, "s", at_least=False, sides=[Side("ours")])
    for _ in range(rounds):
        folder = Path(tempfile.mkdtemp(prefix="homeward-bench-"))
        home = Home(folder)
        try:
            began = time.perf_counter()
            await asyncio.to_thread(up.start_detached, home)
            figure.ours.add(time.perf_counter() - began)
        finally:
            await asyncio.to_thread(up.down, home)
            shutil.rmtree(folder, ignore_errors=True)
    return figure


async def memory(stage: Stage, events: int = EVENTS) -> tuple[list[Figure], Course]:
    """Return what the largest service holds, idle and after so many events to each that hears them.

    An episode that is referred goes to three services, and what scheduling tells of it to others.
    """
    processes = await stage.open(*SERVICES)
    await asyncio.sleep(IDLE_S)
    idle = {name: rss_mb(process) for name, process in processes.items()}
    course = await _fed(stage, processes, events)
    after = {name: rss_mb(process) for name, process in processes.items()}
    figures = [
        Figure("resident memory of the largest service, idle", 130, "MB", at_least=False,
               sides=[Side("ours", [max(idle.values())])], notes=dict(idle)),
        Figure(f"… after {events:,} events", 160, "MB", at_least=False,
               sides=[Side("ours", [max(after.values())])], notes=dict(after)),
    ]  # fmt: skip
    return figures, course


async def _fed(stage: Stage, processes: dict[str, psutil.Process], events: int) -> Course:
    referral, ops = await stage.log_in("referral"), await stage.log_in("provisioner")
    course = Course(memory_mb={name: [] for name in processes})
    consumers = [f"{name}-referral" for name in ("scheduling", "interview", "sharing")]
    began, end = time.perf_counter(), time.monotonic() + WITHIN_S
    for number in range(events):
        event = an_episode(number)
        await referral.publish_async(
            event.subject, event.model_dump_json().encode(), stream=STREAM,
            headers={"Nats-Msg-Id": event.id},
        )  # fmt: skip
    await referral.publish_async_completed()
    while time.monotonic() < end:
        infos = [await ops.consumer_info(STREAM, name) for name in consumers]
        left = max((one.num_pending or 0) + (one.num_ack_pending or 0) for one in infos)
        course.handled.append(events - left)
        course.at_s.append(time.perf_counter() - began)
        for name, process in processes.items():
            course.memory_mb[name].append(rss_mb(process))
        if not left:
            return course
        await asyncio.sleep(0.5)
    raise TimeoutError("the events were not handled")
