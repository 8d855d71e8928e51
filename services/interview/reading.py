"""Routes that read: lists without words, words for those entitled, named parts for `sharing`."""

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.access import note_access
from messaging.app import App, the_app
from messaging.caller import Caller, allow, allow_edge
from messaging.paging import Page, Paging
from messaging.problem import Problem
from services.interview import domain, store
from services.interview.bodies import (
    JudgedItemOut,
    JudgedTalkOut,
    PartsIn,
    PartsOfItemIn,
    PartsOfItemOut,
    PartsOfItemsIn,
    PartsOfItemsOut,
    PartsOut,
    PathId,
    TalkInWordsOut,
    TalkOut,
    VersionsOut,
    WordsOut,
)
from services.interview.tables import Interview, ItemVersion

router = APIRouter()

Here = Annotated[App, Depends(the_app)]
Reader = Annotated[Caller, Depends(allow("practitioner", "manager", "dsl"))]
Sharing = Annotated[Caller, Depends(allow_edge("sharing"))]


@router.get("/interviews")
async def talks(app: Here, caller: Reader, paging: Annotated[Paging, Depends()]) -> Page[TalkOut]:
    """List talks without their words: one's own for a worker, all for managers and the DSL."""
    wanted = select(Interview)
    if not caller.has("manager", "dsl"):
        wanted = wanted.where(Interview.worker == caller.sub)
    async with app.db.reading() as session:
        rows = await session.scalars(
            paging.seek(wanted, Interview.recorded_at, Interview.interview_id)
        )
        found = list(rows)
        episodes = await store.episode_ids(session, [row.interview_id for row in found])
    return paging.page(
        found,
        lambda row: TalkOut.model_validate(_plain(row, episodes[row.interview_id])),
        lambda row: (row.recorded_at, row.interview_id),
    )


@router.get("/interviews/{interview_id}")
async def talk(interview_id: PathId, app: Here, caller: Reader) -> TalkInWordsOut:
    """Give a talk with its words, each item in its newest version."""
    async with app.db.writing() as session:  # the access record commits before the bytes leave
        interview = _readable(await session.get(Interview, interview_id), caller)
        items = await store.newest(session, interview_id)
        episodes = await store.episode_ids(session, [interview_id])
        await note_access(session, caller, interview_id, "interview.words", app.clock.now())
    return TalkInWordsOut.model_validate(
        _plain(interview, episodes[interview_id])
        | {"others_present": interview.others_present, "items": [_words(row) for row in items]}
    )


@router.get("/interviews/{interview_id}/items/{item_id}")
async def item_versions(
    interview_id: PathId, item_id: PathId, app: Here, caller: Reader
) -> VersionsOut:
    """Give all versions of an item, with who wrote each and when (R79)."""
    async with app.db.writing() as session:
        _readable(await session.get(Interview, interview_id), caller)
        interview = await store.of_item(session, item_id)
        if interview is None or interview.interview_id != interview_id:
            raise Problem(404, "item.unknown")
        rows = await store.versions(session, item_id)
        await note_access(session, caller, interview_id, "interview.versions", app.clock.now())
    return VersionsOut(items=[_words(row) for row in rows])


@router.get("/interviews/{interview_id}/items")
async def judged_items(interview_id: PathId, app: Here, _: Sharing) -> JudgedTalkOut:
    """Give `sharing` what a decision about each item reads, and none of the words."""
    async with app.db.reading() as session:
        interview = await session.get(Interview, interview_id)
        if interview is None:
            raise Problem(404, "interview.unknown")
        apart = interview.kind == domain.NOT_CHILDS_ACCOUNT
        items = [] if apart else await store.newest(session, interview_id)
        since = await store.recorded_at(session, interview_id)
        episodes = await store.episode_ids(session, [interview_id])
    return JudgedTalkOut.model_validate(
        {
            "interview_id": interview_id,
            "kind": interview.kind,
            "episode_ids": episodes[interview_id],
            "child_id": interview.child_id,
            "items": [_judged(row, since[row.item_id]) for row in items],
        }
    )


@router.post("/items/{item_id}/fields")
async def parts(item_id: PathId, body: PartsIn, app: Here, caller: Sharing) -> PartsOut:
    """Give `sharing` the parts of an item that it names, of that version, and no others."""
    wanted = PartsOfItemIn(item_id=item_id, version=body.version, parts=body.parts)
    async with app.db.writing() as session:
        return PartsOut(parts=await _given(session, wanted, caller, app.clock.now()))


@router.post("/items/fields")
async def parts_of_items(body: PartsOfItemsIn, app: Here, caller: Sharing) -> PartsOfItemsOut:
    """Give the same of several items: one record of access for each, and one commit for all.

    An item of which nothing may be given is left out; the others do not wait for it.
    """
    given: list[PartsOfItemOut] = []
    async with app.db.writing() as session:
        for wanted in body.items:
            with suppress(Problem):
                told = await _given(session, wanted, caller, app.clock.now())
                given.append(PartsOfItemOut(item_id=wanted.item_id, parts=told))
    return PartsOfItemsOut(items=given)


async def _given(
    session: AsyncSession, asked: PartsOfItemIn, caller: Caller, now: datetime
) -> dict[str, Any]:
    """Return parts of one version of an item and note that they are read. Raises Problem."""
    interview = await store.of_item(session, asked.item_id)
    if interview is None:
        raise Problem(404, "item.unknown")
    if interview.kind == domain.NOT_CHILDS_ACCOUNT:
        raise Problem(403, "item.kept_apart")
    row = await session.get(ItemVersion, (asked.item_id, asked.version))
    if row is None:
        raise Problem(404, "item.version_unknown", fields=[("body.version", "version.unknown")])
    wanted = sorted(set(asked.parts))
    await note_access(session, caller, asked.item_id, f"item.{'+'.join(wanted)}", now)
    return {part: getattr(row, part) for part in wanted}


def _readable(interview: Interview | None, caller: Caller) -> Interview:
    """Return the talk for one who may read its words. Raises Problem 404 or 403."""
    if interview is None:
        raise Problem(404, "interview.unknown")
    if not domain.may_read_words(caller.sub, caller.roles, interview.worker):
        raise Problem(403, "interview.of_another_worker")
    return interview


def _plain(row: Interview, episode_ids: list[str]) -> dict[str, object]:
    names = TalkOut.model_fields.keys() - {"id", "episode_ids"}
    plain = {name: getattr(row, name) for name in names}
    return plain | {"id": row.interview_id, "episode_ids": episode_ids}


def _words(row: ItemVersion) -> WordsOut:
    return WordsOut(**{name: getattr(row, name) for name in WordsOut.model_fields})


def _judged(row: ItemVersion, since: datetime) -> JudgedItemOut:
    names = JudgedItemOut.model_fields.keys() - {"third_parties", "recorded_at"}
    return JudgedItemOut(
        **{name: getattr(row, name) for name in names},
        third_parties=["given"] * len(row.third_parties),
        recorded_at=since,
    )
