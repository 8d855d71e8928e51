"""The ledger: written with what it describes, never changed, silent about children."""

import asyncio
import io
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from contracts import ledger as form
from homeward.ledger_check import check
from messaging.database import Database
from messaging.reread import Reread
from services.sharing import ledger
from services.sharing.checkpoints import (
    EVERY,
    EVERY_ENTRIES,
    LedgerBrokenError,
    Signer,
    checkpoint_due,
    entries_after,
    make_checkpoint,
)
from services.sharing.ledger_tables import CHECKPOINTS, ENTRIES, HEAD, SALTS, create_v1
from services.sharing.quarantine_tables import WAITING, Quarantine

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), "ledger-1")


@pytest.fixture
async def db(database_url):
    made = Database(database_url)
    async with made.writing() as session:
        connection = await session.connection()
        await connection.run_sync(lambda c: create_v1(Operations(MigrationContext.configure(c))))
        for table in (Quarantine.__table__, WAITING):
            await connection.run_sync(table.create)
    yield made
    await made.dispose()


def a_decision(**changes):
    usual = {"decision_id": "D-1", "child_id": "C-FIONA", "item_id": "I-1", "decision": "deny"}
    return {**usual, "rule_ids": ["POL-03"], "recipient": "northshire-police", **changes}


async def write(db, count=1, **changes):
    async with db.writing() as session:
        notes = [("decision", a_decision(**changes))] * count
        return await ledger.append_all(session, notes, NOON)


async def an_export(db, end=None):
    end = end or await make_checkpoint(db, SIGNER, NOON)
    lines = [form.HEADER]
    async with db.reading() as session:
        async for row in entries_after(session, 0):
            shown = {**row._mapping, "body": json.loads(row.body)}
            lines.append(form.canonical(shown))
    return b"".join(line + b"\n" for line in [*lines, form.canonical(end)])


def verified(data):
    keys = {SIGNER.kid: SIGNER._key.public_key()}
    return check(io.BytesIO(data), keys).seq


async def count(db, table):
    async with db.reading() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


async def test_what_was_written_is_an_export_that_verifies(db):
    assert await write(db, 3) == [1, 2, 3]
    assert await write(db, 2) == [4, 5]

    assert verified(await an_export(db)) == 5


async def test_an_empty_ledger_has_a_checkpoint_too(db):
    assert verified(await an_export(db)) == 0


async def test_a_transaction_that_fails_leaves_no_entry_and_no_gap(db):
    await write(db)

    async def fail():
        async with db.writing() as session:
            await ledger.append(session, "decision", a_decision(), NOON)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    assert await write(db) == [2]
    assert verified(await an_export(db)) == 2


async def test_writers_at_once_make_one_chain(db):
    await asyncio.gather(*(write(db, 1 + n % 3) for n in range(60)))

    assert verified(await an_export(db)) == 120


@pytest.mark.parametrize("table", ["ledger_entry", "ledger_checkpoint"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET hash = 'x'",
        "UPDATE {table} SET seq = seq + 100",
        "DELETE FROM {table}",
        "DELETE FROM {table} WHERE seq = 1",
    ],
)
async def test_the_database_itself_refuses_to_change_what_was_written(db, table, statement):
    await write(db)
    await make_checkpoint(db, SIGNER, NOON)

    with pytest.raises(DBAPIError):
        async with db.writing() as session:
            await session.execute(text(statement.format(table=table)))

    assert verified(await an_export(db)) == 1


async def test_the_database_refuses_to_empty_or_replace_it(db):
    await write(db)
    statements = {
        True: [
            "REPLACE INTO ledger_entry SELECT seq, at, kind, '{}', prev, hash FROM ledger_entry"
        ],
        False: ["TRUNCATE ledger_entry", "TRUNCATE ledger_head"],
    }[db.sqlite]

    for statement in [*statements, "DELETE FROM ledger_head", "UPDATE ledger_head SET seq = 0"]:
        with pytest.raises(DBAPIError):
            async with db.writing() as session:
                await session.execute(text(statement))

    assert verified(await an_export(db)) == 1


async def test_nothing_personal_stands_in_an_entry(db):
    private = ledger.about("mum-jane", "carer_parent")
    purpose = "So that Jane may sleep."
    async with db.writing() as session:
        body = a_decision(**private, episode_id="E-NIGHT", by="W-KIM", purpose=purpose)
        del body["recipient"]
        await ledger.append(session, "decision", body, NOON)

    exported = await an_export(db)

    for personal in (b"FIONA", b"I-1", b"mum", b"NIGHT", b"KIM", b"Jane"):
        assert personal not in exported
    assert b"POL-03" in exported


async def test_two_entries_about_one_child_cannot_be_linked_but_each_can_be_opened(db):
    await write(db, 2)
    async with db.reading() as session:
        rows = (await session.execute(select(ENTRIES.c.body).order_by(ENTRIES.c.seq))).scalars()
        first, second = (json.loads(body)["child_id"] for body in rows)
        salt = (await session.execute(select(SALTS.c.salt).where(SALTS.c.seq == 1))).scalar_one()

    assert first != second
    assert ledger.commitment(salt, "child_id", "C-FIONA") == first


async def test_a_salt_may_go_where_a_child_must_be_forgotten_and_the_chain_stays_whole(db):
    await write(db, 2)
    async with db.writing() as session:
        await session.execute(SALTS.delete())

    assert verified(await an_export(db)) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"given_name": "Fiona"},
        {"recipient": "Jane Doe"},
        {"rule_ids": ["POL-03", "she said no"]},
        {"number": 1.5},
        {"left": [{"words": "x"}]},
        {"code": {"words": "x"}},
        {"code": ""},
    ],
)
async def test_what_is_not_known_to_be_safe_is_refused_and_not_repeated(db, changes):
    with pytest.raises(ledger.UnfitEntryError) as refused:
        await write(db, **changes)

    assert "Fiona" not in str(refused.value)
    assert "Jane" not in str(refused.value)
    assert await count(db, ENTRIES) == 0


async def test_nested_bodies_commit_what_is_personal_too(db):
    await write(db, left=[{"release_id": "R-1", "child_id": "C-FIONA", "number": 7}])

    exported = await an_export(db)

    assert b"FIONA" not in exported
    assert b'"number":7' in exported


# Checkpoints


async def test_a_checkpoint_is_made_once_for_the_same_entries(db):
    await write(db)
    first = await make_checkpoint(db, SIGNER, NOON)
    again = await make_checkpoint(db, SIGNER, NOON + timedelta(hours=1))

    assert first == again
    assert await count(db, CHECKPOINTS) == 1


async def test_another_key_signs_the_same_entries_anew(db):
    await write(db)
    await make_checkpoint(db, SIGNER, NOON)
    other = Signer(Ed25519PrivateKey.generate(), "ledger-2")

    assert (await make_checkpoint(db, other, NOON))["kid"] == "ledger-2"


async def test_nothing_is_signed_over_a_ledger_that_was_tampered_with(db):
    await write(db, 2)
    async with db.writing() as session:
        forged = {"seq": 3, "at": form.instant(NOON), "kind": "x", "body": "{}"}
        await session.execute(insert(ENTRIES), [{**forged, "prev": "0" * 64, "hash": "1" * 64}])
        await session.execute(update(HEAD).values(seq=3, hash="1" * 64))

    with pytest.raises(LedgerBrokenError) as broken:
        await make_checkpoint(db, SIGNER, NOON)

    assert broken.value.seq == 3


def an_app(db, now=NOON):
    return SimpleNamespace(
        db=db,
        clock=SimpleNamespace(now=lambda: now),
        state={"ledger_signer": Reread("ledger_key", lambda: SIGNER)},
    )


async def test_a_checkpoint_is_due_some_minutes_after_the_first_new_entry(db):
    assert await checkpoint_due(an_app(db)) is None
    await write(db)

    assert await checkpoint_due(an_app(db)) == NOON + EVERY
    assert await count(db, CHECKPOINTS) == 0

    await checkpoint_due(an_app(db, NOON + EVERY))

    assert await count(db, CHECKPOINTS) == 1
    assert await checkpoint_due(an_app(db, NOON + EVERY)) is None


async def test_many_entries_do_not_wait_for_the_minutes(db):
    await write(db, EVERY_ENTRIES)
    await checkpoint_due(an_app(db))

    assert await count(db, CHECKPOINTS) == 1
    assert verified(await an_export(db)) == EVERY_ENTRIES
