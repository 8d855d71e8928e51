"""What comes in and goes out over HTTP; no address and no word about a child is among it."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError


def _of_our_time(at: datetime) -> datetime:
    """Refuse years at the edge of the calendar, where arithmetic with time zones overflows."""
    if not 1900 <= at.year <= 2200:
        raise PydanticCustomError("time_out_of_range", "not a time of ours")
    return at


Id = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
PathId = Annotated[str, Path(max_length=200, pattern=r"^[!-~]+$")]


class PageIn(BaseModel):
    """What `sharing` says when somebody has to judge now; an `UrgentHoldRaised` fits."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    page_id: Id
    child_id: Id
    locality: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[!-~]+$")]
    to: Literal["dsl", "on_call"]
    code: Literal["urgent_hold", "child_not_told", "hold_overdue", "policy_lockdown"]
    due_at: Annotated[AwareDatetime, AfterValidator(_of_our_time)]


class PageOut(BaseModel):
    """The page is kept and will be sent, however long the mail server is away."""

    message_id: str
    state: str


class MessageOut(BaseModel):
    """Where a message stands."""

    id: str
    kind: str
    cause_id: str
    child_id: str
    episode_id: str | None
    to_role: str
    code: str | None
    at: datetime
    template: str
    template_version: int
    language: str
    channel: str | None
    state: str
    blocked_code: str | None
    attempts: int
    again_at: datetime | None
    written_at: datetime
    sent_at: datetime | None


class TaskOut(BaseModel):
    """Something a person has to do because a message could not, or may not, have gone out."""

    id: str
    kind: Literal["message"] = "message"
    child_id: str
    owner: str
    due_at: datetime
    message_id: str
    code: str
    text: str
