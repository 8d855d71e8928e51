"""Finding what a call names; an id whose event is still under way is waited for a little."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from messaging.caller import Caller
from messaging.problem import Problem
from messaging.waiting import arrived
from services.sharing.children import locked
from services.sharing.tables import Child, Episode, Item, WorkerOnCase

Key = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=1, max_length=64)
]
"""Key of a recipient or partner: lower-case words with hyphens."""
Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,80}$")]

_AHEAD = timedelta(seconds=60)
"""How far a worker's device may run ahead before a time counts as being in the future."""
_BEFORE = timedelta(days=365 * 20)
"""Nothing about somebody who is a child, or was until lately, was said longer ago."""


class Body(BaseModel):
    """A request body; a field that is not known is refused, because it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


def happened(app: App, at: datetime | None) -> datetime:
    """Return when something happened, now unless said. Raises Problem 422 for the future."""
    now = app.clock.now()
    if at is None:
        return now
    if at > now + _AHEAD:
        raise Problem(422, "request.malformed", fields=[("occurred_at", "time.in_future")])
    if at < now - _BEFORE:
        raise Problem(422, "request.malformed", fields=[("occurred_at", "time.too_early")])
    return min(at, now)


async def child_known(app: App, child_id: str) -> None:
    """Wait for a child that is on its way. Raises Problem 404."""

    async def find() -> bool | None:
        async with app.db.reading() as session:
            return (await session.get(Child, child_id)) is not None or None

    if await arrived(find) is None:
        raise Problem(404, "child.unknown")


async def child_locked(session: AsyncSession, child_id: str) -> Child:
    """Return the child's row, locked. Raises Problem 404."""
    child = await locked(session, child_id)
    if child is None:
        raise Problem(404, "child.unknown")
    return child


async def on_case(app: App, child_id: str, caller: Caller) -> bool:
    """Tell whether the caller attempted, is booked for or interviewed; waits for a late event."""

    async def find() -> bool | None:
        async with app.db.reading() as session:
            there = await session.get(WorkerOnCase, (child_id, caller.sub))
            return there is not None or None

    return await arrived(find) is True


async def items_known(app: App, child_id: str, wanted: set[str]) -> None:
    """Wait for items of the child that are on their way. Raises Problem 404."""
    if not wanted:
        return

    async def find() -> bool | None:
        async with app.db.reading() as session:
            found = await session.scalars(
                select(Item.id).where(Item.child_id == child_id, Item.id.in_(wanted))
            )
            return wanted <= set(found) or None

    if await arrived(find) is None:
        raise Problem(404, "item.unknown")


async def episodes_known(app: App, child_id: str, wanted: set[str]) -> None:
    """Wait for episodes of the child that are on their way. Raises Problem 404."""
    if not wanted:
        return

    async def find() -> bool | None:
        async with app.db.reading() as session:
            found = await session.scalars(
                select(Episode.id).where(Episode.child_id == child_id, Episode.id.in_(wanted))
            )
            return wanted <= set(found) or None

    if await arrived(find) is None:
        raise Problem(404, "episode.unknown")
