"""One service's own database: SQLite on a single machine, Postgres in production."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from socket import gaierror
from ssl import SSLError
from typing import Any, TypeVar

from sqlalchemy import Connection, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from messaging import sqlite, trust
from messaging.schema import Instant, Key, new_base

__all__ = [
    "Database",
    "Instant",
    "Key",
    "database_away",
    "let_sleep",
    "lock",
    "new_base",
    "wake",
]

Row = TypeVar("Row", bound=DeclarativeBase)

_POOL_TIMEOUT_S = 10
_SQLITE_AWAY = {5, 6, 8, 10, 13, 14}
"""Primary result codes BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN."""
_POSTGRES_AWAY = ("08", "28", "40", "53", "55P03", "57", "58")
"""SQLSTATE: connection, password, serialisation, resources, lock, shutting down, system error."""


class Database:
    """Sessions for reading and for writing; the only place that commits."""

    def __init__(self, url: str, ca: Path | None = None, password: Path | None = None) -> None:
        """Prepare, without connecting; Postgres is asked for TLS by `?ssl=verify-full`.

        `ca` names its authority, `password` a file that is read for each new connection.
        """
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        driver = "sqlite+aiosqlite" if self.sqlite else "postgresql+asyncpg"
        self.url = self.url.set(drivername=driver)
        options: dict[str, Any] = {"pool_timeout": _POOL_TIMEOUT_S}
        if self.sqlite:
            options |= {"pool_size": 5, "connect_args": {"async_creator_fn": sqlite.connect}}
        else:
            options |= {"pool_size": 8, "max_overflow": 8, "pool_pre_ping": True}
            options["connect_args"] = self._how_to_connect(ca, password)
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            hide_parameters=True,  # errors would otherwise carry what is about a child
            **options,
        )
        self._writing = self.engine.execution_options(homeward_writing=True)
        self._one_writer = asyncio.Lock() if self.sqlite else nullcontext()
        self._listeners: list[Callable[[str], None]] = []
        if self.sqlite:
            event.listen(self.engine.sync_engine, "connect", _set_up_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin)

    def _how_to_connect(self, ca: Path | None, password: Path | None) -> dict[str, Any]:
        """Return what the driver is told beside the URL, where files may change while we run."""
        told: dict[str, Any] = {}
        if self.url.query.get("ssl") == "verify-full":
            self.url = self.url.difference_update_query(["ssl"])
            told["ssl"] = trust.trusting(ca)
        if password is not None:
            told["password"] = lambda: password.read_text().strip()
        return told

    def on_wake(self, listener: Callable[[str], None]) -> None:
        """Call `listener(name)` after each commit that asked for it with `wake`."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Give a session that sees one state and changes nothing."""
        session = AsyncSession(self.engine, expire_on_commit=False)
        try:
            yield session
        finally:
            if self.sqlite:
                await session.close()  # works at once: nothing is there that could be cut off
            else:
                await asyncio.shield(session.close())

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose changes are committed at the end, or none of them on an error."""
        async with self._one_writer:
            session = AsyncSession(self._writing, expire_on_commit=False)
            try:
                yield session
                await session.commit()
            except BaseException:
                await asyncio.shield(session.close())  # rolled back also where we are cancelled
                raise
            session.sync_session.close()  # nothing is left to do on the connection
        for name in sorted(session.info.get("wake", ())):
            for listener in self._listeners:
                listener(name)

    async def dispose(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def wake(session: AsyncSession, name: str) -> None:
    """Wake whoever waits for `name` once this session has committed."""
    session.info.setdefault("wake", set()).add(name)


def let_sleep(session: AsyncSession, name: str) -> None:
    """Wake `name` not by this commit: whoever has more pressing work to do wakes it after that.

    Each background loop looks by itself every second, too.
    """
    session.info.get("wake", set()).discard(name)


async def lock(session: AsyncSession, row: type[Row], key: Any) -> Row | None:
    """Return the row as it stands now, locked until the end of the transaction, or None.

    On SQLite a writing transaction is alone anyway.
    """
    return await session.get(row, key, with_for_update=True, populate_existing=True)


def database_away(error: BaseException) -> bool:
    """Tell whether the database could not be reached or was busy, rather than refused the work."""
    if isinstance(error, PoolTimeoutError | InterfaceError | ConnectionError | gaierror | SSLError):
        return True
    if not isinstance(error, DBAPIError):  # the driver's own, while it connects, comes as it is
        return str(getattr(error, "sqlstate", "")).startswith(_POSTGRES_AWAY)
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF in _SQLITE_AWAY
    state = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or state.startswith(_POSTGRES_AWAY)


def _set_up_sqlite(connection: Any, _record: object) -> None:
    """Make the file safe against a power cut, and leave BEGIN to us."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",  # what is erased is overwritten
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Begin as a writer or as a reader; a reader that began IMMEDIATE would starve the writers."""
    writing = connection.get_execution_options().get("homeward_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
