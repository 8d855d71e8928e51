"""What `referral` keeps: children, episodes, referrals, triggers and questions for people."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from messaging.database import Instant, new_base


class Base(DeclarativeBase):
    """This service's tables, beside those that all services share."""

    metadata = new_base().metadata


class Child(Base):
    """A child as known now. Former versions are in `ChildVersion`."""

    __tablename__ = "children"
    __table_args__ = (Index("children_alike", "name_key", "date_of_birth"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int]
    name_key: Mapped[str] = mapped_column(String(1000))
    """Spellings of one name agree here; a reason to compare, never to merge."""
    given_name: Mapped[str] = mapped_column(String(200))
    family_name: Mapped[str] = mapped_column(String(200))
    date_of_birth: Mapped[date]
    identity_status: Mapped[str] = mapped_column(String(20))
    legal_status: Mapped[str] = mapped_column(String(20))
    locality: Mapped[str] = mapped_column(String(40))
    responsible_la: Mapped[str] = mapped_column(String(40))
    host_la: Mapped[str | None] = mapped_column(String(40))
    address_confidential: Mapped[bool]
    channels: Mapped[list[dict[str, str]]] = mapped_column(JSON)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class ChildVersion(Base):
    """The facts of a child before a change, who changed them and when: aliases are kept (S10)."""

    __tablename__ = "child_versions"

    child_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    replaced_by: Mapped[str] = mapped_column(String(200))
    replaced_at: Mapped[datetime] = mapped_column(Instant)


class ExternalId(Base):
    """The id of a child in somebody else's system."""

    __tablename__ = "external_ids"

    system: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(100), primary_key=True)
    child_id: Mapped[str] = mapped_column(String(40), index=True)


class Episode(Base):
    """One time a child was missing, from leaving to return; its facts stay those of that time."""

    __tablename__ = "episodes"
    __table_args__ = (
        UniqueConstraint("child_id", "missing_from", name="episodes_once"),
        Index("episodes_by_time", "received_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    child_id: Mapped[str] = mapped_column(String(40))
    referral_id: Mapped[str] = mapped_column(String(40))
    """The first referral; later ones of the same episode point here too."""
    locality: Mapped[str] = mapped_column(String(40))
    setting: Mapped[str] = mapped_column(String(40))
    legal_status: Mapped[str] = mapped_column(String(20))
    responsible_la: Mapped[str] = mapped_column(String(40))
    missing_from: Mapped[datetime] = mapped_column(Instant)
    returned_at: Mapped[datetime] = mapped_column(Instant)
    reported_missing_at: Mapped[datetime | None] = mapped_column(Instant)
    grading: Mapped[str | None] = mapped_column(String(20))
    received_at: Mapped[datetime] = mapped_column(Instant)
    return_time_ambiguous: Mapped[bool]


class Referral(Base):
    """One request to offer a child a talk, as it came in."""

    __tablename__ = "referrals"
    __table_args__ = (Index("referrals_reported", "police_reference", "missing_from"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    child_id: Mapped[str] = mapped_column(String(40), index=True)
    episode_id: Mapped[str] = mapped_column(String(40), index=True)
    source: Mapped[str] = mapped_column(String(20))
    police_reference: Mapped[str | None] = mapped_column(String(60))
    missing_from: Mapped[datetime] = mapped_column(Instant)
    report_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    """Police reference, start and who: makes a repeat of the report one and the same referral."""
    body_digest: Mapped[str] = mapped_column(String(64))
    locality: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(20))
    triage: Mapped[list[str]] = mapped_column(JSON)
    received_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[str] = mapped_column(String(200))


class Trigger(Base):
    """Episodes of one child passed a set number in a window (F17)."""

    __tablename__ = "triggers"
    __table_args__ = (Index("triggers_of_child", "child_id", "window_days"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    child_id: Mapped[str] = mapped_column(String(40))
    count: Mapped[int]
    window_days: Mapped[int]
    setting: Mapped[str] = mapped_column(String(40))
    """Empty where episodes from everywhere count."""
    action: Mapped[str] = mapped_column(String(60))
    fired_by: Mapped[str] = mapped_column(String(40))
    """The episode whose arrival fired it."""
    fired_at: Mapped[datetime] = mapped_column(Instant)
    first_at: Mapped[datetime] = mapped_column(Instant)
    last_at: Mapped[datetime] = mapped_column(Instant)


class TriggerEpisode(Base):
    """An episode counted towards a trigger, or attached to it afterwards."""

    __tablename__ = "trigger_episodes"

    episode_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    trigger_id: Mapped[str] = mapped_column(String(40), primary_key=True)


class Task(Base):
    """Something a person has to look at. Its text names ids, never a child."""

    __tablename__ = "tasks"
    __table_args__ = (Index("tasks_open", "done_at", "owner", "due_at", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    child_id: Mapped[str] = mapped_column(String(40), index=True)
    owner: Mapped[str] = mapped_column(String(200))
    due_at: Mapped[datetime] = mapped_column(Instant)
    text: Mapped[str] = mapped_column(String(1000))
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    done_by: Mapped[str | None] = mapped_column(String(200))
    result: Mapped[str | None] = mapped_column(String(60))
