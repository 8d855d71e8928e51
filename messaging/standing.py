"""How a service stands with what one publisher told it: taken, on its way, put aside, or lost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from messaging.schema import compared, inbox, lacking

if TYPE_CHECKING:
    from messaging.app import App

OVERLAP = timedelta(minutes=10)
"""Compared once more each time: what was marked as sent in a transaction that took long."""
CHUNK = 500
"""Ids in one statement; SQLite takes no unlimited number of values."""


@dataclass(frozen=True)
class Event:
    """An event as its publisher told it; `sent_at` is None where it is known to be lacking."""

    id: str
    subject: str
    sent_at: datetime | None = None


@dataclass
class Standing:
    """How a service stands with some events, by their ids."""

    missing: list[str] = field(default_factory=list)
    """Not taken, not put aside, and nothing is on its way."""
    under_way: list[str] = field(default_factory=list)
    """Not taken, while something still waits at the durable."""
    aside: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    """Taken by all its handlers, and by one that is none (any more): perhaps in effect twice."""


async def standing(app: "App", publisher: str, events: Sequence[Event]) -> Standing:
    """Return how we stand with some events of `publisher`. Raises AwayError.

    In this order: what is on its way, the inbox, the dead letters. An event leaves the first for
    one of the others, so none is seen in no place. The publisher marked them as sent after the
    broker had stored them: where nothing is on its way after that, what we do not have was lost.
    """
    waiting = await app.bus.waiting(publisher)
    claims = await _claims(app, [event.id for event in events])
    open_ = await _open(app, publisher, events, claims)
    found = Standing()
    found.double = [event.id for event in events if _twice(app, event, claims.get(event.id))]
    if open_:
        from messaging.dead_letters import letters  # noqa: PLC0415 - the library is slow to load

        letters_of = {letter.delivery.event_id async for letter in letters(app)}
        found.aside = [event_id for event_id in open_ if event_id in letters_of]
        left = [event_id for event_id in open_ if event_id not in letters_of]
        (found.under_way if waiting else found.missing).extend(left)
    return found


async def not_taken(app: "App", publisher: str, events: Sequence[Event]) -> list[str]:
    """Return which events were not taken by all who should; some of these may be on their way."""
    return await _open(app, publisher, events, await _claims(app, [event.id for event in events]))


async def compared_up_to(app: "App", publisher: str) -> datetime | None:
    """Return how far we have compared, by the publisher's times of sending; None: never."""
    chosen = select(compared.c.up_to).where(compared.c.publisher == publisher)
    async with app.db.reading() as session:
        found: datetime | None = await session.scalar(chosen)
    return found


async def lacking_of(app: "App", publisher: str) -> Sequence[Any]:
    """Return what earlier comparisons found open."""
    async with app.db.reading() as session:
        found = await session.execute(select(lacking).where(lacking.c.publisher == publisher))
        return found.all()


async def _claims(app: "App", event_ids: Sequence[str]) -> dict[str, set[str]]:
    """Return by which handlers each event was taken."""
    found: dict[str, set[str]] = {}
    async with app.db.reading() as session:
        for some in chunks(event_ids):
            chosen = select(inbox.c.event_id, inbox.c.handler).where(inbox.c.event_id.in_(some))
            for row in await session.execute(chosen):
                found.setdefault(row.event_id, set()).add(row.handler)
    return found


async def _open(
    app: "App", publisher: str, events: Sequence[Event], claims: dict[str, set[str]]
) -> list[str]:
    """Return the events that one of their handlers has not taken.

    What was compared long ago was complete then: a handler that is new has no claim on it, and it
    is not missing for that.
    """
    partly, none = [], []
    for event in events:
        by = claims.get(event.id, set())
        if not by:
            none.append(event.id)
        elif not _handlers(app, event) <= by:
            partly.append(event)
    if not partly:
        return none
    up_to = await compared_up_to(app, publisher)
    known = {row.event_id for row in await lacking_of(app, publisher)}
    old = {e.id for e in partly if up_to and e.sent_at and e.sent_at <= up_to - OVERLAP} - known
    return none + [event.id for event in partly if event.id not in old]


def _twice(app: "App", event: Event, by: set[str] | None) -> bool:
    handlers = _handlers(app, event)
    return bool(by and handlers and handlers < by)


def _handlers(app: "App", event: Event) -> set[str]:
    return {one.by for one in app.subscriptions.of(event.subject)}


def chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    """Yield ids in pieces that one statement takes."""
    for place in range(0, len(ids), CHUNK):
        yield ids[place : place + CHUNK]
