"""What follows when an episode is referred, and when a talk was held."""

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.interview import InterviewRecorded
from contracts.referral import EpisodeReferred
from contracts.scheduling import OfferMade
from messaging.app import App
from messaging.database import lock
from messaging.errors import NotYetError
from messaging.statements import NewRow
from messaging.subscriptions import Subscriptions
from messaging.transaction import emit, handling
from services.scheduling import clocks
from services.scheduling.cases import alone_with
from services.scheduling.continuity import known_worker
from services.scheduling.domain import (
    SEEN,
    contact_due,
    follow_up_due,
    lateness_at_opening,
    rhi_due,
)
from services.scheduling.reports import report
from services.scheduling.tables import AnswerRow, Offer, Talk

events = Subscriptions()

_OFFER = NewRow(Offer.__table__)
_ANSWERS = AnswerRow.__table__.c  # columns of a table cost half of what a mapped class does
_SEEN = (
    select(_ANSWERS.occurred_at)
    .where(
        _ANSWERS.child_id == bindparam("child_id"),
        _ANSWERS.by == "child",
        _ANSWERS.outcome.in_(SEEN),
        _ANSWERS.occurred_at >= bindparam("since"),
    )
    .order_by(_ANSWERS.occurred_at)
    .limit(1)
)


class OtherChildError(Exception):
    """A talk names an episode of another child: whoever recorded it has to look."""

    def __init__(self, interview_id: str, episode_id: str) -> None:
        super().__init__(f"{interview_id} names {episode_id}, which is another child's")


@events.on(EpisodeReferred, by="scheduling.make_offer")
async def make_offer(event: EpisodeReferred, app: App) -> None:
    """Make the one offer of this episode and start its clocks, whatever was said before (R02)."""
    async with handling(app.db, event, by="scheduling.make_offer") as session:
        await alone_with(session, event.child_id)
        contact_due_at, rhi_due_at = contact_due(event.received_at), rhi_due(event.returned_at)
        offer = {
            "episode_id": event.episode_id, "id": app.ids.after("OF", event.episode_id),
            "child_id": event.child_id, "locality": event.locality, "setting": event.setting,
            "missing_from": event.missing_from, "returned_at": event.returned_at,
            "received_at": event.received_at,
            "return_time_ambiguous": event.return_time_ambiguous,
            "made_at": max(event.received_at, app.clock.now()), "state": "open",
            "next_due_at": min(contact_due_at, rhi_due_at), "contact_due_at": contact_due_at,
            "rhi_due_at": rhi_due_at, "worker": await known_worker(session, event.child_id),
            "lateness": lateness_at_opening(event.returned_at, event.received_at, event.hosted),
            "phone_discussion": False, "door_open_sent": False, "reports": 0, "closings": 0,
        }  # fmt: skip
        if not await _OFFER.add(session, offer):
            return
        await clocks.start_first(session, offer)
        await _seen_meanwhile(app, session, event)
        await emit(
            session,
            OfferMade(
                id=app.ids.after("EV", "offer_made", event.episode_id),
                occurred_at=offer["made_at"],
                offer_id=offer["id"],
                episode_id=event.episode_id,
                child_id=event.child_id,
                contact_due_at=contact_due_at,
                rhi_due_at=rhi_due_at,
            ),
        )


async def _seen_meanwhile(app: App, session: AsyncSession, event: EpisodeReferred) -> None:
    """Count a meeting with the child that was written down before this referral reached us."""
    since = max(event.received_at, event.returned_at)
    seen_at = await session.scalar(_SEEN, {"child_id": event.child_id, "since": since})
    if seen_at is not None:
        offer = await session.get_one(Offer, event.episode_id)
        offer.contact_at = seen_at
        await clocks.meet(app, session, offer, "contact", seen_at)
        await clocks.settle(session, offer)


@events.on(InterviewRecorded, by="scheduling.take_talk")
async def take_talk(event: InterviewRecorded, app: App) -> None:
    """Count a talk for each episode it covers; a carer's account is none (R23).

    Raises NotYetError while one of the episodes is not known here yet.
    """
    async with handling(app.db, event, by="scheduling.take_talk") as session:
        if event.kind == "carer_account":
            return
        await alone_with(session, event.child_id)
        for episode_id in sorted(set(event.episode_ids)):
            offer = await lock(session, Offer, episode_id)
            if offer is None:
                raise NotYetError(f"no offer yet for {episode_id}")
            if offer.child_id != event.child_id:
                raise OtherChildError(event.interview_id, episode_id)
            await _count(app, session, offer, event)


async def _count(app: App, session: AsyncSession, offer: Offer, event: InterviewRecorded) -> None:
    talk = Talk(
        episode_id=offer.episode_id, interview_id=event.interview_id, child_id=offer.child_id,
        kind=event.kind, worker=event.worker, started_at=event.started_at,
        ended_at=event.ended_at, rhi_outcome=event.outcome, service_outcome=event.service_outcome,
    )  # fmt: skip
    await session.merge(talk)
    if event.outcome == "cancelled":
        await _cancelled(app, session, offer, event)
        return
    if offer.contact_at is None or event.started_at < offer.contact_at:
        offer.contact_at = event.started_at
    await clocks.meet(app, session, offer, "contact", event.started_at)
    if event.kind == "phone_discussion":
        offer.phone_discussion = True
        await clocks.settle(session, offer)
        return
    await _interviewed(app, session, offer, event)


async def _cancelled(
    app: App, session: AsyncSession, offer: Offer, event: InterviewRecorded
) -> None:
    """Report an interview that did not take place; the offer goes on."""
    if offer.interviewed_at is not None or event.kind != "interview":
        return
    offer.rhi_outcome = event.outcome
    outcome = offer.outcome or "accepted"
    await report(app, session, offer, at=event.ended_at, final=False, outcome=outcome)


async def _interviewed(
    app: App, session: AsyncSession, offer: Offer, event: InterviewRecorded
) -> None:
    """Count an interview: the clock by the first one's start, the outcome by the latest."""
    if offer.interviewed_at is None:
        offer.interview_id = event.interview_id
        due_at = follow_up_due(event.ended_at)
        for clock in clocks.FOLLOW_UPS:
            await clocks.start(session, offer, clock, event.ended_at, due_at)
    if offer.interviewed_at is None or event.started_at < offer.interviewed_at:
        offer.interviewed_at = event.started_at
    await clocks.meet(app, session, offer, "rhi", event.started_at)
    await session.flush()
    latest = (
        await session.scalars(
            select(Talk).where(
                Talk.episode_id == offer.episode_id, Talk.kind == "interview",
                Talk.rhi_outcome.is_distinct_from("cancelled"),
            ).order_by(Talk.started_at.desc(), Talk.interview_id).limit(1)
        )
    ).one()  # fmt: skip
    offer.rhi_outcome, offer.service_outcome = latest.rhi_outcome, latest.service_outcome
    offer.worker = latest.worker
    offer.outcome, offer.outcome_at = "accepted", event.started_at
    offer.closed_at = None  # follow-ups are owed, also where a decline had been closed
    await clocks.settle(session, offer)
    await report(app, session, offer, at=event.ended_at, final=True)
