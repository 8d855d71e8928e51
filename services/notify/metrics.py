"""What a scrape of `notify` looks up: messages that wait, and what people have to do instead."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select

from messaging.app import App
from messaging.gauges import COUNTED_MAX, Family, Labels, Look, Values
from services.notify.domain import State
from services.notify.tables import Message, Task

KINDS = ("appointment", "page", "deadline")


async def _messages(app: App) -> Mapping[str, Values]:
    now = app.clock.now()
    few = (
        select(Message.kind, Message.written_at)
        .where(Message.state.in_((State.WAITING, State.SENDING)))
        .order_by(Message.again_at)
        .limit(COUNTED_MAX)
        .subquery()
    )
    asked = select(few.c.kind, func.count(), func.min(few.c.written_at)).group_by(few.c.kind)
    counts: dict[Labels, float] = {}
    ages: dict[Labels, float] = {}
    async with app.db.reading() as session:
        for kind, count, first in await session.execute(asked):
            counts[(kind,)] = count
            ages[(kind,)] = max(0.0, (now - first).total_seconds())
    return {"homeward_messages_waiting": counts, "homeward_message_oldest_seconds": ages}


async def _tasks(app: App) -> Mapping[str, Values]:
    now: datetime = app.clock.now()
    few = (
        select(Task.code, Task.due_at)
        .where(Task.done_at.is_(None))
        .order_by(Task.written_at)
        .limit(COUNTED_MAX)
        .subquery()
    )
    asked = select(few.c.code, func.count()).group_by(few.c.code)
    async with app.db.reading() as session:
        counts: dict[Labels, float] = {
            (code,): count for code, count in await session.execute(asked)
        }
        overdue = await session.scalar(
            select(func.count()).select_from(few).where(few.c.due_at < now)
        )
    return {
        "homeward_messages_undeliverable": counts,
        "homeward_messages_undeliverable_overdue": {(): float(overdue or 0)},
    }


LOOKS = (
    Look(
        [
            Family(
                "homeward_messages_waiting",
                "Messages that are owed and not sent yet, by kind",
                ("kind",),
                [(kind,) for kind in KINDS],
            ),
            Family(
                "homeward_message_oldest_seconds",
                "How long the first of them has been owed; 0 where none is",
                ("kind",),
                [(kind,) for kind in KINDS],
            ),
        ],
        _messages,
    ),
    Look(
        [
            Family(
                "homeward_messages_undeliverable",
                "Tasks of people because a message could not, or may not, go out, by reason",
                ("code",),
                [("no_safe_channel",), ("address_refused",)],
            ),
            Family("homeward_messages_undeliverable_overdue", "Of these, those past their time"),
        ],
        _tasks,
    ),
)
