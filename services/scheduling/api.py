"""The HTTP API of `scheduling`: the work queue, cases, and what workers do for them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.idempotent import remember, remembered
from messaging.paging import Page, Paging
from messaging.problem import Problem
from messaging.waiting import arrived
from services.scheduling import acts, views
from services.scheduling.bodies import (
    AnswerBody,
    AttemptAnswer,
    AttemptBody,
    BookedAnswer,
    BookingAnswer,
    BookingBody,
    CaseAnswer,
    ClosedAnswer,
    FollowedUpAnswer,
    FollowUpBody,
    LatenessBody,
    OfferAnswer,
    OutcomeAnswer,
)
from services.scheduling.cases import alone_with, locked, wait_for
from services.scheduling.continuity import wanted
from services.scheduling.domain import ENDING, NotAllowedError
from services.scheduling.tables import Booking, Offer, WorkerRow

router = APIRouter()

TheApp = Annotated[App, Depends(the_app)]
Staff = Annotated[Caller, Depends(allow("practitioner", "manager"))]
Practitioner = Annotated[Caller, Depends(allow("practitioner"))]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]
A = TypeVar("A", bound=BaseModel)

_INCOMPLETE = frozenset({"helpline.missing", "reason.missing", "outcome.not_the_childs_word"})
"""Refusals that another body cures; all others are about how the case stands."""


class NoBody(BaseModel):
    """An act that needs no more than the episode."""


@dataclass(frozen=True)
class Act:
    """One command about one episode."""

    app: App
    caller: Caller
    episode_id: str
    route: str
    key: str | None
    body: BaseModel

    async def do(
        self, answer: type[A], work: Callable[[AsyncSession, Offer], Awaitable[A]]
    ) -> tuple[A, bool]:
        """Do `work` with the offer locked; return its answer and whether it is the first.

        A rule that forbids it becomes 422 where the body lacks something, else 409.
        """
        child_id = await wait_for(self.app, self.episode_id)
        route = f"{self.route} {self.episode_id}"
        async with self.app.db.writing() as session:
            stored = await remembered(session, self.key, self.caller, route, self.body)
            if stored is not None:
                return answer.model_validate(stored.body), False
            await alone_with(session, child_id)
            offer = await locked(session, self.episode_id)
            try:
                done = await work(session, offer)
            except NotAllowedError as refused:
                status = 422 if refused.code in _INCOMPLETE else 409
                fields = [(f"body.{field}", code) for field, code in refused.faults]
                raise Problem(status, refused.code, fields=fields) from None
            kept = done.model_dump(mode="json", by_alias=True)
            await remember(session, self.key, self.caller, route, self.body, kept)
            return done, True


@router.post("/episodes/{episode_id}/attempts", status_code=201)
async def post_attempt(
    *,
    episode_id: str,
    body: AttemptBody,
    app: TheApp,
    caller: Practitioner,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> AttemptAnswer:
    """Record that a worker tried to reach the child; with outcome `contact` it meets the clock.

    409 `offer.declined` after the child declined, one written door-open message excepted (R19).
    """

    async def work(session: AsyncSession, offer: Offer) -> AttemptAnswer:
        return views.of_attempt(await acts.try_to_reach(app, session, offer, body, caller))

    act = Act(app, caller, episode_id, "attempts", idempotency_key, body)
    answer, first = await act.do(AttemptAnswer, work)
    response.status_code = 201 if first else 200
    return answer


@router.post("/episodes/{episode_id}/outcome")
async def post_outcome(
    episode_id: str,
    body: AnswerBody,
    app: TheApp,
    caller: Staff,
    idempotency_key: IdempotencyKey = None,
) -> OutcomeAnswer:
    """Record how the offer was answered.

    422 `helpline.missing` for a decline without the helpline (R21); 409 `no_contact.too_soon`
    with what lacks (R13), `no_contact.contact_was_made`, `offer.ended` where anybody but the
    child would reopen (R22), `interview.held`; 403 `not_offered.needs_manager` (R01).
    A carer's "no" keeps the offer open: the child is still to be asked.
    """

    async def work(session: AsyncSession, offer: Offer) -> OutcomeAnswer:
        await acts.answer_offer(app, session, offer, body, caller)
        return OutcomeAnswer(
            episode_id=episode_id, outcome=offer.outcome, state=offer.state,
            final=offer.outcome in ENDING or offer.interviewed_at is not None,
            version=offer.reports,
        )  # fmt: skip

    act = Act(app, caller, episode_id, "outcome", idempotency_key, body)
    return (await act.do(OutcomeAnswer, work))[0]


@router.post("/episodes/{episode_id}/booking", status_code=201)
async def post_booking(
    *,
    episode_id: str,
    body: BookingBody,
    app: TheApp,
    caller: Staff,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> BookedAnswer:
    """Book a talk; booking again replaces the earlier appointment.

    409 `worker.not_as_the_child_prefers` (R26), `worker.conflicted` (R08), `worker.…_lapsed`
    (R09), `offer.ended`; 422 `worker.unknown`, `change_reason.missing` where the child knows
    somebody else who could go (R25).
    """

    async def work(session: AsyncSession, offer: Offer) -> BookedAnswer:
        booking = await acts.book(app, session, offer, body, caller)
        return BookedAnswer(
            booking_id=booking.id, episode_id=episode_id, worker=booking.worker,
            starts_at=booking.starts_at, ends_at=booking.ends_at,
        )  # fmt: skip

    act = Act(app, caller, episode_id, "booking", idempotency_key, body)
    answer, first = await act.do(BookedAnswer, work)
    response.status_code = 201 if first else 200
    return answer


@router.post("/episodes/{episode_id}/follow-ups", status_code=201)
async def post_follow_up(
    *,
    episode_id: str,
    body: FollowUpBody,
    app: TheApp,
    caller: Staff,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> FollowedUpAnswer:
    """Record a follow-up for every episode that the interview covered; 409 `interview.none`."""

    async def work(session: AsyncSession, offer: Offer) -> FollowedUpAnswer:
        covered = await acts.follow_up(app, session, offer, body, caller)
        return FollowedUpAnswer.model_validate({"episode_ids": covered, "with": body.with_whom})

    act = Act(app, caller, episode_id, "follow-ups", idempotency_key, body)
    answer, first = await act.do(FollowedUpAnswer, work)
    response.status_code = 201 if first else 200
    return answer


@router.post("/episodes/{episode_id}/close")
async def post_close(
    episode_id: str, app: TheApp, caller: Staff, idempotency_key: IdempotencyKey = None
) -> ClosedAnswer:
    """Close an episode; 409 `offer.open`, `follow_up.open` or `lateness.reason_missing`."""

    async def work(session: AsyncSession, offer: Offer) -> ClosedAnswer:
        await acts.close(app, session, offer)
        return ClosedAnswer(episode_id=episode_id, state=offer.state)

    act = Act(app, caller, episode_id, "close", idempotency_key, NoBody())
    return (await act.do(ClosedAnswer, work))[0]


@router.put("/episodes/{episode_id}/lateness")
async def put_lateness(
    episode_id: str, body: LatenessBody, app: TheApp, caller: Staff
) -> LatenessBody:
    """Say why the interview was, or will be, late (R12); it replaces what was filled in."""

    async def work(session: AsyncSession, offer: Offer) -> LatenessBody:
        offer.lateness, offer.lateness_by = body.reason, caller.sub
        return body

    return (await Act(app, caller, episode_id, "lateness", None, body).do(LatenessBody, work))[0]


@router.get("/offers")
async def get_offers(
    app: TheApp,
    paging: Annotated[Paging, Depends()],
    _: Staff,
    state: Annotated[Literal["open", "ended", "closed"] | None, Query()] = None,
    child_id: Annotated[str | None, Query(max_length=60)] = None,
) -> Page[OfferAnswer]:
    """List offers, the most pressing first; `state=open` is the work queue."""
    query = paging.seek(select(Offer), Offer.next_due_at, Offer.episode_id)
    if state is not None:
        query = query.where(Offer.state == state)
    if child_id is not None:
        query = query.where(Offer.child_id == child_id)
    async with app.db.reading() as session:
        rows = (await session.scalars(query)).all()
    return paging.page(rows, views.of_offer, lambda row: (row.next_due_at, row.episode_id))


@router.get("/offers/{offer_id}")
async def get_offer(offer_id: str, app: TheApp, _: Staff) -> OfferAnswer:
    """Return one offer."""

    async def find() -> Offer | None:
        async with app.db.reading() as session:
            found: Offer | None = await session.scalar(select(Offer).where(Offer.id == offer_id))
            return found

    offer = await arrived(find)
    if offer is None:
        raise Problem(404, "offer.unknown")
    return views.of_offer(offer)


@router.get("/episodes/{episode_id}")
async def get_episode(episode_id: str, app: TheApp, _: Staff) -> CaseAnswer:
    """Return everything about one episode's offer: clocks, attempts, bookings, how it stands."""
    await wait_for(app, episode_id)
    async with app.db.reading() as session:
        offer = await session.get(Offer, episode_id)
        if offer is None:
            raise Problem(404, "episode.unknown")
        return await views.of_case(app, session, offer)


@router.get("/bookings/{booking_id}")
async def get_booking(
    booking_id: str,
    app: TheApp,
    _: Annotated[Caller, Depends(allow("practitioner", "manager", edges=("notify",)))],
) -> BookingAnswer:
    """Return an appointment with its place."""
    async with app.db.reading() as session:
        booking = await session.get(Booking, booking_id)
        if booking is None:
            raise Problem(404, "booking.unknown")
        worker = await session.get_one(WorkerRow, booking.worker)
        offer = await session.get_one(Offer, booking.episode_id)
        wish = await wanted(session, booking.child_id)
        return views.of_booking(app, booking, worker, offer, wish)
