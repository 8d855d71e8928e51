"""The broker's disk is lost in the middle of many cases: all complete, and nothing is double."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from faults.cases import Load
from faults.driving import Outside
from faults.oracle import violations
from faults.reading import Reader, join, stop_reading
from faults.watching import drain, look, rest
from support.demo import homeward

from homeward import up
from homeward.home import Home

CASES = int(os.environ.get("HOMEWARD_CASES", "40"))
"""500 were run when this was written; they only take longer."""
AT_ONCE = 4
PACE_S = 0.05
WITHIN_S = 240 + 2 * CASES


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home that is up."""
    made = Home.at(tmp_path / "home")
    try:
        up.start_detached(made, {"HOMEWARD_CLOCK": "real"})
        yield made
    finally:
        up.stop(made)


async def test_all_cases_complete_although_the_broker_loses_everything_it_holds(home: Home):
    readers = await asyncio.to_thread(join, home)
    outside = Outside(home)
    load = Load(outside, seed=5)
    async with asyncio.timeout(WITHIN_S), kept_reading(readers):
        loading = asyncio.create_task(load.run(at_once=AT_ONCE, at_most=CASES, pace_s=PACE_S))
        while load.done < CASES // 3:
            await asyncio.sleep(0.05)
            assert not loading.done() or load.done, loading.exception()
        under_way = len(load.cases) - load.done
        lose_broker(home)
        await loading
        reconciled = await asyncio.to_thread(reconcile, home)
        pending = await rest(outside)
    drained = await drain(readers)
    seen = await look(home, outside, load, readers)
    seen.drained = drained
    await outside.close()

    assert under_way, "the broker was lost while nothing was under way"
    assert load.done == CASES
    assert not pending
    assert drained == {reader.key for reader in readers}
    assert not [str(one) for one in violations(seen)]
    assert reconciled["cases"]["episodes"] == reconciled["cases"]["offers"] == CASES
    assert "broker.listening" in (home.logs / "scheduling.log").read_text()


def lose_broker(home: Home) -> None:
    """Kill the broker and take its data away before the supervisor starts it again."""
    process = psutil.Process(home.state()["parts"]["nats"]["pid"])
    process.send_signal(signal.SIGKILL)
    psutil.wait_procs([process], timeout=5)
    lost = home.nats_data.rename(home.path / "lost")  # at once, unlike deleting it
    shutil.rmtree(lost)


def reconcile(home: Home) -> dict:
    """Let what is lacking be told again now; return what was found then."""
    ended = homeward("reconcile", "--repair", "--json", "--home", str(home.path))
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    return json.loads(ended.stdout)


@asynccontextmanager
async def kept_reading(readers: list[Reader]) -> AsyncIterator[None]:
    """Let the partners read all the while."""
    tasks = [asyncio.create_task(reader.keep_reading()) for reader in readers]
    try:
        yield
    finally:
        await stop_reading(readers, tasks)
