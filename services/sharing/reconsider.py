"""Deciding: what changed is proposed afresh, pair by pair, and policy is asked what has not been.

Policy is asked before the transaction opens, so a slow engine holds no lock. What cannot be decided
now (no answer, words not to be had) leaves the child dirty and is tried again, later and later.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import bindparam, func, select

from messaging.app import App
from messaging.errors import AwayError
from messaging.telemetry import get_logger
from services.sharing.children import RECONSIDER, read_again
from services.sharing.domain.answer import NO_DECISION, no_decision
from services.sharing.parts import Gate, gate
from services.sharing.policy import NoDecisionError, Policy
from services.sharing.proposal import Pair, Proposal, propose
from services.sharing.settling import EpochMovedError, settle
from services.sharing.tables import Child
from services.sharing.unrecorded import Unrecorded
from services.sharing.words import fill

log = get_logger()

_SAFETY_S = 1.0
_BATCH = 50
_AT_ONCE = 8
"""Children looked at at a time; on SQLite their transactions queue anyway."""
_DELAY_FIRST_S = 0.2
_DELAY_MAX_S = 5.0

_DIRTY = (
    select(Child.id)
    .where(Child.dirty, Child.id > bindparam("after"))
    .order_by(Child.id)
    .limit(_BATCH)
)


@dataclass
class Patience:
    """How long each child that could not be decided waits before it is tried again."""

    tries: dict[str, int] = field(default_factory=dict)
    until: dict[str, float] = field(default_factory=dict)

    def failed(self, child_id: str) -> None:
        """Wait twice as long as the last time."""
        tries = self.tries[child_id] = self.tries.get(child_id, 0) + 1
        delay_s = min(_DELAY_MAX_S, _DELAY_FIRST_S * 2 ** min(tries, 10))
        self.until[child_id] = time.monotonic() + delay_s

    def done(self, child_id: str) -> None:
        """Forget a child that was decided."""
        self.tries.pop(child_id, None)
        self.until.pop(child_id, None)

    def forget(self) -> None:
        """Let none wait any longer: other policies decide now."""
        self.tries.clear()
        self.until.clear()

    def waits(self, child_id: str) -> bool:
        """Tell whether it is too early for this child."""
        return time.monotonic() < self.until.get(child_id, 0.0)


async def undecided(app: App) -> int:
    """Return how many children wait to be looked at."""
    async with app.db.reading() as session:
        waiting = select(func.count()).select_from(Child).where(Child.dirty)
        return int((await session.execute(waiting)).scalar_one())


async def reconsider_for_ever(app: App) -> None:
    """Take children of whom something changed; woken by the change, and each second for safety."""
    patience, unrecorded = Patience(), Unrecorded()
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(child_id: str) -> None:
        async with limit:
            try:
                decided = await reconsider(app, child_id, unrecorded)
            except EpochMovedError:
                return  # whatever moved it has woken us again
            except AwayError as error:
                log.info("reconsider.waits", name=error.who)
                decided = False
            except Exception as error:
                # one child whose facts nobody foresaw must not keep the others waiting
                log.error("reconsider.failed", exc_info=error)
                app.metrics.failures.labels("reconsider").inc()
                decided = False
        (patience.done if decided else patience.failed)(child_id)

    policy = gate(app).policy
    while True:
        await app.woken(RECONSIDER, _SAFETY_S)
        if policy is not gate(app).policy:
            policy = gate(app).policy
            patience.forget()
        after, more = "", True
        while more:
            ids = await _dirty(app, after)
            await asyncio.gather(*(one(child) for child in ids if not patience.waits(child)))
            if more := len(ids) == _BATCH:
                after = ids[-1]


async def _dirty(app: App, after: str) -> Sequence[str]:
    async with app.db.reading() as session:
        return (await session.scalars(_DIRTY, {"after": after})).all()


async def reconsider(app: App, child_id: str, unrecorded: Unrecorded) -> bool:
    """Look at every pair of a child; tell whether all are decided.

    Raises AwayError, and EpochMovedError where a fact changed meanwhile: what was answered is then
    `unrecorded`, and holds for the next look where that would ask the very same.
    """
    proposal = await _propose(app, child_id)
    if proposal is None:
        return False
    here = gate(app)
    asked_at = unrecorded.take_over(proposal, app.clock.now())
    new = [pair for pair in proposal.pairs if not pair.decided]
    await asyncio.gather(*(_ask(here, proposal.policy, pair) for pair in new))
    await fill(app, proposal)
    try:
        return await settle(app, proposal)
    except EpochMovedError:
        unrecorded.keep(proposal, asked_at)
        raise


async def _propose(app: App, child_id: str) -> Proposal | None:
    async with app.db.reading() as session:
        child = await session.get(Child, child_id)
        if child is None:
            return None
        if child.wanted_version <= child.version:
            return await propose(app, session, child_id)
    await read_again(app, child_id, child.wanted_version)
    async with app.db.reading() as session:
        return await propose(app, session, child_id)


async def _ask(here: Gate, policy: Policy, pair: Pair) -> None:
    """Ask policy; where there is no answer the pair is held, which is recorded once."""
    try:
        pair.answer = await policy.decide(pair.document)
        pair.decided = True
    except NoDecisionError as error:
        here.no_answers.labels(error.code).inc()
        if not _held_already(pair):
            pair.answer = no_decision(pair.item.category == "harm" or pair.urgent)
        pair.decided = True


def _held_already(pair: Pair) -> bool:
    current = pair.current
    return (
        current is not None
        and NO_DECISION in current.rule_ids
        and current.document == pair.digest
        and current.item_version == pair.item.version
    )
