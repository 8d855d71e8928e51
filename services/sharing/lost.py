"""Releases that lie on no feed any more, though their partner cannot have acknowledged them.

A broker drops a message whose bytes were damaged, or all behind it, when it starts; and where it
notices only on reading, it passes over it. The partner's position then goes past a release that
nobody ever read: below it, nothing is proof.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.database import wake
from messaging.telemetry import get_logger
from services.sharing.feeds import Feeds
from services.sharing.outlet import Outlet
from services.sharing.tables import CLAIMED, QUEUED, SENT, WITHDRAWN, Partner, Release
from services.sharing.taking_back import put_void_after

log = get_logger()

GAPS_MAX = 1000
PAGE = 1000


async def lost_among(feeds: Feeds, partner: str, sent: Iterable[Release]) -> list[Release]:
    """Return which of these were lost before they were acknowledged. Raises AwayError.

    First it is looked what is not there, only then what was handed out and what the broker counts
    as there: acknowledging removes a message for good, losing it does not.
    """
    gone = []
    for release in sent:
        if release.stream_seq is None:
            continue  # taken back after a loss: it lies nowhere
        there = await feeds.message(partner, release.stream_seq)
        if there is None or there.msg_id != release.id:
            gone.append(release)
    if not gone:
        return []
    position = await feeds.position(partner)
    contents = await feeds.contents(partner)
    return [
        release
        for release in gone
        if release.stream_seq is not None
        and (release.stream_seq > position.delivered or contents.holds(release.stream_seq))
    ]


async def unread(outlet: Outlet, partner: str) -> Sequence[Release]:
    """Return what was sent to a partner and not acknowledged, as far as is written down."""
    async with outlet.app.db.reading() as session:
        found: list[Release] = []
        while True:
            chosen = select(Release).where(
                Release.partner_key == partner,
                Release.state == SENT,
                Release.stream_seq.is_not(None),  # else it was taken back after a loss
            )
            if found:
                chosen = chosen.where(Release.number > found[-1].number)
            page = (await session.scalars(chosen.order_by(Release.number).limit(PAGE))).all()
            found += page
            if len(page) < PAGE:
                return found


async def send_again(session: AsyncSession, partner: str, lost: Sequence[Release]) -> int:
    """Queue lost releases once more, with their numbers and bytes; return how many.

    `sent_at` stays: a withdrawal names what may have been read. Whether a release still stands is
    asked again before it goes out.
    """
    ids = [release.id for release in lost]
    again = (
        update(Release)
        .where(Release.id.in_(ids), Release.state == SENT, Release.sealed.is_not(None))
        .values(state=CLAIMED, stream_seq=None)
        .execution_options(synchronize_session=False)
    )
    count = int((await session.execute(again)).rowcount)  # type: ignore[attr-defined] # an UPDATE
    if count:
        log.warning("delivery.lost", partner=partner, count=count)
        wake(session, "delivery")
    return count


async def put_voids_again(outlet: Outlet, partner: str) -> None:
    """Put the voids that a broker lost into the feed once more. Raises AwayError."""
    async with outlet.app.db.reading() as session:
        chosen = select(Release).where(Release.partner_key == partner, Release.void_seq == 0)
        lost = (await session.scalars(chosen.order_by(Release.number))).all()
    for release in lost:
        seq = await put_void_after(outlet, release)
        again = update(Release).where(Release.id == release.id, Release.void_seq == 0)
        async with outlet.app.db.writing() as session:
            await session.execute(again.values(void_seq=seq))


async def waiting(outlet: Outlet, partner: str) -> int:
    """Return how many releases are permitted or numbered and not on the feed yet."""
    under_way = Release.state.in_((QUEUED, CLAIMED, WITHDRAWN))
    chosen = select(func.count()).where(Release.partner_key == partner, under_way)
    async with outlet.app.db.reading() as session:
        return int(await session.scalar(chosen) or 0)


async def gaps(outlet: Outlet, partner: str) -> list[int]:
    """Return numbers that were given to no release, at most `GAPS_MAX`; there should be none."""
    mine = (Release.partner_key == partner, Release.number.is_not(None))
    async with outlet.app.db.reading() as session:
        row = await session.get(Partner, partner)
        count = int(await session.scalar(select(func.count()).where(*mine)) or 0)
        if row is None or count == row.next_number - 1:
            return []
        chosen = select(Release.number).where(*mine)
        known = {number for number in await session.scalars(chosen) if number is not None}
    wanted = range(1, max(row.next_number, *known, 1))
    return [number for number in wanted if number not in known][:GAPS_MAX]
