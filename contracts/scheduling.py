"""Events of `scheduling`: offers, contact, the clocks, bookings and how each offer ended."""

from typing import Literal

from pydantic import AwareDatetime

from contracts.event import Event

Clock = Literal["contact", "rhi", "follow_up_child", "follow_up_professional"]
OfferOutcome = Literal[
    "accepted",
    "declined_by_child",
    "declined_by_carer",
    "no_contact",
    "not_ready",
    "missing_again",
    "not_offered",
]
RhiOutcome = Literal["completed_engaged", "attended_not_engaged", "partial", "cancelled"]


class OfferMade(Event, subject="evt.scheduling.offer_made.v1"):
    """A return home interview is on offer for one episode, whatever was said of an earlier one."""

    offer_id: str
    episode_id: str
    child_id: str
    contact_due_at: AwareDatetime
    rhi_due_at: AwareDatetime


class AttemptMade(Event, subject="evt.scheduling.attempt_made.v1"):
    """A worker tried to reach the child; an attempt is not yet contact (R11)."""

    attempt_id: str
    episode_id: str
    child_id: str
    worker: str
    """`sub` of the worker who tried; from now on a worker on the case."""
    method: str
    outcome: Literal["no_answer", "left_message", "contact"]


class DeadlineMet(Event, subject="evt.scheduling.deadline_met.v1"):
    """What a clock asked for happened at or before its due time."""

    clock: Clock
    episode_id: str
    child_id: str
    due_at: AwareDatetime
    met_at: AwareDatetime


class DeadlineNear(Event, subject="evt.scheduling.deadline_near.v1"):
    """A clock runs out soon and what it asks for has not happened."""

    clock: Clock
    episode_id: str
    child_id: str
    due_at: AwareDatetime


class DeadlineMissed(Event, subject="evt.scheduling.deadline_missed.v1"):
    """A clock ran out: one second past the due time is late."""

    clock: Clock
    episode_id: str
    child_id: str
    due_at: AwareDatetime


class AppointmentBooked(Event, subject="evt.scheduling.appointment_booked.v1"):
    """A talk has a worker and a time; where it is, `notify` asks scheduling."""

    booking_id: str
    episode_id: str
    child_id: str
    worker: str
    starts_at: AwareDatetime


class OutcomeReported(Event, subject="evt.scheduling.outcome_reported.v1"):
    """How the offer for an episode stands. `final`: no more is expected (R22)."""

    episode_id: str
    child_id: str
    offer_id: str
    outcome: OfferOutcome
    rhi_outcome: RhiOutcome | None = None
    """Only where a talk was held."""
    service_outcome: Literal["accepted", "declined", "not_offered"] | None = None
    final: bool
    offered_at: AwareDatetime
    version: int
    """Counts up by one with each report about this episode."""


class EpisodeClosed(Event, subject="evt.scheduling.episode_closed.v1"):
    """Nothing more is owed for this episode."""

    episode_id: str
    child_id: str
