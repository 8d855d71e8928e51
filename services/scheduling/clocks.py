"""Keeping the clocks: started, met, stopped, and announced when they run out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.scheduling import Clock, DeadlineMet, DeadlineMissed, DeadlineNear
from messaging.app import App
from messaging.database import lock
from messaging.transaction import emit, wake
from services.scheduling.domain import ENDING, LATE_AFTER, NEAR_BEFORE, alarm
from services.scheduling.tables import ClockRow, Offer

FOLLOW_UPS: tuple[Clock, ...] = ("follow_up_child", "follow_up_professional")
_BATCH = 50
_CLOCKS: Any = ClockRow.__table__
_START = insert(_CLOCKS).inline()


async def start(
    session: AsyncSession, offer: Offer, clock: Clock, started_at: datetime, due_at: datetime
) -> None:
    """Start a clock, unless it was started before."""
    if await session.get(ClockRow, (offer.episode_id, clock)) is not None:
        return
    session.add(
        ClockRow(
            episode_id=offer.episode_id, clock=clock, started_at=started_at, due_at=due_at,
            next_at=due_at - NEAR_BEFORE[clock], near_told=False, missed_told=False,
            met_told=False,
        )
    )  # fmt: skip
    await session.flush()
    wake(session, "due")


async def start_first(session: AsyncSession, offer: Mapping[str, Any]) -> None:
    """Start both clocks of an offer that was made in this transaction."""
    begun: tuple[tuple[Clock, str, str], ...] = (
        ("contact", "received_at", "contact_due_at"),
        ("rhi", "returned_at", "rhi_due_at"),
    )
    rows = [
        {
            "episode_id": offer["episode_id"],
            "clock": clock,
            "started_at": offer[started],
            "due_at": offer[due],
            "next_at": offer[due] - NEAR_BEFORE[clock],
            "near_told": False,
            "missed_told": False,
            "met_told": False,
        }
        for clock, started, due in begun
    ]
    await session.execute(_START, rows)
    wake(session, "due")


async def meet(app: App, session: AsyncSession, offer: Offer, clock: Clock, at: datetime) -> None:
    """Record that what a clock asks for happened at `at`; the earliest such moment counts.

    What happened in time and is only written down now is met, even where `missed` was announced:
    that stays announced, and `met` follows.
    """
    row = await session.get(ClockRow, (offer.episode_id, clock))
    if row is None or (row.met_at is not None and row.met_at <= at):
        return
    row.met_at, row.next_at = at, None
    if at > row.due_at:
        await _tell_missed(app, session, offer, row)
    elif not row.met_told:
        row.met_told = True
        await emit(
            session,
            DeadlineMet(
                id=app.ids.after("EV", "deadline_met", offer.episode_id, clock),
                occurred_at=at,
                clock=clock,
                episode_id=offer.episode_id,
                child_id=offer.child_id,
                due_at=row.due_at,
                met_at=at,
            ),
        )


async def stop(app: App, session: AsyncSession, offer: Offer, clock: Clock, at: datetime) -> None:
    """Stop a clock that asks for nothing any more; if it had run out by then, it was missed."""
    row = await session.get(ClockRow, (offer.episode_id, clock))
    if row is None or row.met_at is not None or row.stopped_at is not None:
        return
    if at >= row.due_at + LATE_AFTER:
        await _tell_missed(app, session, offer, row)
    row.stopped_at, row.next_at = at, None


async def resume(session: AsyncSession, offer: Offer, clock: Clock, now: datetime) -> None:
    """Let a stopped clock run again towards the same due time.

    Where that has passed while it stood, nothing is announced: nobody was late while the child
    did not want to talk.
    """
    row = await session.get(ClockRow, (offer.episode_id, clock))
    if row is None or row.stopped_at is None:
        return
    row.stopped_at = None
    if row.met_at is None and now < row.due_at + LATE_AFTER:
        row.next_at = row.due_at - NEAR_BEFORE[clock]
        wake(session, "due")


async def _tell_missed(app: App, session: AsyncSession, offer: Offer, row: ClockRow) -> None:
    if row.missed_told:
        return
    row.missed_told = True
    await emit(
        session,
        DeadlineMissed(
            id=app.ids.after("EV", "deadline_missed", offer.episode_id, row.clock),
            occurred_at=row.due_at + LATE_AFTER,
            clock=row.clock,
            episode_id=offer.episode_id,
            child_id=offer.child_id,
            due_at=row.due_at,
        ),
    )


async def _tell_near(app: App, session: AsyncSession, offer: Offer, row: ClockRow) -> None:
    row.near_told = True
    await emit(
        session,
        DeadlineNear(
            id=app.ids.after("EV", "deadline_near", offer.episode_id, row.clock),
            occurred_at=max(row.due_at - NEAR_BEFORE[row.clock], row.started_at),
            clock=row.clock,
            episode_id=offer.episode_id,
            child_id=offer.child_id,
            due_at=row.due_at,
        ),
    )


async def settle(session: AsyncSession, offer: Offer) -> None:
    """Bring an offer's place in the work queue up to date after any change of its case."""
    await session.flush()
    rows = await of_episode(session, offer.episode_id)
    owed = [row for row in rows if row.met_at is None and row.stopped_at is None]
    if owed:
        offer.next_due_at = min(row.due_at for row in owed)
    if offer.closed_at is not None:
        offer.state = "closed"
    elif offer.interviewed_at is None:
        offer.state = "ended" if offer.outcome in ENDING else "open"
    else:
        offer.state = "open" if any(row.clock in FOLLOW_UPS for row in owed) else "ended"


async def of_episode(session: AsyncSession, episode_id: str) -> list[ClockRow]:
    """Return the clocks of one episode by due time."""
    rows = select(ClockRow).where(ClockRow.episode_id == episode_id)
    return list((await session.scalars(rows.order_by(ClockRow.due_at, ClockRow.clock))).all())


async def announce_due(app: App) -> datetime | None:
    """Announce what is near or missed by now, a batch at a time; return when there is more."""
    now = app.clock.now()
    async with app.db.reading() as session:
        due = (
            await session.scalars(
                select(ClockRow.episode_id)
                .where(ClockRow.next_at <= now)
                .order_by(ClockRow.next_at)
                .limit(_BATCH)
            )
        ).all()
    for episode_id in dict.fromkeys(due):
        async with app.db.writing() as session:  # one case at a time: no waiting for each other
            offer = await lock(session, Offer, episode_id)
            for row in await of_episode(session, episode_id):
                if offer is not None and row.next_at is not None and row.next_at <= now:
                    await _announce(app, session, offer, row, now)
    async with app.db.reading() as session:
        following: datetime | None = await session.scalar(select(func.min(ClockRow.next_at)))
        return following


async def _announce(
    app: App, session: AsyncSession, offer: Offer, row: ClockRow, now: datetime
) -> None:
    rings = alarm(row.clock, row.due_at, row.near_told, now)
    if rings.announce == "missed":
        await _tell_missed(app, session, offer, row)
    elif rings.announce == "near":
        await _tell_near(app, session, offer, row)
    row.next_at = rings.next_at
