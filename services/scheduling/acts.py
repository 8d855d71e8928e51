"""What workers do for a case: try to reach, answer, book, follow up, close."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.scheduling import AppointmentBooked, AttemptMade, Clock, EpisodeClosed
from messaging.app import App
from messaging.caller import Caller
from messaging.problem import Problem
from messaging.transaction import emit
from services.scheduling import clocks
from services.scheduling.bodies import AnswerBody, AttemptBody, BookingBody, FollowUpBody
from services.scheduling.cases import lateness_of
from services.scheduling.continuity import as_worker, previous_worker, wanted
from services.scheduling.domain import (
    ENDING,
    LONDON,
    SEEN,
    Answer,
    NotAllowedError,
    Tried,
    clock_state,
    may_answer,
    may_attempt,
    may_close,
    unfit,
)
from services.scheduling.reports import report
from services.scheduling.tables import (
    AnswerRow,
    Attempt,
    Booking,
    FollowUp,
    Offer,
    Wish,
    WorkerRow,
)

CLOCK_SKEW: Final = timedelta(seconds=60)
"""How far a worker's device may run ahead before a time counts as being in the future."""
_FIRST_CLOCKS: Final[tuple[Clock, ...]] = ("contact", "rhi")
TALK_LASTS: Final = timedelta(hours=1)
"""Where a booking names no end."""


def happened(at: datetime, now: datetime, not_before: datetime) -> datetime:
    """Return `at`, or raise Problem 422 where it cannot have been then."""
    code = ""
    if at > now + CLOCK_SKEW:
        code = "time.in_future"
    elif at < not_before:
        code = "time.too_early"
    if code:
        raise Problem(422, code, fields=[("body.occurred_at", code)])
    return at


async def try_to_reach(
    app: App, session: AsyncSession, offer: Offer, body: AttemptBody, caller: Caller
) -> Attempt:
    """Record an attempt; the same one written down twice stays one."""
    at = happened(body.occurred_at, app.clock.now(), offer.returned_at)
    attempt_id = app.ids.after(
        "AT", offer.episode_id, caller.sub, body.method, at.isoformat(), body.outcome
    )
    known = await session.get(Attempt, attempt_id)
    if known is not None:
        return known
    door_open = may_attempt(
        Tried(body.method, at, body.outcome),
        declined_at=offer.outcome_at if offer.outcome == "declined_by_child" else None,
        door_open_sent=offer.door_open_sent,
        closed=offer.closed_at is not None,
    )
    wish = body.preference.worker_gender if body.preference is not None else None
    if wish == "any" and body.outcome != "contact":  # only the child can waive a preference (R26)
        fault = ("body.preference", "preference.only_the_child_waives")
        raise Problem(422, fault[1], fields=[fault])
    attempt = Attempt(
        id=attempt_id, episode_id=offer.episode_id, worker=caller.sub, method=body.method,
        outcome=body.outcome, points_told=body.points_told, worker_gender=wish,
        door_open=door_open, occurred_at=at, recorded_at=app.clock.now(),
    )  # fmt: skip
    session.add(attempt)
    offer.door_open_sent = offer.door_open_sent or door_open
    if wish is not None:
        await _wish(session, offer, attempt)
    if body.outcome == "contact":
        if offer.outcome == "no_contact":  # no longer true: the offer is to be answered afresh
            offer.outcome, offer.closed_at = None, None
            await clocks.resume(session, offer, "rhi", app.clock.now())
        await _contact(app, session, offer, at)
    await clocks.settle(session, offer)
    await emit(
        session,
        AttemptMade(
            id=app.ids.after("EV", "attempt_made", attempt_id), occurred_at=at,
            attempt_id=attempt_id, episode_id=offer.episode_id, child_id=offer.child_id,
            worker=caller.sub, method=body.method, outcome=body.outcome,
        ),
    )  # fmt: skip
    return attempt


async def _wish(session: AsyncSession, offer: Offer, attempt: Attempt) -> None:
    """Keep whom the child wants to talk to; a proposed worker yields to it, a booking is shown."""
    held = await session.get(Wish, offer.child_id)
    if held is not None and held.said_at > attempt.occurred_at:
        return
    gender = attempt.worker_gender or "any"
    await session.merge(
        Wish(
            child_id=offer.child_id, worker_gender=gender, attempt_id=attempt.id,
            said_at=attempt.occurred_at,
        )
    )  # fmt: skip
    if offer.worker is not None and offer.booking_id is None and offer.interviewed_at is None:
        row = await session.get(WorkerRow, offer.worker)
        if row is not None and gender not in {"any", row.gender}:
            offer.worker = None


async def _contact(app: App, session: AsyncSession, offer: Offer, at: datetime) -> None:
    if offer.contact_at is None or at < offer.contact_at:
        offer.contact_at = at
    await clocks.meet(app, session, offer, "contact", at)


async def answer_offer(
    app: App, session: AsyncSession, offer: Offer, body: AnswerBody, caller: Caller
) -> None:
    """Record how an offer was answered, and report it."""
    now = app.clock.now()
    at = happened(body.occurred_at or now, now, offer.returned_at)
    if body.outcome == "not_offered" and not caller.has("manager"):
        raise Problem(403, "not_offered.needs_manager")  # R01: approved by a manager
    repeated = offer.outcome == body.outcome and body.outcome in ENDING
    if repeated and offer.interviewed_at is None:
        return
    given = Answer(body.outcome, body.by, tuple(body.helpline), body.reason)
    may_answer(
        given,
        standing=offer.outcome,
        interviewed=offer.interviewed_at is not None,
        contact=offer.contact_at is not None,
        tried=await _tried(session, offer.episode_id),
        persistence=app.settings.persistence,
    )
    number = await session.scalar(
        select(func.count()).select_from(AnswerRow).where(AnswerRow.episode_id == offer.episode_id)
    )
    session.add(
        AnswerRow(
            id=app.ids.after("AN", offer.episode_id, number or 0), episode_id=offer.episode_id,
            child_id=offer.child_id, outcome=given.outcome, by=given.speaker,
            helpline_given_to=list(given.helpline_given_to), reason=given.reason,
            recorded_by=caller.sub, occurred_at=at, recorded_at=now,
        )
    )  # fmt: skip
    await _take_answer(app, session, offer, given, at)
    await clocks.settle(session, offer)
    await report(app, session, offer, at=at, final=offer.outcome in ENDING)


async def _take_answer(
    app: App, session: AsyncSession, offer: Offer, given: Answer, at: datetime
) -> None:
    """Let an answer stop the clocks, start them again, and count as contact where it is."""
    if offer.outcome in ENDING:  # the child comes back (R22), also to a case that was closed
        offer.closed_at, offer.door_open_sent = None, False
        for clock in _FIRST_CLOCKS if given.outcome not in ENDING else ():
            await clocks.resume(session, offer, clock, app.clock.now())
    offer.outcome, offer.outcome_at = given.outcome, at
    if given.spoken_by_child:
        await _contact(app, session, offer, at)
        if given.outcome in SEEN:
            await _seen_for_others(app, session, offer, at)
    for clock in _FIRST_CLOCKS if given.outcome in ENDING else ():
        await clocks.stop(app, session, offer, clock, at)


async def _seen_for_others(app: App, session: AsyncSession, offer: Offer, at: datetime) -> None:
    """Count a meeting for the child's other offers that wait for contact (S3: E1's visit, E2)."""
    waiting = (
        await session.scalars(
            select(Offer).where(
                Offer.child_id == offer.child_id, Offer.episode_id != offer.episode_id,
                Offer.state == "open", Offer.contact_at.is_(None), Offer.received_at <= at,
                Offer.returned_at <= at,
            ).order_by(Offer.episode_id).with_for_update()
        )
    ).all()  # fmt: skip
    for other in waiting:
        await _contact(app, session, other, at)
        await clocks.settle(session, other)


async def _tried(session: AsyncSession, episode_id: str) -> list[Tried]:
    rows = await session.execute(
        select(Attempt.method, Attempt.occurred_at, Attempt.outcome).where(
            Attempt.episode_id == episode_id
        )
    )
    return [Tried(method, at, outcome) for method, at, outcome in rows]  # type: ignore[arg-type]


async def book(
    app: App, session: AsyncSession, offer: Offer, body: BookingBody, caller: Caller
) -> Booking:
    """Book a worker who fits the child; booking again replaces the earlier appointment."""
    if offer.closed_at is not None:
        raise NotAllowedError("episode.closed")
    if offer.outcome in ENDING:
        raise NotAllowedError("offer.ended")
    if body.starts_at < offer.returned_at:
        raise Problem(422, "time.too_early", fields=[("body.starts_at", "time.too_early")])
    current = await session.get(Booking, offer.booking_id) if offer.booking_id else None
    if current is not None and body.same_as(current):
        return current
    reason = await _fit(session, offer, body, app.settings.worker_records_required)
    number = await session.scalar(
        select(func.count()).select_from(Booking).where(Booking.episode_id == offer.episode_id)
    )
    booking = Booking(
        id=app.ids.after("BK", offer.episode_id, number or 0), episode_id=offer.episode_id,
        child_id=offer.child_id, worker=body.worker, venue=body.venue, starts_at=body.starts_at,
        ends_at=body.ends_at or body.starts_at + TALK_LASTS, change_reason=reason,
        asked_for_by_child=body.asked_for_by_child, booked_by=caller.sub,
        booked_at=app.clock.now(),
    )  # fmt: skip
    session.add(booking)
    offer.booking_id, offer.worker = booking.id, body.worker
    await clocks.settle(session, offer)
    await emit(
        session,
        AppointmentBooked(
            id=app.ids.after("EV", "appointment_booked", booking.id),
            occurred_at=booking.booked_at, booking_id=booking.id, episode_id=offer.episode_id,
            child_id=offer.child_id, worker=body.worker, starts_at=body.starts_at,
        ),
    )  # fmt: skip
    return booking


async def _fit(
    session: AsyncSession, offer: Offer, body: BookingBody, records_required: bool
) -> str | None:
    """Return why it is another worker than the one the child knows; raise where one may not go."""
    row = await session.get(WorkerRow, body.worker)
    if row is None:
        raise Problem(422, "worker.unknown", fields=[("body.worker", "worker.unknown")])
    wish = await wanted(session, offer.child_id)
    day = body.starts_at.astimezone(LONDON).date()
    codes = unfit(
        as_worker(row), offer.child_id, wish, day, records_required=records_required,
        asked_for_by_child=body.asked_for_by_child,
    )  # fmt: skip
    if codes:
        raise NotAllowedError(codes[0], [("worker", code) for code in codes])
    before = await previous_worker(session, offer.child_id)
    if before is None or before == body.worker or body.change_reason is not None:
        return body.change_reason
    known = await session.get(WorkerRow, before)
    if known is not None and unfit(
        as_worker(known), offer.child_id, wish, day, records_required=False
    ):
        return "known_worker_unfit"  # nobody has to explain why somebody who may not go does not
    raise Problem(422, "change_reason.missing", fields=[("body.change_reason", "missing")])


async def follow_up(
    app: App, session: AsyncSession, offer: Offer, body: FollowUpBody, caller: Caller
) -> Sequence[str]:
    """Record a follow-up for every episode that the interview covered; return their ids."""
    if offer.interview_id is None:
        raise NotAllowedError("interview.none")
    clock: Clock = "follow_up_child" if body.with_whom == "child" else "follow_up_professional"
    covered = (
        await session.scalars(
            select(Offer).where(Offer.interview_id == offer.interview_id)
            .order_by(Offer.episode_id).with_for_update()
        )
    ).all()  # fmt: skip
    at = happened(body.occurred_at, app.clock.now(), offer.interviewed_at or offer.returned_at)
    known = await session.get(FollowUp, (offer.interview_id, clock))
    if known is None:
        session.add(
            FollowUp(
                interview_id=offer.interview_id, clock=clock, done=body.done,
                recorded_by=caller.sub, occurred_at=at, recorded_at=app.clock.now(),
            )
        )  # fmt: skip
    for one in covered:
        await clocks.meet(app, session, one, clock, at)
        await clocks.settle(session, one)
    return [one.episode_id for one in covered]


async def close(app: App, session: AsyncSession, offer: Offer) -> None:
    """Close an episode for which nothing more is owed; closing it again changes nothing."""
    if offer.closed_at is not None:
        return
    rows = await clocks.of_episode(session, offer.episode_id)
    now = app.clock.now()
    late = any(
        row.clock == "rhi" and clock_state(row.due_at, row.met_at, row.stopped_at, now) == "late"
        for row in rows
    )
    may_close(
        outcome=offer.outcome,
        interviewed=offer.interviewed_at is not None,
        follow_ups_open=[
            row.clock for row in rows if row.clock in clocks.FOLLOW_UPS and row.met_at is None
        ],
        late_without_reason=late and await lateness_of(session, offer) is None,
    )
    offer.closed_at = now
    offer.closings += 1
    await clocks.settle(session, offer)
    await emit(
        session,
        EpisodeClosed(
            id=app.ids.after("EV", "episode_closed", offer.episode_id, offer.closings),
            occurred_at=now, episode_id=offer.episode_id, child_id=offer.child_id,
        ),
    )  # fmt: skip
