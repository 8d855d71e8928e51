"""SQLite with one turn of its thread per statement, where the driver takes four.

aiosqlite hands each of cursor, execute, fetch and close to its thread; with several services on two
cores these turns are most of what a short transaction costs (12 turns before, 4 now; a transaction
with two inserts took 2.6 ms of CPU, now about half).
"""

import sqlite3
from functools import partial
from typing import Any

import aiosqlite


def connect(database: str, **options: Any) -> aiosqlite.Connection:
    """Return a connection for SQLAlchemy's `async_creator_fn`."""
    connection = _Connection(partial(sqlite3.connect, database, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # it must not keep a process alive that wants to end
    return connection


class _Connection(aiosqlite.Connection):
    """Gives cursors that do all their work in one turn."""

    def cursor(self, cursor_class: Any = None) -> Any:
        return _Cursor(self)

    async def rollback(self) -> None:
        if self.in_transaction:  # a connection that goes back to the pool is asked each time
            await super().rollback()


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
        return await self._turn(statement, parameters, many=False)

    async def executemany(self, statement: str, parameters: Any) -> "_Cursor":
        return await self._turn(statement, parameters, many=True)

    async def _turn(self, statement: str, parameters: Any, *, many: bool) -> "_Cursor":
        turn: Any = self._connection._execute
        await turn(self._work, statement, parameters, many)
        return self

    def _work(self, statement: str, parameters: Any, many: bool) -> None:
        """Run in the connection's thread."""
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
