"""Which message is owed for which cause: one row per cause, whichever road it came by."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.scheduling import AppointmentBooked, DeadlineMissed, DeadlineNear
from messaging.app import App
from messaging.transaction import wake
from services.notify.bodies import PageIn
from services.notify.domain import Kind, State
from services.notify.tables import Message
from services.notify.templates import LANGUAGE, VERSIONS


async def owe_appointment(session: AsyncSession, app: App, event: AppointmentBooked) -> str:
    """Owe a child the news of their appointment; a moved one is told afresh."""
    starts_at = event.starts_at.isoformat()
    return await _owe(
        session,
        app.ids.after("MS", "appointment", event.booking_id, starts_at),
        "appointment",
        app.clock.now(),
        cause_id=event.booking_id,
        child_id=event.child_id,
        episode_id=event.episode_id,
        to_role="child",
        at=event.starts_at,
    )


async def owe_page(session: AsyncSession, app: App, page: PageIn) -> str:
    """Owe staff a page, once, whether it came over the bus, by a call, or both."""
    return await _owe(
        session,
        app.ids.after("MS", "page", page.page_id),
        "page",
        app.clock.now(),
        cause_id=page.page_id,
        child_id=page.child_id,
        locality=page.locality,
        to_role=page.to,
        code=page.code,
        at=page.due_at,
    )


async def owe_deadline(
    session: AsyncSession, app: App, event: DeadlineNear | DeadlineMissed
) -> str:
    """Owe the manager word of a clock that runs out or ran out, once per clock and due time."""
    what = "near" if isinstance(event, DeadlineNear) else "missed"
    due_at = event.due_at.isoformat()
    return await _owe(
        session,
        app.ids.after("MS", "deadline", what, event.episode_id, event.clock, due_at),
        "deadline",
        app.clock.now(),
        cause_id=event.id,
        child_id=event.child_id,
        episode_id=event.episode_id,
        to_role="manager",
        code=f"{event.clock}.{what}",
        at=event.due_at,
    )


async def _owe(
    session: AsyncSession, message_id: str, kind: Kind, now: datetime, **about: Any
) -> str:
    """Write the row unless it is there, wake the sender after the commit, return the id."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = insert(Message).values(
        message_id=message_id,
        kind=kind,
        template=kind,
        template_version=VERSIONS[kind],
        language=LANGUAGE,
        state=State.WAITING,
        again_at=now,
        attempts=0,
        written_at=now,
        **about,
    )
    await session.execute(row.on_conflict_do_nothing(index_elements=["message_id"]))
    wake(session, "due")
    return message_id
