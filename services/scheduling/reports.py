"""Telling the others how an offer stands, with a version that counts up."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.scheduling import OfferOutcome, OutcomeReported
from messaging.app import App
from messaging.transaction import emit
from services.scheduling.tables import Offer


async def report(
    app: App,
    session: AsyncSession,
    offer: Offer,
    *,
    at: datetime,
    final: bool,
    outcome: OfferOutcome | None = None,
) -> None:
    """Report the offer's outcome, or `outcome` where what was said does not replace it."""
    told = outcome or offer.outcome
    if told is None:
        return
    offer.reports += 1
    await emit(
        session,
        OutcomeReported(
            id=app.ids.after("EV", "outcome_reported", offer.episode_id, offer.reports),
            occurred_at=at,
            episode_id=offer.episode_id,
            child_id=offer.child_id,
            offer_id=offer.id,
            outcome=told,
            rhi_outcome=offer.rhi_outcome,
            service_outcome=offer.service_outcome,
            final=final,
            offered_at=offer.made_at,
            version=offer.reports,
        ),
    )
