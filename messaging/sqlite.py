"""SQLite without a turn of a thread per statement: only what waits for the disk is sent away.

aiosqlite hands each of cursor, execute, fetch and close to a thread of the connection. A statement
of ours takes some 20 µs, and a turn of the thread ten times that: two threads that pass the
interpreter's lock to and fro were most of what a short transaction cost. So statements run where
they are asked for; a commit, which waits for the disk, runs in the thread, and nothing waits for a
lock inside the library: a busy database is asked again, and others go on meanwhile.
"""

import asyncio
import sqlite3
import time
from functools import partial
from typing import Any

import aiosqlite

BUSY_S = 5.0
"""How long a busy database is asked again before that is an error."""
_BUSY_PAUSE_S = 0.002


def connect(database: str, **options: Any) -> aiosqlite.Connection:
    """Return a connection for SQLAlchemy's `async_creator_fn`."""
    options |= {"check_same_thread": False, "timeout": 0}
    connection = _Connection(partial(sqlite3.connect, database, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # it must not keep a process alive that wants to end
    return connection


class _Connection(aiosqlite.Connection):
    """Gives cursors that work at once; what the thread has begun ends before anything else."""

    _committing = False

    def cursor(self, cursor_class: Any = None) -> Any:
        return _Cursor(self)

    async def rollback(self) -> None:
        if self.in_transaction:  # a connection that goes back to the pool is asked each time
            await self.at_once(self._conn.rollback)

    async def at_once(self, work: Any, *arguments: Any) -> None:
        """Do `work` here, unless the thread is still at a commit that nobody waits for any more."""
        until = time.monotonic() + BUSY_S
        while True:
            try:
                if self._committing:
                    await self._in_thread(work, *arguments)
                else:
                    work(*arguments)
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_BUSY or (
                    time.monotonic() > until
                ):
                    raise
            else:
                return
            await asyncio.sleep(_BUSY_PAUSE_S)

    async def commit(self) -> None:
        if self.in_transaction:
            self._committing = True
            await self._in_thread(self._commit)

    async def _in_thread(self, work: Any, *arguments: Any) -> None:
        turn: Any = self._execute
        await turn(work, *arguments)

    def _commit(self) -> None:
        """Run in the connection's thread."""
        try:
            self._conn.commit()
        finally:
            self._committing = False


class _Cursor:
    """What SQLAlchemy needs of a cursor; rows are read at once, results here are pages at most."""

    arraysize = 1

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid = 0

    async def __aenter__(self) -> "_Cursor":
        return self

    async def execute(self, statement: str, parameters: Any = ()) -> "_Cursor":
        await self._connection.at_once(self._work, statement, parameters, False)
        return self

    async def executemany(self, statement: str, parameters: Any) -> "_Cursor":
        await self._connection.at_once(self._work, statement, parameters, True)
        return self

    def _work(self, statement: str, parameters: Any, many: bool) -> None:
        cursor = self._connection._conn.cursor()
        try:
            (cursor.executemany if many else cursor.execute)(statement, parameters)
            self._rows = cursor.fetchall() if cursor.description else []
            self.description = cursor.description
            self.rowcount = cursor.rowcount
            self.lastrowid = cursor.lastrowid or 0
        finally:
            cursor.close()

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def fetchmany(self, size: int = 1) -> list[Any]:
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    async def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    async def close(self) -> None:
        self._rows = []
