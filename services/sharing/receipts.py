"""What partners have acknowledged: written down, and the sealed bytes let go."""

from datetime import datetime, timedelta

from sqlalchemy import select

from messaging.app import App
from messaging.errors import AwayError
from messaging.telemetry import get_logger
from services.sharing import ledger
from services.sharing.outlet import Outlet
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
    """Note what each partner has acknowledged. Raises AwayError."""
    async with outlet.app.db.reading() as session:
        chosen = select(Release.partner_key).where(
            Release.partner_key.is_not(None), Release.state == SENT
        )
        partners = (await session.scalars(chosen.distinct())).all()
    for partner in partners:
        await _take_receipts_of(outlet, str(partner))


async def _take_receipts_of(outlet: Outlet, partner: str) -> None:
    async with outlet.delivering(partner):
        end, _ = await outlet.feeds.end(partner)
        if end < await outlet.known_end(partner):
            await outlet.catch_up(partner)  # the stream was lost: its numbers mean nothing now
            outlet.app.wake("delivery")
            return
        position = await outlet.feeds.position(partner)
        now = outlet.app.clock.now()
        async with outlet.app.db.writing() as session:
            chosen = (
                select(Release)
                .where(Release.partner_key == partner, Release.state == SENT)
                .where(Release.stream_seq <= position.acknowledged)
                .order_by(Release.number)
                .limit(PAGE)
                .with_for_update()
            )
            entries = []
            for release in await session.scalars(chosen):
                release.state, release.delivered_at, release.sealed = DELIVERED, now, None
                entry = {
                    "release_id": release.id,
                    "recipient": release.recipient,
                    "number": release.number,
                    "how": "feed",
                }
                entries.append(("receipt", entry))
            await ledger.append_all(session, entries, now)
