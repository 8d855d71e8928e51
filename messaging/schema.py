"""The tables that every service has beside its own: what it took, told, answered and compared."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase

Key = BigInteger().with_variant(Integer(), "sqlite")
"""Type of a counting key: SQLite counts up by itself only in a plain INTEGER."""


class Instant(TypeDecorator[datetime]):
    """A moment: aware UTC in and out, on both databases (SQLite would hand back naive ones)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC; a naive time is refused, because nobody could say which moment it is."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time is no instant")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _tables() -> tuple[MetaData, Table, Table, Table, Table, Table, Table]:
    metadata = MetaData()
    inbox = Table(
        "inbox",
        metadata,
        Column("event_id", String(200), primary_key=True),
        Column("handler", String(100), primary_key=True),
        Column("handled_at", Instant(), nullable=False),
        Index("inbox_handled_at", "handled_at"),
    )
    outbox = Table(
        "outbox",
        metadata,
        Column("seq", Key, primary_key=True, autoincrement=True),
        Column("event_id", String(200), nullable=False),
        Column("subject", String(200), nullable=False),
        Column("body", Text(), nullable=False),
        Column("occurred_at", Instant(), nullable=False),
        Column("written_at", Instant(), nullable=False),
        Column("sent_at", Instant()),
        UniqueConstraint("event_id", name="outbox_event_id"),
    )
    Index("outbox_waiting", outbox.c.seq, **_where(outbox.c.sent_at.is_(None)))
    Index("outbox_sent", outbox.c.sent_at, **_where(outbox.c.sent_at.is_not(None)))
    idempotency = Table(
        "idempotency",
        metadata,
        Column("caller", String(200), primary_key=True),
        Column("route", String(200), primary_key=True),
        Column("key", String(200), primary_key=True),
        Column("digest", String(64), nullable=False),
        Column("answer", Text(), nullable=False),
        Column("stored_at", Instant(), nullable=False),
        Index("idempotency_stored_at", "stored_at"),
    )
    access = Table(
        "access",
        metadata,
        Column("seq", Key, primary_key=True, autoincrement=True),
        Column("caller", String(200), nullable=False),
        Column("roles", String(200), nullable=False),
        Column("subject_id", String(200), nullable=False),
        Column("what", String(200), nullable=False),
        Column("at", Instant(), nullable=False),
        Index("access_subject", "subject_id", "at"),
    )
    compared = Table(  # how far comparing.py has come with each publisher, by its `sent_at`
        "compared",
        metadata,
        Column("publisher", String(200), primary_key=True),
        Column("up_to", Instant(), nullable=False),
    )
    lacking = Table(  # what was told and is not in the inbox: on its way, put aside, or lost
        "lacking",
        metadata,
        Column("publisher", String(200), primary_key=True),
        Column("event_id", String(200), primary_key=True),
        Column("subject", String(200), nullable=False),
        Column("found_at", Instant(), nullable=False),
        Column("asks", Integer(), nullable=False),
        Column("again_at", Instant(), nullable=False),
    )
    return metadata, inbox, outbox, idempotency, access, compared, lacking


def _where(condition: Any) -> dict[str, Any]:
    """Return the options of a partial index: what is waiting stays small while history grows."""
    return {"sqlite_where": condition, "postgresql_where": condition}


_metadata, inbox, outbox, idempotency, access, compared, lacking = _tables()


def new_base() -> type[DeclarativeBase]:
    """Return a declarative base with its own metadata that already holds the shared tables."""

    class Base(DeclarativeBase):
        metadata = MetaData()

    for table in _metadata.sorted_tables:
        table.to_metadata(Base.metadata)
    return Base


def create_v1(op: Any) -> None:
    """Create the shared tables as they were first; called by each service's migration 0001.

    Written out and never changed: a later change of the tables above is a new function beside this
    one and a new migration per service.
    """
    op.create_table(
        "inbox",
        Column("event_id", String(200), primary_key=True),
        Column("handler", String(100), primary_key=True),
        Column("handled_at", Instant(), nullable=False),
    )
    op.create_index("inbox_handled_at", "inbox", ["handled_at"])
    op.create_table(
        "outbox",
        Column("seq", Key, primary_key=True, autoincrement=True),
        Column("event_id", String(200), nullable=False),
        Column("subject", String(200), nullable=False),
        Column("body", Text(), nullable=False),
        Column("occurred_at", Instant(), nullable=False),
        Column("written_at", Instant(), nullable=False),
        Column("sent_at", Instant()),
        UniqueConstraint("event_id", name="outbox_event_id"),
    )
    op.create_index("outbox_waiting", "outbox", ["seq"], **_where(text("sent_at IS NULL")))
    op.create_index("outbox_sent", "outbox", ["sent_at"], **_where(text("sent_at IS NOT NULL")))
    op.create_table(
        "idempotency",
        Column("caller", String(200), primary_key=True),
        Column("route", String(200), primary_key=True),
        Column("key", String(200), primary_key=True),
        Column("digest", String(64), nullable=False),
        Column("answer", Text(), nullable=False),
        Column("stored_at", Instant(), nullable=False),
    )
    op.create_index("idempotency_stored_at", "idempotency", ["stored_at"])
    op.create_table(
        "access",
        Column("seq", Key, primary_key=True, autoincrement=True),
        Column("caller", String(200), nullable=False),
        Column("roles", String(200), nullable=False),
        Column("subject_id", String(200), nullable=False),
        Column("what", String(200), nullable=False),
        Column("at", Instant(), nullable=False),
    )
    op.create_index("access_subject", "access", ["subject_id", "at"])


def create_v2(op: Any) -> None:
    """Create what comparing.py keeps: how far it has come with each publisher, and what it lacks.

    Written out and never changed, as `create_v1`.
    """
    op.create_table(
        "compared",
        Column("publisher", String(200), primary_key=True),
        Column("up_to", Instant(), nullable=False),
    )
    op.create_table(
        "lacking",
        Column("publisher", String(200), primary_key=True),
        Column("event_id", String(200), primary_key=True),
        Column("subject", String(200), nullable=False),
        Column("found_at", Instant(), nullable=False),
        Column("asks", Integer(), nullable=False),
        Column("again_at", Instant(), nullable=False),
    )
