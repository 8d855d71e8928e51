"""A partner leaves: nothing more is released to it, and what it has not read is taken back."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from messaging.database import lock, wake
from services.sharing import ledger
from services.sharing.children import OF_AREA, RECONSIDER, changed, locked
from services.sharing.domain.releasing import CANCELLED, STOPPABLE
from services.sharing.releases import stop
from services.sharing.tables import (
    CLAIMED,
    DELIVERED,
    SENT,
    WITHDRAWN,
    Child,
    Partner,
    Recipient,
    Release,
)
from services.sharing.taking_back import Taken, TakenBack, take_back

_BATCH = 200


@dataclass
class Left:
    """What a partner that left has, and has not."""

    taken: TakenBack
    cancelled: list[Taken] = field(default_factory=list)
    """Had no number yet."""
    delivered: int = 0
    """Releases that it had acknowledged before."""
    children: int = 0
    """How many it was a recipient of."""
    successor: bool = True
    """Another agency of its type is there for its area; False: nobody is told in its place."""


async def revoke(app: App, partner: Partner, by: str) -> Left:
    """Stop everything for `partner`; again harmless, and then it takes up what was left undone.

    Its row with the numbers stays, so that a later reader of its feed sees no gap and no repeat.
    """
    now = app.clock.now()
    async with app.db.writing() as session:
        row = await lock(session, Partner, partner.key)  # whoever gives out numbers waits for it
        assert row is not None  # noqa: S101 - partners are never deleted
        if row.revoked_at is None:
            row.revoked_at = now
            row.former_nkeys = sorted({*(row.former_nkeys or ()), row.nkey})
            note: dict[str, Any] = {
                "recipient": row.key,
                "partner_type": row.type,
                "action": "revoked",
                "by": by,
            }
            await session.flush()
            await ledger.append(session, "partner", note, now)
        ids = await take_off_feed(session, partner.key)
    answer = Left(TakenBack(), delivered=await _delivered(app, partner.key))
    await _leave_children(app, partner.key, answer)
    answer.taken = await take_back(app, ids, now)
    answer.successor = await _has_successor(app, partner)
    taken = answer.taken
    async with app.db.writing() as session:
        note = {
            "recipient": partner.key,
            "action": "answered",
            "cancelled": [one.release_id for one in (*answer.cancelled, *taken.cancelled)],
            "erased": [one.release_id for one in taken.erased],
            "left": [one.release_id for one in taken.left],
            "count": answer.delivered,
        }
        await ledger.append(session, "partner", note, app.clock.now())
    return answer


async def take_off_feed(session: AsyncSession, key: str) -> list[str]:
    """Withdraw what is on its way to a feed or lies there; return it for `take_back`."""
    on_feed = (Release.partner_key == key, Release.number.is_not(None))
    under_way = Release.state.in_((CLAIMED, SENT, WITHDRAWN))
    chosen = select(Release.id).where(*on_feed, under_way).order_by(Release.number)
    ids = list(await session.scalars(chosen))
    await session.execute(
        update(Release).where(*on_feed, Release.state.in_((CLAIMED, SENT))).values(state=WITHDRAWN)
    )
    return ids


async def _delivered(app: App, key: str) -> int:
    async with app.db.reading() as session:
        theirs = (Release.partner_key == key) & (Release.state == DELIVERED)
        return int(await session.scalar(select(func.count()).where(theirs)) or 0)


async def _leave_children(app: App, key: str, answer: Left) -> None:
    """End its part in each child's case, some at a time: a lock on all would stop the service."""
    while True:
        async with app.db.writing() as session:
            theirs = (Recipient.partner_key == key) & Recipient.active
            chosen = select(Recipient.child_id).where(theirs).order_by(Recipient.child_id)
            ids = list(await session.scalars(chosen.limit(_BATCH)))
            for child_id in ids:
                child = await locked(session, child_id)
                if child is not None:
                    await _leave(session, child, key, answer)
        answer.children += len(ids)
        if len(ids) < _BATCH:
            return


async def _leave(session: AsyncSession, child: Child, key: str, answer: Left) -> None:
    mine = select(Recipient).where(Recipient.child_id == child.id, Recipient.partner_key == key)
    for recipient in await session.scalars(mine):
        recipient.active = False
        recipient.version += 1
    chosen = (
        select(Release)
        .where(Release.child_id == child.id, Release.recipient == key)
        .where(Release.state.in_(STOPPABLE))
        .order_by(Release.id)
        .with_for_update()
    )
    for release in await session.scalars(chosen):
        stop(release, CANCELLED)
        answer.cancelled.append(Taken(release.id, key, 0))
    changed(session, child)


async def _has_successor(app: App, partner: Partner) -> bool:
    if partner.area is None or partner.type not in OF_AREA:
        return True  # only where a worker adds it: a worker will add another
    others = select(Partner.key).where(
        Partner.key != partner.key,
        Partner.type == partner.type,
        Partner.area == partner.area,
        Partner.revoked_at.is_(None),
    )
    async with app.db.reading() as session:
        return await session.scalar(others.limit(1)) is not None


async def release_anew(app: App, key: str) -> TakenBack:
    """Take back what lies unread under a lost key, and have it released again under the new one.

    Each gets a new number: the old one is void. What had been read is not sent a second time.
    """
    now = app.clock.now()
    async with app.db.writing() as session:
        await lock(session, Partner, key)
        ids = await take_off_feed(session, key)
    taken = await take_back(app, ids, now)
    async with app.db.writing() as session:
        gone = [one.release_id for one in (*taken.erased, *taken.cancelled)]
        theirs = exists().where(Release.child_id == Child.id, Release.id.in_(gone))
        await session.execute(
            update(Child)
            .where(theirs)
            .values(epoch=Child.epoch + 1, dirty=True)
            .execution_options(synchronize_session=False)
        )
        wake(session, RECONSIDER)
    return taken
