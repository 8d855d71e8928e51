"""Answers that were not recorded because a fact changed meanwhile, for the pairs it does not touch.

An outcome, a birthday, a new recipient: most changes leave most documents of a child as they were.
What policy said on one of them, it need not be asked again a moment later.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.sharing.domain.document import Document
from services.sharing.proposal import Pair, Proposal

LASTS = timedelta(seconds=1)
"""How old an answer may become before it is recorded; a later look asks again."""


@dataclass
class Unrecorded:
    """Of each child what the last look at it was told and could not record."""

    _of: dict[str, tuple[datetime, str, list[Pair]]] = field(default_factory=dict)

    def keep(self, proposal: Proposal, asked_at: datetime) -> None:
        """Keep the answers of a look whose epoch has passed."""
        told = [pair for pair in proposal.pairs if pair.answer is not None and pair.answered]
        self._of[proposal.facts.child.id] = asked_at, proposal.policy.digest, told

    def take_over(self, proposal: Proposal, now: datetime) -> datetime:
        """Give answers to pairs that are asked the very same; return when the oldest was given.

        The same item and recipient, each in the same version, the same law on the same day, by the
        same policies: the whole document is compared, but for the moment of asking.
        """
        # what another process has looked at meanwhile goes too: words are kept nowhere for long
        self._of = {who: one for who, one in self._of.items() if _fresh(one[0], now)}
        asked_at, digest, told = self._of.pop(proposal.facts.child.id, (now, "", []))
        if digest != proposal.policy.digest:
            return now
        before = {(pair.item.id, pair.recipient.key): pair for pair in told}
        taken = [_taken_over(pair, before.get(_name(pair))) for pair in _open(proposal.pairs)]
        return asked_at if any(taken) else now


def _fresh(asked_at: datetime, now: datetime) -> bool:
    return asked_at <= now <= asked_at + LASTS


def _open(pairs: Iterable[Pair]) -> Iterable[Pair]:
    return (pair for pair in pairs if not pair.decided)


def _name(pair: Pair) -> tuple[str, str]:
    return pair.item.id, pair.recipient.key


def _taken_over(pair: Pair, before: Pair | None) -> bool:
    if before is None or (pair.item, pair.recipient) != (before.item, before.recipient):
        return False
    if _but_for_now(pair.document) != _but_for_now(before.document):
        return False
    pair.answer, pair.content, pair.decided = before.answer, before.content, True
    return True


def _but_for_now(document: Document) -> dict[str, Any]:
    return {**document, "now": None}
