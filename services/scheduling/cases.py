"""Finding and locking a case: the offer of one episode, and what all of a child's offers share."""

from hashlib import sha256

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from messaging.database import lock
from messaging.problem import Problem
from messaging.waiting import arrived
from services.scheduling.domain import LatenessReason
from services.scheduling.tables import Offer


async def wait_for(app: App, episode_id: str) -> str:
    """Return the child of an episode, waiting for it where its event may be under way.

    Raises Problem 404 when it does not come.
    """

    async def find() -> str | None:
        async with app.db.reading() as session:
            found: str | None = await session.scalar(
                select(Offer.child_id).where(Offer.episode_id == episode_id)
            )
            return found

    child_id = await arrived(find)
    if child_id is None:
        raise Problem(404, "episode.unknown")
    return child_id


async def locked(session: AsyncSession, episode_id: str) -> Offer:
    """Return the offer of an episode, locked; `wait_for` has seen it."""
    offer = await lock(session, Offer, episode_id)
    if offer is None:
        raise Problem(404, "episode.unknown")
    return offer


async def alone_with(session: AsyncSession, child_id: str) -> None:
    """Let one transaction at a time change a child's offers; the first lock that each one takes.

    Without it a meeting and a new referral that commit at the same time would not see each other,
    and two that touch several offers of one child could wait for each other.
    On SQLite a writing transaction is alone anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        number = int.from_bytes(sha256(child_id.encode()).digest()[:8], signed=True)
        await session.execute(select(func.pg_advisory_xact_lock(number)))


async def lateness_of(session: AsyncSession, offer: Offer) -> LatenessReason | None:
    """Return why the interview was or would be late: as somebody said, else as the case tells.

    A child who went missing again before the interview was due is its own reason (S3).
    """
    if offer.lateness_by is None:
        again = await session.scalar(
            select(
                exists().where(
                    Offer.child_id == offer.child_id,
                    Offer.missing_from >= offer.returned_at,
                    Offer.missing_from <= offer.rhi_due_at,
                    Offer.episode_id != offer.episode_id,
                )
            )
        )
        if again:
            return "missing_again"
    return offer.lateness
