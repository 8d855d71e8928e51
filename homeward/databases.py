"""Copies of a home's databases: SQLite's own, or those of Postgres' client tools."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ledger
from homeward.home import Home, HomeError
from homeward.manifest import Chain, TamperedError
from messaging.database import Database

Answer = TypeVar("Answer")

_WAIT_S = 30.0
_ENTRIES = "SELECT seq, at, kind, body, prev, hash FROM ledger_entry ORDER BY seq"
_NEWEST = (
    "SELECT seq, hash, at, kid, signature FROM ledger_checkpoint ORDER BY seq DESC, at DESC LIMIT 1"
)


class ToolMissingError(HomeError):
    """Postgres' client tools are not on the path."""


# SQLite


def copy_sqlite(source: Path, target: Path) -> str:
    """Copy one state of a database while its service goes on writing; return its revision."""
    if not source.exists():
        raise HomeError(f"there is no database {source.name}: was this home ever up?")
    with closing(sqlite3.connect(source, timeout=_WAIT_S)) as opened:
        opened.execute("VACUUM INTO ?", (str(target),))
    target.chmod(0o600)
    return check_sqlite(target)


def check_sqlite(file: Path) -> str:
    """Have SQLite look through a copy; return its revision. Raises TamperedError."""
    with _reading(file) as opened:
        if opened.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise TamperedError(f"{file.name} is broken")
        return str(opened.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def ledger_of_sqlite(file: Path) -> dict[str, Any]:
    """Hash the ledger in a copy anew; return its head and newest checkpoint."""
    with _reading(file) as opened:
        chain = Chain()
        for row in opened.execute(_ENTRIES):
            chain.add(row)
        newest = opened.execute(_NEWEST).fetchone()
    return {"seq": chain.seq, "hash": chain.prev, "checkpoint": _checkpoint(newest)}


@contextmanager
def _reading(file: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as opened:
            yield opened
    except sqlite3.DatabaseError as error:
        raise TamperedError(f"{file.name} is no database of ours") from error


def _checkpoint(row: Any) -> dict[str, Any] | None:
    if row is None:
        return None
    return ledger.checkpoint(row[0], row[1], row[2], row[3], bytes.fromhex(row[4]))


# Postgres


def need(*tools: str) -> None:
    """Look for client tools before anything is written. Raises ToolMissingError."""
    for tool in tools:
        _found(tool)


def dump(home: Home, service: str, target: Path) -> str:
    """Copy one state of a Postgres database into a file; return its revision."""
    url = home.database_url(service)
    revision = ask(url, "SELECT version_num FROM alembic_version")
    _run(url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
    target.chmod(0o600)
    _run(None, "pg_restore", "--list", str(target))
    return revision


def load(home: Home, service: str, source: Path) -> None:
    """Put a copy into the empty database of a service. Raises HomeError where it is not empty."""
    url = home.database_url(service)
    if ask(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") != "0":
        raise HomeError(f"the database of {service} is not empty; nothing is ever overwritten")
    _run(
        url, "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error",
        "--single-transaction", "--dbname", _address(url)[0], str(source), named=False,
    )  # fmt: skip


def ledger_of_postgres(url: str) -> dict[str, Any]:
    """Hash the ledger in a database anew; return its head and newest checkpoint."""

    async def read(session: AsyncSession) -> dict[str, Any]:
        chain = Chain()
        async for row in await session.stream(text(_ENTRIES)):
            chain.add(tuple(row))
        newest = (await session.execute(text(_NEWEST))).first()
        return {"seq": chain.seq, "hash": chain.prev, "checkpoint": _checkpoint(newest)}

    return asyncio.run(_asked(url, read))


def ask(url: str, statement: str) -> str:
    """Return the one value that a statement gives."""

    async def read(session: AsyncSession) -> str:
        return str((await session.execute(text(statement))).scalar_one())

    return asyncio.run(_asked(url, read))


async def _asked(url: str, read: Callable[[AsyncSession], Awaitable[Answer]]) -> Answer:
    db = Database(url)
    try:
        async with db.reading() as session:
            return await read(session)
    except (SQLAlchemyError, OSError) as error:
        raise HomeError(f"a database cannot be read: {type(error).__name__}") from error
    finally:
        await db.dispose()


def _run(url: str | None, tool: str, *words: str, named: bool = True) -> str:
    """Run a client tool; the password goes to it by its environment, where nobody else reads."""
    program = _found(tool)
    env, place = dict(os.environ), []
    if url is not None:
        address, password = _address(url)
        env |= {"PGPASSWORD": password} if password else {}
        place = ["--dbname", address] if named else []
    done = subprocess.run(  # noqa: S603 - Postgres' own tool and our own words
        [program, *place, *words], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise HomeError(f"{tool} says: {done.stderr.strip()[-500:]}")
    return done.stdout


def _found(tool: str) -> str:
    program = shutil.which(tool)
    if program is None:
        raise ToolMissingError(
            f"{tool} is not on the path: install Postgres' client tools, of the server's version "
            "or a later one, or copy the databases as docs/runbooks/backup-and-restore.md says"
        )
    return program


def _address(url: str) -> tuple[str, str]:
    """Return a URL as Postgres' own tools read it, and the password that was in it."""
    parts = urlsplit(url.replace("postgresql+asyncpg:", "postgresql:", 1))
    asked = {
        ("sslmode" if name == "ssl" else name): value for name, value in parse_qsl(parts.query)
    }
    user, host = parts.username or "", parts.hostname or ""
    place = (f"{user}@" if user else "") + host + (f":{parts.port}" if parts.port else "")
    address = urlunsplit(("postgresql", place, parts.path, urlencode(asked), ""))
    return address, parts.password or ""
