"""What the API of `referral` takes and gives, and how a body is read."""

from collections.abc import Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from messaging.problem import Problem
from services.referral.domain import (
    ChannelKind,
    ChannelSaid,
    Fault,
    Grading,
    IdentityStatus,
    LegalStatus,
    Read,
    Safe,
    Said,
    TimeRefusedError,
    Times,
    Whose,
    faults_of_birth,
    read_instant,
)
from services.referral.handlers import Asked
from services.referral.localities import UNKNOWN, Locality


def _printable(text: str) -> str:
    text = text.strip()
    if not text or not text.isprintable():  # a NUL would end as an error of the database
        raise PydanticCustomError("text_unprintable", "no printable text")
    return text


def _written(value: object) -> object:
    if not isinstance(value, str):  # a number would be taken for seconds since 1970
        raise PydanticCustomError("string_type", "a date is written as text")
    return value


Name = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
"""Codes travel on the bus; the pattern leaves no room for a sentence or a name with a space."""
Day = Annotated[date, BeforeValidator(_written)]
Time = Annotated[str, Field(max_length=40)]
"""An ISO instant, or local time of the locality where it has no offset; read by `read`."""
Reference = Annotated[str, Field(max_length=60), AfterValidator(_printable)]
External = Annotated[str, Field(max_length=100), AfterValidator(_printable)]


class ChannelBody(BaseModel):
    """A way to reach a child or carer. `safe` not said is unknown, and unknown is unsafe."""

    kind: ChannelKind
    address: Name
    safe: Safe | None = None
    whose: Whose | None = None

    def said(self) -> ChannelSaid:
        """Return it as the domain has it."""
        return ChannelSaid(self.kind, self.address, self.safe, self.whose)


class ChildBody(BaseModel):
    """The child, as the sender knows them. What is left out or null is not said."""

    id: Annotated[str, Field(max_length=40)] | None = None
    external_ids: Annotated[dict[Code, External], Field(max_length=20)] = {}
    given_name: Name
    family_name: Name
    date_of_birth: Day
    identity_status: IdentityStatus | None = None
    legal_status: LegalStatus | None = None
    responsible_la: Code | None = None
    host_la: Code | None = None
    address_confidential: bool | None = None
    channels: Annotated[list[ChannelBody], Field(max_length=20)] = []


class EpisodeBody(BaseModel):
    """The time the child was missing."""

    setting: Code = "home"
    missing_from: Time
    returned_at: Time
    reported_missing_at: Time | None = None
    grading: Grading | None = None


class ReferralBody(BaseModel):
    """Somebody asks that a child be offered a return home interview."""

    source: Literal["police", "council", "parent", "self", "other"]
    police_reference: Reference | None = None
    locality: Code
    child: ChildBody
    episode: EpisodeBody
    received_at: Time | None = None

    @model_validator(mode="after")
    def _police_give_a_reference(self) -> Self:
        if self.source == "police" and self.police_reference is None:
            raise PydanticCustomError("police_reference_missing", "police give a reference")
        return self


def read(body: ReferralBody, known: Locality | None, now: datetime, by: str) -> Asked:
    """Return the referral with every time a moment. Raises Problem 422 that names each fault.

    `known` is what is configured for its locality, None where nothing is.
    """
    locality = known or UNKNOWN
    faults: list[Fault] = []
    given = {
        "episode.missing_from": body.episode.missing_from,
        "episode.returned_at": body.episode.returned_at,
        "episode.reported_missing_at": body.episode.reported_missing_at,
        "received_at": body.received_at,
    }
    moments: dict[str, Read] = {}
    for field, text in given.items():
        if text is None:
            continue
        try:
            moments[field] = read_instant(text, locality.zone)
        except TimeRefusedError as refused:
            faults.append((field, refused.code))
    refuse(faults)

    reported = moments.get("episode.reported_missing_at")
    received = moments.get("received_at")
    times = Times(
        missing_from=moments["episode.missing_from"].at,
        returned_at=moments["episode.returned_at"].at,
        received_at=now if received is None else received.at,
        reported_missing_at=None if reported is None else reported.at,
    )
    child = body.child
    refuse([*times.faults(now), *faults_of_birth(child.date_of_birth, times.missing_from)])
    return Asked(
        by=by,
        source=body.source,
        police_reference=body.police_reference,
        locality=body.locality,
        child_id=child.id,
        external_ids=child.external_ids,
        said=Said(
            child.given_name, child.family_name, child.date_of_birth, child.identity_status,
            child.legal_status, child.responsible_la, child.host_la, child.address_confidential,
            tuple(channel.said() for channel in child.channels),
        ),
        setting=body.episode.setting,
        grading=body.episode.grading,
        times=times,
        ambiguous=tuple(field for field, moment in moments.items() if moment.ambiguous),
        body_digest=sha256(body.model_dump_json().encode()).hexdigest(),
        rules=locality,
        locality_known=known is not None,
    )  # fmt: skip


def refuse(faults: Sequence[Fault]) -> None:
    """Raise Problem 422 where there are faults; its code is the first one's."""
    if faults:
        raise Problem(422, faults[0][1], fields=[(f"body.{field}", code) for field, code in faults])


class Channel(BaseModel):
    """A way to reach a child or carer, as it is held."""

    kind: ChannelKind
    address: Name
    safe: Safe = "unknown"
    whose: Whose = "carer"


class ChildChange(BaseModel):
    """Facts that a person who knows the child corrects; only what is given changes."""

    model_config = ConfigDict(extra="forbid")  # a misspelt fact would silently change nothing

    given_name: Name | None = None
    family_name: Name | None = None
    date_of_birth: Day | None = None
    identity_status: IdentityStatus | None = None
    legal_status: LegalStatus | None = None
    locality: Code | None = None
    responsible_la: Code | None = None
    host_la: Code | None = None
    address_confidential: bool | None = None
    channels: Annotated[list[Channel], Field(max_length=20)] | None = None

    @model_validator(mode="after")
    def _only_the_host_can_be_none(self) -> Self:
        for name in self.model_fields_set - {"host_la"}:
            if getattr(self, name) is None:
                raise PydanticCustomError("null_not_allowed", "this fact cannot be unknown")
        return self


class ChildAnswer(BaseModel):
    """A child as known now."""

    id: str
    version: int
    given_name: str
    family_name: str
    date_of_birth: date
    identity_status: IdentityStatus
    legal_status: LegalStatus
    locality: str
    responsible_la: str
    host_la: str | None
    address_confidential: bool
    channels: list[Channel]


class TriggerAnswer(BaseModel):
    """A trigger that an episode counted towards or joined."""

    id: str
    count: int
    window_days: int
    action: str
    fired_by: str
    """The episode whose arrival fired it; for others of the trigger there was no second alert."""
    fired_at: datetime


class EpisodeAnswer(BaseModel):
    """One missing episode, without names."""

    id: str
    child_id: str
    referral_id: str
    locality: str
    setting: str
    legal_status: str
    responsible_la: str
    missing_from: datetime
    returned_at: datetime
    reported_missing_at: datetime | None
    grading: str | None
    received_at: datetime
    return_time_ambiguous: bool
    triggers: list[TriggerAnswer]


class TaskAnswer(BaseModel):
    """A question for a person, in the form that all services' tasks have."""

    id: str
    kind: str
    child_id: str
    owner: str
    due_at: datetime
    missing: list[str] = []
    release_ids: list[str] = []
    text: str


class TaskResult(BaseModel):
    """What a person found, as a code, e.g. same, different, first, second."""

    result: Code
