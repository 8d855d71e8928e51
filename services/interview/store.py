"""Reads and writes talks and the versions of their items."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.interview.domain import Episode, Said, judged_facts
from services.interview.tables import (
    Interview,
    InterviewEpisode,
    Item,
    ItemVersion,
    KnownEpisode,
)


async def episodes(session: AsyncSession, ids: Sequence[str]) -> list[Episode]:
    """Return those of the episodes that are known here."""
    rows = await session.scalars(select(KnownEpisode).where(KnownEpisode.episode_id.in_(ids)))
    return [Episode(row.episode_id, row.child_id, row.returned_at) for row in rows]


async def episode_ids(session: AsyncSession, interview_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return the episodes of each of the talks, in the order given."""
    found: dict[str, list[str]] = {one: [] for one in interview_ids}
    rows = await session.scalars(
        select(InterviewEpisode)
        .where(InterviewEpisode.interview_id.in_(found))
        .order_by(InterviewEpisode.interview_id, InterviewEpisode.position)
    )
    for row in rows:
        found[row.interview_id].append(row.episode_id)
    return found


async def newest(session: AsyncSession, interview_id: str) -> list[ItemVersion]:
    """Return the items of a talk, each in its newest version, in the order they were told."""
    rows = await session.scalars(
        select(ItemVersion)
        .join(Item, _current())
        .where(Item.interview_id == interview_id)
        .order_by(Item.position)
    )
    return list(rows)


async def recorded_at(session: AsyncSession, interview_id: str) -> dict[str, datetime]:
    """Return when each item of a talk was first written down."""
    rows = await session.execute(
        select(Item.item_id, Item.recorded_at).where(Item.interview_id == interview_id)
    )
    return {row.item_id: row.recorded_at for row in rows}


async def versions(session: AsyncSession, item_id: str) -> list[ItemVersion]:
    """Return all versions of an item, oldest first."""
    rows = await session.scalars(
        select(ItemVersion).where(ItemVersion.item_id == item_id).order_by(ItemVersion.version)
    )
    return list(rows)


async def of_item(session: AsyncSession, item_id: str) -> Interview | None:
    """Return the talk that an item belongs to."""
    return await session.scalar(
        select(Interview)
        .join(Item, Item.interview_id == Interview.interview_id)
        .where(Item.item_id == item_id)
    )


def version_of(said: Said, item: Item, episode_id: str, *, by: str, at: datetime) -> ItemVersion:
    """Return the row that keeps the newest version of `item` for ever."""
    return ItemVersion(
        item_id=item.item_id,
        version=item.version,
        episode_id=episode_id,
        written_by=by,
        written_at=at,
        **content(said),
    )


def content(said: Said) -> dict[str, Any]:
    """Return what an item says, as the columns of a version have it."""
    return {
        "category": said.category,
        "provenance": said.provenance,
        "subject": said.subject,
        "text": said.text,
        "fields": dict(said.fields),
        "extracts": list(said.extracts),
        "summary": said.summary,
        "event_at": said.event_at,
        "verbatim": said.verbatim,
        "third_parties": list(said.third_parties),
        "counselling": said.counselling,
        "offence_data": said.offence_data,
        "special": list(said.special),
        "facts": judged_facts(said),
    }


def says_the_same(row: ItemVersion, said: Said, episode_id: str) -> bool:
    """Tell whether a version already says this: then there is nothing new to keep."""
    same = all(getattr(row, name) == value for name, value in content(said).items())
    return same and row.episode_id == episode_id


def _current() -> ColumnElement[bool]:
    return (Item.item_id == ItemVersion.item_id) & (Item.version == ItemVersion.version)
