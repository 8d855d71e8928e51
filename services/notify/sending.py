"""Sends what is owed: claim it and commit, then send, then write down what came of it.

A crash between sending and writing down leaves a claim that ends by itself. What was for staff is
then sent again under the same Message-ID; what was for a child is not: a worker gets a task.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

from sqlalchemy import case, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.notify import MessageBlocked, MessageSent
from messaging.app import App
from messaging.database import lock
from messaging.errors import AwayError
from messaging.telemetry import get_logger
from messaging.transaction import emit
from services.notify import domain
from services.notify.channels import (
    AddressRefusedError,
    ChannelAwayError,
    DeliveryUnknownError,
)
from services.notify.domain import ChannelKind, Kind, Next, Outcome, State
from services.notify.letters import Ready, ready
from services.notify.tables import Message, Task

log = get_logger()

_AT_ONCE: Final = 16
"""Messages sent side by side: a server that hangs on one must not hold up a page."""
_UNDERWAY: Final = (State.WAITING, State.SENDING)


async def send_due(app: App) -> datetime | None:
    """Send what is due; return when something is due next."""
    if (following := await _following(app)) is None or following > app.clock.now():
        return following
    await _end_claims(app)
    claimed = await _claim(app)
    await asyncio.gather(*(_deliver(app, message) for message in claimed))
    return await _following(app)


async def unsent(app: App) -> int:
    """Return how many messages wait or are being sent."""
    async with app.db.reading() as session:
        rows = await session.scalars(select(Message.message_id).where(Message.state.in_(_UNDERWAY)))
        return len(list(rows))


async def take_back_claims(app: App) -> None:
    """End all claims at once where no other process can hold one: a file has one process."""
    if app.db.sqlite:
        await _end_claims(app, all_of_them=True)


async def _following(app: App) -> datetime | None:
    async with app.db.reading() as session:
        return await session.scalar(
            select(Message.again_at)
            .where(Message.state.in_(_UNDERWAY))
            .order_by(Message.again_at)
            .limit(1)
        )


async def _claim(app: App) -> Sequence[Message]:
    """Take what is due, pages first, and commit that it is being sent."""
    now = app.clock.now()
    async with app.db.writing() as session:
        rows = await session.scalars(
            select(Message)
            .where(Message.state == State.WAITING, Message.again_at <= now)
            .order_by(case((Message.kind == "page", 0), else_=1), Message.again_at)
            .limit(_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        claimed = list(rows)
        for message in claimed:
            message.state = State.SENDING
            message.attempts += 1
            message.again_at = now + domain.CLAIM_ENDS_AFTER
    return claimed


async def _end_claims(app: App, all_of_them: bool = False) -> None:
    """Settle what a process that died was sending."""
    now = app.clock.now()
    async with app.db.writing() as session:
        left = select(Message).where(Message.state == State.SENDING)
        if not all_of_them:
            left = left.where(Message.again_at <= now)
        for message in await session.scalars(left.with_for_update(skip_locked=True)):
            log.warning("message.claim_ended", kind=message.kind)
            await _settle(session, app, message, domain.abandoned(_kind(message), now))


async def _deliver(app: App, message: Message) -> None:
    """Make one attempt and write down what came of it."""
    channel: ChannelKind | None = None
    try:
        what = await ready(app, message)
    except AwayError as error:
        log.warning("message.not_ready", kind=message.kind, peer=error.who, reason=error.why)
        following = _after(app, message, Outcome.AWAY)
    except Exception as error:  # an answer nobody foresaw; nothing has left yet
        log.error("message.not_ready", kind=message.kind, exc_info=error)
        following = _after(app, message, Outcome.AWAY)
    else:
        if isinstance(what, Next):
            following = what
        else:
            channel = what.kind
            following = _after(app, message, await _send(what))

    async with app.db.writing() as session:
        row = await lock(session, Message, message.message_id)
        ours = row is not None and (row.state, row.attempts) == (State.SENDING, message.attempts)
        if row is not None and (ours or following.state == State.SENT != row.state):
            await _settle(session, app, row, following, channel)


async def _send(what: Ready) -> Outcome:
    """Send to each; one that was told is enough, since several are asked only in need."""
    outcomes = [await _send_one(what, at) for at in range(len(what.outgoing))]
    return Outcome.ACCEPTED if Outcome.ACCEPTED in outcomes else outcomes[-1]


async def _send_one(what: Ready, at: int) -> Outcome:
    try:
        await what.channel.send(what.outgoing[at])
    except ChannelAwayError as error:
        log.warning("channel.away", kind=what.kind, reason=error.why)
        return Outcome.AWAY
    except AddressRefusedError:
        log.warning("channel.refused", kind=what.kind)
        return Outcome.REFUSED
    except DeliveryUnknownError as error:
        log.warning("channel.unsure", kind=what.kind, exc_info=error)
        return Outcome.UNSURE
    except Exception as error:  # nobody foresaw it, so nobody can say whether it left
        log.error("channel.failed", kind=what.kind, exc_info=error)
        return Outcome.UNSURE
    return Outcome.ACCEPTED


def _after(app: App, message: Message, outcome: Outcome) -> Next:
    return domain.after(_kind(message), outcome, message.attempts, app.clock.now())


async def _settle(
    session: AsyncSession,
    app: App,
    message: Message,
    following: Next,
    channel: ChannelKind | None = None,
) -> None:
    """Write down what becomes of a message, and tell of it."""
    now = app.clock.now()
    message.state = following.state
    message.again_at = following.again_at
    message.blocked_code = following.code
    message.channel = channel or message.channel
    if following.state == State.SENT:
        message.sent_at = now
        await emit(session, _sent(app, message, now))
    if following.code and message.to_role == "child":
        await emit(session, _blocked(app, message, following.code, now))
    if following.task and following.code:
        await _add_task(session, app, message, following.code, now)


def _sent(app: App, message: Message, now: datetime) -> MessageSent:
    return MessageSent(
        id=app.ids.after("EV", "message_sent", message.message_id, message.attempts),
        occurred_at=now,
        message_id=message.message_id,
        cause_id=message.cause_id,
        template=message.template,
        template_version=message.template_version,
        channel=cast(ChannelKind, message.channel),  # it has gone by one
    )


def _blocked(app: App, message: Message, code: domain.BlockedCode, now: datetime) -> MessageBlocked:
    return MessageBlocked(
        id=app.ids.after("EV", "message_blocked", message.message_id, message.attempts),
        occurred_at=now,
        message_id=message.message_id,
        cause_id=message.cause_id,
        child_id=message.child_id,
        code=code,
    )


async def _add_task(
    session: AsyncSession, app: App, message: Message, code: domain.BlockedCode, now: datetime
) -> None:
    """Give a worker (for a child's message) or the manager a task, one per message and reason."""
    child = message.to_role == "child"
    round_ = message.attempts if child else 0  # a page that is refused each time is one task
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = insert(Task).values(
        task_id=app.ids.after("TK", message.message_id, code, round_),
        message_id=message.message_id,
        child_id=message.child_id,
        owner="practitioner" if child else "manager",
        code=code,
        due_at=message.at,
        written_at=now,
    )
    await session.execute(row.on_conflict_do_nothing(index_elements=["task_id"]))


def _kind(message: Message) -> Kind:
    return cast(Kind, message.kind)  # written from this type alone, see owed.py
