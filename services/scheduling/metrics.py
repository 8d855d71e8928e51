"""What a scrape of `scheduling` looks up: clocks near and missed, and whether anyone was told.

Read through the work queue's index, so that the cost goes with what is owed and not with history.
"""

from collections.abc import Mapping

from sqlalchemy import and_, case, func, or_, select

from messaging.app import App
from messaging.gauges import COUNTED_MAX, Family, Labels, Look, Values
from services.scheduling.domain import LATE_AFTER, NEAR_BEFORE
from services.scheduling.tables import ClockRow, Offer

_STATES = ("near", "missed")


async def _clocks(app: App) -> Mapping[str, Values]:
    """Count running clocks of open offers that are near or missed, and find the longest overdue."""
    now = app.clock.now()
    pressing = (
        select(Offer.episode_id)
        .where(Offer.state == "open", Offer.next_due_at <= now + max(NEAR_BEFORE.values()))
        .order_by(Offer.next_due_at)
        .limit(COUNTED_MAX)
        .subquery()
    )
    late = ClockRow.due_at <= now - LATE_AFTER
    near = or_(
        *(
            and_(ClockRow.clock == clock, ClockRow.due_at <= now + before)
            for clock, before in NEAR_BEFORE.items()
        )
    )
    running = (
        select(
            ClockRow.clock,
            func.sum(case((late, 1), else_=0)),
            func.sum(case((late, 0), (near, 1), else_=0)),
            func.min(ClockRow.due_at),
        )
        .join(pressing, pressing.c.episode_id == ClockRow.episode_id)
        .where(ClockRow.met_at.is_(None), ClockRow.stopped_at.is_(None))
        .group_by(ClockRow.clock)
    )
    counts: dict[Labels, float] = {}
    overdue: dict[Labels, float] = {}
    async with app.db.reading() as session:
        for clock, missed, close, first in await session.execute(running):
            counts[clock, "missed"], counts[clock, "near"] = missed, close
            overdue[(clock,)] = (now - first).total_seconds() if missed else 0.0
    return {"homeward_clocks": counts, "homeward_clock_overdue_seconds": overdue}


async def _open(app: App) -> Mapping[str, Values]:
    offers = select(Offer.episode_id).where(Offer.state == "open").limit(COUNTED_MAX).subquery()
    async with app.db.reading() as session:
        count = await session.scalar(select(func.count()).select_from(offers))
    return {"homeward_offers_open": {(): float(count or 0)}}


async def _announcing(app: App) -> Mapping[str, Values]:
    async with app.db.reading() as session:
        first = await session.scalar(select(func.min(ClockRow.next_at)))
    late_s = (app.clock.now() - first).total_seconds() if first else 0.0
    return {"homeward_announcement_late_seconds": {(): max(0.0, late_s)}}


LOOKS = (
    Look(
        [
            Family(
                "homeward_clocks",
                "Clocks of open offers by how they stand: near their end, or missed and still owed",
                ("clock", "state"),
                [(clock, state) for clock in NEAR_BEFORE for state in _STATES],
            ),
            Family(
                "homeward_clock_overdue_seconds",
                "How long the longest missed clock is overdue; 0 where none is",
                ("clock",),
                [(clock,) for clock in NEAR_BEFORE],
            ),
        ],
        _clocks,
    ),
    Look([Family("homeward_offers_open", "Offers for which work is owed")], _open),
    Look(
        [
            Family(
                "homeward_announcement_late_seconds",
                "How long the first word of a near or missed deadline is late; 0 in good order",
            )
        ],
        _announcing,
    ),
)
