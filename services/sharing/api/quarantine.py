"""The quarantine over HTTP: how it stands, what those outside hold, and the steps to its end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import feed
from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.problem import Problem
from services.sharing import bringing_back, ending, outside, since_backup
from services.sharing.api.known import Body, Id, Key
from services.sharing.quarantine import under_way
from services.sharing.quarantine_tables import Quarantine
from services.sharing.tables import Partner

router = APIRouter(tags=["quarantine"])

ENDS = (ending.PROTECTS, *ending.SAFEGUARDS)
_NUMBER = Annotated[int, Field(ge=0, le=2**31 - 1)]


class WithdrawalOut(BaseModel):
    """A withdrawal that an entry of the ledger tells of; `child_id` where it can be known."""

    seq: int
    occurred_at: str | None
    recipients: str
    child_id: str | None
    entered: bool


class Missing(BaseModel):
    """Something that has to be done first."""

    what: str
    code: str


class QuarantineOut(BaseModel):
    """How the quarantine stands; only `quarantined` where there is none."""

    quarantined: bool
    cause: str | None = None
    began_at: datetime | None = None
    taken_at: datetime | None = None
    head: int = 0
    outside: dict[str, Any] | None = None
    lost: dict[str, Any] | None = None
    next_numbers: dict[str, int] = Field(default_factory=dict)
    withdrawals: list[WithdrawalOut] = Field(default_factory=list)
    facts: dict[str, int] = Field(default_factory=dict)
    missing: list[Missing] = Field(default_factory=list)
    second_person: bool = False
    """A first person has asked that it end."""


@router.get("/quarantine")
async def read_quarantine(
    app: Annotated[App, Depends(the_app)],
    _: Annotated[Caller, Depends(allow("ops", "ig_lead", *ENDS))],
) -> QuarantineOut:
    """Tell whether anything may leave, and if not, what is left to do."""
    async with app.db.reading() as session:
        found = await under_way(session)
        return QuarantineOut(quarantined=False) if found is None else await _shown(session, found)


async def _shown(session: AsyncSession, found: Quarantine) -> QuarantineOut:
    partners = await session.execute(select(Partner.key, Partner.next_number))
    return QuarantineOut(
        quarantined=True,
        cause=found.cause,
        began_at=found.began_at,
        taken_at=found.taken_at,
        head=(await outside.head_of(session))[0],
        outside=found.outside,
        lost=await ending.lost_range(session, found),
        next_numbers={row[0]: row[1] for row in partners},
        withdrawals=[
            WithdrawalOut.model_validate(one, from_attributes=True)
            for one in await since_backup.withdrawals(session, found)
        ],
        facts=await since_backup.facts(session, found),
        missing=[
            Missing(what=what, code=code) for what, code in await ending.missing(session, found)
        ],
        second_person=found.ending is not None,
    )


class HeldIn(Body):
    """One number as a partner has it."""

    number: Annotated[int, Field(ge=1, le=2**31 - 1)]
    release_id: Id
    void: bool = False


class OutsideIn(Body):
    """What one partner holds; `partner` left out: checkpoints that somebody else holds."""

    partner: Key | None = None
    checkpoints: list[feed.Checkpoint] = Field(default_factory=list, max_length=200)
    held: list[HeldIn] = Field(default_factory=list, max_length=5000)
    highest: _NUMBER = 0
    """The highest number it has read, where it can say no more: 0 for nothing at all."""
    listed: bool = False
    """`held` over all pages is everything it has read after the backup."""


@router.post("/quarantine/outside")
async def take_outside(
    body: OutsideIn,
    app: Annotated[App, Depends(the_app)],
    _: Annotated[Caller, Depends(allow("ops", *ENDS))],
) -> QuarantineOut:
    """Take in what a partner holds; a long list comes in pages."""
    async with _steps(app) as (session, found):
        await outside.weigh(app, session, found, [one.model_dump() for one in body.checkpoints])
        if body.partner is not None:
            partner = await session.get(Partner, body.partner)
            if partner is None:
                raise Problem(404, "partner.unknown")
            held = [outside.Held(one.number, one.release_id, one.void) for one in body.held]
            await outside.take(
                app, session, found, partner, held, highest=body.highest, listed=body.listed
            )
        return await _shown(session, found)


class EntriesIn(Body):
    """A page of an export; the last page comes with the export's checkpoint."""

    entries: Annotated[list[dict[str, Any]], Field(max_length=2000)]
    checkpoint: feed.Checkpoint | None = None


@router.post("/quarantine/entries")
async def take_entries(
    body: EntriesIn,
    app: Annotated[App, Depends(the_app)],
    _: Annotated[Caller, Depends(allow("ops", *ENDS))],
) -> QuarantineOut:
    """Bring back entries that the backup lacks; a signed checkpoint has to prove them all."""
    async with _steps(app) as (session, found):
        await bringing_back.take_page(session, body.entries)
        if body.checkpoint is not None:
            signed = body.checkpoint.model_dump()
            await outside.weigh(app, session, found, [signed])
            await bringing_back.put_on_chain(session, signed)
            found.loss = found.confirmed = found.ending = None
            if found.outside is not None:
                await outside.weigh(app, session, found, [found.outside])
        return await _shown(session, found)


class LossIn(Body):
    """Which entries nobody has any more."""

    first: Annotated[int, Field(ge=1)]
    last: Annotated[int, Field(ge=1)]


@router.post("/quarantine/loss")
async def state_loss(
    body: LossIn,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow(*ENDS))],
) -> QuarantineOut:
    """State that entries are lost; it counts once a second person has stated the same."""
    async with _steps(app) as (session, found):
        await ending.state_loss(session, found, _person(caller), body.first, body.last)
        return await _shown(session, found)


class ConfirmedIn(Body):
    """That every withdrawal since the backup was entered: those listed, and those on paper."""

    seqs: list[int] = Field(default_factory=list, max_length=10_000)
    on_paper: _NUMBER = 0


@router.post("/quarantine/withdrawals")
async def confirm_withdrawals(
    body: ConfirmedIn,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow(*ENDS))],
) -> QuarantineOut:
    """Confirm it; 409 names what is not entered, or what has to be known first."""
    async with _steps(app) as (session, found):
        who, at = _person(caller), app.clock.now()
        await ending.confirm(
            session, found, who, seqs=set(body.seqs), on_paper=body.on_paper, at=at
        )
        return await _shown(session, found)


class EndedOut(BaseModel):
    """Whether it has ended; else a second person has to ask."""

    ended: bool


@router.post("/quarantine/end")
async def end_quarantine(
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow(*ENDS))],
) -> EndedOut:
    """Ask that it end: the DPO and, as another person, the DSL or a manager."""
    async with _steps(app) as (session, found):
        return EndedOut(ended=await ending.end(app, session, found, _person(caller)))


def _person(caller: Caller) -> ending.Person:
    return ending.Person(caller.sub, next(role for role in ENDS if caller.has(role)))


@asynccontextmanager
async def _steps(app: App) -> AsyncIterator[tuple[AsyncSession, Quarantine]]:
    """Give the quarantine that is under way, locked; what is refused changes nothing."""
    try:
        async with app.db.writing() as session:
            found = await under_way(session)
            if found is None:
                raise Problem(404, "quarantine.none")
            yield session, found
    except outside.NotOursError:
        raise Problem(422, "checkpoint.not_ours") from None
    except bringing_back.UnfitPageError as error:
        raise Problem(
            409, "ledger.unfit", fields=[(f"entries.{error.seq}", "entry.unfit")]
        ) from error
    except ending.SecondPersonError:
        raise Problem(409, "person.not_another") from None
    except ending.NotInOrderError as error:
        raise Problem(409, "quarantine.not_in_order", fields=error.missing) from error
