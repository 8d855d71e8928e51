"""What this service told, for its consumers to compare with, and told to them again.

A publisher keeps what it sent for as long as the broker's streams do. A consumer that lacks an
event (the broker lost its disk) asks for it here; nothing of it changes a row, so that nobody's
asking can make an event outlive the inboxes that remember it.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field
from sqlalchemy import select

from messaging.caller import Caller, allow_consumers
from messaging.paging import Page, Paging
from messaging.problem import Problem
from messaging.relay import publish
from messaging.schema import outbox
from messaging.telemetry import get_logger

if TYPE_CHECKING:
    from messaging.app import App

log = get_logger()
router = APIRouter()

PAGE_MAX = 1_000
AGAIN_MAX = 100
"""So many at once; the broker syncs each to disk, and the asker waits 5 s."""
_IN_FLIGHT = 64


def _usual(at: datetime) -> datetime:
    """Refuse years at the edge of the calendar, where arithmetic with time zones overflows."""
    if not 1900 <= at.year <= 2200:
        raise ValueError("no year of ours")
    return at


Moment = Annotated[AwareDatetime, AfterValidator(_usual)]


class Told(BaseModel):
    """One event as it was told; its content travels over the bus alone."""

    seq: int
    event_id: str
    subject: str
    sent_at: datetime


class Asked(BaseModel):
    """Who asks, and from where on."""

    consumer: Annotated[str, Field(max_length=200)]
    since: Moment | None = None
    after: Annotated[str | None, Field(max_length=1000)] = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = PAGE_MAX


class AgainIn(BaseModel):
    """Which events are to be told again."""

    consumer: str
    event_ids: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=AGAIN_MAX)]


class AgainOut(BaseModel):
    """What was told again, and what is not known here any more."""

    told: list[str]
    unknown: list[str]


@router.get("/told")
async def told(
    request: Request,
    asked: Annotated[Asked, Query()],
    caller: Annotated[Caller, Depends(allow_consumers("ops"))],
) -> Page[Told]:
    """List what was sent of what the consumer hears, from `since` on, in the order of sending.

    By the time of sending and not by number: a number may be committed later than a higher one,
    and what waits in the outbox has a number but was not told yet.
    """
    app: App = request.app.state.homeward
    paging = Paging(limit=asked.limit, after=asked.after)
    chosen = select(outbox.c.seq, outbox.c.event_id, outbox.c.subject, outbox.c.sent_at).where(
        outbox.c.sent_at.is_not(None), outbox.c.subject.in_(_heard(app, caller, asked.consumer))
    )
    if asked.since is not None:
        chosen = chosen.where(outbox.c.sent_at >= asked.since)
    async with app.db.reading() as session:
        rows = (await session.execute(paging.seek(chosen, outbox.c.sent_at, outbox.c.seq))).all()
    return paging.page(rows, lambda row: Told(**row._mapping), lambda row: (row.sent_at, row.seq))


@router.post("/told/again")
async def tell_again(
    request: Request, asked: AgainIn, caller: Annotated[Caller, Depends(allow_consumers("ops"))]
) -> AgainOut:
    """Tell events again, as the same bytes; done when the broker has stored them."""
    app: App = request.app.state.homeward
    chosen = select(outbox).where(
        outbox.c.event_id.in_(asked.event_ids),
        outbox.c.sent_at.is_not(None),
        outbox.c.subject.in_(_heard(app, caller, asked.consumer)),
    )
    async with app.db.reading() as session:
        rows = (await session.execute(chosen)).all()
    await _publish_all(app, rows)
    found = {row.event_id for row in rows}
    log.info("told.again", peer=asked.consumer, count=len(found))
    return AgainOut(told=sorted(found), unknown=sorted(set(asked.event_ids) - found))


def _heard(app: "App", caller: Caller, consumer: str) -> tuple[str, ...]:
    """Return the subjects that `consumer` hears of this service; a service asks for itself."""
    if not caller.has("ops") and caller.sub != consumer:
        raise Problem(403, "role.not_allowed")
    for durable in app.topology.consumers_of(app.settings.service):
        if durable.consumer == consumer:
            return durable.subjects
    raise Problem(404, "consumer.unknown")


async def _publish_all(app: "App", rows: Sequence[Any]) -> None:
    """Publish side by side. Raises AwayError where one could not be stored."""
    slots = asyncio.Semaphore(_IN_FLIGHT)
    # not the first sending's id: the broker may remember that one and have lost the message
    window = int(time.time() // app.topology.streams.duplicate_window_s)

    async def one(row: Any) -> None:
        async with slots:
            await publish(app, row, msg_id=f"{row.event_id}.again.{window}")

    await asyncio.gather(*(one(row) for row in rows))
