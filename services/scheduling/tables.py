"""What `scheduling` keeps: offers, their clocks, what was tried, booked, held and answered."""

from datetime import date, datetime

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from contracts.scheduling import Clock, OfferOutcome
from messaging.database import Instant, new_base
from services.scheduling.domain import LatenessReason


class Base(DeclarativeBase):
    """This service's tables, beside those that all services share."""

    metadata = new_base().metadata


class Offer(Base):
    """The offer of a talk for one episode. Its row is locked first by whoever changes the case."""

    __tablename__ = "offers"
    __table_args__ = (
        Index("offers_queue", "state", "next_due_at", "episode_id"),
        Index("offers_by_due", "next_due_at", "episode_id"),
        Index("offers_of_child", "child_id", "missing_from"),
    )

    episode_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    """One offer per episode (R02)."""
    id: Mapped[str] = mapped_column(String(60), unique=True)
    child_id: Mapped[str] = mapped_column(String(60))
    locality: Mapped[str] = mapped_column(String(60))
    setting: Mapped[str] = mapped_column(String(60))
    missing_from: Mapped[datetime] = mapped_column(Instant)
    returned_at: Mapped[datetime] = mapped_column(Instant)
    received_at: Mapped[datetime] = mapped_column(Instant)
    return_time_ambiguous: Mapped[bool]
    made_at: Mapped[datetime] = mapped_column(Instant)

    state: Mapped[str] = mapped_column(String(10))
    """`open`: work is owed; `ended`: nothing is unless the child comes back; `closed`."""
    next_due_at: Mapped[datetime] = mapped_column(Instant)
    """The nearer due time of what is still owed; orders the work queue."""
    contact_due_at: Mapped[datetime] = mapped_column(Instant)
    rhi_due_at: Mapped[datetime] = mapped_column(Instant)
    contact_at: Mapped[datetime | None] = mapped_column(Instant)
    interviewed_at: Mapped[datetime | None] = mapped_column(Instant)
    interview_id: Mapped[str | None] = mapped_column(String(60), index=True)
    """The first interview; both follow-ups belong to it."""
    phone_discussion: Mapped[bool] = mapped_column(default=False)
    worker: Mapped[str | None] = mapped_column(String(200))
    """Proposed because the child knows them, or booked."""
    booking_id: Mapped[str | None] = mapped_column(String(60))

    outcome: Mapped[OfferOutcome | None] = mapped_column(String(20))
    outcome_at: Mapped[datetime | None] = mapped_column(Instant)
    rhi_outcome: Mapped[str | None] = mapped_column(String(30))
    service_outcome: Mapped[str | None] = mapped_column(String(20))
    door_open_sent: Mapped[bool] = mapped_column(default=False)
    lateness: Mapped[LatenessReason | None] = mapped_column(String(30))
    """Why the interview was, or would be, late."""
    lateness_by: Mapped[str | None] = mapped_column(String(200))
    """Who said so; none where it was filled in from what is known."""
    reports: Mapped[int] = mapped_column(default=0)
    closings: Mapped[int] = mapped_column(default=0)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)


class ClockRow(Base):
    """One clock of one episode."""

    __tablename__ = "clocks"
    __table_args__ = (Index("clocks_waiting", "next_at"),)

    episode_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    clock: Mapped[Clock] = mapped_column(String(30), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime] = mapped_column(Instant)
    met_at: Mapped[datetime | None] = mapped_column(Instant)
    stopped_at: Mapped[datetime | None] = mapped_column(Instant)
    next_at: Mapped[datetime | None] = mapped_column(Instant)
    """When there is something to announce; none when there is no more."""
    near_told: Mapped[bool] = mapped_column(default=False)
    missed_told: Mapped[bool] = mapped_column(default=False)
    met_told: Mapped[bool] = mapped_column(default=False)


class Attempt(Base):
    """A worker tried to reach a child."""

    __tablename__ = "attempts"

    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    episode_id: Mapped[str] = mapped_column(String(60), index=True)
    worker: Mapped[str] = mapped_column(String(200))
    method: Mapped[str] = mapped_column(String(40))
    outcome: Mapped[str] = mapped_column(String(20))
    points_told: Mapped[list[str]] = mapped_column(JSON)
    worker_gender: Mapped[str | None] = mapped_column(String(20))
    """The wish that the child spoke at this attempt."""
    door_open: Mapped[bool]
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class AnswerRow(Base):
    """An offer was answered; the last one stands, all are kept."""

    __tablename__ = "answers"
    __table_args__ = (Index("answers_of_child", "child_id", "occurred_at"),)

    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    episode_id: Mapped[str] = mapped_column(String(60), index=True)
    child_id: Mapped[str] = mapped_column(String(60))
    outcome: Mapped[OfferOutcome] = mapped_column(String(20))
    by: Mapped[str] = mapped_column(String(40))
    helpline_given_to: Mapped[list[str]] = mapped_column(JSON)
    reason: Mapped[str | None] = mapped_column(String(40))
    recorded_by: Mapped[str] = mapped_column(String(200))
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class Booking(Base):
    """A talk has a worker, a place and a time. The place never travels on the bus."""

    __tablename__ = "bookings"
    __table_args__ = (Index("bookings_of_child", "child_id", "starts_at"),)

    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    episode_id: Mapped[str] = mapped_column(String(60), index=True)
    child_id: Mapped[str] = mapped_column(String(60))
    worker: Mapped[str] = mapped_column(String(200))
    venue: Mapped[str] = mapped_column(String(200))
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    change_reason: Mapped[str | None] = mapped_column(String(40))
    """Why it is not the worker whom the child knows (R25)."""
    asked_for_by_child: Mapped[bool]
    booked_by: Mapped[str] = mapped_column(String(200))
    booked_at: Mapped[datetime] = mapped_column(Instant)


class Talk(Base):
    """A talk that was held, for one of the episodes it covers (R03)."""

    __tablename__ = "talks"
    __table_args__ = (Index("talks_of_child", "child_id", "started_at"),)

    episode_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    interview_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    child_id: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(20))
    worker: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime] = mapped_column(Instant)
    rhi_outcome: Mapped[str | None] = mapped_column(String(30))
    service_outcome: Mapped[str | None] = mapped_column(String(20))


class FollowUp(Base):
    """Somebody asked, within a week, what was done (R73)."""

    __tablename__ = "follow_ups"

    interview_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    clock: Mapped[Clock] = mapped_column(String(30), primary_key=True)
    done: Mapped[str | None] = mapped_column(String(40))
    recorded_by: Mapped[str] = mapped_column(String(200))
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class WorkerRow(Base):
    """An independent interviewer."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    gender: Mapped[str] = mapped_column(String(20))
    roles: Mapped[list[str]] = mapped_column(JSON)
    conflicts: Mapped[list[str]] = mapped_column(JSON)
    active: Mapped[bool]
    independent: Mapped[bool]
    trained_until: Mapped[date | None]
    dbs_until: Mapped[date | None]
    changed_by: Mapped[str] = mapped_column(String(200))
    changed_at: Mapped[datetime] = mapped_column(Instant)


class Wish(Base):
    """Whom a child wants to talk to; holds for later episodes until the child says otherwise."""

    __tablename__ = "wishes"

    child_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    worker_gender: Mapped[str] = mapped_column(String(20))
    attempt_id: Mapped[str] = mapped_column(String(60))
    said_at: Mapped[datetime] = mapped_column(Instant)
