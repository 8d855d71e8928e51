"""What `sharing` stores: facts that were judged, what was decided on them, and what left.

Codes, ids and times only. A child's words are in `Release.content` from the decision until the
recipient has them, and nowhere else; free text that the contract has is kept as the word `given`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, LargeBinary, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from messaging.database import Instant, Key, new_base
from services.sharing.domain.releasing import (
    CLAIMED,
    DELIVERED,
    ERASED,
    QUEUED,
    SENT,
    VOID,
    WITHDRAWN,
)

__all__ = [
    "CLAIMED",
    "DELIVERED",
    "ERASED",
    "QUEUED",
    "SENT",
    "VOID",
    "WITHDRAWN",
    "AgreementLine",
    "Base",
    "Child",
    "Decision",
    "Episode",
    "FactsSnapshot",
    "Item",
    "Judgement",
    "Page",
    "Partner",
    "Recipient",
    "Release",
    "Task",
    "WorkerOnCase",
]

Codes = list[str]


class Base(DeclarativeBase):
    """Tables of this service, and the ones that every service has."""

    metadata = new_base().metadata


class Child(Base):
    """One child as far as decisions need: the row that every change and every release locks."""

    __tablename__ = "child"

    id: Mapped[str] = mapped_column(primary_key=True)
    locality: Mapped[str]
    epoch: Mapped[int] = mapped_column(default=1)
    """Counts up with each change of a fact; what was decided for an older epoch never leaves."""
    version: Mapped[int] = mapped_column(default=0)
    """Version at `referral` of the facts held here; 0 until they were asked for."""
    wanted_version: Mapped[int] = mapped_column(default=1)
    """Version that `referral` announced; while newer than `version`, facts are asked again."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """identity_status, legal_status, address_confidential."""
    responsible_la: Mapped[str | None] = mapped_column(index=True)
    host_la: Mapped[str | None] = mapped_column(index=True)
    age: Mapped[int | None]
    """Full years until `next_birthday_at`; the birth date itself stays in `referral`."""
    next_birthday_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    adult_at: Mapped[datetime | None] = mapped_column(Instant)
    """18th birthday, midnight in London."""
    dirty: Mapped[bool] = mapped_column(default=True)
    """Something changed, or policy gave no answer: every pair is looked at again."""

    __table_args__ = (
        Index(
            "child_dirty",
            "id",
            postgresql_where=text("dirty"),
            sqlite_where=text("dirty = 1"),
        ),
    )


class Episode(Base):
    """A missing episode that was referred, and how the offer for it stands."""

    __tablename__ = "episode"

    id: Mapped[str] = mapped_column(primary_key=True)
    child_id: Mapped[str] = mapped_column(index=True)
    setting: Mapped[str]
    outcome_version: Mapped[int] = mapped_column(default=0)
    """Version of scheduling's last report that was taken in."""


class WorkerOnCase(Base):
    """A worker who attempted, was booked or interviewed, and so may judge for this child."""

    __tablename__ = "worker_on_case"

    child_id: Mapped[str] = mapped_column(primary_key=True)
    worker: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(Instant)


class Item(Base):
    """The current version of one item that could be told; its words stay in `interview`."""

    __tablename__ = "item"

    id: Mapped[str] = mapped_column(primary_key=True)
    child_id: Mapped[str] = mapped_column(index=True)
    episode_id: Mapped[str]
    interview_id: Mapped[str | None]
    """None for `sharing`'s own item, the basic outcome."""
    category: Mapped[str]
    version: Mapped[int]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """subject, provenance, verbatim, third_parties (how many), counselling, offence_data, special,
    and `facts` of section 6 with each free text replaced by `given`."""
    fields: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """Codes of the basic outcome; None for items of an interview."""
    worker: Mapped[str | None]
    """Who interviewed, and so tells a recipient without a feed."""
    event_at: Mapped[datetime | None] = mapped_column(Instant)
    existed_at: Mapped[datetime] = mapped_column(Instant)
    """When it was first recorded: an earlier "no harm" does not clear it."""


class Recipient(Base):
    """Someone to whom this child's items are proposed."""

    __tablename__ = "recipient"

    child_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    role: Mapped[str | None]
    name: Mapped[str | None]
    """What the worker calls them; shown in the worker's task, never sent, logged or judged."""
    pr: Mapped[bool] = mapped_column(default=False)
    lives_with_child: Mapped[bool] = mapped_column(default=False)
    channel_verified: Mapped[bool] = mapped_column(default=False)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    version: Mapped[int] = mapped_column(default=1)
    partner_key: Mapped[str | None] = mapped_column(index=True)
    """Feed on which this recipient reads; None where a worker tells them."""
    added_by: Mapped[str | None]
    """None for recipients that belong to every child of the area."""
    active: Mapped[bool] = mapped_column(default=True)
    """False once an authority is no longer this child's: nothing more is proposed to it."""


class Partner(Base):
    """An agency with a feed, as ops registered it."""

    __tablename__ = "partner"

    key: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    role: Mapped[str | None]
    area: Mapped[str | None] = mapped_column(index=True)
    """Code of the authority whose children it belongs to; None: only where a worker adds it."""
    nkey: Mapped[str]
    """Public NKey with which it logs in to the broker."""
    jwk: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Public key to which releases are encrypted."""
    next_number: Mapped[int] = mapped_column(default=1)
    stream_seq: Mapped[int] = mapped_column(Key, default=0)
    """Last sequence of its feed's stream that we know."""
    server: Mapped[str | None]
    """The run of the broker that we last met; one that was started again is another."""
    doubtful_up_to: Mapped[int] = mapped_column(Key, default=0, server_default="0")
    """Up to here the feed was filled before that run: what of it was handed out is not certain."""
    added_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    """When it left: nothing is released to it any more. Its numbers go on if it comes back."""
    former_nkeys: Mapped[Codes | None] = mapped_column(JSON)
    """Keys that were replaced or revoked: nobody is ever registered with one again."""


class AgreementLine(Base):
    """What the child, or someone for them, said about sharing; only ever added."""

    __tablename__ = "agreement_line"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    child_id: Mapped[str] = mapped_column(index=True)
    recipient: Mapped[str | None]
    """Key of the recipient; None: everybody."""
    category: Mapped[str | None]
    item_id: Mapped[str | None]
    status: Mapped[str]
    by: Mapped[str]
    consequences_explained: Mapped[bool]
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[str]
    role: Mapped[str]


class Judgement(Base):
    """One recorded human judgement with its scope; only ever added. No scope is everything."""

    __tablename__ = "judgement"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    child_id: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    value: Mapped[Any] = mapped_column(JSON)
    """As judged, free text in it replaced by `given`; null takes a judgement back."""
    reason: Mapped[str | None]
    """The words of whoever judged; snapshots and documents have `given`."""
    episode_id: Mapped[str | None]
    item_ids: Mapped[Codes | None] = mapped_column(JSON)
    categories: Mapped[Codes | None] = mapped_column(JSON)
    recipients: Mapped[Codes | None] = mapped_column(JSON)
    by: Mapped[str]
    role: Mapped[str]
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class FactsSnapshot(Base):
    """Everything that decisions of one child and epoch were made on: codes, ids and times."""

    __tablename__ = "facts_snapshot"

    child_id: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    taken_at: Mapped[datetime] = mapped_column(Instant)


class Decision(Base):
    """One answer of policy about one item and one recipient; the last of a pair is `current`."""

    __tablename__ = "decision"

    id: Mapped[str] = mapped_column(primary_key=True)
    child_id: Mapped[str]
    episode_id: Mapped[str]
    item_id: Mapped[str]
    item_version: Mapped[int]
    category: Mapped[str]
    recipient: Mapped[str]
    epoch: Mapped[int]
    snapshot_epoch: Mapped[int]
    """Epoch of the snapshot from which the document can be built again."""
    document: Mapped[str]
    """SHA-256 of the document asked, times of judging and `now` left out."""
    decision: Mapped[str]
    rule_ids: Mapped[Codes] = mapped_column(JSON)
    gates_used: Mapped[Codes] = mapped_column(JSON)
    basis: Mapped[Codes] = mapped_column(JSON)
    transforms: Mapped[Codes] = mapped_column(JSON)
    obligations: Mapped[Codes] = mapped_column(JSON)
    reasons: Mapped[Codes] = mapped_column(JSON)
    """Policy's own sentences, or codes; never a person's words."""
    defer_to: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    purpose: Mapped[str | None]
    policy_version: Mapped[str]
    policy_digest: Mapped[str]
    decided_at: Mapped[datetime] = mapped_column(Instant)
    current: Mapped[bool] = mapped_column(default=True)

    __table_args__ = (
        Index("decision_listed", "decided_at", "id"),
        Index("decision_of_child", "child_id", "decided_at", "id"),
        Index("decision_of_recipient", "recipient", "decided_at", "id"),
        Index(
            "decision_current",
            "child_id",
            "item_id",
            "recipient",
            unique=True,
            postgresql_where=text("current"),
            sqlite_where=text("current = 1"),
        ),
        Index(
            "decision_held",
            "child_id",
            "policy_digest",
            postgresql_where=text("current AND decision = 'defer'"),
            sqlite_where=text("current = 1 AND decision = 'defer'"),
        ),
    )


class Release(Base):
    """One item on its way to one recipient, with the permitted content until they have it."""

    __tablename__ = "release"

    id: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[str]
    child_id: Mapped[str]
    episode_id: Mapped[str]
    item_id: Mapped[str]
    item_version: Mapped[int]
    category: Mapped[str]
    recipient: Mapped[str]
    partner_key: Mapped[str | None]
    epoch: Mapped[int]
    """Epoch for which it is permitted; carried along while its decision stands."""
    recipient_version: Mapped[int]
    policy_version: Mapped[str]
    policy_digest: Mapped[str]
    state: Mapped[str]
    """One of domain.releasing: waiting_child_told, tell, queued, claimed, sent (readable on the
    feed), delivered; or withdrawn, cancelled, superseded, erased, void."""
    content: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """What the recipient may read (domain.payload); None once delivered, cancelled or erased."""
    number: Mapped[int | None]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    stream_seq: Mapped[int | None] = mapped_column(Key)
    void_seq: Mapped[int | None] = mapped_column(Key)
    """Where the void lies that holds its number, until it is acknowledged; 0: it was lost."""
    permitted_at: Mapped[datetime] = mapped_column(Instant)
    claimed_at: Mapped[datetime | None] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    delivered_at: Mapped[datetime | None] = mapped_column(Instant)
    how: Mapped[str | None]
    """`feed`, or how a worker told them."""

    __table_args__ = (
        Index("release_listed", "permitted_at", "id"),
        Index("release_of_child", "child_id", "permitted_at", "id"),
        Index("release_of_recipient", "recipient", "permitted_at", "id"),
        Index("release_numbered", "partner_key", "number", unique=True),
        Index(
            "release_void",
            "partner_key",
            "void_seq",
            postgresql_where=text("void_seq IS NOT NULL"),
            sqlite_where=text("void_seq IS NOT NULL"),
        ),
        Index(
            "release_under_way",
            "state",
            "permitted_at",
            postgresql_where=text("state IN ('waiting_child_told','tell','queued','claimed')"),
            sqlite_where=text("state IN ('waiting_child_told','tell','queued','claimed')"),
        ),
        Index(
            "release_on_feed",
            "partner_key",
            "state",
            "permitted_at",
            postgresql_where=text("state IN ('queued','claimed','withdrawn','sent')"),
            sqlite_where=text("state IN ('queued','claimed','withdrawn','sent')"),
        ),
    )


class Task(Base):
    """Something a person has to do before, or instead of, a release."""

    __tablename__ = "task"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """hold, tell, verify, overdue."""
    child_id: Mapped[str]
    owner: Mapped[str]
    """practitioner, dsl, dsl_and_ig, dpo, dpo_and_dsl."""
    worker: Mapped[str | None]
    """The one worker meant; None: whoever of `owner` is on the case."""
    recipient: Mapped[str | None]
    interview_id: Mapped[str | None]
    due_at: Mapped[datetime] = mapped_column(Instant)
    missing: Mapped[Codes] = mapped_column(JSON)
    release_ids: Mapped[Codes] = mapped_column(JSON)
    decision_ids: Mapped[Codes] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(default="open")
    """open, closed."""
    opened_at: Mapped[datetime] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    paged_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        Index("task_of_child", "child_id", "state"),
        Index("task_due", "state", "due_at"),
        Index("task_of_owner", "owner", "state", "due_at", "id"),
    )


class Page(Base):
    """A person was called because something about harm waits; one per child until someone acts."""

    __tablename__ = "page"

    id: Mapped[str] = mapped_column(primary_key=True)
    child_id: Mapped[str] = mapped_column(index=True)
    locality: Mapped[str]
    to: Mapped[str]
    code: Mapped[str]
    about: Mapped[Codes] = mapped_column(JSON)
    """Ids of the pairs, or of the releases, that waited when it was raised."""
    raised_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime] = mapped_column(Instant)
    """When the on-call manager is called if nobody has acted."""
    taken_at: Mapped[datetime | None] = mapped_column(Instant)
    """When `notify` took it by a direct call; None: through the bus, or not yet."""
    acted_at: Mapped[datetime | None] = mapped_column(Instant)
    escalated_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        Index("page_open", "code", "acted_at", "due_at"),
        Index(
            "page_not_taken",
            "id",
            postgresql_where=text("taken_at IS NULL"),
            sqlite_where=text("taken_at IS NULL"),
        ),
    )
