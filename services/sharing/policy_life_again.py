"""After a change of the policies: what is held, and what is decided and unsent, is decided again.

A few children at a time, so that news about a child never stands in a queue behind a million who
wait for the same change. What has not had its turn yet cannot leave: it has another digest. A child
is asked about whole; of whom nothing is held or unsent, what was refused stays so until a fact of
that child changes.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy import Select, bindparam, select, text, update

from messaging.app import App
from messaging.database import wake
from services.sharing.children import RECONSIDER
from services.sharing.domain.releasing import STOPPABLE
from services.sharing.parts import gate
from services.sharing.policy_life_loading import AGAIN
from services.sharing.policy_tables import ACTIVE_DIGEST
from services.sharing.tables import Child, Decision, Release

BATCH = 100
_TURN_S = 10.0
"""How long a batch is waited for; a child that cannot be decided holds up no other."""
_LOOK_S = 0.05
_SAFETY_S = 600.0

_UNSENT = (
    # as the index `release_under_way` has it, so that SQLite uses it too
    text("release.state IN ('waiting_child_told','tell','queued','claimed')"),
    Release.state.in_(STOPPABLE),
)
_HELD = (Decision.current, Decision.decision == bindparam(None, "defer", literal_execute=True))


async def decide_again(app: App) -> None:
    """Have decided again what other policies held or permitted: at the start and after a change."""
    while True:
        digest, after = gate(app).policy.digest, ""
        gate(app).again = 0
        while ids := await _next(app, after):
            if digest != gate(app).policy.digest:
                break  # the next version has come: from the beginning
            after = ids[-1]
            await _dirty(app, ids)
            gate(app).again += len(ids)
            await _their_turn(app, ids)
        if digest == gate(app).policy.digest:
            await app.woken(AGAIN, _SAFETY_S)


async def _next(app: App, after: str) -> Sequence[str]:
    async with app.db.reading() as session:
        unsent = await session.scalars(_of_others(Release, after).where(*_UNSENT))
        held = await session.scalars(_of_others(Decision, after).where(*_HELD))
        return sorted({*unsent, *held})[:BATCH]


def _of_others(table: type[Release | Decision], after: str) -> Select[str]:
    """Select children after `after` in order, of whom a row is of another version."""
    child = table.child_id
    return (
        select(child)
        .join(Child, Child.id == child)
        .where(child > after, Child.dirty.is_(False))
        .where(table.policy_digest.is_distinct_from(ACTIVE_DIGEST))
        .distinct()
        .order_by(child)
        .limit(BATCH)
    )


async def _dirty(app: App, ids: Sequence[str]) -> None:
    async with app.db.writing() as session:
        await session.execute(
            update(Child)
            .where(Child.id.in_(sorted(ids)))
            .values(dirty=True)
            .execution_options(synchronize_session=False)
        )
        wake(session, RECONSIDER)


async def _their_turn(app: App, ids: Sequence[str]) -> None:
    left = select(Child.id).where(Child.id.in_(ids), Child.dirty).limit(1)
    with suppress(TimeoutError):
        async with asyncio.timeout(_TURN_S):
            while True:
                await asyncio.sleep(_LOOK_S)
                async with app.db.reading() as session:
                    if await session.scalar(left) is None:
                        return
