"""Bar 1: decided, recorded, sealed and delivered, per second, against the bare floor.

Children about whom everything is known are marked as changed; what counts is how quickly their
releases appear on the partners' feeds. Each side has a broker, an OPA server and a database of its
own, and both take turns. `referral` and `interview` are stood for by a peer that answers at once.
"""

import asyncio
import json
import sqlite3
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psutil
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from bench import cases
from bench.measure import Figure, Side, cpu_s
from bench.stage import ROOT, Stage, python, staged, surroundings
from homeward.engines import POLICIES
from homeward.migrate import migrate_all
from services.sharing.domain.document import document
from services.sharing.domain.facts import Facts, pairs
from services.sharing.policy_data import load
from services.sharing.reading import child_facts, item_facts, judged, line, recipient_facts
from services.sharing.tables import AgreementLine, Child, Episode, Item, Judgement, Recipient

WITHIN_S = 180.0


async def prepared(stage: Stage, children: int) -> list[dict[str, Any]]:
    """Fill the database of `sharing` and start the peers; return the partners."""
    partners = cases.register(stage.home)
    await migrate_all({"sharing": stage.database_url("sharing")})
    cases.put_in(stage.home.db("sharing"), partners, range(children))
    for name in ("referral", "interview"):
        command = python("bench.peers", str(stage.ports[name]))
        stage.run(f"peer-{name}", command, surroundings())
    return partners


def questions(stage: Stage) -> list[dict[str, Any]]:
    """Return what the product would ask about each child, for the floor to ask."""
    data, now = load(POLICIES), datetime.now(UTC)
    engine = create_engine(f"sqlite:///{stage.home.db('sharing')}")
    found = []
    with Session(engine) as session:

        def of(table: Any, child: str, *order: Any) -> list[Any]:
            rows = select(table).where(table.child_id == child).order_by(*order)
            return list(session.scalars(rows))

        for child in session.scalars(select(Child).order_by(Child.id)):
            told = child_facts(child, "charity")
            assert told is not None  # noqa: S101 - `cases` makes children that are known
            episodes = of(Episode, child.id)
            facts = Facts(
                child=told,
                episodes={row.id: row.setting for row in episodes},
                items=tuple(map(item_facts, of(Item, child.id, Item.id))),
                recipients=tuple(map(recipient_facts, of(Recipient, child.id, Recipient.key))),
                lines=tuple(map(line, of(AgreementLine, child.id, AgreementLine.seq))),
                judgements=tuple(map(judged, of(Judgement, child.id, Judgement.seq))),
            )
            asked = [
                {"document": document(facts, item, to, data.types[to.type], data.law, now, "PS-1"),
                 "item": item.id, "category": item.category, "recipient": to.key}
                for item, to in pairs(facts, data.carers)
            ]  # fmt: skip
            found.append({"id": child.id, "episode": episodes[0].id, "pairs": asked})
    engine.dispose()
    return found


Turn = Callable[[int, int], Awaitable[None]]


async def ours(stage: Stage, children: int) -> tuple[psutil.Process, Turn]:
    """Start the real service; a turn marks children as changed and waits until all is sent."""
    await prepared(stage, children)
    process = (await stage.open("sharing"))["sharing"]
    file = stage.home.db("sharing")

    async def turn(first: int, last: int) -> None:
        with closing(sqlite3.connect(file, timeout=20)) as db:
            names = [row[0] for row in db.execute("SELECT id FROM child ORDER BY id")][first:last]
            with db:
                db.executemany("UPDATE child SET dirty=1 WHERE id=?", [(name,) for name in names])
            end = time.monotonic() + WITHIN_S
            while _unfinished(db):
                if time.monotonic() > end:
                    raise TimeoutError("not all was decided and delivered")
                await asyncio.sleep(0.05)

    return process, turn


def _unfinished(db: sqlite3.Connection) -> bool:
    waiting = (
        "SELECT 1 FROM child WHERE dirty UNION ALL "
        "SELECT 1 FROM release WHERE state IN ('queued', 'claimed') UNION ALL "
        "SELECT 1 FROM outbox WHERE sent_at IS NULL LIMIT 1"
    )
    return db.execute(waiting).fetchone() is not None


async def floor(stage: Stage, children: int) -> tuple[psutil.Process, Turn]:
    """Start the floor on the same tables; a turn names the children by their places."""
    partners = await prepared(stage, children)
    await stage.open(engine=True)
    home = stage.home
    plan = {
        "database": str(home.db("sharing")), "nats": f"nats://127.0.0.1:{stage.ports['nats']}",
        "nkey": str(home.nkey("sharing")), "opa": f"http://127.0.0.1:{stage.ports['opa']}",
        "opa_token": str(home.opa_token), "signing": str(home.keys_dir / "signing.jwk.json"),
        "interview": stage.url("interview"), "referral": stage.url("referral"),
        "partners": {one["key"]: one["jwk"] for one in partners}, "children": questions(stage),
    }  # fmt: skip
    file = home.generated / "floor.json"
    file.write_text(json.dumps(plan))
    process = await asyncio.create_subprocess_exec(
        *python("bench.decisions_floor", str(file)), env=surroundings(), cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 20,
    )  # fmt: skip
    stage.ends_with(process)
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    await process.stdout.readline()

    async def turn(first: int, last: int) -> None:
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(f"{first} {last}\n".encode())
        async with asyncio.timeout(WITHIN_S):
            if await process.stdout.readline() != b"done\n":
                raise RuntimeError("the floor ended")

    return psutil.Process(process.pid), turn


async def on_feeds(js: Any) -> tuple[int, list[datetime]]:
    """Return how many releases lie on all feeds, and when each feed's last one was stored."""
    states = []
    for key in cases.PARTNERS:  # the library leaves out when the last message was stored
        answer = await js._nc.request(f"$JS.API.STREAM.INFO.FEED_{key}", b"", timeout=10)
        states.append(json.loads(answer.data)["state"])
    ends = [datetime.fromisoformat(one["last_ts"]) for one in states if one["messages"]]
    return sum(one["last_seq"] for one in states), ends


async def measure(rounds: int = 5, children: int = 40) -> Figure:
    """Return the figure."""
    every = (rounds + 1) * children
    figure = Figure("decided, recorded, sealed, delivered, per second", bar=0.6)
    async with staged() as here, staged() as there:
        sides = [
            (Side("ours"), here, *await ours(here, every)),
            (Side("floor"), there, *await floor(there, every)),
        ]
        for number in range(-1, rounds):
            first = (number + 1) * children
            for side, stage, process, turn in sides if number % 2 else reversed(sides):
                js = await stage.log_in("provisioner")
                before, _ = await on_feeds(js)
                began, cpu = datetime.now(UTC), cpu_s(process)
                await turn(first, first + children)
                count, ends = await on_feeds(js)
                took = (max(ends) - began).total_seconds()
                if number >= 0:  # the round before warms up
                    sent = count - before
                    side.add(sent / took, (cpu_s(process) - cpu) / sent * 1e3)
        figure.sides = [side for side, *_ in sides]
    return figure


if __name__ == "__main__":
    print(asyncio.run(measure()).text())
