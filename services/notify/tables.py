"""What `notify` keeps: which message is owed for which cause and where it stands, no address."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from messaging.database import Instant, new_base


class Base(DeclarativeBase):
    """Own metadata, with the tables that every service has."""

    metadata = new_base().metadata


class Message(Base):
    """A message that is owed. Claimed (`sending`) and committed before any byte leaves."""

    __tablename__ = "message"
    __table_args__ = (
        Index("message_due", "state", "again_at"),
        Index("message_written", "written_at", "message_id"),
    )

    message_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    """Derived from the cause; also the Message-ID, so that a retry is recognisable."""
    kind: Mapped[str] = mapped_column(String(30))
    cause_id: Mapped[str] = mapped_column(String(200))
    """The booking, the page or the event that asked for it."""
    child_id: Mapped[str] = mapped_column(String(200))
    episode_id: Mapped[str | None] = mapped_column(String(200))
    locality: Mapped[str | None] = mapped_column(String(100))
    """Where not known from the event it is asked of referral."""
    to_role: Mapped[str] = mapped_column(String(30))
    """child, dsl, on_call or manager."""
    code: Mapped[str | None] = mapped_column(String(60))
    """What a page or a deadline is about."""
    at: Mapped[datetime] = mapped_column(Instant)
    """When the talk begins, or by when somebody has to act."""
    template: Mapped[str] = mapped_column(String(60))
    template_version: Mapped[int]
    language: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(20))
    again_at: Mapped[datetime | None] = mapped_column(Instant)
    """When to try, or, while it is being sent, when the claim ends."""
    attempts: Mapped[int]
    channel: Mapped[str | None] = mapped_column(String(20))
    """Kind of the channel of the latest attempt."""
    blocked_code: Mapped[str | None] = mapped_column(String(60))
    written_at: Mapped[datetime] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)


class Task(Base):
    """Something a person has to do because a message could not, or may not, have gone out."""

    __tablename__ = "task"
    __table_args__ = (Index("task_open", "done_at", "written_at", "task_id"),)

    task_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    message_id: Mapped[str] = mapped_column(String(200))
    child_id: Mapped[str] = mapped_column(String(200))
    owner: Mapped[str] = mapped_column(String(30))
    code: Mapped[str] = mapped_column(String(60))
    due_at: Mapped[datetime] = mapped_column(Instant)
    written_at: Mapped[datetime] = mapped_column(Instant)
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    done_by: Mapped[str | None] = mapped_column(String(200))
