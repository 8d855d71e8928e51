"""Bar 2: events handled with their transaction, per second and process, against the bare pull."""

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psutil
from nats.js import JetStreamContext

from bench.measure import Figure, Side, cpu_s
from bench.stage import Stage, python, staged, surroundings
from contracts.referral import EpisodeReferred
from homeward.migrate import migrate_all

STREAM, DURABLE, TOLD = "EVT_REFERRAL", "scheduling-referral", "EVT_SCHEDULING"
WITHIN_S = 120.0


def an_episode(number: int) -> EpisodeReferred:
    """Return a referred episode; every third is of a child that was there before."""
    now = datetime.now(UTC)
    return EpisodeReferred(
        id=f"EV-{number}",
        occurred_at=now,
        referral_id=f"RF-{number}",
        child_id=f"CH-{number // 3}",
        episode_id=f"EP-{number}",
        locality="northshire",
        setting="home",
        missing_from=now - timedelta(days=2),
        returned_at=now - timedelta(days=1),
        received_at=now - timedelta(hours=1),
    )


async def publish(js: JetStreamContext, numbers: Sequence[int]) -> None:
    """Tell of episodes, as `referral` does."""
    for number in numbers:
        event = an_episode(number)
        await js.publish_async(
            event.subject,
            event.model_dump_json().encode(),
            stream=STREAM,
            headers={"Nats-Msg-Id": event.id},
        )
    await js.publish_async_completed()


async def hold(js: JetStreamContext, seconds: float) -> None:
    """Let the durable hand out nothing for so long; 0 lets it go on."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    body = json.dumps({"pause_until": until.isoformat()} if seconds else {}).encode()
    answer = await js._nc.request(f"$JS.API.CONSUMER.PAUSE.{STREAM}.{DURABLE}", body, timeout=5)
    if b'"error"' in answer.data:
        raise RuntimeError(answer.data.decode())


async def drained(js: JetStreamContext, told: int) -> None:
    """Wait until every event was acknowledged and what follows from it is on the bus."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        here = await js.consumer_info(STREAM, DURABLE)
        there = await js.stream_info(TOLD)
        if not here.num_pending and not here.num_ack_pending and there.state.messages >= told:
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("the events were not handled")


async def ours(stage: Stage) -> psutil.Process:
    """Start the real service."""
    return (await stage.open("scheduling"))["scheduling"]


async def floor(stage: Stage) -> psutil.Process:
    """Start the floor on the same tables."""
    await stage.open()
    await migrate_all({"scheduling": stage.database_url("scheduling")})
    command = python(
        "bench.events_floor",
        f"nats://127.0.0.1:{stage.ports['nats']}",
        str(stage.home.nkey("scheduling")),
        str(stage.home.db("scheduling")),
    )
    return stage.run("floor", command, surroundings())


async def measure(rounds: int = 5, events: int = 1500) -> Figure:
    """Return the figure; both sides are open all the time and take turns."""
    figure = Figure("events handled, per second and process", bar=0.7)
    async with staged() as here, staged() as there:
        sides = [
            (Side("ours"), here, await ours(here)),
            (Side("floor"), there, await floor(there)),
        ]
        for number in range(-1, rounds):
            for side, stage, process in sides if number % 2 else reversed(sides):
                referral, ops = await stage.log_in("referral"), await stage.log_in("provisioner")
                done = (number + 1) * events
                await hold(ops, WITHIN_S)
                await publish(referral, range(done, done + events))
                await hold(ops, 0)
                began, cpu = time.perf_counter(), cpu_s(process)
                await drained(ops, done + events)
                took = time.perf_counter() - began
                if number >= 0:  # the round before warms up
                    side.add(events / took, (cpu_s(process) - cpu) / events * 1e3)
        figure.sides = [side for side, _, _ in sides]
    return figure


if __name__ == "__main__":
    print(asyncio.run(measure()).text())
