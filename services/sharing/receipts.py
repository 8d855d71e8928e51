"""What partners have acknowledged: written down, and the sealed bytes let go; or it was lost."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from messaging.errors import AwayError
from messaging.telemetry import get_logger
from services.sharing import ledger
from services.sharing.feeds import Contents
from services.sharing.lost import lost_among, put_voids_again, send_again, unread
from services.sharing.outlet import Outlet
from services.sharing.quarantine import in_quarantine
from services.sharing.tables import DELIVERED, SENT, Release

log = get_logger()

EVERY = timedelta(seconds=10)
PAGE = 1000


async def receipts_due(app: App) -> datetime | None:
    """Look for receipts now and then (a `due` function); return when next."""
    now = app.clock.now()
    following: datetime | None = app.state.get("receipts_due")
    if following is not None and now < following <= now + EVERY:
        return following
    app.state["receipts_due"] = now + EVERY
    try:
        await take_receipts(app.state["outlet"])
    except AwayError as error:
        log.info("receipts.away", peer=error.who, reason=error.why)
    return now + EVERY


async def take_receipts(outlet: Outlet) -> None:
    """Note what each partner has acknowledged, and send again what was lost. Raises AwayError."""
    async with outlet.app.db.reading() as session:
        on_feed = or_(Release.state == SENT, Release.void_seq.is_not(None))
        chosen = select(Release.partner_key).where(Release.partner_key.is_not(None), on_feed)
        partners = (await session.scalars(chosen.distinct())).all()
    for partner in partners:
        await _take_receipts_of(outlet, str(partner))


async def _take_receipts_of(outlet: Outlet, partner: str) -> None:
    unread_and_lost = await _lost_in_this_run(outlet, partner)
    async with outlet.delivering(partner):
        contents = await outlet.feeds.contents(partner)
        if contents.last < await outlet.known_end(partner):
            await outlet.catch_up(partner)  # the stream was lost: its numbers mean nothing now
            outlet.app.wake("delivery")
            return
        position = await outlet.feeds.position(partner)
        passed = await _passed(outlet, partner, position.acknowledged)
        # what was acknowledged is gone: if it is there it is a message that cannot be read
        there = [release for release in passed if contents.holds(release.stream_seq or 0)]
        lost = await lost_among(outlet.feeds, partner, [*there, *unread_and_lost])
        async with outlet.app.db.writing() as session:
            await send_again(session, partner, lost)
            await _write_down(outlet, session, passed, without=lost)
        await _voids_passed(outlet, partner, position.acknowledged, contents)
        if not await in_quarantine(outlet.app):
            await put_voids_again(outlet, partner)


async def _lost_in_this_run(outlet: Outlet, partner: str) -> list[Release]:
    """Look, once in each run of the broker, for everything that is unread: it may not be there."""
    run = outlet.feeds.server()
    if outlet.looked_through.get(partner) == run:
        return []
    lost = await lost_among(outlet.feeds, partner, await unread(outlet, partner))
    outlet.looked_through[partner] = run
    return lost


async def _passed(outlet: Outlet, partner: str, acknowledged: int) -> Sequence[Release]:
    """Return sent releases that lie where the partner has acknowledged everything."""
    chosen = (
        select(Release)
        .where(Release.partner_key == partner, Release.state == SENT)
        .where(Release.stream_seq <= acknowledged)
        .order_by(Release.number)
        .limit(PAGE)
    )
    async with outlet.app.db.reading() as session:
        return (await session.scalars(chosen)).all()


async def _write_down(
    outlet: Outlet, session: AsyncSession, passed: Sequence[Release], without: Sequence[Release]
) -> None:
    lost = {release.id for release in without}
    ids = [release.id for release in passed if release.id not in lost]
    chosen = select(Release).where(Release.id.in_(ids), Release.state == SENT)
    entries, now = [], outlet.app.clock.now()
    for release in await session.scalars(chosen.order_by(Release.number).with_for_update()):
        release.state, release.delivered_at, release.sealed = DELIVERED, now, None
        entry = {
            "release_id": release.id,
            "recipient": release.recipient,
            "number": release.number,
            "how": "feed",
        }
        entries.append(("receipt", entry))
    await ledger.append_all(session, entries, now)


async def _voids_passed(
    outlet: Outlet, partner: str, acknowledged: int, contents: Contents
) -> None:
    """Let go of voids that were acknowledged; one that is there and cannot be read was lost."""
    placed = (Release.partner_key == partner, Release.void_seq > 0)
    chosen = select(Release.id, Release.void_seq).where(*placed, Release.void_seq <= acknowledged)
    async with outlet.app.db.reading() as session:
        voids = (await session.execute(chosen)).all()
    for release_id, place in voids:
        seq = int(place or 0)
        lost = contents.holds(seq) and await outlet.feeds.message(partner, seq) is None
        if lost and not (await outlet.feeds.contents(partner)).holds(seq):
            lost = False  # it was acknowledged just now
        done = update(Release).where(*placed, Release.id == release_id)
        async with outlet.app.db.writing() as session:
            await session.execute(done.values(void_seq=0 if lost else None))
