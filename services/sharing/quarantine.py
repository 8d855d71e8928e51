"""While a quarantine lasts nothing leaves: no number, no release, no text for a worker to tell.

A backup knows nothing of what was withdrawn, judged or learnt after it. What it would release, it
releases on facts that people have since taken back.
"""

from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from messaging.database import Database, wake
from messaging.telemetry import get_logger
from services.sharing.ledger_tables import HEAD
from services.sharing.quarantine_tables import Quarantine
from services.sharing.tables import AgreementLine

log = get_logger()

RESTORED, BEHIND = "restored", "behind"

UNDER_WAY = exists().where(Quarantine.ended_at.is_(None))
"""Condition for any statement: a quarantine is under way."""
_LASTS = select(UNDER_WAY)


async def lasts(session: AsyncSession) -> bool:
    """Tell whether a quarantine is under way, as this transaction sees it."""
    return bool(await session.scalar(_LASTS))


async def in_quarantine(app: App) -> bool:
    """Tell whether a quarantine is under way now."""
    async with app.db.reading() as session:
        return await lasts(session)


async def under_way(session: AsyncSession) -> Quarantine | None:
    """Return the quarantine that is under way, locked, or None."""
    chosen = select(Quarantine).where(Quarantine.ended_at.is_(None)).with_for_update()
    return (await session.scalars(chosen.execution_options(populate_existing=True))).first()


async def begin(
    session: AsyncSession, cause: str, now: datetime, taken_at: datetime | None = None
) -> bool:
    """Begin a quarantine in this transaction; False where one is under way already."""
    head = select(HEAD.c.seq).where(HEAD.c.id == 1).with_for_update()  # one beginner at a time
    seq = int((await session.execute(head)).scalar_one())
    if await lasts(session):
        return False
    line = int(await session.scalar(select(func.max(AgreementLine.seq))) or 0)
    values = {"taken_at": taken_at, "head_seq": seq, "line_seq": line}
    session.add(Quarantine(cause=cause, began_at=now, **values))
    await session.flush()
    if cause == BEHIND:  # whoever restores is told by the command
        log.error("quarantine.began", reason=cause)
    wake(session, "delivery")
    return True


async def begin_restored(url: str, taken_at: datetime, now: datetime) -> None:
    """Put the database of `sharing` at `url` into quarantine, while no service runs on it."""
    db = Database(url)
    try:
        async with db.writing() as session:
            await begin(session, RESTORED, now, taken_at)
    finally:
        await db.dispose()
