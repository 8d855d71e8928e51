"""One transaction per event: the claim, the effect and what is told of it commit together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import Insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.event import Event
from messaging.database import Database, wake
from messaging.schema import inbox, outbox

__all__ = ["AlreadyHandledError", "emit", "handling", "wake"]


class AlreadyHandledError(Exception):
    """This handler has already taken the event; whoever delivered it takes that as done."""

    def __init__(self, event_id: str, by: str) -> None:
        super().__init__(f"{by} has handled {event_id}")


@asynccontextmanager
async def handling(db: Database, event: Event, by: str) -> AsyncIterator[AsyncSession]:
    """Claim `event` for the handler `by` and give the session in which its effect is written.

    Raises AlreadyHandledError where it was claimed before. A claim is rolled back with its effect.
    """
    async with db.writing() as session:
        claim = (
            _insert(db)
            .values(event_id=event.id, handler=by, handled_at=datetime.now(UTC))
            .on_conflict_do_nothing()
            .returning(inbox.c.event_id)
        )
        if (await session.execute(claim)).first() is None:
            raise AlreadyHandledError(event.id, by)
        yield session


def _insert(db: Database) -> "sqlite.Insert | postgresql.Insert":
    return sqlite.insert(inbox) if db.sqlite else postgresql.insert(inbox)


async def emit(session: AsyncSession, event: Event) -> None:
    """Tell the others `event` if, and only if, this transaction commits."""
    row: Insert = outbox.insert().values(
        event_id=event.id,
        subject=event.subject,
        body=event.model_dump_json(),
        occurred_at=event.occurred_at,
        written_at=datetime.now(
            UTC
        ),  # real time, as the broker's ages are, also under a test clock
    )
    await session.execute(row)
    wake(session, "relay")
