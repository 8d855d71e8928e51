"""Putting rows into a database by the thousand: COPY on Postgres, one transaction on SQLite."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Protocol

import asyncpg  # type: ignore[import-untyped] # it has no types
from sqlalchemy import make_url

Columns = Mapping[str, tuple[str, ...]]
Rows = Mapping[str, Sequence[tuple[Any, ...]]]


class Writer(Protocol):
    """One database that is being filled."""

    async def empty(self, tables: Sequence[str]) -> bool:
        """Tell whether none of the tables holds a row."""

    async def write(self, rows: Rows) -> None:
        """Add rows, by table; what refers to others comes later."""

    async def run(self, statement: str, *values: Any) -> Any:
        """Run one statement and return the first column of its first row."""

    async def close(self) -> None:
        """Bring statistics up to date and close."""


async def writer(url: str, columns: Columns) -> Writer:
    """Return a writer for the database at `url`."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _Sqlite(str(parsed.database), columns)
    plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    return _Postgres(await asyncpg.connect(plain), columns)


class _Postgres:
    def __init__(self, connection: Any, columns: Columns) -> None:
        self._connection = connection
        self._columns = columns

    async def empty(self, tables: Sequence[str]) -> bool:
        found = [await self.run(f'SELECT 1 FROM "{table}" LIMIT 1') for table in tables]  # noqa: S608
        return not any(found)

    async def write(self, rows: Rows) -> None:
        async with self._connection.transaction():
            for table, columns in self._columns.items():
                if rows.get(table):
                    await self._connection.copy_records_to_table(
                        table, records=rows[table], columns=columns
                    )

    async def run(self, statement: str, *values: Any) -> Any:
        for place in range(len(values)):
            statement = statement.replace("?", f"${place + 1}", 1)
        return await self._connection.fetchval(statement, *values)

    async def close(self) -> None:
        for table in self._columns:
            await self._connection.execute(f'VACUUM (ANALYZE) "{table}"')
        await self._connection.close()


class _Sqlite:
    def __init__(self, file: str, columns: Columns) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._columns = columns

    async def empty(self, tables: Sequence[str]) -> bool:
        found = [await self.run(f'SELECT 1 FROM "{table}" LIMIT 1') for table in tables]  # noqa: S608
        return not any(found)

    async def write(self, rows: Rows) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for table, columns in self._columns.items():
            names, marks = ", ".join(f'"{c}"' for c in columns), ", ".join("?" * len(columns))
            self._connection.executemany(
                f'INSERT INTO "{table}" ({names}) VALUES ({marks})',  # noqa: S608 - our own names
                [tuple(map(_stored, row)) for row in rows.get(table, ())],
            )
        self._connection.execute("COMMIT")
        await asyncio.sleep(0)

    async def run(self, statement: str, *values: Any) -> Any:
        row = self._connection.execute(statement, tuple(map(_stored, values))).fetchone()
        return row[0] if row else None

    async def close(self) -> None:
        self._connection.execute("ANALYZE")
        self._connection.close()


def _stored(value: Any) -> Any:
    """Return a value as SQLAlchemy's SQLite dialect keeps it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return value.isoformat() if isinstance(value, date) else value
