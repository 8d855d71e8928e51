"""`homeward seed`: fill the databases of a home, or those at given URLs, with a made-up history."""

import asyncio
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import groupby
from typing import Any

import typer

from homeward import migrate
from homeward.engine import policy_digest
from homeward.home import Home, HomeError
from homeward.seed import decided, rows
from homeward.seed.history import Episode, history, yesterday
from homeward.seed.kinds import POLICIES, Kind, in_force_from, kinds
from homeward.seed.writing import Writer, writer

SERVICES = ("referral", "scheduling", "sharing")
BATCH = 4_000
"""Episodes in one transaction."""
OWN = {"referral": ("children",), "scheduling": ("offers",), "sharing": ("child", "decision")}
"""Tables that hold something as soon as a database was ever used."""

Rows = dict[str, list[tuple[Any, ...]]]
Tick = Callable[[int], object]


class NotEmptyError(HomeError):
    """A database holds something already, which may be about real children."""


def seed(home: Home, *, databases: str | None, episodes: int, decisions: int, number: int) -> int:
    """Fill; return the exit code. Raises HomeError where a database is not empty."""
    if databases is None and home.state().get("phase") == "ready":
        raise HomeError("the home is up: stop it with `homeward down` first")
    if databases is None:
        home.make()
    urls = {
        name: databases.format(service=name) if databases else home.database_url(name)
        for name in SERVICES
    }
    began = time.monotonic()
    with typer.progressbar(length=episodes, label="episodes", file=sys.stderr) as bar:
        made = asyncio.run(fill(urls, episodes, decisions, number, bar.update))
    took = time.monotonic() - began
    counts = ", ".join(f"{count:,} {what}" for what, count in made.items())
    typer.echo(f"{counts} in {took:.0f} s")
    return 0


async def fill(
    urls: Mapping[str, str], episodes: int, decisions: int, number: int = 1, tick: Tick = id
) -> dict[str, int]:
    """Bring the databases to today's tables and fill them; return how much was made.

    The same `number` makes the same history, but for the day on which it ends.
    Raises NotEmptyError before anything is written.
    """
    await migrate.migrate_all(urls)
    columns = {**rows.COLUMNS, "sharing": decided.COLUMNS}
    writers = {name: await writer(urls[name], columns[name]) for name in SERVICES}
    try:
        for name, one in writers.items():
            if not await one.empty(OWN[name]):
                raise NotEmptyError(f"the database of {name} is not empty: seed a fresh one")
        chain = decided.Chain(policy_digest(POLICIES))
        made = await _write(writers, chain, episodes, decisions, number, tick=tick)
        if chain.seq:
            change = "UPDATE ledger_head SET seq = ?, hash = ? WHERE id = 1"
            await writers["sharing"].run(change, chain.seq, chain.hash)
    finally:
        for one in writers.values():
            await one.close()
    return made


async def _write(
    writers: Mapping[str, Writer],
    chain: decided.Chain,
    episodes: int,
    decisions: int,
    number: int,
    *,
    tick: Tick,
) -> dict[str, int]:
    made = {"children": 0, "episodes": 0, "decisions": 0}
    gate = _Gate(number, decisions, chain)
    found: dict[str, Rows] = {name: {} for name in SERVICES}
    waiting = 0
    for _, several in groupby(history(number, episodes, gate.until), lambda one: one.child.id):
        whole = list(several)
        for service, made_rows in _of_child(number, whole, gate):
            for table, row in made_rows:
                found[service].setdefault(table, []).append(row)
        made["children"] += 1
        made["episodes"] += len(whole)
        waiting += len(whole)
        if waiting >= BATCH:
            await _flush(writers, found)
            tick(waiting)
            waiting = 0
    await _flush(writers, found)
    tick(waiting)
    made["decisions"] = gate.made
    return made


async def _flush(writers: Mapping[str, Writer], found: dict[str, Rows]) -> None:
    for service, batch in found.items():
        await writers[service].write(batch)
        batch.clear()


def _of_child(
    number: int, episodes: list[Episode], gate: "_Gate"
) -> Iterator[tuple[str, Iterator[tuple[str, tuple[Any, ...]]]]]:
    """Yield what one child left, by service."""
    for place, one in enumerate(episodes):
        yield "referral", rows.referral_rows(number, one, first=place == 0)
        yield "scheduling", rows.scheduling_rows(number, one)
    yield "sharing", gate.rows(episodes)


class _Gate:
    """What `sharing` decided, until there are enough decisions."""

    def __init__(self, number: int, decisions: int, chain: decided.Chain) -> None:
        self.until = yesterday()
        self.made = 0
        self._number, self._most, self._chain = number, decisions, chain
        self._rng = random.Random(number)  # noqa: S311 - made-up data
        self._kinds: dict[bool, list[Kind]] = kinds(self._rng) if decisions else {}
        self._in_force_from = in_force_from()

    def rows(self, episodes: list[Episode]) -> decided.Made:
        """Yield the rows of one child."""
        epoch = 0
        for one in sorted(episodes, key=lambda each: each.returned_at):
            yield from decided.episode_row(one)
            left = self._most - self.made
            if one.interviewed and left > 0:
                epoch += 1
                at = (one.returned_at + timedelta(days=2)).date()
                kind = self._rng.choice(self._kinds[at >= self._in_force_from])
                self.made += min(left, len(kind.told))
                yield from decided.interview_rows(
                    self._number, one, kind, epoch, self._chain, most=left
                )
        yield from decided.child_rows(episodes[0].child, epoch + 1, self.until)
