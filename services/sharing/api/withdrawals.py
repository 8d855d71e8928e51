"""Taking an agreement back: at once, and with an answer that names what had left."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.sharing import AgreementWithdrawn
from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.problem import Problem
from messaging.transaction import emit
from services.sharing import delivery, ledger
from services.sharing.api.known import Key, child_known, child_locked, happened
from services.sharing.children import changed
from services.sharing.domain.releasing import CANCELLED, DELIVERED, STOPPABLE
from services.sharing.releases import stop
from services.sharing.tables import AgreementLine, Recipient, Release

router = APIRouter(tags=["withdrawals"])


class WithdrawalIn(BaseModel):
    """From whom the child takes their yes back."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    recipients: Literal["all"] | Annotated[list[Key], Field(min_length=1, max_length=100)]
    occurred_at: AwareDatetime | None = None


class Named(BaseModel):
    """A release by name; `number` only where it had one on a feed."""

    release_id: str
    recipient: str
    number: int | None = None


class WithdrawalOut(BaseModel):
    """What became of everything permitted so far; `left` had left, or may have."""

    epoch: int
    cancelled: list[Named]
    erased: list[Named]
    left: list[Named]


@router.post("/children/{child_id}/withdrawals")
async def withdraw(
    child_id: str,
    body: WithdrawalIn,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow("practitioner"))],
) -> WithdrawalOut:
    """Stop what has not left, erase what lies unread, and name the rest.

    Every release that a partner can read was readable before this answers, or is named in `left`.
    """
    at = happened(app, body.occurred_at)
    recipients = None if body.recipients == "all" else frozenset(body.recipients)
    await child_known(app, child_id)
    now = app.clock.now()
    async with app.db.writing() as session:
        child = await child_locked(session, child_id)
        await _refuse_unknown(session, child_id, body)
        epoch = changed(session, child)
        for key in sorted(recipients) if recipients is not None else [None]:
            session.add(
                AgreementLine(
                    child_id=child_id,
                    recipient=key,
                    status="withdrawn",
                    by="child",
                    consequences_explained=True,
                    occurred_at=at,
                    recorded_at=now,
                    recorded_by=caller.sub,
                    role="practitioner",
                )
            )
        cancelled, told = await _stop_here(session, child_id, recipients)
        on_feeds = await delivery.stop(session, child_id, recipients)
        event = AgreementWithdrawn(
            id=app.ids.after("EV", "withdrawn", child_id, epoch),
            occurred_at=at,
            child_id=child_id,
            recipients=tuple(sorted(recipients or ())),
            epoch=epoch,
        )
        await emit(session, event)
        await session.flush()
        note = _noted(child_id, recipients, caller, epoch, at=at, cancelled=cancelled)
        await ledger.append(session, "withdrawal", note, now)
    taken = await delivery.take_back(app, on_feeds, at)
    answer = WithdrawalOut(
        epoch=epoch,
        cancelled=[*cancelled, *_named(taken.cancelled)],
        erased=_named(taken.erased),
        left=[*_named(taken.left), *told],
    )
    await _note_answer(app, child_id, answer)
    return answer


async def _refuse_unknown(session: AsyncSession, child_id: str, body: WithdrawalIn) -> None:
    """Refuse a key that nobody knows: the worker would think that it had been withdrawn."""
    if body.recipients == "all":
        return
    known = set(
        await session.scalars(select(Recipient.key).where(Recipient.child_id == child_id))
    ) | set(
        await session.scalars(
            select(AgreementLine.recipient).where(AgreementLine.child_id == child_id)
        )
    )
    faults = [
        (f"recipients.{n}", "recipient.unknown")
        for n, key in enumerate(body.recipients)
        if key not in known
    ]
    if faults:
        raise Problem(422, "request.malformed", fields=faults)


async def _stop_here(
    session: AsyncSession, child_id: str, recipients: frozenset[str] | None
) -> tuple[list[Named], list[Named]]:
    """Cancel what has not left; return it, and what workers had already told."""
    mine = select(Release).where(Release.child_id == child_id).order_by(Release.id)
    if recipients is not None:
        mine = mine.where(Release.recipient.in_(recipients))
    cancelled, told = [], []
    for row in await session.scalars(mine.with_for_update()):
        named = Named(release_id=row.id, recipient=row.recipient, number=row.number)
        if row.state in STOPPABLE:
            stop(row, CANCELLED)
            cancelled.append(named)
        if row.number is None and (row.state == DELIVERED or row.delivered_at is not None):
            told.append(named)  # by a worker, perhaps before it could go by feed
    return cancelled, told


def _named(taken: list[delivery.Taken]) -> list[Named]:
    return [
        Named(release_id=one.release_id, recipient=one.recipient, number=one.number)
        for one in taken
    ]


def _noted(
    child_id: str,
    recipients: frozenset[str] | None,
    caller: Caller,
    epoch: int,
    *,
    at: datetime,
    cancelled: list[Named],
) -> dict[str, Any]:
    return {
        "child_id": child_id,
        "person": None if recipients is None else sorted(recipients),
        "recipients": "all" if recipients is None else "some",
        "by": caller.sub,
        "role": "practitioner",
        "epoch": epoch,
        "occurred_at": at,
        "cancelled": [one.release_id for one in cancelled],
    }


async def _note_answer(app: App, child_id: str, answer: WithdrawalOut) -> None:
    """Keep what was answered, as it was answered."""
    note = {
        "child_id": child_id,
        "action": "answered",
        "epoch": answer.epoch,
        **{
            name: [one.release_id for one in getattr(answer, name)]
            for name in ("cancelled", "erased", "left")
        },
    }
    async with app.db.writing() as session:
        await ledger.append(session, "withdrawal", note, app.clock.now())
