"""Partners' feeds for ops: what was sent and is not there, and to send it again."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlalchemy import select

from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.problem import Problem
from services.sharing.api.known import Key
from services.sharing.lost import gaps, lost_among, send_again, unread, waiting
from services.sharing.outlet import Outlet
from services.sharing.tables import Partner

router = APIRouter(tags=["partners"])

Ops = Annotated[Caller, Depends(allow("ops"))]


class Named(BaseModel):
    """A release as the partner knows it."""

    release_id: str
    number: int


class FeedOut(BaseModel):
    """How one feed stands against what was sent to it."""

    partner: str
    unread: int
    """Sent and not acknowledged."""
    waiting: int
    """Permitted or numbered, and not on the feed yet."""
    lost: list[Named]
    """Sent, not acknowledged, and not on the feed any more."""
    gaps: list[int]
    """Numbers that no release has."""


class FeedsOut(BaseModel):
    """All feeds."""

    items: list[FeedOut]


class AgainOut(BaseModel):
    """How many releases go out once more."""

    again: int


@router.get("/feeds")
async def list_feeds(app: Annotated[App, Depends(the_app)], _: Ops) -> FeedsOut:
    """Compare each feed with what was sent to it; 503 where the broker is away."""
    async with app.db.reading() as session:
        partners = (await session.scalars(select(Partner.key).order_by(Partner.key))).all()
    return FeedsOut(items=[await _stands(app.state["outlet"], str(key)) for key in partners])


@router.post("/feeds/{partner}/again")
async def send_lost_again(partner: Key, app: Annotated[App, Depends(the_app)], _: Ops) -> AgainOut:
    """Send again what was lost, with the same numbers and bytes; it goes out within moments."""
    outlet: Outlet = app.state["outlet"]
    async with app.db.reading() as session:
        if await session.get(Partner, partner) is None:
            raise Problem(404, "partner.unknown")
    async with outlet.delivering(partner):
        lost = await lost_among(outlet.feeds, partner, await unread(outlet, partner))
        async with app.db.writing() as session:
            return AgainOut(again=await send_again(session, partner, lost))


async def _stands(outlet: Outlet, partner: str) -> FeedOut:
    sent = await unread(outlet, partner)
    lost = await lost_among(outlet.feeds, partner, sent)
    return FeedOut(
        partner=partner,
        unread=len(sent),
        waiting=await waiting(outlet, partner),
        lost=[Named(release_id=one.id, number=int(one.number or 0)) for one in lost],
        gaps=await gaps(outlet, partner),
    )
