"""Faults of the world that every seeded run goes through: without one, most defects would not show.

None of them is a defect: the services must come through all of them without a violation.
"""

import asyncio
import json
import sqlite3
from collections import Counter
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from messaging.database import Database
from messaging.errors import AwayError
from messaging.kept import Headers, Reply, Way
from services.sharing.policy import DEADLINE_S


class _Full(sqlite3.OperationalError):
    sqlite_errorcode = sqlite3.SQLITE_FULL


def refuse_commits(db: Database, *which: int) -> None:
    """Have the disk be full at the commits with these numbers, counted from now and from 1."""
    count = 0

    def commit(connection: Connection) -> None:
        nonlocal count
        count += 1
        if count in which:
            connection.engine.dialect.do_rollback(connection.connection)  # as SQLite itself does
            raise OperationalError("COMMIT", {}, _Full("database or disk is full"))

    event.listen(db.engine.sync_engine, "commit", commit)


def away_at_first(edge: Any, times: int) -> None:
    """Have a service not answer another's first calls."""
    real, left = edge._send, times

    async def send(*what: Any) -> Reply:
        nonlocal left
        if left > 0:
            left -= 1
            raise AwayError(edge.target, "ConnectionRefusedError")
        found: Reply = await real(*what)
        return found

    edge._send = send


class TroubledEngine:
    """The way to the real engine, on which the first answers about some children go wrong.

    Of each item and recipient the first answers are a text where an object belongs, and the next
    comes too late. Several, because a fact that changes meanwhile makes one count for nothing.
    """

    NONSENSE = 3

    def __init__(self, real: Way) -> None:
        self.real = real
        self.children: set[str] = set()
        self.asked: Counter[tuple[str, str]] = Counter()

    async def ask(
        self, method: str, target: str, headers: Headers, body: bytes, *, most: int
    ) -> Reply:
        """Answer as the engine does, or wrong."""
        about = json.loads(body)["input"]
        if about.get("child", {}).get("id") in self.children:
            pair = (about["item"]["id"], about["recipient"]["id"])
            self.asked[pair] += 1
            if self.asked[pair] <= self.NONSENSE:
                return Reply(200, b'{"result":"allow"}')
            if self.asked[pair] == self.NONSENSE + 1:
                await asyncio.sleep(DEADLINE_S * 1.5)
        return await self.real.ask(method, target, headers, body, most=most)

    async def close(self) -> None:
        """Close the real way."""
        await self.real.close()
