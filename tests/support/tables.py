"""Databases with a service's tables: migrated once for each kind, then copied.

The migrations themselves are the subject of other tests, which run them one by one.
"""

from importlib import import_module
from pathlib import Path

import asyncpg
from support import postgres

from messaging.migrate import migrate

_files: dict[str, bytes] = {}
"""Content of an SQLite file after the migrations, by service."""
_templates: dict[tuple[str, str], str] = {}
"""URL of a migrated database that nobody uses, by server and service."""


async def make(url: str, service: str) -> None:
    """Bring a database to today's tables; a fresh one as a copy, one in use by its migrations."""
    kind, _, place = url.partition(":///")
    if kind.startswith("sqlite"):
        await _make_file(Path(place), service)
    elif await _is_fresh(url):
        await _copy(url, service)
    else:
        await migrate(url, _versions(service))


async def _make_file(file: Path, service: str) -> None:
    fresh = not file.exists()  # noqa: ASYNC240 - a file in memory takes no time
    if fresh and service in _files:
        file.write_bytes(_files[service])  # noqa: ASYNC240
        return
    await migrate(f"sqlite:///{file}", _versions(service))
    if fresh:
        _files[service] = file.read_bytes()  # noqa: ASYNC240


async def _copy(url: str, service: str) -> None:
    server, _, name = url.rpartition("/")
    if (server, service) not in _templates:
        template = postgres.new_database(server)
        await migrate(template, _versions(service))
        _templates[server, service] = template
    of = _templates[server, service].rpartition("/")[2]
    await postgres.ask(f"{server}/postgres", f"drop database {name}")
    await postgres.ask(f"{server}/postgres", f"create database {name} template {of}")


async def _is_fresh(url: str) -> bool:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        tables = "select count(*) from pg_tables where schemaname = 'public'"
        return await connection.fetchval(tables) == 0
    finally:
        await connection.close()


def forget(server: str) -> None:
    """Remove what was made to be copied on a server."""
    for one in [one for one in _templates if one[0] == server]:
        postgres.drop_database(_templates.pop(one))


def _versions(service: str) -> Path:
    return Path(str(import_module(f"services.{service}").__file__)).parent / "migrations/versions"
