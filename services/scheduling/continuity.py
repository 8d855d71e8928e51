"""Who knows the child, and whom the child wants to talk to (R25, R26, R27)."""

from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.scheduling.domain import Wanted, Worker, unfit
from services.scheduling.tables import Booking, Talk, Wish, WorkerRow


async def wanted(session: AsyncSession, child_id: str) -> Wanted:
    """Return whom a child wants to talk to; anybody unless they said so."""
    wish = await session.get(Wish, child_id)
    return Wanted(wish.worker_gender) if wish is not None else Wanted()


async def previous_worker(session: AsyncSession, child_id: str) -> str | None:
    """Return who talked to this child last, else who was last booked to, however long ago."""
    talk: str | None = await session.scalar(
        select(Talk.worker)
        .where(Talk.child_id == child_id)
        .order_by(Talk.started_at.desc(), Talk.interview_id)
        .limit(1)
    )
    if talk is not None:
        return talk
    booked: str | None = await session.scalar(
        select(Booking.worker)
        .where(Booking.child_id == child_id)
        .order_by(Booking.starts_at.desc(), Booking.id)
        .limit(1)
    )
    return booked


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
