"""What every service looks up when it is scraped: its outbox, its dead letters, what it lacks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from messaging.gauges import WITHIN_S, Family, Look, Values
from messaging.routes import dependencies
from messaging.schema import lacking, outbox

if TYPE_CHECKING:
    from messaging.app import App

_SOONER_S = 0.5
"""What does not answer is known to be away before this look itself is given up."""
_LETTERS_MAX = 100
"""Read one by one at the broker; more than a handful is for a person to look at anyway."""


async def _oldest_unsent(app: "App") -> Mapping[str, Values]:
    """Look how long the first of what waits has waited; by real time, as the broker's ages are."""
    first = select(outbox.c.written_at).where(outbox.c.sent_at.is_(None))
    async with app.db.reading() as session:
        written_at = await session.scalar(first.order_by(outbox.c.seq).limit(1))
    age_s = (datetime.now(UTC) - written_at).total_seconds() if written_at else 0.0
    return {"homeward_outbox_oldest_seconds": {(): max(0.0, age_s)}}


async def _letters(app: "App") -> Mapping[str, Values]:
    from messaging.dead_letters import letters  # noqa: PLC0415 - the library is slow to load

    count = 0
    async for _ in letters(app):
        count += 1
        if count == _LETTERS_MAX:
            break
    return {"homeward_dead_letters_waiting": {(): float(count)}}


async def _lacking(app: "App") -> Mapping[str, Values]:
    counted = select(lacking.c.publisher, func.count()).group_by(lacking.c.publisher)
    known = {durable.publisher for durable in app.topology.durables_of(app.settings.service)}
    async with app.db.reading() as session:
        found = {str(row[0]): float(row[1]) for row in await session.execute(counted)}
    return {"homeward_comparison_missing": {(p,): found.get(p, 0.0) for p in {*known, *found}}}


async def _dependencies(app: "App") -> Mapping[str, Values]:
    up = await dependencies(app, WITHIN_S - _SOONER_S)
    return {"homeward_dependency_up": {(name,): float(works) for name, works in up.items()}}


SHARED = (
    Look(
        [
            Family(
                "homeward_dependency_up",
                "1 where a round trip to what the service needs worked just now, else 0",
                ("name",),
            )
        ],
        _dependencies,
    ),
    Look(
        [
            Family(
                "homeward_outbox_oldest_seconds",
                "Age of the first fact that the broker has not stored yet; 0 where none waits",
            )
        ],
        _oldest_unsent,
    ),
    Look(
        [
            Family(
                "homeward_dead_letters_waiting",
                f"Events that lie put aside, at most {_LETTERS_MAX} counted",
            )
        ],
        _letters,
    ),
    Look(
        [
            Family(
                "homeward_comparison_missing",
                "Events that a publisher told and this service has not taken, found by comparing",
                ("publisher",),
            )
        ],
        _lacking,
    ),
)
