"""How a case is shown: everything about one episode's offer, from a fixed number of queries."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from services.scheduling import clocks
from services.scheduling.bodies import (
    AttemptAnswer,
    BookingAnswer,
    CaseAnswer,
    ClockAnswer,
    FollowUpAnswer,
    GivenAnswer,
    OfferAnswer,
    TalkAnswer,
)
from services.scheduling.cases import lateness_of
from services.scheduling.continuity import as_worker, wanted
from services.scheduling.domain import (
    ENDING,
    LONDON,
    POINTS_TO_TELL,
    Wanted,
    clock_state,
    light,
    minutes_left,
    unfit,
)
from services.scheduling.tables import (
    AnswerRow,
    Attempt,
    Booking,
    ClockRow,
    FollowUp,
    Offer,
    Talk,
    WorkerRow,
)


def of_offer(offer: Offer) -> OfferAnswer:
    """Return an offer as the work queue shows it."""
    return OfferAnswer(
        id=offer.id, episode_id=offer.episode_id, child_id=offer.child_id,
        locality=offer.locality, state=offer.state, stage=_stage(offer),
        next_due_at=offer.next_due_at, contact_due_at=offer.contact_due_at,
        rhi_due_at=offer.rhi_due_at, contact_at=offer.contact_at,
        interviewed_at=offer.interviewed_at, worker=offer.worker, outcome=offer.outcome,
        rhi_outcome=offer.rhi_outcome, service_outcome=offer.service_outcome,
        phone_discussion=offer.phone_discussion,
    )  # fmt: skip


def _stage(offer: Offer) -> str:
    if offer.interviewed_at is not None:
        return "interviewed"
    if offer.booking_id is not None:
        return "booked"
    return "contacted" if offer.contact_at is not None else "waiting"


async def of_case(app: App, session: AsyncSession, offer: Offer) -> CaseAnswer:
    """Return everything about one episode's offer."""
    now = app.clock.now()
    wish = await wanted(session, offer.child_id)
    attempts = await _attempts(session, offer.episode_id)
    told = {point for attempt in attempts for point in attempt.points_told}
    return CaseAnswer(
        **of_offer(offer).model_dump(),
        setting=offer.setting,
        returned_at=offer.returned_at,
        received_at=offer.received_at,
        return_time_ambiguous=offer.return_time_ambiguous,
        lateness=await lateness_of(session, offer),
        lateness_by=offer.lateness_by,
        prefers=wish.worker_gender,
        clocks=[of_clock(row, now) for row in await clocks.of_episode(session, offer.episode_id)],
        attempts=attempts,
        points_missing=[point for point in POINTS_TO_TELL if point not in told],
        answers=await _answers(session, offer.episode_id),
        bookings=await _bookings(app, session, offer, wish),
        talks=await _talks(session, offer.episode_id),
        follow_ups=await _follow_ups(session, offer.interview_id),
        outcome_version=offer.reports,
        closed_at=offer.closed_at,
    )


def of_clock(row: ClockRow, now: datetime) -> ClockAnswer:
    """Return a clock as it stands now."""
    state = clock_state(row.due_at, row.met_at, row.stopped_at, now)
    counting = state in {"running", "missed"}
    return ClockAnswer(
        clock=row.clock, due_at=row.due_at, met_at=row.met_at, state=state,
        minutes_left=minutes_left(row.due_at, now) if counting else None,
        light=light(row.started_at, row.due_at, state, now),
    )  # fmt: skip


def of_attempt(row: Attempt) -> AttemptAnswer:
    """Return an attempt."""
    return AttemptAnswer(
        attempt_id=row.id, episode_id=row.episode_id, worker=row.worker, method=row.method,
        outcome=row.outcome, occurred_at=row.occurred_at, recorded_at=row.recorded_at,
        points_told=row.points_told, door_open=row.door_open,
    )  # fmt: skip


async def _attempts(session: AsyncSession, episode_id: str) -> list[AttemptAnswer]:
    rows = select(Attempt).where(Attempt.episode_id == episode_id)
    ordered = rows.order_by(Attempt.occurred_at, Attempt.id)
    return [of_attempt(row) for row in await session.scalars(ordered)]


async def _answers(session: AsyncSession, episode_id: str) -> list[GivenAnswer]:
    rows = select(AnswerRow).where(AnswerRow.episode_id == episode_id)
    return [
        GivenAnswer.model_validate(row, from_attributes=True)
        for row in await session.scalars(rows.order_by(AnswerRow.recorded_at, AnswerRow.id))
    ]


async def _bookings(
    app: App, session: AsyncSession, offer: Offer, wish: Wanted
) -> list[BookingAnswer]:
    rows = (
        select(Booking, WorkerRow)
        .join(WorkerRow, WorkerRow.id == Booking.worker)
        .where(Booking.episode_id == offer.episode_id)
        .order_by(Booking.booked_at, Booking.id)
    )
    return [
        of_booking(app, booking, worker, offer, wish)
        for booking, worker in (await session.execute(rows))
    ]


def of_booking(
    app: App, booking: Booking, worker: WorkerRow, offer: Offer, wish: Wanted
) -> BookingAnswer:
    """Return an appointment, whether it stands, and whether its worker may still go."""
    ended = offer.closed_at is not None or offer.outcome in ENDING
    return BookingAnswer(
        booking_id=booking.id, episode_id=booking.episode_id, child_id=booking.child_id,
        worker=booking.worker, worker_name=worker.name, venue=booking.venue,
        starts_at=booking.starts_at, ends_at=booking.ends_at, change_reason=booking.change_reason,
        stands=offer.booking_id == booking.id and not ended,
        unfit=unfit(
            as_worker(worker), booking.child_id, wish, booking.starts_at.astimezone(LONDON).date(),
            records_required=app.settings.worker_records_required,
            asked_for_by_child=booking.asked_for_by_child,
        ),
    )  # fmt: skip


async def _talks(session: AsyncSession, episode_id: str) -> list[TalkAnswer]:
    rows = select(Talk).where(Talk.episode_id == episode_id).order_by(Talk.started_at)
    return [
        TalkAnswer.model_validate(row, from_attributes=True) for row in await session.scalars(rows)
    ]


async def _follow_ups(session: AsyncSession, interview_id: str | None) -> list[FollowUpAnswer]:
    if interview_id is None:
        return []
    rows = select(FollowUp).where(FollowUp.interview_id == interview_id).order_by(FollowUp.clock)
    return [
        FollowUpAnswer.model_validate(row, from_attributes=True)
        for row in await session.scalars(rows)
    ]
