"""One transaction per event: the claim, the effect and what is told of it commit together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.event import Event
from messaging.database import Database, wake
from messaging.schema import inbox, outbox
from messaging.statements import NewRow

__all__ = ["AlreadyHandledError", "emit", "emit_all", "handling", "wake"]

# made once: to build a statement anew each time costs more than to run it
_CLAIM = NewRow(inbox)
_TELL = outbox.insert().inline()


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
        claim = {"event_id": event.id, "handler": by, "handled_at": datetime.now(UTC)}
        if not await _CLAIM.add(session, claim):
            raise AlreadyHandledError(event.id, by)
        yield session


async def emit(session: AsyncSession, event: Event) -> None:
    """Tell the others `event` if, and only if, this transaction commits."""
    await emit_all(session, [event])


async def emit_all(session: AsyncSession, events: Sequence[Event]) -> None:
    """Tell several events, in this order; one statement, where each alone costs a millisecond."""
    if not events:
        return
    rows = [
        {
            "event_id": event.id,
            "subject": event.subject,
            "body": event.model_dump_json(),
            "occurred_at": event.occurred_at,
            "written_at": datetime.now(UTC),  # real time, as the broker's ages are
        }
        for event in events
    ]
    await session.execute(_TELL, rows if len(rows) > 1 else rows[0])
    wake(session, "relay")
