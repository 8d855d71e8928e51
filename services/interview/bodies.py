"""What comes in and goes out over HTTP, as the design's section 11 names it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
)
from pydantic_core import PydanticCustomError

from contracts.interview import Category, InterviewKind
from contracts.scheduling import RhiOutcome
from services.interview.domain import (
    Part,
    Provenance,
    Review,
    Said,
    ServiceOutcome,
    Subject,
    Talk,
)


def _of_our_time(at: datetime) -> datetime:
    """Refuse years at the edge of the calendar, where arithmetic with time zones overflows."""
    if not 1900 <= at.year <= 2200:
        raise PydanticCustomError("time_out_of_range", "not a time of ours")
    return at


def _written(value: object) -> object:
    """Refuse a bare number: nobody could say whether seconds or milliseconds were meant."""
    if not isinstance(value, str):
        raise PydanticCustomError("time_not_text", "not an ISO time with an offset")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_of_our_time)]
Id = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
PathId = Annotated[str, Path(max_length=200, pattern=r"^[!-~]+$")]
Words = Annotated[str, Field(max_length=100_000)]
Short = Annotated[str, Field(min_length=1, max_length=500)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class _In(BaseModel):
    """A misspelt field is refused, not dropped: it may hold what a child said."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)


class ItemIn(_In):
    """One thing said."""

    category: Category
    provenance: Provenance
    subject: Subject
    text: Words | None = None
    """The words; the child's own where `verbatim`."""
    fields: Annotated[dict[str, JsonValue], Field(max_length=100)] = {}
    """Named structured values; policy data says which pass to whom."""
    extracts: Annotated[list[Words], Field(max_length=200)] = []
    summary: Words | None = None
    event_at: Moment | None = None
    """When what is told of happened, or is going to."""
    verbatim: StrictBool = False
    third_parties: Annotated[list[Short], Field(max_length=100)] = []
    counselling: StrictBool = False
    offence_data: StrictBool = False
    special: Annotated[list[Code], Field(max_length=20)] = []
    facts: Annotated[dict[str, JsonValue], Field(max_length=100)] = {}
    episode_id: Id | None = None
    """Which episode, where the talk covers several; the latest unless said."""

    def said(self) -> Said:
        """Return it as the domain has it."""
        return Said(**{name: getattr(self, name) for name in ItemIn.model_fields})


class AmendedItemIn(ItemIn):
    """An item as it should stand from now on: the whole of it, not a difference."""

    replaces: int | None = None
    """The version it was written over; where another one has come since, the answer is a 409."""


class InterviewIn(_In):
    """A talk that was held."""

    kind: InterviewKind
    episode_ids: Annotated[list[Id], Field(min_length=1, max_length=20)]
    started_at: Moment
    ended_at: Moment
    outcome: RhiOutcome | None = None
    """Required of an interview; of another kind it is kept and told to nobody."""
    service_outcome: ServiceOutcome | None = None
    confidentiality_explained_at: Moment | None = None
    first_content_at: Moment | None = None
    spoken_alone: StrictBool | None = None
    others_present: Words | None = None
    """Who else was there and why (R31)."""
    items: Annotated[list[ItemIn], Field(max_length=200)] = []

    def talk(self) -> Talk:
        """Return it as the domain has it, without its items."""
        names = Talk.__dataclass_fields__.keys() - {"episode_ids"}
        return Talk(
            episode_ids=tuple(self.episode_ids), **{name: getattr(self, name) for name in names}
        )


class PartsIn(_In):
    """What `sharing` needs of an item for one release."""

    version: Annotated[int, Field(ge=1, lt=2**31)]
    parts: Annotated[list[Part], Field(min_length=1, max_length=6)]


class PartsOfItemIn(PartsIn):
    """The same of one item among several."""

    item_id: Id


class PartsOfItemsIn(_In):
    """What `sharing` needs of several items of a child, for its releases of one moment."""

    items: Annotated[list[PartsOfItemIn], Field(min_length=1, max_length=16)]


class RecordedOut(BaseModel):
    """A talk is written down."""

    interview_id: str
    item_ids: list[str]
    reviews: list[Review] = []


class VersionOut(BaseModel):
    """An item has this version now."""

    item_id: str
    version: int


class PartsOut(BaseModel):
    """The parts asked for and no others."""

    parts: dict[str, Any]


class PartsOfItemOut(PartsOut):
    """The parts of one item among several."""

    item_id: str


class PartsOfItemsOut(BaseModel):
    """The parts of each item that may be given; what is not here is unknown or kept apart."""

    items: list[PartsOfItemOut]


class TalkOut(BaseModel):
    """A talk without its words."""

    id: str
    kind: InterviewKind
    child_id: str
    episode_ids: list[str]
    worker: str
    started_at: datetime
    ended_at: datetime
    outcome: str | None
    service_outcome: str | None
    confidentiality_explained_at: datetime | None
    first_content_at: datetime | None
    spoken_alone: bool | None
    reviews: list[str]
    recorded_at: datetime


class JudgedItemOut(BaseModel):
    """What a decision about an item reads: codes and facts, none of the words."""

    item_id: str
    version: int
    episode_id: str
    category: str
    subject: str
    provenance: str
    verbatim: bool
    third_parties: list[str]
    """One `given` for each: that there is one decides, who it is does not."""
    counselling: bool
    offence_data: bool
    special: list[str]
    facts: dict[str, Any]
    event_at: datetime | None
    recorded_at: datetime
    """When the item was first written down, whatever its version."""


class JudgedTalkOut(BaseModel):
    """A talk as `sharing` proposes it; a carer's account has no items here (R23)."""

    interview_id: str
    kind: InterviewKind
    episode_ids: list[str]
    child_id: str
    items: list[JudgedItemOut]


class WordsOut(BaseModel):
    """One version of an item with its words."""

    item_id: str
    version: int
    episode_id: str
    category: str
    provenance: str
    subject: str
    text: str | None
    fields: dict[str, Any]
    extracts: list[str]
    summary: str | None
    event_at: datetime | None
    verbatim: bool
    third_parties: list[str]
    counselling: bool
    offence_data: bool
    special: list[str]
    facts: dict[str, Any]
    written_by: str
    written_at: datetime


class TalkInWordsOut(TalkOut):
    """A talk with its words, each item in its newest version."""

    others_present: str | None
    items: list[WordsOut]


class VersionsOut(BaseModel):
    """All versions of an item, oldest first."""

    items: list[WordsOut]
