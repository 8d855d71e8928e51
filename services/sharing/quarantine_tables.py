"""Tables of the quarantine: why nothing leaves, what those outside hold, what waits meanwhile."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from messaging.database import Instant, Key
from services.sharing.ledger_tables import Seq
from services.sharing.tables import Base


class Quarantine(Base):
    """One stretch of time in which nothing leaves; the one without `ended_at` is under way."""

    __tablename__ = "quarantine"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    cause: Mapped[str]
    """restored: from a backup. behind: a feed holds what this database has never heard of."""
    began_at: Mapped[datetime] = mapped_column(Instant)
    taken_at: Mapped[datetime | None] = mapped_column(Instant)
    """When the backup was taken; what people did after that has to be entered again."""
    head_seq: Mapped[int] = mapped_column(Seq)
    """The ledger's last entry when it began."""
    line_seq: Mapped[int] = mapped_column(Seq, default=0)
    """The last line of agreement then; a withdrawal that is entered again comes after it."""
    agreed_seq: Mapped[int] = mapped_column(Seq, default=0)
    """Last entry up to which a checkpoint from outside says the same as this ledger."""
    forked: Mapped[bool] = mapped_column(default=False)
    """A checkpoint from outside says something else about an entry that this ledger has."""
    outside: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """The newest checkpoint that anyone outside was found to hold."""
    loss: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """Entries that nobody has any more: first, last, digest, and who stated it (`by`, `roles`)."""
    confirmed: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """Who confirmed that all withdrawals since the backup were entered, and how many."""
    ending: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """Who asked first that it end."""
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class PartnerAsked(Base):
    """A partner that was asked what it holds, and the highest number it has read."""

    __tablename__ = "partner_asked"

    quarantine: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    partner_key: Mapped[str] = mapped_column(primary_key=True)
    highest: Mapped[int]
    listed: Mapped[bool]
    """It gave all it has read, and not the highest number alone."""


class ReadOutside(Base):
    """What a partner holds that was sent after the backup: its number is never given again."""

    __tablename__ = "read_outside"

    partner_key: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    release_id: Mapped[str]
    void: Mapped[bool]
    """A void has the number: nothing was read under it, or it is to be forgotten."""


WAITING = sa.Table(
    "ledger_waiting",
    Base.metadata,
    # Entries of the time of quarantine. Put onto the chain at once they would take the numbers of
    # entries that are outside and not here yet, and no checkpoint from outside would fit again.
    sa.Column("seq", Key, primary_key=True, autoincrement=True),
    sa.Column("at", sa.String(27), nullable=False),
    sa.Column("kind", sa.String(80), nullable=False),
    sa.Column("body", sa.Text(), nullable=False),
    sa.Column("salt", sa.LargeBinary(32), nullable=False),
)

IMPORTED = sa.Table(
    "ledger_imported",
    Base.metadata,
    # Entries from an export, page by page, until a checkpoint proves them all.
    sa.Column("seq", Seq, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(27), nullable=False),
    sa.Column("kind", sa.String(80), nullable=False),
    sa.Column("body", sa.Text(), nullable=False),
    sa.Column("prev", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
