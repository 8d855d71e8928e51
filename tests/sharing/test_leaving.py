"""A partner gets other keys or leaves: what it has not read is taken back, and named."""

import pytest
from joserfc.jwk import OKPKey
from sqlalchemy import select

from messaging.errors import AwayError
from services.sharing import leaving
from services.sharing.children import keep_recipients
from services.sharing.ledger_tables import ENTRIES
from services.sharing.tables import Child, Partner, Recipient, Release

from .test_delivery import a_release, broker, db, lose_the_stream, world  # noqa: F401 - fixtures


async def partner_of(world) -> Partner:  # noqa: F811
    async with world.db.reading() as session:
        return await session.get(Partner, world.partner)


async def revoke(world) -> leaving.Left:  # noqa: F811
    return await leaving.revoke(world.app, await partner_of(world), "ops-1")


async def three_on_the_feed_one_read_one_waiting(world) -> None:  # noqa: F811
    """R-001 is read, R-002 and R-003 lie unread, R-004 has no number yet."""
    await world.permit(1, 2, 3)
    await world.deliver()
    await world.read(1)
    async with world.db.writing() as session:
        session.add(a_release("R-004", 4, "C-1", world.partner))


async def test_who_left_gets_nothing_more_and_what_it_has_is_named(world):  # noqa: F811
    await three_on_the_feed_one_read_one_waiting(world)
    told = await revoke(world)

    assert [one.release_id for one in told.taken.left] == ["R-001"]
    assert [one.release_id for one in told.taken.erased] == ["R-002", "R-003"]
    assert [one.release_id for one in told.cancelled] == ["R-004"]
    assert (told.children, told.delivered) == (1, 0)
    states = [await world.state_of(f"R-00{n}") for n in (1, 2, 3, 4)]
    assert states == ["sent", "erased", "erased", "cancelled"]
    async with world.db.reading() as session:
        child, row = await session.get(Child, "C-1"), await session.get(Partner, world.partner)
        recipient = await session.get(Recipient, ("C-1", world.partner))
    assert (child.epoch, child.dirty, recipient.active) == (2, True, False)
    assert row.next_number == 4
    assert row.former_nkeys == [row.nkey]
    assert {e["type"] for e in await world.read()} == {"homeward.void.v1"}


async def test_nothing_is_numbered_for_who_left_whatever_a_relay_had_begun(world):  # noqa: F811
    await world.permit(1, 2)

    async def leaves(_release_id: str) -> None:
        world.outlet.pause = no_pause
        await revoke(world)

    async def no_pause(*_: str) -> None:
        pass

    world.pause_at("decided", leaves)
    await world.deliver()
    await world.deliver()

    assert (await partner_of(world)).next_number == 1
    assert await world.read() == []
    assert [await world.state_of(f"R-00{n}") for n in (1, 2)] == ["cancelled", "cancelled"]


async def test_leaving_twice_is_leaving_once(world):  # noqa: F811
    await three_on_the_feed_one_read_one_waiting(world)
    await revoke(world)
    again = await revoke(world)

    assert (again.taken.erased, again.cancelled, again.children) == ([], [], 0)
    async with world.db.reading() as session:
        bodies = list(
            await session.scalars(select(ENTRIES.c.body).where(ENTRIES.c.kind == "partner"))
        )
    assert sum('"revoked"' in body for body in bodies) == 1


async def test_who_left_is_no_recipient_by_area_any_more(world):  # noqa: F811
    await world.permit(1)
    async with world.db.writing() as session:
        row = await session.get(Partner, world.partner)
        row.area = "northshire"
    told = await revoke(world)
    async with world.db.writing() as session:
        await keep_recipients(session, await session.get(Child, "C-1"))
    async with world.db.reading() as session:
        recipient = await session.get(Recipient, ("C-1", world.partner))

    assert recipient.active is False
    assert told.successor is False  # somebody has to be told that nobody hears of these children


async def test_leaving_works_when_the_feed_is_gone_or_the_broker_away(world):  # noqa: F811
    await three_on_the_feed_one_read_one_waiting(world)
    reached = world.outlet.feeds._jetstream

    def away():
        raise AwayError("broker", "not_connected")

    world.outlet.feeds._jetstream = away
    told = await revoke(world)
    # whoever could not look has to say that all of it may have left
    assert [one.release_id for one in told.taken.left] == ["R-001", "R-002", "R-003"]
    world.outlet.feeds._jetstream = reached
    await lose_the_stream(world)
    await world.deliver()

    assert "withdrawn" not in [await world.state_of(f"R-00{n}") for n in (1, 2, 3)]
    assert {e["type"] for e in await world.read()} <= {"homeward.void.v1"}


@pytest.mark.parametrize("lost", [False, True])
async def test_what_lies_unread_opens_with_the_former_key_or_is_released_anew(world, lost):  # noqa: F811
    await world.permit(1, 2)
    await world.deliver()
    former, world.key = world.key, OKPKey.generate_key("X25519")
    async with world.db.writing() as session:
        row = await session.get(Partner, world.partner)
        row.jwk = world.key.as_dict(private=False)
    taken = await leaving.release_anew(world.app, world.partner) if lost else None
    if not lost:
        await world.permit(3)
    await world.deliver()
    events = await world.read()

    if taken is not None:
        assert [one.number for one in taken.erased] == [1, 2]
        assert [e["type"] for e in events] == ["homeward.void.v1"] * 2
        async with world.db.reading() as session:
            assert (await session.get(Child, "C-1")).dirty  # decided anew: see releasing.release_id
        return
    new = world.opened(events[2])
    world.key = former
    assert [world.opened(e)["number"] for e in events[:2]] == [1, 2]
    assert new["number"] == 3


async def test_a_number_is_never_given_twice(world):  # noqa: F811
    await three_on_the_feed_one_read_one_waiting(world)
    await revoke(world)
    async with world.db.reading() as session:
        numbers = list(
            await session.scalars(select(Release.number).where(Release.number.is_not(None)))
        )

    assert sorted(numbers) == [1, 2, 3]
    assert (await partner_of(world)).next_number == 4
