"""From the outbox to the broker: what a transaction told, told to the others."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, bindparam, delete, select, update

from messaging.errors import AwayError
from messaging.schema import idempotency, inbox, outbox
from messaging.telemetry import get_logger

if TYPE_CHECKING:
    from messaging.app import App

log = get_logger()

_SAFETY_S = 1.0
_BATCH = 256
_IN_FLIGHT = 64
_DELAY_FIRST_S, _DELAY_LONGEST_S = 0.2, 5.0
_PRUNE_EVERY_S = 3_600
_PRUNE_BATCH = 1_000

_WAITING = select(outbox).where(outbox.c.sent_at.is_(None)).order_by(outbox.c.seq).limit(_BATCH)
_SENT = update(outbox).where(outbox.c.seq == bindparam("row")).values(sent_at=bindparam("at"))


async def relay(app: "App") -> None:
    """Send for ever what waits in the outbox; woken by each commit that told something.

    The poll each second finds what a killed process left behind.
    """
    delay_s = _DELAY_FIRST_S
    while True:
        try:
            while await send_waiting(app):
                delay_s = _DELAY_FIRST_S
        except AwayError as error:
            log.info("relay.waits", reason=error.why, delay_s=delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(_DELAY_LONGEST_S, delay_s * 2)
        else:
            await app.woken("relay", _SAFETY_S)


async def send_waiting(app: "App") -> int:
    """Send one batch of what waits and mark what the broker stored; return how many.

    Rows are marked one by one, never "all up to the last": on Postgres a lower number may be
    committed later. Raises AwayError where none could be sent.
    """
    async with app.db.reading() as session:
        rows = (await session.execute(_WAITING)).all()
    if not rows:
        return 0
    sent, failure = await _send(app, rows)
    if sent:
        async with app.db.writing() as session:
            now = datetime.now(UTC)
            await session.execute(_SENT, [{"row": seq, "at": now} for seq in sent])
        app.metrics.published.inc(len(sent))
    if failure is not None:
        raise failure
    return len(sent)


async def _send(app: "App", rows: Sequence[Row[Any]]) -> tuple[list[int], AwayError | None]:
    """Publish side by side, begun in order; return what was stored and one failure, if any."""
    slots = asyncio.Semaphore(_IN_FLIGHT)

    async def one(row: Row[Any]) -> int:
        async with slots:
            await publish(app, row, msg_id=row.event_id)
        return int(row.seq)

    results = await asyncio.gather(*(one(row) for row in rows), return_exceptions=True)
    sent = [result for result in results if isinstance(result, int)]
    failure: AwayError | None = None
    for result in results:
        if isinstance(result, AwayError):
            failure = result
        elif isinstance(result, BaseException):
            raise result
    return sent, failure


async def publish(app: "App", row: Row[Any], *, msg_id: str) -> None:
    """Have the broker store one row of the outbox. Raises AwayError."""
    await app.bus.publish(
        row.subject,
        row.body.encode(),
        msg_id=msg_id,
        headers={
            "Content-Type": "application/json",
            "ce-specversion": "1.0",
            "ce-id": row.event_id,
            "ce-type": row.subject,
            "ce-source": f"urn:homeward:{app.settings.service}",
            "ce-time": row.occurred_at.isoformat(),
        },
    )


async def prune(app: "App") -> None:
    """Forget, hour by hour, what nobody can ask for again.

    Sent rows stay as long as the stream keeps them, so that a broker that lost its disk can be
    told again; the inbox twice as long, so that nothing told again is handled again.
    """
    kept = timedelta(days=app.topology.streams.max_age_days + 1)
    while True:
        now = datetime.now(UTC)
        await _forget(app, outbox.c.seq, outbox.c.sent_at < now - kept)
        await _forget(app, inbox.c.event_id, inbox.c.handled_at < now - 2 * kept)
        await _forget(app, idempotency.c.key, idempotency.c.stored_at < now - kept)
        await asyncio.sleep(_PRUNE_EVERY_S)


async def _forget(app: "App", key: Any, condition: Any) -> None:
    """Delete in small pieces, so that no writer waits long."""
    gone = _PRUNE_BATCH
    while gone == _PRUNE_BATCH:
        old = select(key).where(condition).limit(_PRUNE_BATCH)
        async with app.db.writing() as session:
            found = (await session.execute(old)).scalars().all()
            if found:
                await session.execute(delete(key.table).where(condition, key.in_(found)))
        gone = len(found)
