"""Who knows the child, and whom the child wants to talk to (R25, R26, R27)."""

from datetime import date

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.scheduling.domain import Wanted, Worker, unfit
from services.scheduling.tables import Booking, Talk, Wish, WorkerRow

_TALKS, _BOOKINGS = Talk.__table__.c, Booking.__table__.c
_PREVIOUS = select(
    func.coalesce(
        select(_TALKS.worker)
        .where(_TALKS.child_id == bindparam("child_id"))
        .order_by(_TALKS.started_at.desc(), _TALKS.interview_id)
        .limit(1)
        .scalar_subquery(),
        select(_BOOKINGS.worker)
        .where(_BOOKINGS.child_id == bindparam("child_id"))
        .order_by(_BOOKINGS.starts_at.desc(), _BOOKINGS.id)
        .limit(1)
        .scalar_subquery(),
    )
)


async def wanted(session: AsyncSession, child_id: str) -> Wanted:
    """Return whom a child wants to talk to; anybody unless they said so."""
    wish = await session.get(Wish, child_id)
    return Wanted(wish.worker_gender) if wish is not None else Wanted()


async def previous_worker(session: AsyncSession, child_id: str) -> str | None:
    """Return who talked to this child last, else who was last booked to, however long ago."""
    found: str | None = await session.scalar(_PREVIOUS, {"child_id": child_id})
    return found


async def known_worker(session: AsyncSession, child_id: str) -> str | None:
    """Return the previous worker, unless that is not whom the child prefers now."""
    worker = await previous_worker(session, child_id)
    if worker is None:
        return None
    row = await session.get(WorkerRow, worker)
    if row is None:
        return worker
    wish = await wanted(session, child_id)
    fits = not unfit(as_worker(row), child_id, wish, date.min, records_required=False)
    return worker if fits else None


def as_worker(row: WorkerRow) -> Worker:
    """Return a worker's row as the domain has it."""
    return Worker(
        id=row.id,
        gender=row.gender,
        active=row.active,
        independent=row.independent,
        conflicts=frozenset(row.conflicts),
        trained_until=row.trained_until,
        dbs_until=row.dbs_until,
    )
