"""Bar 6: what is asked often costs as much after a million episodes as after a thousand.

`python -m bench.growth [SMALL LARGE]` seeds Postgres twice and measures both with the services
running: a page of the work queue, one episode, and one decision (a judgement until its pairs are
decided and recorded). Medians and p95 of interleaved rounds.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped] # it has no types

from bench.measure import Figure, Side, percentile, table
from bench.postgres import databases, explained, server
from bench.stage import Stage, python, staged, surroundings
from homeward.seed.command import fill

SMALL, LARGE = 1_000, 1_000_000
ROUNDS, CALLS = 5, 60
SERVICES = ("referral", "scheduling", "sharing")
ASKED = ("GET /offers?state=open", "GET /episodes/{id}", "one decision")
PLANS = {
    "scheduling": (
        "SELECT * FROM offers WHERE state = 'open' ORDER BY next_due_at, episode_id LIMIT 51",
        "SELECT * FROM clocks WHERE episode_id = (SELECT episode_id FROM offers LIMIT 1)",
        "SELECT * FROM attempts WHERE episode_id = (SELECT episode_id FROM offers LIMIT 1)",
        "SELECT * FROM talks WHERE child_id = (SELECT child_id FROM offers LIMIT 1)",
    ),
    "sharing": (
        "SELECT id FROM child WHERE dirty AND id > '' ORDER BY id LIMIT 50",
        "SELECT * FROM decision WHERE child_id = (SELECT id FROM child LIMIT 1) AND current",
        "SELECT * FROM release WHERE child_id = (SELECT id FROM child LIMIT 1)",
        "SELECT * FROM judgement WHERE child_id = (SELECT id FROM child LIMIT 1)",
        "SELECT partner_key FROM release WHERE state IN ('queued','claimed','withdrawn') "
        "AND partner_key IS NOT NULL",
    ),
}
"""Statements of the three, whose plans are printed: none may read a whole large table."""

OF_USUAL_CHILDREN = (
    "SELECT d.child_id FROM decision d JOIN child c ON c.id = d.child_id "
    "WHERE d.current AND c.age < 17 GROUP BY d.child_id HAVING count(*) BETWEEN 18 AND 26 "
    "ORDER BY d.child_id"
)
"""Children of whom about as much is decided in each: the median of both is 24 pairs."""


class Grown:
    """One size: databases with so much history, and the services on them."""

    def __init__(self, stage: Stage, urls: dict[str, str]) -> None:
        self.stage = stage
        self.urls = urls
        self.worker = stage.caller("practitioner", "W-1")
        self.dsl = stage.caller("dsl", "dsl-1")
        self.episodes: list[str] = []
        self.children: list[str] = []
        self.database: Any = None

    async def learn(self) -> None:
        """Draw what will be asked about, and look at `sharing`'s database beside it."""
        self.database = await asyncpg.connect(self.urls["sharing"])
        self.episodes = await self._drawn("scheduling", "SELECT episode_id FROM offers", 400)
        self.children = await self._drawn("sharing", OF_USUAL_CHILDREN, 400)

    async def _drawn(self, service: str, statement: str, count: int) -> list[str]:
        connection = await asyncpg.connect(self.urls[service])
        try:
            found = await connection.fetch(f"{statement} LIMIT 20000")
        finally:
            await connection.close()
        every = [str(row[0]) for row in found]
        random.Random(1).shuffle(every)  # noqa: S311 - the same draw each time
        return every[:count]

    async def queue(self, _: int) -> None:
        """Ask for the first page of the work queue."""
        url = f"{self.stage.url('scheduling')}/offers"
        (await self.worker.get(url, params={"state": "open"})).raise_for_status()

    async def episode(self, number: int) -> None:
        """Ask for one case."""
        name = self.episodes[number % len(self.episodes)]
        url = f"{self.stage.url('scheduling')}/episodes/{name}"
        (await self.worker.get(url)).raise_for_status()

    async def decision(self, number: int) -> None:
        """Judge what every pair of a child turns on and wait until all are decided again."""
        child = self.children[number % len(self.children)]
        url = self.stage.url("sharing")
        turn = number // len(self.children) % 2 == 0
        value = "not_held" if turn else "carer_may_be_told"
        judged = {"name": "strategy_decision", "value": value, "reason": "made up"}
        answer = await self.dsl.put(
            f"{url}/children/{child}/judgements", json={"judgements": [judged]}
        )
        answer.raise_for_status()
        asked = "SELECT dirty FROM child WHERE id = $1"
        # the service is another process: there is nothing to wait for but a look
        while await self.database.fetchval(asked, child):  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def grown(stack: AsyncExitStack, url: str, size: int) -> Grown:
    """Seed databases with `size` episodes and as many decisions, and start the services on them."""
    urls = await databases(url, f"of_{size}")
    began = time.monotonic()
    made = await fill(urls, size, size, tick=_dots(size))
    sys.stderr.write(f"\n{made} in {time.monotonic() - began:.0f} s\n")
    await decided_by_todays_rules(urls["sharing"])
    stage = await stack.enter_async_context(staged(urls))
    peers = {name: stage.ports[name] for name in ("interview", "notify")}
    for name, port in peers.items():
        stage.run(f"peer-{name}", python("bench.peers", str(port)), surroundings())
    await stage.open(*SERVICES)
    here = Grown(stage, urls)
    await here.learn()
    return here


async def decided_by_todays_rules(url: str) -> None:
    """Let nothing wait to be decided again for a change of rules: that would be measured too."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "UPDATE decision SET policy_digest = newest.policy_digest FROM (SELECT policy_digest "
            "FROM decision ORDER BY decided_at DESC, id DESC LIMIT 1) AS newest "
            "WHERE current AND decision = 'defer'"
        )
    finally:
        await connection.close()


def alike(sizes: Sequence[Grown]) -> None:
    """Ask about equally many in each: to judge a child a second time costs less."""
    children = min(len(one.children) for one in sizes)
    episodes = min(len(one.episodes) for one in sizes)
    for one in sizes:
        del one.children[children:], one.episodes[episodes:]


def _dots(size: int) -> Callable[[int], None]:
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        sys.stderr.write(f"\r{done:,} of {size:,} episodes")

    return tick


async def measure(small: int = SMALL, large: int = LARGE) -> list[Figure]:
    """Return a figure for each of the three, the small size first."""
    async with AsyncExitStack() as stack:
        url = stack.enter_context(server())
        sizes = [await grown(stack, url, small), await grown(stack, url, large)]
        alike(sizes)
        await plans(sizes[-1].urls)
        figures = []
        for name, calls in zip(ASKED, (CALLS, CALLS, CALLS // 2), strict=True):
            asked = [{ASKED[0]: s.queue, ASKED[1]: s.episode, ASKED[2]: s.decision}[name]
                     for s in sizes]  # fmt: skip
            figures.append(await _compared(name, (small, large), asked, calls))
        return figures


async def _compared(
    name: str, sizes: tuple[int, int], asked: Sequence[Callable[[int], Awaitable[None]]], calls: int
) -> Figure:
    took: list[list[float]] = [[], []]
    number = 0
    for turn in range(-1, ROUNDS):
        for _ in range(calls):
            number += 1
            for place in (0, 1) if number % 2 else (1, 0):
                began = time.perf_counter()
                await asked[place](number)
                if turn >= 0:
                    took[place].append((time.perf_counter() - began) * 1e3)
    p95 = [percentile(each, 0.95) for each in took]
    figure = Figure(f"{name}, p95 at {sizes[1]:,} against {sizes[0]:,}", 1.5, "", at_least=False)
    figure.sides = [Side("growth", [p95[1] / p95[0]])]
    for size, each in zip(sizes, took, strict=True):
        figure.notes[f"{size} p50 ms"] = round(percentile(each, 0.5), 2)
        figure.notes[f"{size} p95 ms"] = round(percentile(each, 0.95), 2)
    return figure


async def plans(urls: dict[str, str]) -> None:
    """Print how the large databases answer the statements behind the three."""
    for service, statements in PLANS.items():
        for statement in statements:
            print(f"\n{service}: {statement}")
            for line in await explained(urls[service], statement):
                print(f"    {line}")


def main(arguments: list[str]) -> None:
    """Measure, print and add to the file of figures."""
    figures = asyncio.run(measure(*(int(word) for word in arguments)))
    print()
    print(table([["what", "bar", "grew", "met"],
                 *([f.name, "≤ 1.5", f"{f.reached:.2f}", "yes" if f.met else "no"]
                   for f in figures)]))  # fmt: skip
    for figure in figures:
        print(figure.name, json.dumps(figure.notes))
    file = Path(__file__).parent / "results" / "growth.json"
    file.parent.mkdir(exist_ok=True)
    plain: list[dict[str, Any]] = [figure.plain() for figure in figures]
    file.write_text(json.dumps(plain, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
