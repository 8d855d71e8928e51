"""For ops: how this service stands with what a publisher told it."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from messaging.caller import Caller, allow
from messaging.problem import Problem
from messaging.standing import Event, compared_up_to, lacking_of, standing
from messaging.telling import PAGE_MAX, Moment

if TYPE_CHECKING:
    from messaging.app import App

router = APIRouter()

Ops = Annotated[Caller, Depends(allow("ops"))]
Name = Annotated[str, Field(max_length=200)]


class EventIn(BaseModel):
    """An event as `GET /told` of its publisher lists it."""

    event_id: Name
    subject: Name
    sent_at: Moment


class HandledIn(BaseModel):
    """Events of one publisher."""

    publisher: Name
    events: Annotated[list[EventIn], Field(max_length=PAGE_MAX)]


class StandingOut(BaseModel):
    """Which of them this service does not simply have; all others it has taken once."""

    missing: list[str]
    under_way: list[str]
    aside: list[str]
    double: list[str]


class ComparedOut(BaseModel):
    """How far this service has compared by itself, and how many events it found open."""

    publisher: str
    up_to: datetime | None
    lacking: int


@router.post("/handled")
async def handled(request: Request, asked: HandledIn, _: Ops) -> StandingOut:
    """Say which of these events are missing, on their way, put aside, or taken twice."""
    app: App = request.app.state.homeward
    _known(app, asked.publisher)
    events = [Event(one.event_id, one.subject, one.sent_at) for one in asked.events]
    return StandingOut(**asdict(await standing(app, asked.publisher, events)))


@router.get("/handled")
async def compared_with(
    request: Request, publisher: Annotated[str, Query(max_length=200)], _: Ops
) -> ComparedOut:
    """Say how far this service has come with a publisher by itself."""
    app: App = request.app.state.homeward
    _known(app, publisher)
    return ComparedOut(
        publisher=publisher,
        up_to=await compared_up_to(app, publisher),
        lacking=len(await lacking_of(app, publisher)),
    )


def _known(app: "App", publisher: str) -> None:
    if not app.topology.may_compare(app.settings.service, publisher):
        raise Problem(404, "publisher.unknown")
