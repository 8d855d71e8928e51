"""One event's way from one service's transaction to another's effect, and what may go wrong."""

import asyncio
import shutil
import time
from itertools import pairwise

import pytest
from sqlalchemy import select, update
from support import postgres
from support.broker import new_user
from support.running import eventually
from support.small_services import an_episode, effects, takes, tell

from contracts.referral import EpisodeReferred
from messaging import consuming
from messaging.errors import AwayError, NotYetError
from messaging.nats_config import reload
from messaging.provision import provision
from messaging.schema import inbox, outbox
from messaging.subscriptions import Subscriptions


async def published(nats, event, body: bytes | None = None, msg_id: str | None = None) -> None:
    """Publish straight to the stream, past outbox and broker-side deduplication."""
    client = await nats.connect("provisioner")
    headers = {"Nats-Msg-Id": msg_id} if msg_id else None
    await client.jetstream().publish(
        EpisodeReferred.subject, body or event.model_dump_json().encode(), headers=headers
    )
    await client.close()


async def dead_letters(nats, service: str):
    client = await nats.connect("provisioner")
    js = client.jetstream()
    state = (await js.stream_info(f"DLQ_{service.upper()}")).state
    found = [await js.get_msg(f"DLQ_{service.upper()}", n + 1) for n in range(state.messages)]
    await client.close()
    return found


async def test_what_is_told_is_done_within_moments(small):
    teller = await small("referral")
    hearer = await small("scheduling", events=takes())

    began = time.monotonic()
    await tell(teller.app, an_episode(1))
    await eventually(lambda: _done(hearer.app, 1))

    assert time.monotonic() - began < 0.5
    await teller.at_rest()
    await hearer.at_rest()


async def _done(app, count: int) -> bool:
    return len(set(await effects(app))) >= count


async def test_an_event_told_before_its_hearer_ever_ran_is_not_lost(small):
    teller = await small("referral")
    await tell(teller.app, an_episode(1), an_episode(2))
    await teller.at_rest()

    hearer = await small("scheduling", events=takes())
    await eventually(lambda: _done(hearer.app, 2))


async def test_a_transaction_that_fails_tells_nobody(small):
    teller = await small("referral")
    try:
        async with teller.app.db.writing() as session:
            from messaging.transaction import emit

            await emit(session, an_episode(1))
            raise RuntimeError
    except RuntimeError:
        pass

    async with teller.app.db.reading() as session:
        assert (await session.execute(select(outbox))).all() == []


async def test_events_delivered_again_and_out_of_order_have_one_effect_each(
    small, nats, database_url
):
    hearer = await small(
        "scheduling",
        events=takes(),
        settings=small.settings("scheduling", database_url=database_url),
    )
    events = [an_episode(n) for n in range(30)]
    for event in [*events[::-1], *events, *events[10:20]]:
        await published(nats, event)
    await eventually(lambda: _done(hearer.app, 30), 20)
    await hearer.at_rest()

    assert sorted(await effects(hearer.app)) == sorted(e.id for e in events)


async def test_a_relay_that_dies_before_marking_sends_again_without_a_second_effect(
    small, database_url
):
    teller = await small("referral", settings=small.settings("referral", database_url=database_url))
    hearer = await small("scheduling", events=takes())
    await tell(teller.app, *(an_episode(n) for n in range(20)))
    await teller.at_rest()

    async with teller.app.db.writing() as session:  # as if the mark had never been committed
        await session.execute(update(outbox).values(sent_at=None))
    teller.app.wake("relay")
    await eventually(lambda: _done(hearer.app, 20))
    await teller.at_rest()
    await hearer.at_rest()

    assert len(await effects(hearer.app)) == 20


async def test_a_row_committed_late_with_a_lower_number_is_sent(small, postgres_url, nats):
    url = postgres.new_database(postgres_url)
    teller = await small("referral", settings=small.settings("referral", database_url=url))
    hearer = await small("scheduling", events=takes())
    async with teller.app.db.writing() as slow:
        from messaging.transaction import emit

        await emit(slow, an_episode(1))
        await tell(teller.app, an_episode(2))
        await eventually(lambda: _done(hearer.app, 1))
    await eventually(lambda: _done(hearer.app, 2))

    await teller.stop()
    small.running.remove(teller)
    postgres.drop_database(url)


async def test_bytes_that_are_no_event_are_put_aside_as_they_came_and_the_rest_goes_on(small, nats):
    hearer = await small("scheduling", events=takes())
    await published(nats, None, b'{"id": "EV-1", "child": "\xff no event')
    await published(nats, an_episode(2))
    await eventually(lambda: _done(hearer.app, 1))
    [letter] = await eventually(lambda: dead_letters(nats, "scheduling"))

    assert letter.data == b'{"id": "EV-1", "child": "\xff no event'
    assert letter.subject == f"dlq.scheduling.{EpisodeReferred.subject}"
    assert letter.headers["Homeward-Reason"] == "unparseable"
    await hearer.at_rest()


async def test_an_event_that_fails_eight_times_is_put_aside(small, nats, monkeypatch):
    monkeypatch.setattr(consuming, "_FAILED_FIRST_S", 0.02)
    tried = []

    async def fails(event) -> None:
        if event.id == "EV-1":
            tried.append(time.monotonic())
            raise LookupError("the text of an error may be about a child")

    hearer = await small("scheduling", events=takes(before=fails))
    await published(nats, an_episode(1))
    await published(nats, an_episode(2))
    await eventually(lambda: dead_letters(nats, "scheduling"), 20)

    assert len(tried) == consuming.FAILURES_MAX
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert sum(pauses[4:]) > 2 * sum(pauses[:4])
    assert await effects(hearer.app) == ["EV-2"]
    [letter] = await dead_letters(nats, "scheduling")
    assert letter.headers["Homeward-Error"] == "LookupError"
    assert "about a child" not in str(letter.headers)


async def test_what_only_waits_is_never_put_aside(small, nats, monkeypatch):
    monkeypatch.setattr(consuming, "_WAITS_LONGEST_S", 0.02)
    tried = 0

    async def away(event) -> None:
        nonlocal tried
        tried += 1
        if tried <= 30:
            raise AwayError("engine") if tried % 2 else NotYetError

    hearer = await small("scheduling", events=takes(before=away))
    await published(nats, an_episode(1))
    await eventually(lambda: _done(hearer.app, 1), 20)

    assert tried == 31
    assert await dead_letters(nats, "scheduling") == []


async def test_a_failure_after_long_waiting_still_has_its_eight_tries(small, nats, monkeypatch):
    monkeypatch.setattr(consuming, "_WAITS_LONGEST_S", 0.01)
    monkeypatch.setattr(consuming, "_FAILED_FIRST_S", 0.01)
    tried = 0

    async def away_then_wrong(event) -> None:
        nonlocal tried
        tried += 1
        if tried <= 12:
            raise AwayError
        if tried <= 12 + 5:
            raise LookupError

    hearer = await small("scheduling", events=takes(before=away_then_wrong))
    await published(nats, an_episode(1))
    await eventually(lambda: _done(hearer.app, 1), 20)

    assert await dead_letters(nats, "scheduling") == []


def test_pauses_grow_and_are_bounded():
    failed = [consuming.delay_s(n, waits=False) for n in range(1, 30)]
    waits = [consuming.delay_s(n, waits=True) for n in range(1, 200)]

    assert failed[0] < 1 < failed[3] < failed[6]
    assert max(failed) <= 72
    assert max(waits) <= 12


async def test_a_busy_database_makes_an_event_wait_not_die(small, nats, monkeypatch):
    monkeypatch.setattr("messaging.sqlite.BUSY_S", 0.02)
    hearer = await small("scheduling", events=takes())
    import sqlite3

    held = sqlite3.connect(
        hearer.app.db.url.database, isolation_level=None, check_same_thread=False
    )
    # in a thread: the service that may just be writing needs this loop to end its transaction
    await asyncio.to_thread(held.execute, "BEGIN IMMEDIATE")
    await published(nats, an_episode(1))
    await asyncio.sleep(1.0)
    held.execute("ROLLBACK")
    await eventually(lambda: _done(hearer.app, 1), 15)

    assert await dead_letters(nats, "scheduling") == []


async def test_two_handlers_of_one_event_each_take_it_once(small, nats):
    events = Subscriptions()
    tried = {"first": 0, "second": 0}

    def handler(name: str):
        from support.small_services import Effect

        from messaging.transaction import handling

        @events.on(EpisodeReferred, by=f"scheduling.{name}")
        async def take(event, app) -> None:
            tried[name] += 1
            if name == "second" and tried[name] == 1:
                raise AwayError
            async with handling(app.db, event, by=f"scheduling.{name}") as session:
                session.add(Effect(event_id=f"{name} {event.id}"))

    handler("first")
    handler("second")
    hearer = await small("scheduling", events=events)
    await published(nats, an_episode(1))
    await eventually(lambda: _done(hearer.app, 2))

    assert sorted(await effects(hearer.app)) == ["first EV-1", "second EV-1"]


async def test_a_broker_that_crashes_loses_nothing(small, nats):
    teller = await small("referral")
    hearer = await small("scheduling", events=takes())
    for burst in range(3):
        await tell(teller.app, *(an_episode(burst * 50 + n) for n in range(50)))
        nats.stop(hard=True)
        await tell(teller.app, an_episode(1000 + burst))
        nats.start()
    await eventually(lambda: _done(hearer.app, 153), 40)
    await teller.at_rest(20)
    await hearer.at_rest(40)

    assert len(await effects(hearer.app)) == 153


async def test_a_service_that_starts_before_the_broker_waits_for_it(small, nats):
    nats.stop()
    hearer = await small("scheduling", events=takes(), wait=False)
    await asyncio.sleep(0.5)
    assert (await hearer._client.get("/health")).status_code == 200
    assert (await hearer._client.get("/ready")).status_code == 503
    nats.start()
    await hearer.until_ready()


async def test_a_broker_that_lost_its_disk_is_provisioned_again_and_goes_on(small, nats):
    teller = await small("referral")
    hearer = await small("scheduling", events=takes())
    nats.stop(hard=True)
    shutil.rmtree(nats.store)
    nats.start()
    await tell(teller.app, an_episode(1))
    await asyncio.sleep(0.5)
    assert (await hearer._client.get("/ready")).status_code == 503
    await nats.provision()
    await eventually(lambda: _done(hearer.app, 1), 20)
    await hearer.until_ready()


async def test_a_service_that_stops_finishes_what_it_has_begun(small, nats):
    begun = asyncio.Event()

    async def slow(event) -> None:
        begun.set()
        await asyncio.sleep(0.3)

    hearer = await small("scheduling", events=takes(before=slow))
    await published(nats, an_episode(1))
    await begun.wait()
    settings = hearer.app.settings
    await hearer.stop()
    small.running.remove(hearer)

    from messaging.database import Database

    db = Database(settings.database_url)
    async with db.reading() as session:
        assert len((await session.execute(select(inbox))).all()) == 1
    await db.dispose()
    client = await nats.connect("provisioner")
    info = await client.jetstream().consumer_info("EVT_REFERRAL", "scheduling-referral")
    await client.close()
    assert (info.num_ack_pending, info.num_pending) == (0, 0)


async def test_a_service_that_starts_again_hears_at_once_what_was_told_meanwhile(small, nats):
    hearer = await small("scheduling", events=takes())
    await hearer.stop()
    small.running.remove(hearer)
    await published(nats, an_episode(1))

    hearer = await small("scheduling", events=takes())
    await eventually(lambda: _done(hearer.app, 1), 5)


async def test_a_slow_handler_that_lives_keeps_its_event(small, nats, monkeypatch):
    monkeypatch.setattr(consuming, "_BEATS", 50)
    short = nats.topology.durables.model_copy(update={"ack_wait_s": 1})
    changed = nats.topology.model_copy(update={"durables": short})
    await provision(nats.url, nats.seed("provisioner"), changed, [])
    tried = []

    async def slow(event) -> None:
        tried.append(event.id)
        await asyncio.sleep(2.5)

    hearer = await small("scheduling", events=takes(before=slow))
    await published(nats, an_episode(1))
    await eventually(lambda: _done(hearer.app, 1), 10)
    await hearer.at_rest()

    assert tried == ["EV-1"]


async def test_what_arrives_while_a_service_stops_is_not_held_up(small, nats):
    hearer = await small("scheduling", events=takes())
    settings = hearer.app.settings
    stopping = asyncio.create_task(hearer.stop())
    small.running.remove(hearer)
    count = 0
    while not stopping.done():
        await published(nats, an_episode(count))
        count += 1
    await stopping

    hearer = await small("scheduling", events=takes(), settings=settings)
    await eventually(lambda: _done(hearer.app, count), 5)


async def test_a_postgres_that_goes_away_makes_events_wait_not_die(small, nats, monkeypatch):
    monkeypatch.setattr(consuming, "FAILURES_MAX", 2)
    monkeypatch.setattr(consuming, "_FAILED_FIRST_S", 0.05)
    try:
        with postgres.own() as server:
            url = postgres.new_database(server.url)
            settings = small.settings("scheduling", database_url=url)
            hearer = await small("scheduling", events=takes(), settings=settings)
            await published(nats, an_episode(1))
            await eventually(lambda: _done(hearer.app, 1))
            server.stop()
            for number in range(2, 12):
                await published(nats, an_episode(number))
            await asyncio.sleep(1.5)
            assert (await hearer._client.get("/health")).status_code == 200
            assert (await hearer._client.get("/ready")).status_code == 503
            server.start()
            await eventually(lambda: _done(hearer.app, 11), 20)
            assert await dead_letters(nats, "scheduling") == []
            await hearer.stop()
            small.running.remove(hearer)
    except postgres.NoPostgresError as reason:
        pytest.skip(f"no Postgres: {reason}")


async def test_a_service_that_the_broker_did_not_know_for_a_while_comes_back(small, nats):
    hearer = await small("scheduling", events=takes())
    known = nats.users["scheduling"]
    nats.users["scheduling"] = new_user(nats.seed("somebody"))
    nats.configure()
    await reload(nats.process.pid)
    await asyncio.sleep(2.5)
    assert (await hearer._client.get("/ready")).status_code == 503
    nats.users["scheduling"] = known
    nats.configure()
    await reload(nats.process.pid)
    await published(nats, an_episode(1))

    await eventually(lambda: _done(hearer.app, 1), 20)
    await hearer.until_ready()
