"""Routes that write: a talk, a later item, a new version of one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Header, Response
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.interview import ItemNamed
from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.database import lock
from messaging.idempotent import remember, remembered
from messaging.problem import Problem
from messaging.transaction import emit
from messaging.waiting import arrived
from services.interview import domain, store
from services.interview.bodies import (
    AmendedItemIn,
    InterviewIn,
    ItemIn,
    PathId,
    RecordedOut,
    VersionOut,
)
from services.interview.domain import Episode, Fault, Said, Talk
from services.interview.tables import Interview, InterviewEpisode, Item, ItemVersion

router = APIRouter()

Key = Annotated[str | None, Header(alias="Idempotency-Key")]
Here = Annotated[App, Depends(the_app)]


@router.post("/interviews", status_code=201)
async def record(
    *,
    body: InterviewIn,
    response: Response,
    app: Here,
    caller: Annotated[Caller, Depends(allow("practitioner"))],
    idempotency_key: Key = None,
) -> RecordedOut:
    """Write down a talk; the worker is whoever calls. The same key gives the first answer (200).

    An episode that is not known waits up to 2 s for its event before the 404 that names it.
    """
    talk, saids = body.talk(), [item.said() for item in body.items]
    faults = domain.faults_of_talk(talk, app.clock.now())
    for at, said in enumerate(saids):
        faults.extend(_under(f"items.{at}", domain.faults_of_item(said, talk.episode_ids)))
    _refuse(faults)
    episodes = await _episodes(app, talk.episode_ids)
    child_id = domain.whose(episodes)
    if child_id is None:
        raise Problem(422, "child.differs", fields=[("body.episode_ids", "child.differs")])

    async with app.db.writing() as session:
        stored = await remembered(session, idempotency_key, caller, "POST /interviews", body)
        if stored is not None:
            response.status_code = 200
            return RecordedOut.model_validate(stored.body)
        # without a key the whole content is the cause: the same said again is the same talk
        interview_id = app.ids.after("IV", caller.sub, idempotency_key or body.model_dump_json())
        answer = RecordedOut(
            interview_id=interview_id,
            item_ids=[app.ids.after("IT", interview_id, at) for at in range(len(saids))],
            reviews=list(domain.reviews(talk)),
        )
        if await session.get(Interview, interview_id) is not None:
            response.status_code = 200
            return answer
        author = Author(caller.sub, app.clock.now())
        session.add(_row(interview_id, child_id, talk, author))
        await session.flush()  # what follows refers to it
        session.add_all(
            InterviewEpisode(interview_id=interview_id, episode_id=one, position=at)
            for at, one in enumerate(talk.episode_ids)
        )
        named = []
        for at, said in enumerate(saids):
            item = _item(answer.item_ids[at], interview_id, at, author)
            await _add(session, item, said, domain.episode_of(said, episodes), author)
            named.append(ItemNamed(item_id=item.item_id, version=1, category=said.category))
        await emit(
            session,
            domain.recorded(
                app.ids.after("EV", "interview_recorded", interview_id),
                interview_id=interview_id,
                child_id=child_id,
                worker=caller.sub,
                talk=talk,
                items=named,
            ),
        )
        await remember(session, idempotency_key, caller, "POST /interviews", body, answer)
    return answer


@router.post("/interviews/{interview_id}/items", status_code=201)
async def add_item(
    *,
    interview_id: PathId,
    body: ItemIn,
    response: Response,
    app: Here,
    caller: Annotated[Caller, Depends(allow("practitioner", "manager"))],
    idempotency_key: Key = None,
) -> VersionOut:
    """Add what was told later, or remembered later, to a talk (R54)."""
    said = body.said()
    route = f"POST /interviews/{interview_id}/items"
    async with app.db.writing() as session:
        interview = await _mine(session, interview_id, caller)
        episodes = await _episodes_of(session, interview_id)
        _refuse(domain.faults_of_item(said, [episode.id for episode in episodes]))
        stored = await remembered(session, idempotency_key, caller, route, body)
        if stored is not None:
            response.status_code = 200
            return VersionOut.model_validate(stored.body)
        last = await session.scalar(
            select(func.max(Item.position)).where(Item.interview_id == interview_id)
        )
        position = 0 if last is None else last + 1
        item_id = app.ids.after("IT", interview_id, position)
        author = Author(caller.sub, app.clock.now())
        item = _item(item_id, interview_id, position, author)
        version = await _add(session, item, said, domain.episode_of(said, episodes), author)
        await _announce(session, app, interview, version)
        answer = VersionOut(item_id=item_id, version=1)
        await remember(session, idempotency_key, caller, route, body, answer)
    return answer


@router.put("/interviews/{interview_id}/items/{item_id}")
async def amend(
    interview_id: PathId,
    item_id: PathId,
    body: AmendedItemIn,
    app: Here,
    caller: Annotated[Caller, Depends(allow("practitioner", "manager"))],
) -> VersionOut:
    """Write the next version of an item; every earlier one is kept (R79).

    What says the same as the newest version makes no new one, so a repeat changes nothing.
    """
    said = body.said()
    async with app.db.writing() as session:
        interview = await _mine(session, interview_id, caller)
        item = await lock(session, Item, item_id)
        if item is None or item.interview_id != interview_id:
            raise Problem(404, "item.unknown")
        episodes = await _episodes_of(session, interview_id)
        _refuse(domain.faults_of_item(said, [episode.id for episode in episodes]))
        newest = await session.get_one(ItemVersion, (item_id, item.version))
        episode_id = said.episode_id or newest.episode_id
        if store.says_the_same(newest, said, episode_id):
            return VersionOut(item_id=item_id, version=item.version)
        if body.replaces is not None and body.replaces != item.version:
            raise Problem(
                409, "item.version_changed", fields=[("body.replaces", "version.not_newest")]
            )
        item.version += 1
        version = store.version_of(said, item, episode_id, by=caller.sub, at=app.clock.now())
        session.add(version)
        await _announce(session, app, interview, version)
        return VersionOut(item_id=item_id, version=item.version)


class Author(NamedTuple):
    """Who wrote something down, and when."""

    sub: str
    at: datetime


def _row(interview_id: str, child_id: str, talk: Talk, author: Author) -> Interview:
    return Interview(
        interview_id=interview_id,
        kind=talk.kind,
        child_id=child_id,
        worker=author.sub,
        started_at=talk.started_at,
        ended_at=talk.ended_at,
        outcome=talk.outcome,
        service_outcome=talk.service_outcome,
        confidentiality_explained_at=talk.confidentiality_explained_at,
        first_content_at=talk.first_content_at,
        spoken_alone=talk.spoken_alone,
        others_present=talk.others_present,
        reviews=list(domain.reviews(talk)),
        recorded_at=author.at,
    )


def _item(item_id: str, interview_id: str, position: int, author: Author) -> Item:
    return Item(
        item_id=item_id,
        interview_id=interview_id,
        position=position,
        version=1,
        recorded_at=author.at,
    )


async def _add(
    session: AsyncSession, item: Item, said: Said, episode_id: str, author: Author
) -> ItemVersion:
    """Add an item with its first version."""
    session.add(item)
    await session.flush()  # its version refers to it
    version = store.version_of(said, item, episode_id, by=author.sub, at=author.at)
    session.add(version)
    return version


async def _announce(
    session: AsyncSession, app: App, interview: Interview, version: ItemVersion
) -> None:
    """Tell of a later item or a new version."""
    named = ItemNamed.model_validate(version, from_attributes=True)
    event = domain.amended(
        app.ids.after("EV", "item_amended", version.item_id, version.version),
        apart=interview.kind == domain.NOT_CHILDS_ACCOUNT,
        interview_id=interview.interview_id,
        child_id=interview.child_id,
        episode_id=version.episode_id,
        item=named,
        at=version.written_at,
    )
    if event is not None:
        await emit(session, event)


async def _mine(session: AsyncSession, interview_id: str, caller: Caller) -> Interview:
    """Return the talk, locked, for one who may amend it."""
    interview = await lock(session, Interview, interview_id)
    if interview is None:
        raise Problem(404, "interview.unknown")
    if not domain.may_amend(caller.sub, caller.roles, interview.worker):
        raise Problem(403, "interview.of_another_worker")
    return interview


async def _episodes(app: App, ids: Sequence[str]) -> list[Episode]:
    """Return the episodes; those whose event is under way are waited for."""
    known: list[Episode] = []

    async def all_known() -> list[Episode] | None:
        nonlocal known
        async with app.db.reading() as session:
            known = await store.episodes(session, ids)
        return known if len(known) == len(ids) else None

    found = await arrived(all_known)
    if found is None:
        missing = set(ids) - {episode.id for episode in known}
        fields = [
            (f"body.episode_ids.{at}", "episode.unknown")
            for at, one in enumerate(ids)
            if one in missing
        ]
        raise Problem(404, "episode.unknown", fields=fields)
    return found


async def _episodes_of(session: AsyncSession, interview_id: str) -> list[Episode]:
    ids = (await store.episode_ids(session, [interview_id]))[interview_id]
    return await store.episodes(session, ids)


def _under(path: str, faults: Sequence[Fault]) -> list[Fault]:
    return [(f"{path}.{field}", code) for field, code in faults]


def _refuse(faults: Sequence[Fault]) -> None:
    """Raise the faults as one problem; its code is that of the first."""
    if faults:
        raise Problem(422, faults[0][1], fields=_under("body", faults))
