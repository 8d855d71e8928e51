"""The shared tables: transactions, claims, answers given again, pages and migrations."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column
from support.broker import environment
from support.small_services import NOON, an_episode

from messaging.access import note_access
from messaging.caller import Caller
from messaging.database import Database, Instant, Key, lock, new_base
from messaging.idempotent import remember, remembered
from messaging.migrate import migrate
from messaging.paging import Paging
from messaging.problem import Problem
from messaging.schema import access, inbox, outbox
from messaging.topology import load
from messaging.transaction import AlreadyHandledError, emit, handling

ROOT = Path(__file__).parents[2]
ANNA = Caller("W-1", frozenset({"practitioner"}))
Base = new_base()


class Offer(Base):
    __tablename__ = "offers"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    due_at: Mapped[datetime] = mapped_column(Instant)


class Command(BaseModel):
    name: str


@pytest.fixture
async def db(database_url):
    made = Database(database_url)
    async with made.writing() as session:
        await (await session.connection()).run_sync(Base.metadata.create_all)
    yield made
    await made.dispose()


async def test_an_event_is_handled_once_by_each_handler(db):
    for by in ("a.one", "a.two"):
        async with handling(db, an_episode(1), by=by):
            pass
    with pytest.raises(AlreadyHandledError):
        async with handling(db, an_episode(1), by="a.one"):
            pytest.fail("it was claimed")


async def test_a_claim_falls_with_its_effect(db):
    async def fails() -> None:
        async with handling(db, an_episode(1), by="a.one") as session:
            await emit(session, an_episode(2))
            raise LookupError

    with pytest.raises(LookupError):
        await fails()
    async with db.reading() as session:
        assert (await session.execute(select(inbox))).all() == []
        assert (await session.execute(select(outbox))).all() == []

    async with handling(db, an_episode(1), by="a.one"):
        pass


async def test_of_many_at_once_one_has_the_effect(db):
    async def take(n: int) -> bool:
        try:
            async with handling(db, an_episode(1), by="a.one") as session:
                session.add(Offer(id=n, due_at=NOON))
        except AlreadyHandledError:
            return False
        return True

    assert sum(await asyncio.gather(*(take(n) for n in range(1, 11)))) == 1
    async with db.reading() as session:
        assert len((await session.execute(select(Offer))).all()) == 1


async def test_the_same_event_is_not_told_twice(db):
    async with db.writing() as session:
        await emit(session, an_episode(1))
    with pytest.raises(IntegrityError):
        async with db.writing() as session:
            await emit(session, an_episode(1))


async def test_moments_are_aware_utc_in_and_out(db):
    there = datetime(2026, 7, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    async with db.writing() as session:
        session.add(Offer(id=1, due_at=there))
    async with db.reading() as session:
        found = await session.get(Offer, 1)
        due = (await session.execute(select(Offer).where(Offer.due_at <= there))).all()

    assert (found.due_at, found.due_at.tzinfo) == (there, UTC)
    assert len(due) == 1


async def test_a_naive_time_is_refused(db):
    with pytest.raises(Exception, match="naive"):
        async with db.writing() as session:
            session.add(Offer(id=1, due_at=datetime(2026, 7, 1)))  # noqa: DTZ001 - the wrong one


async def test_errors_carry_no_parameters(db):
    async def twice() -> None:
        async with db.writing() as session:
            for _ in range(2):
                await emit(session, an_episode(1, setting="Wren-Ashdown"))

    with pytest.raises(IntegrityError) as failed:
        await twice()

    assert "Wren" not in str(failed.value)


async def test_a_locked_row_is_seen_as_it_stands(db):
    async with db.writing() as session:
        session.add(Offer(id=1, due_at=NOON))

    async def later(hours: int) -> None:
        async with db.writing() as session:
            row = await lock(session, Offer, 1)
            await asyncio.sleep(0.01)
            row.due_at += timedelta(hours=hours)

    await asyncio.gather(*(later(1) for _ in range(8)))
    async with db.reading() as session:
        assert (await session.get(Offer, 1)).due_at == NOON + timedelta(hours=8)


async def test_a_reader_does_not_wait_for_a_writer(db):
    async with db.writing() as writer:
        writer.add(Offer(id=1, due_at=NOON))
        await writer.flush()
        async with asyncio.timeout(1), db.reading() as reader:
            assert (await reader.execute(select(Offer))).all() == []


async def command(db, key, body, caller=ANNA):
    async with db.writing() as session:
        stored = await remembered(session, key, caller, "POST /offers", body)
        if stored is not None:
            return stored.status, stored.body
        await asyncio.sleep(0.01)
        count = len((await session.execute(select(Offer))).all())
        session.add(Offer(id=count + 1, due_at=NOON))
        await remember(session, key, caller, "POST /offers", body, {"id": count + 1})
        return 201, {"id": count + 1}


async def test_a_command_sent_again_gets_its_first_answer(db):
    answers = await asyncio.gather(*(command(db, "k", Command(name="a")) for _ in range(5)))

    assert sorted(answers) == [(200, {"id": 1})] * 4 + [(201, {"id": 1})]


async def test_a_key_with_another_body_is_refused(db):
    await command(db, "k", Command(name="a"))
    with pytest.raises(Problem) as refused:
        await command(db, "k", Command(name="b"))

    assert (refused.value.status, refused.value.code) == (409, "idempotency_key.reused")


async def test_keys_of_two_callers_are_two_keys(db):
    await command(db, "k", Command(name="a"))
    other = Caller("W-2", frozenset({"practitioner"}))

    assert (await command(db, "k", Command(name="b"), other))[0] == 201


@pytest.mark.parametrize("key", ["", "x" * 201, "a\x00b", "a\nb", "é"])
async def test_a_key_that_cannot_be_kept_is_refused(db, key):
    with pytest.raises(Problem) as refused:
        await command(db, key, Command(name="a"))

    assert refused.value.status == 422


async def test_a_list_comes_whole_in_pages_while_it_grows(db):
    async with db.writing() as session:
        for n in range(1, 26):
            session.add(Offer(id=n, due_at=NOON + timedelta(minutes=n % 5)))

    seen, after = [], None
    while True:
        paging = Paging(limit=4, after=after)
        async with db.reading() as session:
            found = paging.seek(select(Offer), Offer.due_at, Offer.id)
            rows = (await session.execute(found)).scalars().all()
        page = paging.page(rows, make=lambda o: o.id, key=lambda o: (o.due_at, o.id))
        seen += page.items
        if len(seen) == 8:
            async with db.writing() as session:
                session.add(Offer(id=100, due_at=NOON + timedelta(hours=1)))
        if page.next is None:
            break
        after = page.next

    assert sorted(seen) == [*range(1, 26), 100]
    assert seen[-1] == 100


@pytest.mark.parametrize("after", ["x", "W10", "WyJ4Il0", "bnVsbA", "é", "WzEsIDJd"])
async def test_a_made_up_cursor_is_refused(after):
    with pytest.raises(Problem) as refused:
        Paging(after=after).seek(select(Offer), Offer.due_at, Offer.id)

    assert refused.value.status == 422


async def test_a_reading_leaves_its_record(db):
    async with db.writing() as session:
        await note_access(session, ANNA, "IV-1", "words", NOON)
    async with db.reading() as session:
        [row] = (await session.execute(select(access))).all()

    assert (row.caller, row.subject_id, row.what, row.at) == ("W-1", "IV-1", "words", NOON)


def migrated_services() -> list[str]:
    return [n for n in load().services if (ROOT / f"services/{n}/migrations/versions").is_dir()]


@pytest.mark.parametrize("name", migrated_services())
async def test_migrations_make_exactly_the_tables_of_the_code(name, database_url):
    await migrate(database_url, ROOT / f"services/{name}/migrations/versions")
    metadata = import_module(f"services.{name}.tables").Base.metadata
    db = Database(database_url)

    def differences(connection) -> list:
        context = MigrationContext.configure(
            connection,
            opts={"include_object": lambda o, n, kind, *_: n != "alembic_version",
                  "compare_server_default": True},
        )  # fmt: skip
        return compare_metadata(context, metadata)

    async with db.reading() as session:
        found = await (await session.connection()).run_sync(differences)
    await db.dispose()
    assert found == []


async def test_several_processes_may_migrate_at_once(database_url):
    command = [sys.executable, "-m", "services.referral", "migrate"]
    surroundings = environment() | {"HOMEWARD_DATABASE_URL": database_url}
    started = [
        subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
        for _ in range(2)
    ]
    assert [await asyncio.to_thread(process.wait, 60) for process in started] == [0, 0]
    assert os.environ.get("HOMEWARD_DATABASE_URL") is None
