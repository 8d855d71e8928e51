"""What the API of `scheduling` takes and gives."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)
from pydantic_core import PydanticCustomError

from contracts.scheduling import Clock, OfferOutcome
from services.scheduling.domain import ClockState, LatenessReason, Light
from services.scheduling.tables import Booking


def _written(value: object) -> object:
    if isinstance(value, str | date):
        return value
    raise PydanticCustomError("string_type", "a time is written as text")  # not seconds since 1970


def _utc(at: datetime) -> datetime:
    if not 2000 <= at.year <= 2200:  # beyond, arithmetic overflows
        raise PydanticCustomError("time_invalid", "no time of a case")
    return at.astimezone(UTC)


def _printable(text: str) -> str:
    text = text.strip()
    if not text or not text.isprintable():
        raise PydanticCustomError("text_unprintable", "no printable text")
    return text


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_utc)]
"""An ISO instant with its offset; anything else is refused."""
Day = Annotated[date, BeforeValidator(_written)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Text = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
Gender = Literal["female", "male", "other", "undisclosed"]


class PreferenceBody(BaseModel):
    """Whom the child wants to talk to; `any` takes an earlier wish back."""

    worker_gender: Literal["female", "male", "other", "any"]


class AttemptBody(BaseModel):
    """A worker tried to reach the child."""

    method: Code
    """e.g. phone, text, letter, email, visit, in_person, school."""
    occurred_at: Moment
    outcome: Literal["no_answer", "left_message", "contact"]
    points_told: Annotated[list[Code], Field(max_length=20)] = []
    """Of the eight (R16): who_we_are, what_we_do, independent, voluntary, need_not_talk,
    we_care_what_you_think, want_to_know_what_is_going_on, not_telling_off. A locality may have
    more; what of the eight was not told, the episode lists as `points_missing`."""
    preference: PreferenceBody | None = None


class AnswerBody(BaseModel):
    """How the offer was answered."""

    outcome: OfferOutcome
    by: Code | None = None
    """Who said so: child, carer, worker, … The child where the outcome is the child's own word.
    An offer that ended is reopened by `child` alone, said outright."""
    occurred_at: Moment | None = None
    helpline_given_to: Annotated[list[Code], Field(max_length=10)] | Code | None = None
    """Who was given 116 000, or `unsafe_to_give`; a decline cannot be saved without (R21)."""
    reason: Code | None = None
    """Needed for not_offered."""

    @property
    def helpline(self) -> list[str]:
        """Return who was given the helpline."""
        given = self.helpline_given_to or []
        return [given] if isinstance(given, str) else given


class BookingBody(BaseModel):
    """A talk gets a worker, a place and a time."""

    worker: Text
    venue: Text
    starts_at: Moment
    ends_at: Moment | None = None
    change_reason: Code | None = None
    """Why it is not the worker whom the child knows (R25)."""
    asked_for_by_child: bool = False
    """The child asks for this very person, who is otherwise too close (R08, F05)."""

    def same_as(self, booking: Booking) -> bool:
        """Tell whether this is what is booked already."""
        return (
            self.worker == booking.worker
            and self.venue == booking.venue
            and self.starts_at == booking.starts_at
            and (self.ends_at is None or self.ends_at == booking.ends_at)
        )


class FollowUpBody(BaseModel):
    """Somebody asked the child, or a professional, what was done since the interview (R73)."""

    model_config = ConfigDict(populate_by_name=True)

    with_whom: Annotated[Literal["child", "professional"], Field(alias="with")]
    occurred_at: Moment
    done: Code | None = None
    """What was found, e.g. all, some, nothing."""


class LatenessBody(BaseModel):
    """Why the interview was late (R12)."""

    reason: LatenessReason


class WorkerBody(BaseModel):
    """An independent interviewer."""

    name: Text
    gender: Gender = "undisclosed"
    roles: Annotated[list[Code], Field(max_length=20)] = []
    conflicts: Annotated[list[Text], Field(max_length=500)] = []
    """Ids of children whom this worker may not see."""
    active: bool = True
    independent: bool = True
    """Neither carer nor police nor children's services (R08)."""
    trained_until: Day | None = None
    dbs_until: Day | None = None


class AttemptAnswer(BaseModel):
    """An attempt, as recorded."""

    attempt_id: str
    episode_id: str
    worker: str
    method: str
    outcome: str
    occurred_at: datetime
    recorded_at: datetime
    points_told: list[str]
    door_open: bool
    """The one message that leaves the door open after a decline (R19)."""


class GivenAnswer(BaseModel):
    """How an offer was answered, at one time."""

    outcome: OfferOutcome
    by: str
    occurred_at: datetime
    helpline_given_to: list[str]
    reason: str | None
    recorded_by: str


class OutcomeAnswer(BaseModel):
    """How an offer stands after an answer."""

    episode_id: str
    outcome: OfferOutcome | None
    state: str
    final: bool
    version: int


class BookedAnswer(BaseModel):
    """An appointment was made; where it is, only GET /bookings/{id} tells."""

    booking_id: str
    episode_id: str
    worker: str
    starts_at: datetime
    ends_at: datetime


class FollowedUpAnswer(BaseModel):
    """A follow-up was recorded for these episodes, which one interview covered."""

    episode_ids: list[str]
    with_whom: Annotated[str, Field(serialization_alias="with", validation_alias="with")]


class ClosedAnswer(BaseModel):
    """An episode is closed."""

    episode_id: str
    state: str


class BookingAnswer(BaseModel):
    """An appointment."""

    booking_id: str
    episode_id: str
    child_id: str
    worker: str
    worker_name: str
    venue: str
    starts_at: datetime
    ends_at: datetime
    change_reason: str | None
    stands: bool
    """It is the offer's current appointment, and the offer has not ended."""
    unfit: list[str] = []
    """Codes why this worker should not go after all, e.g. the child has said a preference since."""


class ClockAnswer(BaseModel):
    """One clock, as it stands now."""

    clock: Clock
    due_at: datetime
    met_at: datetime | None
    state: ClockState
    minutes_left: int | None
    """Until the due time, negative after it; none where it is met, late or stopped."""
    light: Light


class FollowUpAnswer(BaseModel):
    """A follow-up that was done."""

    clock: Clock
    occurred_at: datetime
    done: str | None
    recorded_by: str


class TalkAnswer(BaseModel):
    """A talk that was held, without its words."""

    interview_id: str
    kind: str
    worker: str
    started_at: datetime
    ended_at: datetime
    rhi_outcome: str | None
    service_outcome: str | None


class OfferAnswer(BaseModel):
    """An offer, as the work queue shows it."""

    id: str
    episode_id: str
    child_id: str
    locality: str
    state: str
    """`open`: work is owed; `ended`: none unless the child comes back; `closed`."""
    stage: str
    """How far it got: waiting, contacted, booked, interviewed."""
    next_due_at: datetime
    contact_due_at: datetime
    rhi_due_at: datetime
    contact_at: datetime | None
    interviewed_at: datetime | None
    worker: str | None
    outcome: OfferOutcome | None
    rhi_outcome: str | None
    service_outcome: str | None
    phone_discussion: bool


class CaseAnswer(OfferAnswer):
    """Everything about one episode's offer."""

    setting: str
    returned_at: datetime
    received_at: datetime
    return_time_ambiguous: bool
    lateness: LatenessReason | None
    lateness_by: str | None
    """Who said so; none where it follows from the case."""
    prefers: str
    """The gender of worker that the child asked for, or any."""
    clocks: list[ClockAnswer]
    attempts: list[AttemptAnswer]
    points_missing: list[str]
    """Of the eight things to say at contact; all of them before contact."""
    answers: list[GivenAnswer]
    bookings: list[BookingAnswer]
    talks: list[TalkAnswer]
    follow_ups: list[FollowUpAnswer]
    outcome_version: int
    closed_at: datetime | None


class WorkerAnswer(WorkerBody):
    """A worker."""

    id: str
    known_to_child: bool = False
    """Only where asked for an episode: this is whom the child talked to before."""
