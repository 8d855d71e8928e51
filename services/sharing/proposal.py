"""One proposal per item and recipient of a child: what policy would be asked on today's facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from services.sharing.domain.answer import NO_DECISION, Answer
from services.sharing.domain.document import Document, Documents, digest, urgent
from services.sharing.domain.facts import Facts, ItemFacts, RecipientFacts, pairs
from services.sharing.domain.releasing import LIVE
from services.sharing.parts import gate
from services.sharing.policy import Policy
from services.sharing.reading import facts_of
from services.sharing.tables import Child, Decision, Item, Release

_CHILD: Any = bindparam("child_id")
_STANDING = select(Decision).where(Decision.child_id == _CHILD, Decision.current)
_ITEMS = select(Item.id, Item.fields, Item.worker).where(Item.child_id == _CHILD)
_LIVE = select(Release.decision_id).where(Release.child_id == _CHILD, Release.state.in_(LIVE))


@dataclass
class Pair:
    """One item and one recipient, what policy is asked about them, and what came of it."""

    item: ItemFacts
    recipient: RecipientFacts
    document: Document
    digest: str
    current: Decision | None
    """The decision that stood when the facts were read."""
    answer: Answer | None = None
    """A new answer; None: the current decision stands, or the pair could not be decided."""
    content: dict[str, Any] | None = None
    refill: bool = False
    """The decision stands, but no release of it does any more: its number had to be given up."""
    decided: bool = False
    """Whether it has a decision on these facts, a hold for want of an answer included."""

    @property
    def answered(self) -> bool:
        """Tell whether policy itself has spoken on these facts."""
        rules = (
            self.answer.rule_ids if self.answer else self.current.rule_ids if self.current else ()
        )
        return self.decided and NO_DECISION not in rules

    @property
    def transforms(self) -> Sequence[str] | None:
        """Return the transforms of what is to be released now, or None where nothing is."""
        if self.answer is not None:
            return self.answer.transforms if self.answer.releases else None
        return self.current.transforms if self.refill and self.current is not None else None

    @property
    def urgent(self) -> bool:
        """Tell whether the item is urgent (design, section 5)."""
        return urgent(self.document)


@dataclass
class Proposal:
    """All pairs of one child at one epoch."""

    facts: Facts
    epoch: int
    pairs: list[Pair]
    own: dict[str, Any]
    """Fields of the gate's own items, by id."""
    workers: dict[str, str | None]
    """Who interviewed, by item."""
    locality: str
    policy: Policy
    """The version that is asked, from here to the record of its answers."""


async def propose(app: App, session: AsyncSession, child_id: str) -> Proposal | None:
    """Return every pair of the child as it stands; None while the child's facts are not known."""
    here, now = gate(app), app.clock.now()
    policy = here.policy
    child = await session.get(Child, child_id)
    if child is None:
        return None
    facts = await facts_of(session, child, here.controller(child.locality))
    if facts is None:
        return None
    whose = {"child_id": child_id}
    standing = await session.scalars(_STANDING, whose)
    current = {(one.item_id, one.recipient): one for one in standing}
    rows = (await session.execute(_ITEMS, whose)).all()
    found = []
    documents = Documents(facts, now)
    for item, recipient in pairs(facts, policy.data.carers):
        kind = policy.data.types.get(recipient.type)
        if kind is None:
            continue
        pseudonym = _pseudonym(app, recipient, item)
        asked = documents.about(item, recipient, kind, policy.data.law, pseudonym)
        found.append(
            Pair(item, recipient, asked, digest(asked), current.get((item.id, recipient.key)))
        )
    live = set(await session.scalars(_LIVE, whose))
    for pair in found:
        pair.decided = _stands(pair, policy.digest)
        pair.refill = (
            pair.decided
            and pair.current is not None
            and pair.current.decision in ("allow", "allow_redacted")
            and pair.current.id not in live
        )
    return Proposal(
        facts=facts,
        epoch=child.epoch,
        pairs=found,
        own={row.id: row.fields for row in rows if row.fields is not None},
        workers={row.id: row.worker for row in rows},
        locality=child.locality,
        policy=policy,
    )


def _stands(pair: Pair, policy_digest: str) -> bool:
    """Tell whether the decision of a pair was made on the same facts and by the same policies."""
    current = pair.current
    return (
        current is not None
        and current.document == pair.digest
        and current.item_version == pair.item.version
        and current.policy_digest == policy_digest
        and NO_DECISION not in current.rule_ids
    )


def _pseudonym(app: App, recipient: RecipientFacts, item: ItemFacts) -> str:
    """Return the key under which a commissioner knows the episode, and nothing else of it."""
    if recipient.type != "commissioner":
        return ""
    return app.ids.after("PS", recipient.key, item.episode_id)
