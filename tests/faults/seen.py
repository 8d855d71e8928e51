"""What somebody who stands outside has seen of a run; nothing of it comes from a service's tables.

Whoever drives a run fills this in while it goes on and when it rests; `oracle.violations` judges it
and asks nobody anything. Lists of the APIs are kept as they came (`Row`), so that a field that is
added is there for the next rule.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

Row = Mapping[str, Any]
"""One line of a list as an API gave it."""


@dataclass(frozen=True)
class Answered:
    """One answer to a referral; a retry makes another."""

    status: int
    referral_id: str = ""
    child_id: str = ""
    episode_id: str = ""


@dataclass
class Referral:
    """One referral, under one `Idempotency-Key`, however often it was sent."""

    key: str
    sent: int = 0
    """How often; more than there are answers where some were lost on the way."""
    answers: list[Answered] = field(default_factory=list)

    @property
    def taken(self) -> list[Answered]:
        """Return the answers that said yes."""
        return [one for one in self.answers if one.status in {200, 201}]


@dataclass(frozen=True)
class Read:
    """One message of a feed in the hands of its partner; the same again where it came again."""

    partner: str
    raw: bytes
    """As it lay in the stream."""
    at: float
    """When it was read, by the observer's own steady clock (`time.monotonic()`)."""
    seq: int | None = None
    """Its place in the stream; a stream that was lost and made anew counts from 1."""
    opened: Row | None = None
    """The signed claims that the partner's keys found in it, with `type`; None: not to be read."""
    unread: bool = False
    """It still lay there when all was over, and was only then looked at."""

    @cached_property
    def event(self) -> Row:
        """Return the envelope, or nothing where it is none."""
        try:
            found = json.loads(self.raw)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Withdrawal:
    """A yes taken back, and what was answered: lists of release ids, none of them left out."""

    child_id: str
    recipients: frozenset[str] | None
    """None: from everybody."""
    asked_at: float
    answered_at: float | None = None
    """None: no answer came, so nothing was promised. Both by the observer's steady clock."""
    epoch: int = 0
    cancelled: frozenset[str] = frozenset()
    erased: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, child_id: str, recipients: Any, asked_at: float, answered_at: float, answer: Row
    ) -> "Withdrawal":
        """Return what `POST /children/{id}/withdrawals` answered to `recipients`."""
        named = {
            kind: frozenset(one["release_id"] for one in answer[kind])
            for kind in ("cancelled", "erased", "left")
        }
        whom = None if recipients == "all" else frozenset(recipients)
        return cls(child_id, whom, asked_at, answered_at, answer["epoch"], **named)


@dataclass(frozen=True)
class Change:
    """A fact that a call changed: what was decided before it may no longer start out."""

    child_id: str
    epoch: int
    """As answered: `PUT …/agreement`, `…/judgements`, `…/recipients/{key}`, withdrawals."""
    answered_at: float
    """By the observer's steady clock."""


@dataclass(frozen=True)
class ClockSet:
    """From some moment on the clock of `sharing` went on from `to`; the first is its start.

    A process that is started anew has the time that it would have had without any of them.
    """

    asked_at: float
    """By the observer's steady clock: not before that."""
    to: datetime


@dataclass(frozen=True)
class Told:
    """One message on the bus, as operators can see it: subject and bytes."""

    subject: str
    raw: bytes


@dataclass
class Seen:
    """Everything that was observed. What could not be looked at stays None and is not judged."""

    referrals: list[Referral] = field(default_factory=list)
    episodes: list[Row] = field(default_factory=list)
    """`GET /episodes` (referral), all pages, at rest."""
    offers: list[Row] | None = None
    """`GET /offers` (scheduling), all pages, at rest."""
    decisions: list[Row] = field(default_factory=list)
    """`GET /decisions` (sharing, manager), all pages, at rest."""
    releases: list[Row] = field(default_factory=list)
    """`GET /releases` (sharing, manager), all pages, at rest."""
    reads: list[Read] = field(default_factory=list)
    """In the order of reading, all partners."""
    drained: frozenset[str] = frozenset()
    """Partners whose feed was read from its first number on and, at rest, to its end."""
    withdrawals: list[Withdrawal] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    clocks: list[ClockSet] = field(default_factory=list)
    """Without any, nobody can tell what `sharing` did before a change and what after it."""
    ledger: bytes | None = None
    """What `homeward ledger export` wrote, at rest."""
    ledger_keys: Row | None = None
    """JWK set of the ledger's public keys, taken from elsewhere than the export."""
    messages: list[Row] | None = None
    """`GET /messages` (notify), all pages: pages to staff are among them."""
    told: list[Told] = field(default_factory=list)
    """Messages of the event streams and dead letters."""
    dead_letters: list[Row] = field(default_factory=list)
    """Each with `service` and `event_id` (or `subject`)."""
    poison: frozenset[str] = frozenset()
    """Event ids (or subjects) that the driver itself broke: only these may be dead letters."""
    expected: frozenset[tuple[str, str]] = frozenset()
    """(item id, recipient) that must have a final decision at the end."""
    never: frozenset[tuple[str, str]] = frozenset()
    """(item id, recipient) that no facts of this run allow: the child said no, no gate is open."""
    pending: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """`homeward_pending` by service and kind, last seen."""
    harm_judged: frozenset[str] = frozenset()
    """Children for whom somebody has judged G3, G4 and G6: their holds are not urgent."""
    marked: frozenset[str] = frozenset()
    """Words that the driver put into names and stories: they occur nowhere but in opened events."""

    def not_before(self, told: datetime) -> float | None:
        """Return when, by the observer's steady clock, `sharing` can have said `told` at first.

        Of all the times that its clock was set to, any may have been in force.
        """
        moments = (
            clock.asked_at + (told - clock.to).total_seconds()
            for clock in self.clocks
            if told >= clock.to
        )
        return min(moments, default=None)

    @cached_property
    def chain(self) -> list[Row]:
        """Return the entries of the exported ledger in order, as far as they can be read."""
        found = []
        for line in (self.ledger or b"").splitlines()[1:]:
            try:
                entry = json.loads(line)
            except ValueError:
                break
            if "checkpoint" not in entry:
                found.append(entry)
        return found

    def entries(self, *kinds: str) -> list[Row]:
        """Return the entries of these kinds, in order."""
        return [one for one in self.chain if one["kind"] in kinds]
