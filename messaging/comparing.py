"""What a service was told, compared with what it took; what it lacks, it has told again.

The broker may lose everything it holds: the databases are the record. So each consumer asks each
of its publishers now and then, over HTTP, what was sent since it last asked, and looks which of it
is not in its inbox (standing.py). The cost grows with what is new, not with history.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite

from messaging.edge import NotFoundThereError, RefusedThereError
from messaging.errors import AwayError
from messaging.schema import compared, lacking
from messaging.standing import (
    OVERLAP,
    Event,
    chunks,
    compared_up_to,
    lacking_of,
    not_taken,
    standing,
)
from messaging.telemetry import get_logger
from messaging.telling import AGAIN_MAX, PAGE_MAX

if TYPE_CHECKING:
    from messaging.app import App

log = get_logger()

STUCK = timedelta(minutes=10)
"""Asked for again after it, though something still waits at the durable: it may wait for this."""
_SOON_S = 10.0
_LET_IT_COME_S = 2.0
_BUSY = 500
"""While so many wait at the durable, nobody could tell what is lost."""
_ASKED_FIRST, _ASKED_LONGEST = timedelta(minutes=1), timedelta(hours=1)
_LACKING_MAX = 10_000
"""Beyond it no new ones are looked for: these come first, and the table stays small."""


async def compare(app: "App") -> None:
    """Compare with every publisher for ever: at the start, when the bus is back, now and then."""
    every_s = app.settings.compare_every_s
    publishers = [durable.publisher for durable in app.topology.durables_of(app.settings.service)]
    looked_at = dict.fromkeys(publishers, time.monotonic())
    await app.woken("compare", _SOON_S)
    while publishers:
        await asyncio.sleep(min(_LET_IT_COME_S, every_s))  # what is on its way comes first
        settled = [await _compared(app, publisher, looked_at) for publisher in publishers]
        spread_s = every_s * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, no secret
        await app.woken("compare", spread_s if all(settled) else min(_SOON_S, every_s))


async def _compared(app: "App", publisher: str, looked_at: dict[str, float]) -> bool:
    """Compare with one publisher; False where it should be done again soon."""
    if publisher not in app.settings.peers:
        log.warning("compare.no_peer", peer=publisher)
        return True
    try:
        overdue = time.monotonic() - looked_at[publisher] > STUCK.total_seconds()
        if await app.bus.waiting(publisher) > _BUSY and not overdue:
            return False
        settled = await compare_with(app, publisher)
        looked_at[publisher] = time.monotonic()
    except AwayError as error:
        log.info("compare.away", peer=publisher, reason=error.why)
        return False
    except NotFoundThereError:  # while versions are mixed: an older one has no such route
        log.info("compare.not_there", peer=publisher)
    except RefusedThereError as error:
        log.error("compare.refused", peer=publisher, status=error.status)
    else:
        return settled
    return True


async def compare_with(app: "App", publisher: str) -> bool:
    """Find what is lacking, ask again for what was lost; True where nothing else is left open.

    Raises AwayError, and what an edge raises.
    """
    await _look_for_new(app, publisher)
    rows = await lacking_of(app, publisher)
    if not rows:
        return True
    now = datetime.now(UTC)
    found = await standing(app, publisher, [Event(row.event_id, row.subject) for row in rows])
    aside, under_way, lost = set(found.aside), set(found.under_way), set(found.missing)
    here = [r.event_id for r in rows if r.event_id not in aside | under_way | lost]
    await _forget(app, publisher, here)
    lost |= {r.event_id for r in rows if r.event_id in under_way and r.found_at < now - STUCK}
    due = [row for row in rows if row.event_id in lost and row.again_at <= now]
    for place in range(0, len(due), AGAIN_MAX):
        await _ask(app, publisher, due[place : place + AGAIN_MAX], now)
    return not under_way | lost


async def _look_for_new(app: "App", publisher: str) -> None:
    """Note what was sent since the last time and is not taken. Raises AwayError."""
    up_to = await compared_up_to(app, publisher)
    known = {row.event_id for row in await lacking_of(app, publisher)}
    asked: dict[str, Any] = {"consumer": app.settings.service, "limit": PAGE_MAX}
    if up_to is not None:
        asked["since"] = (up_to - OVERLAP).isoformat()
    while len(known) < _LACKING_MAX:
        page = await app.edges[publisher].get("/told", asked)
        told = [
            Event(one["event_id"], one["subject"], datetime.fromisoformat(one["sent_at"]))
            for one in page["items"]
        ]
        open_ = set(await not_taken(app, publisher, told)) - known
        known |= open_
        last = max((e.sent_at for e in told if e.sent_at), default=None)
        if open_ or (last is not None and (up_to is None or last > up_to)):
            up_to = max(filter(None, (last, up_to)))
            await _note(app, publisher, [event for event in told if event.id in open_], up_to)
        if page["next"] is None:
            return
        asked["after"] = page["next"]


async def _note(app: "App", publisher: str, new: Sequence[Event], up_to: datetime) -> None:
    """Write down how far we have come and what is open, together or not at all."""
    insert = sqlite.insert if app.db.sqlite else postgresql.insert
    now = datetime.now(UTC)
    rows = [
        {"publisher": publisher, "event_id": event.id, "subject": event.subject,
         "found_at": now, "asks": 0, "again_at": now}
        for event in new
    ]  # fmt: skip
    mark = insert(compared).values(publisher=publisher, up_to=up_to)
    mark = mark.on_conflict_do_update(index_elements=["publisher"], set_={"up_to": up_to})
    async with app.db.writing() as session:
        await session.execute(mark)
        if rows:
            await session.execute(insert(lacking).on_conflict_do_nothing(), rows)


async def _ask(app: "App", publisher: str, rows: Sequence[Any], now: datetime) -> None:
    """Have events told again, later and later while they do not arrive. Raises AwayError."""
    asked = {"consumer": app.settings.service, "event_ids": [row.event_id for row in rows]}
    answer = await app.edges[publisher].post("/told/again", asked)
    log.warning("compare.told_again", peer=publisher, count=len(answer["told"]))
    if answer["unknown"]:
        log.error("compare.forgotten_there", peer=publisher, count=len(answer["unknown"]))
    async with app.db.writing() as session:
        for row in rows:
            pause = min(_ASKED_LONGEST, _ASKED_FIRST * 2 ** min(row.asks, 20))
            this = update(lacking).where(
                lacking.c.publisher == publisher, lacking.c.event_id == row.event_id
            )
            await session.execute(this.values(asks=row.asks + 1, again_at=now + pause))


async def _forget(app: "App", publisher: str, arrived: Sequence[str]) -> None:
    for some in chunks(arrived):
        gone = delete(lacking).where(lacking.c.publisher == publisher)
        async with app.db.writing() as session:
            await session.execute(gone.where(lacking.c.event_id.in_(some)))
