"""Failing closed must shout: who is called when something about harm waits."""

from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.sharing import UrgentHoldRaised
from messaging.app import App
from messaging.transaction import emit
from services.sharing.domain.urgency import ON_CALL_AFTER, urgent_pairs
from services.sharing.parts import gate
from services.sharing.proposal import Pair, Proposal
from services.sharing.tables import Decision, Page

URGENT_HOLD = "urgent_hold"
CHILD_NOT_TOLD = "child_not_told"
HOLD_OVERDUE = "hold_overdue"

_OF_CHILD = select(Page).where(Page.child_id == bindparam("child_id"), Page.code == URGENT_HOLD)


async def page_if_urgent(
    app: App,
    session: AsyncSession,
    proposal: Proposal,
    held: list[tuple[Pair, Decision]],
    now: datetime,
) -> None:
    """Call the DSL on urgent holds: once per child until someone acts, then for new ones only."""
    types = gate(app).data.types
    waiting = urgent_pairs(
        (
            (pair.item.id, pair.recipient.key, pair.recipient.type, pair.urgent, decision.rule_ids)
            for pair, decision in held
        ),
        frozenset(name for name, one in types.items() if one.urgent),
    )
    child_id = proposal.facts.child.id
    pages = (await session.scalars(_OF_CHILD, {"child_id": child_id})).all()
    if not waiting:
        for page in pages:
            page.acted_at = page.acted_at or now  # what was waited for has come
        return
    if any(page.acted_at is None for page in pages):
        return
    if not waiting - {name for page in pages for name in page.about}:
        return
    await raise_page(
        app,
        session,
        child_id,
        proposal.locality,
        to="dsl",
        code=URGENT_HOLD,
        about=sorted(waiting),
        cause=proposal.epoch,
        now=now,
    )


async def raise_page(
    app: App,
    session: AsyncSession,
    child_id: str,
    locality: str,
    *,
    to: str,
    code: str,
    about: list[str],
    cause: int | str,
    now: datetime,
) -> None:
    """Record a page and tell it in the same transaction."""
    page_id = app.ids.after("PG", child_id, to, code, cause, now.isoformat())
    page = Page(
        id=page_id,
        child_id=child_id,
        locality=locality,
        to=to,
        code=code,
        about=about,
        raised_at=now,
        due_at=now + ON_CALL_AFTER,
    )
    session.add(page)
    await emit(session, told(page, app.ids.after("EV", page_id)))


def told(page: Page, event_id: str) -> UrgentHoldRaised:
    """Return the event of a page, the same on each telling."""
    return UrgentHoldRaised.model_validate(
        {
            "id": event_id,
            "occurred_at": page.raised_at,
            "page_id": page.id,
            "child_id": page.child_id,
            "locality": page.locality,
            "to": page.to,
            "code": page.code,
            "due_at": page.due_at,
        }
    )


async def acted(session: AsyncSession, child_id: str, now: datetime) -> None:
    """Note that somebody who may judge harm has judged: the on-call manager is not called."""
    await session.execute(
        update(Page)
        .where(Page.child_id == child_id, Page.code == URGENT_HOLD, Page.acted_at.is_(None))
        .values(acted_at=now)
    )
