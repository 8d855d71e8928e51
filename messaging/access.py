"""Who read what about whom: a record that is committed before the bytes leave."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from messaging.caller import Caller
from messaging.schema import access


async def note_access(
    session: AsyncSession, caller: Caller, subject_id: str, what: str, at: datetime
) -> None:
    """Record that `caller` reads `what` of `subject_id`; answer only after the commit."""
    row = access.insert().values(
        caller=caller.sub,
        roles=" ".join(sorted(caller.roles)),
        subject_id=subject_id,
        what=what,
        at=at,
    )
    await session.execute(row)
