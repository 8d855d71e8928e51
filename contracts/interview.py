"""Events of `interview`: a talk was held and which kinds of thing were said."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from contracts.event import Event
from contracts.scheduling import RhiOutcome

Category = Literal[
    "basic_outcome",
    "narrative",
    "push_pull",
    "whereabouts",
    "associates",
    "harm",
    "health",
    "contact_address",
    "safety_plan",
    "wishes",
    "aggregates",
]
InterviewKind = Literal["interview", "phone_discussion", "carer_account"]


class ItemNamed(BaseModel):
    """One thing said, by id; its facts and words are asked of `interview` over an edge."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    item_id: str
    version: int
    category: Category


class InterviewRecorded(Event, subject="evt.interview.interview_recorded.v1"):
    """A talk was held and written down. One may cover several episodes (R03)."""

    interview_id: str
    child_id: str
    episode_ids: tuple[str, ...]
    kind: InterviewKind
    """A `carer_account` is kept apart and names no items here: it is never proposed (R23)."""
    worker: str
    started_at: AwareDatetime
    ended_at: AwareDatetime
    outcome: RhiOutcome | None = None
    service_outcome: Literal["accepted", "declined", "not_offered"] | None = None
    items: tuple[ItemNamed, ...] = ()


class ItemAmended(Event, subject="evt.interview.item_amended.v1"):
    """An item has a new version; the old one is kept (R79)."""

    interview_id: str
    child_id: str
    episode_id: str
    item: ItemNamed
