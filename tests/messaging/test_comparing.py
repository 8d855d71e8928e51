"""What a service lacks of what it was told, it finds by itself and has told again."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update
from support import postgres
from support.running import eventually
from support.small_services import an_episode, effects, takes, tell

from contracts.referral import EpisodeReferred
from messaging import comparing
from messaging.comparing import compare_with
from messaging.errors import NotYetError
from messaging.provision import provision
from messaging.schema import inbox, lacking, outbox
from messaging.standing import Event, compared_up_to, lacking_of, standing
from messaging.subscriptions import Subscriptions
from messaging.transaction import emit, handling

PUBLISHER = "referral"


@pytest.fixture
def hears(small):
    """`await hears(teller, events=…)` runs a consumer that can ask its publisher."""

    async def start(teller, *, wait=True, every_s=3_600.0, events=None, **changes):
        settings = small.settings(
            "scheduling",
            peers={PUBLISHER: teller.url},
            tokens=small.issuer.edges(small.directory, "scheduling", [PUBLISHER]),
            compare_every_s=every_s,
            **changes,
        )
        return await small("scheduling", settings=settings, events=events or takes(), wait=wait)

    return start


async def lost(app, *events) -> None:
    """Have events marked as sent that no broker holds."""
    async with app.db.writing() as session:
        for event in events:
            await emit(session, event)
        await session.execute(update(outbox).values(sent_at=datetime.now(UTC)))


async def lose_disk(nats) -> None:
    """Kill the broker, delete everything it held, start it, and provision it again."""
    nats.stop(hard=True)
    shutil.rmtree(nats.store)
    nats.start()
    await provision(nats.url, nats.seed("provisioner"), nats.topology, [])


async def test_what_the_broker_lost_before_it_was_heard_is_told_again(
    small, nats, hears, request, database_url
):
    where = {}
    if database_url.startswith("postgresql"):
        where["database_url"] = postgres.new_database(request.getfixturevalue("postgres_url"))
    teller = await small(PUBLISHER, settings=small.settings(PUBLISHER, **where))
    await tell(teller.app, *(an_episode(n) for n in range(20)))
    await teller.at_rest()

    await lose_disk(nats)
    hearer = await hears(teller, database_url=database_url)
    await eventually(lambda: _has(hearer.app, 20), 20)
    await hearer.at_rest()

    assert sorted(await effects(hearer.app)) == sorted(f"EV-{n}" for n in range(20))
    await compare_with(hearer.app, PUBLISHER)
    assert await lacking_of(hearer.app, PUBLISHER) == []


async def test_a_broker_that_comes_back_empty_under_running_services_costs_nothing(
    small, nats, hears
):
    teller = await small(PUBLISHER)
    known = False

    async def once_known(_) -> None:
        if not known:
            raise NotYetError

    hearer = await hears(teller, events=takes(before=once_known))
    await tell(teller.app, an_episode(1), an_episode(2))
    await teller.at_rest()

    await lose_disk(nats)
    known = True
    await eventually(lambda: _has(hearer.app, 2), 30)

    assert sorted(await effects(hearer.app)) == ["EV-1", "EV-2"]


async def test_only_what_is_new_is_asked_for(small, hears):
    teller = await small(PUBLISHER)
    hearer = await hears(teller)
    await tell(teller.app, an_episode(1))
    await eventually(lambda: _has(hearer.app, 1))
    async with teller.app.db.writing() as session:  # told and heard long ago
        old = datetime.now(UTC) - timedelta(days=2)
        await session.execute(update(outbox).values(sent_at=old))
    async with hearer.app.db.writing() as session:
        await session.execute(delete(inbox))
    await tell(teller.app, an_episode(2))
    await eventually(lambda: _has(hearer.app, 2))
    await teller.at_rest()

    assert not await compare_with(hearer.app, PUBLISHER)  # never compared before: all of it
    assert [row.event_id for row in await lacking_of(hearer.app, PUBLISHER)] == ["EV-1"]
    async with hearer.app.db.writing() as session:
        await session.execute(delete(lacking))
    assert await compared_up_to(hearer.app, PUBLISHER) is not None
    assert await compare_with(hearer.app, PUBLISHER)


async def test_what_waits_is_on_its_way_and_not_told_again(small, hears):
    async def never(_) -> None:
        raise NotYetError

    teller = await small(PUBLISHER)
    hearer = await hears(teller, events=takes(before=never))
    await tell(teller.app, an_episode(1))
    await teller.at_rest()

    assert not await compare_with(hearer.app, PUBLISHER)
    found = await standing(hearer.app, PUBLISHER, [Event("EV-1", EpisodeReferred.subject)])

    assert (found.under_way, found.missing) == (["EV-1"], [])
    assert [row.asks for row in await lacking_of(hearer.app, PUBLISHER)] == [0]


async def test_what_is_lost_while_something_else_waits_for_long_is_told_again(
    small, hears, monkeypatch
):
    async def first_waits(event) -> None:
        if event.id == "EV-1":
            raise NotYetError

    teller = await small(PUBLISHER)
    hearer = await hears(teller, events=takes(before=first_waits))
    await tell(teller.app, an_episode(1))
    await teller.at_rest()
    await lost(teller.app, an_episode(2))
    monkeypatch.setattr(comparing, "STUCK", timedelta(0))

    await compare_with(hearer.app, PUBLISHER)
    await eventually(lambda: _has(hearer.app, 1))

    assert await effects(hearer.app) == ["EV-2"]


async def test_what_was_put_aside_is_named_and_not_told_again(small, hears, monkeypatch):
    monkeypatch.setattr("messaging.consuming.FAILURES_MAX", 1)

    async def fails(_) -> None:
        raise RuntimeError

    teller = await small(PUBLISHER)
    hearer = await hears(teller, events=takes(before=fails))
    await tell(teller.app, an_episode(1))
    await teller.at_rest()
    await hearer.at_rest()

    assert await compare_with(hearer.app, PUBLISHER)
    found = await standing(hearer.app, PUBLISHER, [Event("EV-1", EpisodeReferred.subject)])
    assert (found.aside, found.missing) == (["EV-1"], [])
    assert [row.asks for row in await lacking_of(hearer.app, PUBLISHER)] == [0]


async def test_what_is_told_again_and_lost_again_is_asked_for_later_and_later(small, hears):
    teller = await small(PUBLISHER)
    hearer = await hears(teller, events=takes())
    await lost(teller.app, an_episode(1))
    async with hearer.app.db.writing() as session:  # asked for just now, in vain
        now = datetime.now(UTC)
        await session.execute(lacking.insert().values(
            publisher=PUBLISHER, event_id="EV-1", subject=EpisodeReferred.subject,
            found_at=now, asks=3, again_at=now + timedelta(minutes=8),
        ))  # fmt: skip

    assert not await compare_with(hearer.app, PUBLISHER)
    assert await effects(hearer.app) == []

    async with hearer.app.db.writing() as session:
        await session.execute(update(lacking).values(again_at=now))
    await compare_with(hearer.app, PUBLISHER)
    (row,) = await lacking_of(hearer.app, PUBLISHER)
    assert (row.asks, row.again_at > now + timedelta(minutes=7)) == (4, True)
    await eventually(lambda: _has(hearer.app, 1))


async def test_each_handler_has_to_have_taken_it_but_not_one_that_is_newer(small, hears):
    events = takes(by="scheduling.first")

    @events.on(EpisodeReferred, by="scheduling.second")
    async def second(event: EpisodeReferred, app) -> None:
        async with handling(app.db, event, by="scheduling.second"):
            pass

    teller = await small(PUBLISHER)
    hearer = await hears(teller, events=events)
    now = datetime.now(UTC)
    async with hearer.app.db.writing() as session:
        for event_id, by in (
            ("EV-new", "first"), ("EV-old", "first"),
            ("EV-both", "first"), ("EV-both", "second"),
            ("EV-renamed", "first"), ("EV-renamed", "second"), ("EV-renamed", "third"),
        ):  # fmt: skip
            await session.execute(
                inbox.insert().values(event_id=event_id, handler=f"scheduling.{by}", handled_at=now)
            )
    await tell(teller.app, an_episode(1))
    await eventually(lambda: _has(hearer.app, 1))
    await teller.at_rest()
    await compare_with(hearer.app, PUBLISHER)

    long_ago = now - timedelta(days=1)
    found = await standing(hearer.app, PUBLISHER, [
        Event("EV-new", EpisodeReferred.subject, now),
        Event("EV-old", EpisodeReferred.subject, long_ago),
        Event("EV-both", EpisodeReferred.subject, now),
        Event("EV-renamed", EpisodeReferred.subject, now),
    ])  # fmt: skip

    assert found.missing == ["EV-new"]
    assert found.double == ["EV-renamed"]


async def test_an_event_that_this_version_cannot_take_is_not_taken(small, hears):
    teller = await small(PUBLISHER)
    hearer = await hears(teller, events=Subscriptions())
    await tell(teller.app, an_episode(1))
    await teller.at_rest()

    found = await standing(hearer.app, PUBLISHER, [Event("EV-1", EpisodeReferred.subject)])

    assert found.under_way == ["EV-1"]


async def test_what_is_told_again_reaches_a_broker_that_remembers_its_id(small, nats):
    teller = await small(PUBLISHER)
    await tell(teller.app, an_episode(1))
    await teller.at_rest()

    body = {"consumer": "scheduling", "event_ids": ["EV-1", "EV-none"]}
    answers = [await teller.call("POST", "/told/again", body) for _ in range(2)]

    client = await nats.connect("provisioner")
    state = (await client.jetstream().stream_info("EVT_REFERRAL")).state
    await client.close()
    assert [a.json() for a in answers] == [{"told": ["EV-1"], "unknown": ["EV-none"]}] * 2
    assert state.messages == 2  # and a repeat at once is no third


async def test_a_list_of_what_was_told_goes_on_where_it_ended(small):
    teller = await small(PUBLISHER)
    await tell(teller.app, *(an_episode(n) for n in range(7)))
    await teller.at_rest()

    seen, after = [], None
    while after is not None or not seen:
        asked = {"consumer": "scheduling", "limit": 3} | ({"after": after} if after else {})
        page = (await teller.call("GET", "/told", params=asked)).json()
        seen += [item["event_id"] for item in page["items"]]
        after = page["next"]

    assert sorted(seen) == sorted(f"EV-{n}" for n in range(7))
    assert set(page["items"][0]) == {"seq", "event_id", "subject", "sent_at"}


async def test_only_ops_and_a_consumer_for_itself_may_ask(small):
    teller = await small(PUBLISHER)

    for role, sub, consumer, status in (
        ("ops", "ops-1", "scheduling", 200),
        ("ops", "ops-1", "nobody", 404),
        ("ops", "ops-1", "notify", 404),
        ("service", "scheduling", "scheduling", 200),
        ("service", "scheduling", "sharing", 403),
        ("service", "notify", "notify", 403),
        ("manager", "manager-1", "scheduling", 403),
    ):
        body = {"consumer": consumer, "event_ids": []}
        listed = await teller.call(
            "GET", "/told", role=role, sub=sub, params={"consumer": consumer}
        )
        again = await teller.call("POST", "/told/again", body, role=role, sub=sub)
        assert (listed.status_code, again.status_code) == (status, status), (sub, consumer)


async def test_a_time_that_no_calendar_holds_is_refused(small):
    teller = await small(PUBLISHER)

    for since in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-27T12:00:00"):
        asked = {"consumer": "scheduling", "since": since}
        assert (await teller.call("GET", "/told", params=asked)).status_code == 422


async def _has(app, count: int) -> bool:
    return len(await effects(app)) >= count


async def test_ops_see_how_a_service_stands_with_its_publishers(small, hears):
    teller = await small(PUBLISHER)
    hearer = await hears(teller)
    await lost(teller.app, an_episode(1))
    (told,) = (await teller.call("GET", "/told", params={"consumer": "scheduling"})).json()["items"]
    events = [{key: told[key] for key in ("event_id", "subject", "sent_at")}]

    body = {"publisher": PUBLISHER, "events": events}
    answer = (await hearer.call("POST", "/handled", body)).json()
    state = (await hearer.call("GET", "/handled", params={"publisher": PUBLISHER})).json()
    refused = await hearer.call("POST", "/handled", body, role="manager")
    unknown = await hearer.call("GET", "/handled", params={"publisher": "notify"})

    assert answer == {"missing": ["EV-1"], "under_way": [], "aside": [], "double": []}
    assert state["lacking"] == 0
    assert (refused.status_code, unknown.status_code) == (403, 404)
    async with hearer.app.db.reading() as session:
        assert (await session.execute(select(lacking))).all() == []
