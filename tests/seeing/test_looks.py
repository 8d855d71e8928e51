"""What a scrape looks up: cheap, right, zero rather than absent, and never in the way."""

import asyncio
import contextlib
import math
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import event
from support import tables

from messaging import gauges
from messaging.database import Database
from messaging.gauges import Family, Gauges, Look

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
TINY = {"SCAN CONSTANT ROW", "SCAN quarantine", "SCAN policy_active"}
"""A row for each restore of a backup, and one for the version of the policies that decides."""
SERVICES = ("referral", "scheduling", "sharing", "notify")


@pytest.fixture(autouse=True)
def plenty_of_time(monkeypatch):
    """A busy machine is no database that hangs."""
    monkeypatch.setattr(gauges, "WITHIN_S", 60.0)


@pytest.fixture(autouse=True)
def an_engine_with_our_policies(monkeypatch):
    """There is no engine here; which policies it has, `tests/sharing/test_policy_life.py` asks."""
    metrics = import_module("services.sharing.metrics")
    monkeypatch.setattr(metrics, "gate", lambda _app: SimpleNamespace(serves=True))


@pytest.fixture
async def a_database(database_url):
    """`await a_database(service)` returns that service's empty database and a clock at NOW."""
    made = []

    async def make(service: str) -> SimpleNamespace:
        await tables.make(database_url, service)
        app = SimpleNamespace(
            db=Database(database_url),
            clock=SimpleNamespace(now=lambda: NOW),
        )
        made.append(app.db)
        if service == "sharing":
            await add(app, in_force())
        return app

    yield make
    for db in made:
        await db.dispose()


async def taken(service: str, app) -> dict[tuple, float]:
    """Return what all looks of a service find: (name, label values) → value."""
    looks = Gauges(import_module(f"services.{service}.metrics").LOOKS)
    await looks.take(app)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in looks.collect()
        for sample in family.samples
    }


@pytest.mark.parametrize("service", SERVICES)
async def test_nothing_to_see_reads_zero_and_not_absent(a_database, service):
    found = await taken(service, await a_database(service))

    names = {name for name, *_ in found}
    looks = import_module(f"services.{service}.metrics").LOOKS
    absent = {f.name for look in looks for f in look.families} - names
    assert absent <= {"homeward_feed_unacknowledged", "homeward_feed_unacknowledged_oldest_seconds"}
    assert set(found.values()) == {0.0}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("service", SERVICES)
async def test_no_look_reads_a_whole_table(a_database, service, subtests):
    app = await a_database(service)
    if service == "sharing":
        await add(app, a_partner())
    statements: list[tuple] = []

    def note(_connection, _cursor, statement, parameters, *_rest) -> None:
        statements.append((statement, parameters))

    event.listen(app.db.engine.sync_engine, "before_cursor_execute", note)
    await taken(service, app)
    event.remove(app.db.engine.sync_engine, "before_cursor_execute", note)

    assert statements
    for statement, parameters in statements:
        with subtests.test(statement=statement[:80]):
            async with app.db.reading() as session:
                connection = await session.connection()
                plan = await connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", parameters
                )
                steps = [row[3] for row in plan]
            tables = [s for s in steps if s.startswith("SCAN") and "USING" not in s]
            assert [s for s in tables if "anon" not in s and s not in TINY] == []


async def test_clocks_are_near_before_they_are_missed_and_neither_once_met(a_database):
    from services.scheduling.tables import ClockRow

    app = await a_database("scheduling")
    for number, (hours, met) in enumerate([(2, False), (5, False), (-3, False), (-9, True)]):
        due_at = NOW + timedelta(hours=hours)
        await add(
            app,
            an_offer(f"EP-{number}", due_at),
            ClockRow(
                episode_id=f"EP-{number}", clock="contact", started_at=NOW, due_at=due_at,
                met_at=due_at if met else None, near_told=True, missed_told=True, met_told=met,
            ),
        )  # fmt: skip

    found = await taken("scheduling", app)

    assert found["homeward_clocks", "contact", "near"] == 1
    assert found["homeward_clocks", "contact", "missed"] == 1
    assert found["homeward_clock_overdue_seconds", "contact"] == 3 * 3600
    assert found["homeward_offers_open",] == 4


async def test_a_deadline_that_nobody_was_told_of_is_seen(a_database):
    from services.scheduling.tables import ClockRow

    app = await a_database("scheduling")
    await add(
        app,
        ClockRow(
            episode_id="EP-1", clock="rhi", started_at=NOW, due_at=NOW,
            next_at=NOW - timedelta(minutes=7),
        ),
    )  # fmt: skip

    assert (await taken("scheduling", app))["homeward_announcement_late_seconds",] == 420


async def test_a_feed_is_behind_by_what_its_partner_has_not_acknowledged(a_database):
    app = await a_database("sharing")
    await add(app, a_partner(), a_release("sent", 1, hours=5), a_release("sent", 2, hours=2))
    await add(app, a_release("delivered", 3, hours=90), a_release("queued", 4, hours=1))
    # taken back after the broker lost its disk: it may have been read before, and lies nowhere
    await add(app, a_release("sent", 5, hours=900, stream_seq=None))

    found = await taken("sharing", app)

    assert found["homeward_feed_unacknowledged", "northshire-police"] == 2
    oldest = found["homeward_feed_unacknowledged_oldest_seconds", "northshire-police"]
    assert oldest == 5 * 3600
    assert found["homeward_releases", "queued"] == 1
    assert found["homeward_release_oldest_seconds", "queued"] == 3600


async def test_an_urgent_hold_is_seen_until_somebody_acts(a_database):
    app = await a_database("sharing")
    await add(app, a_page("PG-1", minutes=20), a_page("PG-2", minutes=90, escalated_at=NOW))
    await add(app, a_page("PG-3", minutes=300, acted_at=NOW, taken_at=NOW))

    found = await taken("sharing", app)

    assert found["homeward_urgent_holds",] == 2
    assert found["homeward_urgent_holds_escalated",] == 1
    assert found["homeward_urgent_hold_oldest_seconds",] == 90 * 60
    assert found["homeward_page_not_taken_oldest_seconds",] == 90 * 60


async def test_entries_that_no_checkpoint_covers_are_seen_with_their_age(a_database):
    from services.sharing import ledger

    app = await a_database("sharing")
    async with app.db.writing() as session:
        await ledger.append_all(
            session, [("receipt", {"number": 1})] * 3, NOW - timedelta(minutes=40)
        )

    found = await taken("sharing", app)

    assert found["homeward_ledger_entries",] == found["homeward_ledger_unsigned_entries",] == 3
    assert found["homeward_ledger_unsigned_oldest_seconds",] == 40 * 60


async def test_a_look_that_hangs_or_fails_reads_nan_alone_and_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(gauges, "WITHIN_S", 0.05)
    monkeypatch.setattr(gauges, "FRESH_S", 0.0)
    begun, over = [], asyncio.Event()

    async def hangs(_app):
        begun.append(1)
        while not over.is_set():  # a driver whose server hangs does not let itself be cancelled
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()

    async def fails(_app):
        raise ValueError("Wren Ashdown")

    async def works(_app):
        return {"works": {(): 3.0}}

    looks = Gauges(
        [
            Look([Family("hangs", "", ("kind",), [("a",)])], hangs),
            Look([Family("fails", "")], fails),
            Look([Family("works", "")], works),
        ]
    )
    registry = CollectorRegistry()
    registry.register(looks)
    async with asyncio.timeout(5):
        await looks.take(None)
        await looks.take(None)
    text = generate_latest(registry).decode()
    over.set()
    values = dict(line.split(" ") for line in text.splitlines() if not line.startswith("#"))

    assert math.isnan(float(values['hangs{kind="a"}']))
    assert math.isnan(float(values["fails"]))
    assert (values["works"], values["homeward_looks_failed"]) == ("3.0", "2.0")
    assert begun == [1]
    assert "Wren" not in text


async def test_two_scrapes_at_once_share_one_look():
    begun = []

    async def looks(_app):
        begun.append(1)
        await asyncio.sleep(0.01)
        return {"a": {(): 3.0}}

    both = Gauges([Look([Family("a", "")], looks)])
    await asyncio.gather(both.take(None), both.take(None))

    assert begun == [1]
    assert [s.value for f in both.collect() for s in f.samples] == [3.0, 0.0]


async def add(app, *rows) -> None:
    async with app.db.writing() as session:
        session.add_all(rows)


def an_offer(episode_id: str, due_at: datetime):
    from services.scheduling.tables import Offer

    return Offer(
        episode_id=episode_id, id=f"OF-{episode_id}", child_id="CH-1", locality="northshire",
        setting="home", missing_from=NOW, returned_at=NOW, received_at=NOW,
        return_time_ambiguous=False, made_at=NOW, state="open", next_due_at=due_at,
        contact_due_at=due_at, rhi_due_at=due_at,
    )  # fmt: skip


def in_force():
    """Return what every `sharing` writes at its first start: which policies decide."""
    from services.sharing.policy_tables import PolicyActive

    return PolicyActive(id=1, digest="d", version="1", since=NOW)


def a_partner():
    from services.sharing.tables import Partner

    return Partner(
        key="northshire-police", type="police", role=None, area=None, nkey="U", jwk={}, added_at=NOW
    )


def a_release(state: str, number: int, hours: float, **changes):
    from services.sharing.tables import Release

    return Release(
        id=f"RE-{number}", decision_id="DE-1", child_id="CH-1", episode_id="EP-1", item_id="IT-1",
        item_version=1, category="harm", recipient="northshire-police",
        partner_key="northshire-police", epoch=1, recipient_version=1, policy_version="1",
        policy_digest="d", state=state, number=number, permitted_at=NOW - timedelta(hours=hours),
        **{"stream_seq": number} | changes,
    )  # fmt: skip


def a_page(page_id: str, minutes: float, **changes):
    from services.sharing.tables import Page

    raised_at = NOW - timedelta(minutes=minutes)
    return Page(
        id=page_id, child_id=f"CH-{page_id}", locality="northshire", to="dsl", code="urgent_hold",
        about=[], raised_at=raised_at, due_at=NOW, **changes,
    )  # fmt: skip
