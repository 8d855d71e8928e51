"""Databases as an earlier version left them, on SQLite and on Postgres."""

import gzip
import json
import sqlite3
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from messaging.database import Database
from messaging.migrate import configuration

RECORDED = Path(__file__).parent / "recorded"
SERVICES = ("referral", "scheduling", "interview", "sharing", "notify")


def versions(service: str) -> Path:
    return (
        Path(str(import_module(f"services.{service}").__file__)).parent / "migrations" / "versions"
    )


def as_left(service: str, file: Path) -> None:
    """Make the SQLite file as it was."""
    connection = sqlite3.connect(file)
    connection.executescript(
        gzip.decompress((RECORDED / f"{service}.sql.gz").read_bytes()).decode()
    )
    connection.close()


def revision_of(file: Path) -> str:
    connection = sqlite3.connect(file)
    (found,) = connection.execute("select version_num from alembic_version").fetchone()
    connection.close()
    return str(found)


async def copy(service: str, file: Path, url: str) -> None:
    """Make a Postgres as it was: its tables by the migrations of then, its rows from the file."""
    db = Database(url)
    async with db.writing() as session:
        connection = await session.connection()

        def then(sync: sa.Connection) -> None:
            config = configuration(versions(service), sync)
            command.upgrade(config, revision_of(file))
            tables = sa.MetaData()
            tables.reflect(sync)
            source = sqlite3.connect(file)
            source.row_factory = sqlite3.Row
            # a copy is no change: what keeps the ledger append-only would refuse it
            sync.execute(sa.text("set local session_replication_role = replica"))
            for table in tables.sorted_tables:
                if table.name == "alembic_version":
                    continue
                found = source.execute(
                    str(sa.select(sa.text("*")).select_from(sa.table(table.name)))
                )
                rows = [_row(table, one) for one in found]
                sync.execute(table.delete())
                if rows:
                    sync.execute(table.insert(), rows)
            source.close()
            _count_on(sync, tables)

        await connection.run_sync(then)
    await db.dispose()


def _row(table: sa.Table, row: sqlite3.Row) -> dict[str, object]:
    return {name: _value(table.c[name].type, row[name]) for name in row.keys()}  # noqa: SIM118


def _value(kind: sa.types.TypeEngine, value: object) -> object:
    if value is None:
        return None
    match kind:
        case sa.Boolean():
            return bool(value)
        case sa.JSON():
            return json.loads(str(value))
        case sa.DateTime():
            found = datetime.fromisoformat(str(value))
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        case sa.Date():
            return datetime.fromisoformat(str(value)).date()
    return value


def _count_on(sync: sa.Connection, tables: sa.MetaData) -> None:
    """Let sequences go on after the rows that were copied."""
    for table in tables.sorted_tables:
        for column in table.primary_key.columns:
            name = sync.scalar(
                sa.select(sa.func.pg_get_serial_sequence(f'"{table.name}"', column.name))
            )
            if name:
                highest = sync.scalar(sa.select(sa.func.max(column)))
                sync.execute(sa.select(sa.func.setval(name, (highest or 0) + 1, False)))


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Each service in turn."""
    return str(request.param)


@pytest.fixture
async def old_database(service, request, database_url, tmp_path):
    """URL of the service's database as the earlier version left it."""
    file = tmp_path / "test.sqlite"
    if database_url.startswith("sqlite"):
        as_left(service, file)
    else:
        as_left(service, file)
        await copy(service, file, database_url)
    return database_url


def heads(service: str) -> str | None:
    return ScriptDirectory.from_config(configuration(versions(service))).get_current_head()
