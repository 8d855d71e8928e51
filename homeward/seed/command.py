"""`homeward seed`: fill the databases of a home, or those at given URLs, with a made-up history."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import typer

from contracts.policies import digest
from homeward import migrate
from homeward.engine.bundle import policy_files
from homeward.governance.replay_answers import Answers
from homeward.home import Home, HomeError
from homeward.seed import decided, rows
from homeward.seed.cases import Moment, moments
from homeward.seed.history import Episode, history, name, yesterday
from homeward.seed.writing import Writer, writer
from messaging.ids import Ids
from services.sharing.policy_data import load

POLICIES = Path(__file__).parents[2] / "policies"
SERVICES = ("referral", "scheduling", "sharing")
TOGETHER = 200
"""Children about whom policy is asked at once."""
BATCH = 4_000
"""Episodes, or decisions, in one transaction."""
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
        ids = Ids.of(home.keys_dir / "ids.key") if databases is None else None
        made = asyncio.run(fill(urls, episodes, decisions, number, bar.update, ids=ids))
    took = time.monotonic() - began
    counts = ", ".join(f"{count:,} {what}" for what, count in made.items())
    typer.echo(f"{counts} in {took:.0f} s")
    return 0


async def fill(
    urls: Mapping[str, str],
    episodes: int,
    decisions: int,
    number: int = 1,
    tick: Tick = id,
    *,
    ids: Ids | None = None,
) -> dict[str, int]:
    """Bring the databases to today's tables and fill them; return how much was made.

    Pseudonyms are made with the `ids` of a home, where there is one. The same `number` makes the
    same history, but for the day on which it ends.
    Raises NotEmptyError before anything is written.
    """
    await migrate.migrate_all(urls)
    columns = {**rows.COLUMNS, "sharing": decided.COLUMNS}
    writers = {name: await writer(urls[name], columns[name]) for name in SERVICES}
    try:
        for name, one in writers.items():
            if not await one.empty(OWN[name]):
                raise NotEmptyError(f"the database of {name} is not empty: seed a fresh one")
        chain = decided.Chain()
        gate = _Gate(number, decisions, chain, ids)
        try:
            made = await _write(writers, gate, episodes, number, tick)
        finally:
            gate.close()
        if chain.seq:
            change = "UPDATE ledger_head SET seq = ?, hash = ? WHERE id = 1"
            await writers["sharing"].run(change, chain.seq, chain.hash)
    finally:
        for one in writers.values():
            await one.close()
    return made


async def _write(
    writers: Mapping[str, Writer], gate: "_Gate", episodes: int, number: int, tick: Tick
) -> dict[str, int]:
    made = {"children": 0, "episodes": 0, "decisions": 0}
    found: dict[str, Rows] = {name: {} for name in SERVICES}
    waiting = 0
    children = groupby(history(number, episodes, gate.until), lambda one: one.child.id)
    while some := [list(several) for _, several in islice(children, TOGETHER)]:
        for service, made_rows in _of_children(number, some, gate):
            for table, row in made_rows:
                found[service].setdefault(table, []).append(row)
        made["children"] += len(some)
        made["episodes"] += sum(map(len, some))
        waiting += sum(map(len, some))
        if max(waiting, len(found["sharing"].get("decision", ()))) >= BATCH:
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


def _of_children(
    number: int, children: list[list[Episode]], gate: "_Gate"
) -> Iterator[tuple[str, Iterator[tuple[str, tuple[Any, ...]]]]]:
    """Yield what some children left, by service."""
    for episodes in children:
        for place, one in enumerate(episodes):
            yield "referral", rows.referral_rows(number, one, first=place == 0)
            yield "scheduling", rows.scheduling_rows(number, one)
    yield "sharing", gate.rows(children)


class _Gate:
    """What `sharing` decided, until there are enough decisions."""

    def __init__(self, number: int, decisions: int, chain: decided.Chain, ids: Ids | None) -> None:
        self.until = yesterday()
        self.made = 0
        self._number, self._most, self._chain, self._ids = number, decisions, chain, ids
        self._data = load(POLICIES)
        self._versions = versions(self.until)
        self._answers = Answers(POLICIES) if decisions else None

    def close(self) -> None:
        """End the engine."""
        if self._answers is not None:
            self._answers.close()

    def rows(self, children: list[list[Episode]]) -> decided.Made:
        """Yield the rows of some children; policy is asked about all of them together."""
        cases = [self._case(episodes) for episodes in children]
        answers: Iterator[Mapping[str, Any]] = iter(())
        if self._answers is not None:
            told = self._answers.of([o.document for _, several in cases for o in several])
            answers = iter(told)
        for episodes, (found, several) in zip(children, cases, strict=True):
            for one in episodes:
                yield from decided.episode_row(one)
            for moment in found:
                yield from decided.moment_rows(moment)
            own = list(islice(answers, len(several)))
            yield from decided.decision_rows(self._number, several, own, self._chain)
            last = found[-1] if found else None
            yield from decided.child_rows(episodes[0].child, last, self.until)

    def _case(self, episodes: list[Episode]) -> tuple[list[Moment], list[decided.Asked]]:
        """Return the epochs of a child and the pairs that they made a question, while needed."""
        left = self._most - self.made
        if left <= 0:
            return [], []
        found = list(moments(self._number, episodes, self.until))
        several = list(decided.asked(found, self._data, self._versions, self._pseudonym))[:left]
        self.made += len(several)
        return found, several

    def _pseudonym(self, recipient: str, episode: str) -> str:
        if self._ids is None:
            return name(self._number, "PS", recipient, episode)
        return self._ids.after("PS", recipient, episode)


def versions(until: datetime) -> list[decided.Version]:
    """Return the policies that decided: today's, and until a month ago the same by another name."""
    files = {
        file.relative_to(POLICIES).as_posix(): file.read_bytes() for file in policy_files(POLICIES)
    }
    label = load(POLICIES).version
    earlier = f"{label}-before"
    codes = files["codes.yaml"].replace(label.encode(), earlier.encode())
    before = decided.Version(
        earlier, digest(files | {"codes.yaml": codes}), until - timedelta(days=30)
    )
    return [before, decided.Version(label, digest(files))]
