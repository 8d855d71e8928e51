"""What a talk must look like, what follows from it and who may read it. No I/O, no clock."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isfinite
from re import fullmatch
from typing import Final, Literal

from contracts.interview import (
    Category,
    InterviewKind,
    InterviewRecorded,
    ItemAmended,
    ItemNamed,
)
from contracts.scheduling import RhiOutcome
from services.interview.facts import NAME, faults_of_facts

Provenance = Literal[
    "child_said",
    "carer_said",
    "professional_said",
    "known_before",
    "worker_view",
    "other_child_said",
]
Subject = Literal["child", "other_child", "other_adult", "place"]
ServiceOutcome = Literal["accepted", "declined", "not_offered"]
Part = Literal["fields", "extracts", "summary", "text", "event_at", "third_parties"]
"""What `sharing` may ask of an item, by name."""
Review = Literal["confidentiality_late", "not_alone"]
"""What somebody has to look at: the DSL the first (R38), a supervisor the second (R31)."""

Fault = tuple[str, str]
"""Path of a field and a code, never the value: it may be about a child."""

MADE_ELSEWHERE: Final = frozenset({"basic_outcome", "aggregates"})
"""`sharing` makes the outcome item, statistics come with insight; nobody says them in a talk."""
NOT_CHILDS_ACCOUNT: Final = "carer_account"
DEPTH_MAX: Final = 10
"""How deep a structured value may be nested."""
CLOCK_SKEW: Final = timedelta(seconds=60)
"""How far a worker's device may run ahead before a time counts as being in the future."""


@dataclass(frozen=True)
class Said:
    """One thing said, as it stands in one version."""

    category: Category
    provenance: Provenance
    subject: Subject
    text: str | None = None
    fields: Mapping[str, object] = field(default_factory=dict)
    extracts: Sequence[str] = ()
    summary: str | None = None
    event_at: datetime | None = None
    verbatim: bool = False
    third_parties: Sequence[str] = ()
    counselling: bool = False
    offence_data: bool = False
    special: Sequence[str] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    episode_id: str | None = None


@dataclass(frozen=True)
class Talk:
    """A talk as the worker wrote it down; R03: one talk may cover several episodes."""

    kind: InterviewKind
    episode_ids: tuple[str, ...]
    started_at: datetime
    ended_at: datetime
    outcome: RhiOutcome | None = None
    service_outcome: ServiceOutcome | None = None
    confidentiality_explained_at: datetime | None = None
    first_content_at: datetime | None = None
    spoken_alone: bool | None = None
    others_present: str | None = None


@dataclass(frozen=True)
class Episode:
    """What this service knows of an episode."""

    id: str
    child_id: str
    returned_at: datetime


def faults_of_talk(talk: Talk, now: datetime) -> list[Fault]:
    """Return what is wrong with the talk itself."""
    faults = []
    if talk.ended_at < talk.started_at:
        faults.append(("ended_at", "time.before_start"))
    for name in ("started_at", "ended_at", "confidentiality_explained_at", "first_content_at"):
        at = getattr(talk, name)
        if at is not None and at > now + CLOCK_SKEW:
            faults.append((name, "time.in_future"))
    if talk.kind == "interview" and talk.outcome is None:
        faults.append(("outcome", "outcome.missing"))
    if len(set(talk.episode_ids)) < len(talk.episode_ids):
        faults.append(("episode_ids", "episode.twice"))
    faults.extend(("others_present", code) for code in set(_unstorable(talk.others_present)))
    return faults


def faults_of_item(said: Said, episode_ids: Collection[str]) -> list[Fault]:
    """Return what is wrong with one item, paths relative to it."""
    faults: list[Fault] = []
    if said.category in MADE_ELSEWHERE:
        faults.append(("category", "category.not_recorded_here"))
    if said.episode_id is not None and said.episode_id not in episode_ids:
        faults.append(("episode_id", "episode.not_of_interview"))
    if not (said.text or said.fields or said.extracts or said.summary):
        faults.append(("text", "item.empty"))
    faults.extend(
        (f"fields.{name}" if fullmatch(NAME, name) else "fields.*", "field.name")
        for name in said.fields
        if not fullmatch(NAME, name)
    )
    faults.extend((f"facts.{name}", code) for name, code in faults_of_facts(said.facts))
    for name in ("text", "summary", "extracts", "fields", "facts", "third_parties"):
        faults.extend((name, code) for code in sorted(set(_unstorable(getattr(said, name)))))
    return faults


def _unstorable(value: object, depth: int = 0) -> Iterator[str]:
    """Name what no database can hold, so that it is a 422 and not a failed transaction."""
    if depth > DEPTH_MAX:
        yield "value.too_deep"
        return
    match value:
        case str():
            if "\x00" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
                yield "text.not_storable"
        case float():
            if not isfinite(value):
                yield "number.not_finite"
        case Mapping():
            for name, inner in value.items():
                yield from _unstorable(name, depth)
                yield from _unstorable(inner, depth + 1)
        case list() | tuple():
            for inner in value:
                yield from _unstorable(inner, depth + 1)


def whose(episodes: Sequence[Episode]) -> str | None:
    """Return the one child all these episodes belong to, or None when they are of several."""
    children = {episode.child_id for episode in episodes}
    return children.pop() if len(children) == 1 else None


def episode_of(said: Said, episodes: Sequence[Episode]) -> str:
    """Return the episode an item is about: the one named, else the latest that the talk covers.

    The latest is the one the talk was offered for; the earlier ones are told of in passing (R03).
    """
    return said.episode_id or max(episodes, key=lambda e: (e.returned_at, e.id)).id


def reviews(talk: Talk) -> tuple[Review, ...]:
    """Return what has to be looked at by somebody else.

    A talk whose limits were explained late, or never, is recorded and flagged rather than
    refused: losing what the child said is worse than a form filled in out of order (R38).
    Not knowing whether the child was alone counts as not alone (R31).
    """
    found: list[Review] = []
    if talk.kind == NOT_CHILDS_ACCOUNT:
        return ()
    first, explained = talk.first_content_at, talk.confidentiality_explained_at
    if first is not None and (explained is None or explained > first):
        found.append("confidentiality_late")
    if talk.kind == "interview" and talk.spoken_alone is not True:
        found.append("not_alone")
    return tuple(found)


def may_read_words(sub: str, roles: Collection[str], worker: str) -> bool:
    """The worker who recorded them, managers and the DSL; nobody else (design, section 4)."""
    return "manager" in roles or "dsl" in roles or ("practitioner" in roles and sub == worker)


def may_amend(sub: str, roles: Collection[str], worker: str) -> bool:
    """The worker who recorded it, or a manager."""
    return "manager" in roles or ("practitioner" in roles and sub == worker)


def judged_facts(said: Said) -> dict[str, object]:
    """Return the facts that a decision reads: those that are null are left out."""
    return {name: value for name, value in said.facts.items() if value is not None}


def recorded(
    event_id: str,
    *,
    interview_id: str,
    child_id: str,
    worker: str,
    talk: Talk,
    items: Sequence[ItemNamed],
) -> InterviewRecorded:
    """Announce a talk. A carer's account is kept apart: it names no items (R23).

    Only a return home interview has an outcome: a talk by telephone must not stop the 72 h clock.
    """
    rhi = talk.kind == "interview"
    return InterviewRecorded(
        id=event_id,
        occurred_at=talk.ended_at,
        interview_id=interview_id,
        child_id=child_id,
        episode_ids=talk.episode_ids,
        kind=talk.kind,
        worker=worker,
        started_at=talk.started_at,
        ended_at=talk.ended_at,
        outcome=talk.outcome if rhi else None,
        service_outcome=talk.service_outcome,
        items=() if talk.kind == NOT_CHILDS_ACCOUNT else tuple(items),
    )


def amended(
    event_id: str,
    *,
    apart: bool,
    interview_id: str,
    child_id: str,
    episode_id: str,
    item: ItemNamed,
    at: datetime,
) -> ItemAmended | None:
    """Announce a later item or a new version; of what is kept apart, nothing (R23)."""
    if apart:
        return None
    return ItemAmended(
        id=event_id,
        occurred_at=at,
        interview_id=interview_id,
        child_id=child_id,
        episode_id=episode_id,
        item=item,
    )
