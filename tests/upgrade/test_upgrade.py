"""Today's version takes over from the recorded one: databases, waiting work and old events."""

import json
from importlib import import_module

import pytest
import sqlalchemy as sa
from pydantic import BaseModel
from support.running import eventually

from contracts.event import Event
from messaging.database import Database
from messaging.migrate import migrate
from services.sharing.ledger_tables import ENTRIES

from .conftest import SERVICES, as_left, copy, heads, versions


async def rows(url: str) -> dict[str, int]:
    """Return how many rows each table has."""
    db = Database(url)
    async with db.reading() as session:
        connection = await session.connection()
        names = await connection.run_sync(lambda c: sa.inspect(c).get_table_names())
        found = {}
        for name in names:
            count = sa.select(sa.func.count()).select_from(sa.table(name))
            found[name] = int((await session.execute(count)).scalar_one())
    await db.dispose()
    return found


async def test_every_row_is_kept_and_the_version_is_todays(service, old_database):
    before = await rows(old_database)
    await migrate(old_database, versions(service))
    after = await rows(old_database)
    db = Database(old_database)
    async with db.reading() as session:
        version = (
            await session.execute(sa.text("select version_num from alembic_version"))
        ).scalar_one()
    await db.dispose()

    assert version == heads(service)
    assert sum(before.values()) > 1
    assert {name: after.get(name) for name in before} == before


async def test_a_migration_that_was_cut_off_is_made_whole_by_the_next(service, old_database):
    await migrate(old_database, versions(service))
    await migrate(old_database, versions(service))

    assert (await rows(old_database))["alembic_version"] == 1


@pytest.fixture
def recorded_events(tmp_path) -> list[dict]:
    """Every event that was published then, as it lay on the bus."""
    import sqlite3

    found = []
    for service in SERVICES:
        file = tmp_path / f"{service}.sqlite"
        as_left(service, file)
        connection = sqlite3.connect(file)
        connection.row_factory = sqlite3.Row
        found += [dict(row) for row in connection.execute("select * from outbox order by seq")]
        connection.close()
    return found


def kinds() -> dict[str, type[Event]]:
    """Return today's class of each subject."""
    for service in SERVICES:
        import_module(f"contracts.{service}")
    found: dict[str, type[Event]] = {}
    waiting = [Event]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if getattr(kind, "subject", None):
            found[str(kind.subject)] = kind
    return found


def test_events_of_then_are_read_by_todays_classes(recorded_events):
    known = kinds()
    subjects = {row["subject"] for row in recorded_events}

    assert len(subjects) >= 8
    for row in recorded_events:
        event = known[row["subject"]].model_validate_json(row["body"])
        assert event.id


def test_a_field_that_a_reader_does_not_know_is_no_mistake(recorded_events):
    known = kinds()
    for row in recorded_events:
        body = json.loads(row["body"]) | {"added_by_a_later_version": {"deep": [1]}}
        event = known[row["subject"]].model_validate(body)
        assert isinstance(event, BaseModel)
        assert "added_by_a_later_version" not in event.model_dump()


@pytest.mark.parametrize("name", ["referral", "scheduling", "interview"])
async def test_a_service_starts_on_what_was_left_and_goes_on(
    name, a_service, database_url, tmp_path, nats
):
    file = tmp_path / f"{name}.sqlite"
    as_left(name, file)
    if database_url.startswith("sqlite"):
        url = f"sqlite:///{file}"
    else:
        url = database_url
        await copy(name, file, url)
    localities = tmp_path / "localities.yaml"
    localities.write_text("northshire: {authority: northshire}\n")
    running = await a_service(name, database_url=url, localities=localities)
    lists = {"referral": "/episodes", "scheduling": "/offers"}
    if name in lists:
        found = await running.call("GET", lists[name], role="manager")
        assert found.status_code == 200
        assert found.json()["items"]
    await running.at_rest(30)


async def test_old_events_are_handled_by_todays_handlers(a_service, nats, recorded_events):
    """A broker that still holds what was published then hands it to today's services."""
    scheduling = await a_service("scheduling")
    client = await nats.connect("provisioner")
    stream = client.jetstream()
    referred = [row for row in recorded_events if row["subject"].startswith("evt.referral.")]
    for row in referred:
        await stream.publish(row["subject"], _bytes(row["body"]))
    told = {
        json.loads(row["body"])["episode_id"] for row in referred if "referred" in row["subject"]
    }

    async def all_there() -> bool:
        answer = await scheduling.call("GET", "/offers", role="manager", params={"limit": 200})
        return {one["episode_id"] for one in answer.json()["items"]} == told

    await eventually(all_there)
    await client.close()
    await scheduling.at_rest(30)
    assert (await scheduling.pending())["unhandled"] == 0


async def test_the_ledger_of_then_is_still_one_chain(tmp_path, database_url):
    from contracts import ledger

    file = tmp_path / "sharing.sqlite"
    as_left("sharing", file)
    url = f"sqlite:///{file}" if database_url.startswith("sqlite") else database_url
    if url == database_url:
        await copy("sharing", file, url)
    await migrate(url, versions("sharing"))
    db = Database(url)
    async with db.reading() as session:
        entries = (await session.execute(sa.select(ENTRIES).order_by(ENTRIES.c.seq))).all()
    await db.dispose()
    prev = ledger.GENESIS
    for row in entries:
        prev = ledger.entry_hash(row.seq, row.at, row.kind, json.loads(row.body), prev)
        assert prev == row.hash

    assert len(entries) > 50


def _bytes(body: object) -> bytes:
    return body if isinstance(body, bytes) else str(body).encode()
