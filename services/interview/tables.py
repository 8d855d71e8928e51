"""What `interview` keeps: talks, items and their versions, of which none is ever changed (R79)."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from messaging.database import Instant, new_base


class Base(DeclarativeBase):
    """Own metadata, with the tables that every service has."""

    metadata = new_base().metadata


class KnownEpisode(Base):
    """An episode that referral told of; without one there is nothing to talk about."""

    __tablename__ = "known_episode"

    episode_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    child_id: Mapped[str] = mapped_column(String(200))
    returned_at: Mapped[datetime] = mapped_column(Instant)


class Interview(Base):
    """A talk that was held: an interview, one by telephone, or a carer's account (kept apart)."""

    __tablename__ = "interview"
    __table_args__ = (
        Index("interview_recorded", "recorded_at", "interview_id"),
        Index("interview_worker", "worker", "recorded_at", "interview_id"),
        Index("interview_child", "child_id"),
    )

    interview_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    kind: Mapped[str] = mapped_column(String(30))
    child_id: Mapped[str] = mapped_column(String(200))
    worker: Mapped[str] = mapped_column(String(200))
    """`sub` of the worker who recorded it, from the token."""
    started_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime] = mapped_column(Instant)
    outcome: Mapped[str | None] = mapped_column(String(30))
    service_outcome: Mapped[str | None] = mapped_column(String(30))
    confidentiality_explained_at: Mapped[datetime | None] = mapped_column(Instant)
    first_content_at: Mapped[datetime | None] = mapped_column(Instant)
    spoken_alone: Mapped[bool | None]
    others_present: Mapped[str | None] = mapped_column(Text)
    """Who else was there and why, in words (R31)."""
    reviews: Mapped[list[str]] = mapped_column(JSON)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class InterviewEpisode(Base):
    """Which episodes a talk covers, in the order given (R03)."""

    __tablename__ = "interview_episode"

    interview_id: Mapped[str] = mapped_column(
        ForeignKey("interview.interview_id"), primary_key=True
    )
    episode_id: Mapped[str] = mapped_column(
        ForeignKey("known_episode.episode_id"), primary_key=True
    )
    position: Mapped[int]


class Item(Base):
    """One thing said; what it says stands in its versions."""

    __tablename__ = "item"
    __table_args__ = (Index("item_interview", "interview_id", "position", unique=True),)

    item_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    interview_id: Mapped[str] = mapped_column(ForeignKey("interview.interview_id"))
    position: Mapped[int]
    version: Mapped[int]
    """The newest."""
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    """When it was first written down: a judgement made before that is not about it."""


class ItemVersion(Base):
    """What an item said at one time and who wrote it; the database refuses to change it."""

    __tablename__ = "item_version"

    item_id: Mapped[str] = mapped_column(ForeignKey("item.item_id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    episode_id: Mapped[str] = mapped_column(String(200))
    category: Mapped[str] = mapped_column(String(30))
    provenance: Mapped[str] = mapped_column(String(30))
    subject: Mapped[str] = mapped_column(String(30))
    text: Mapped[str | None] = mapped_column(Text)
    """The words."""
    fields: Mapped[dict[str, Any]] = mapped_column(JSON)
    extracts: Mapped[list[str]] = mapped_column(JSON)
    summary: Mapped[str | None] = mapped_column(Text)
    event_at: Mapped[datetime | None] = mapped_column(Instant)
    verbatim: Mapped[bool]
    third_parties: Mapped[list[str]] = mapped_column(JSON)
    counselling: Mapped[bool]
    offence_data: Mapped[bool]
    special: Mapped[list[str]] = mapped_column(JSON)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    written_by: Mapped[str] = mapped_column(String(200))
    written_at: Mapped[datetime] = mapped_column(Instant)
