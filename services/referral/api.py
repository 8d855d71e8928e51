"""The HTTP API of `referral`: referrals in, children and episodes out, questions answered."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.access import note_access
from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.database import lock
from messaging.paging import Page, Paging
from messaging.problem import Problem
from services.referral.bodies import (
    ChildAnswer,
    ChildChange,
    EpisodeAnswer,
    ReferralBody,
    TaskAnswer,
    TaskResult,
    TriggerAnswer,
    read,
    refuse,
)
from services.referral.children import change_child, facts_of
from services.referral.domain import Channel, Facts
from services.referral.handlers import Taken, take_referral
from services.referral.tables import Child, Episode, Task, Trigger, TriggerEpisode

router = APIRouter()

TheApp = Annotated[App, Depends(the_app)]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]
STAFF = ("practitioner", "manager", "dsl", "dpo", "ig_lead", "ops")


@router.post("/referrals", status_code=201)
async def post_referral(
    body: ReferralBody,
    app: TheApp,
    response: Response,
    caller: Annotated[Caller, Depends(allow("practitioner", "manager", "service"))],
    idempotency_key: IdempotencyKey = None,
) -> Taken:
    """Take a referral: 201 the first time, 200 with the same answer on a repeat.

    A locality that is not configured does not lose a child (R04): the referral is kept in state
    `triage` with a task for a manager, and the episode is opened all the same, so that the offer
    is made and both clocks run while somebody finds out who is responsible. Its child gets the
    authority `unknown`, which is no recipient: nothing is sent to anybody on its account.
    """
    known = app.state["localities"].get(body.locality)
    asked = read(body, known, app.clock.now(), by=caller.sub)
    taken, first = await take_referral(app, caller, asked, idempotency_key, body)
    response.status_code = 201 if first else 200
    return taken


@router.get("/children/{child_id}")
async def get_child(
    child_id: str,
    app: TheApp,
    caller: Annotated[
        Caller, Depends(allow("manager", "practitioner", "dsl", edges=("sharing", "notify")))
    ],
) -> ChildAnswer:
    """Return what is known of a child; the read is on record before the answer leaves."""
    async with app.db.writing() as session:
        child = await session.get(Child, child_id)
        if child is None:
            raise Problem(404, "child.unknown")
        await note_access(session, caller, child.id, "child", app.clock.now())
        return _child(child)


@router.patch("/children/{child_id}")
async def patch_child(
    child_id: str,
    body: ChildChange,
    app: TheApp,
    caller: Annotated[Caller, Depends(allow("practitioner", "manager"))],
) -> ChildAnswer:
    """Correct facts; the version counts up and ChildChanged is told where anything changed."""
    async with app.db.writing() as session:
        child = await lock(session, Child, child_id)
        if child is None:
            raise Problem(404, "child.unknown")
        facts = _after(facts_of(child), body)
        if facts.date_of_birth > app.clock.now().date():
            refuse([("date_of_birth", "date.in_future")])
        await change_child(app, session, child, facts, by=caller.sub)
        await note_access(session, caller, child.id, "child", app.clock.now())
        return _child(child)


def _after(facts: Facts, change: ChildChange) -> Facts:
    given: dict[str, Any] = {name: getattr(change, name) for name in change.model_fields_set}
    if change.channels is not None:
        given["channels"] = tuple(Channel(**one.model_dump()) for one in change.channels)
    return replace(facts, **given)


def _child(child: Child) -> ChildAnswer:
    return ChildAnswer.model_validate(child, from_attributes=True)


@router.get("/episodes")
async def get_episodes(
    app: TheApp,
    paging: Annotated[Paging, Depends()],
    _: Annotated[Caller, Depends(allow("manager", "practitioner"))],
    child_id: Annotated[str | None, Query(max_length=40)] = None,
) -> Page[EpisodeAnswer]:
    """List episodes by when their referral was received, with the triggers they belong to."""
    async with app.db.reading() as session:
        query = paging.seek(select(Episode), Episode.received_at, Episode.id)
        if child_id is not None:
            query = query.where(Episode.child_id == child_id)
        rows = (await session.scalars(query)).all()
        triggers = await _triggers(session, [row.id for row in rows])
    return paging.page(
        rows,
        lambda row: _episode(row, triggers.get(row.id, [])),
        lambda row: (row.received_at, row.id),
    )


@router.get("/episodes/{episode_id}")
async def get_episode(
    episode_id: str,
    app: TheApp,
    _: Annotated[Caller, Depends(allow("manager", "practitioner"))],
) -> EpisodeAnswer:
    """Return one episode with its triggers."""
    async with app.db.reading() as session:
        row = await session.get(Episode, episode_id)
        if row is None:
            raise Problem(404, "episode.unknown")
        triggers = await _triggers(session, [row.id])
    return _episode(row, triggers.get(row.id, []))


async def _triggers(
    session: AsyncSession, episode_ids: Sequence[str]
) -> dict[str, list[TriggerAnswer]]:
    rows = await session.execute(
        select(TriggerEpisode.episode_id, Trigger)
        .join(Trigger, Trigger.id == TriggerEpisode.trigger_id)
        .where(TriggerEpisode.episode_id.in_(episode_ids))
        .order_by(Trigger.window_days, Trigger.id)
    )
    found: dict[str, list[TriggerAnswer]] = {}
    for episode_id, trigger in rows:
        answer = TriggerAnswer.model_validate(trigger, from_attributes=True)
        found.setdefault(episode_id, []).append(answer)
    return found


def _episode(row: Episode, triggers: list[TriggerAnswer]) -> EpisodeAnswer:
    columns = {column.name: getattr(row, column.name) for column in Episode.__table__.columns}
    return EpisodeAnswer(**columns, triggers=triggers)


@router.get("/tasks")
async def get_tasks(
    app: TheApp,
    paging: Annotated[Paging, Depends()],
    caller: Annotated[Caller, Depends(allow(*STAFF))],
) -> Page[TaskAnswer]:
    """List the caller's own open questions, the most pressing first."""
    async with app.db.reading() as session:
        mine = select(Task).where(Task.done_at.is_(None), Task.owner.in_(_owners(caller)))
        rows = (await session.scalars(paging.seek(mine, Task.due_at, Task.id))).all()
    return paging.page(
        rows,
        lambda row: TaskAnswer.model_validate(row, from_attributes=True),
        lambda row: (row.due_at, row.id),
    )


@router.post("/tasks/{task_id}/done")
async def post_task_done(
    task_id: str,
    body: TaskResult,
    app: TheApp,
    caller: Annotated[Caller, Depends(allow(*STAFF))],
) -> dict[str, str]:
    """Record what a person found. It changes no record: that is a PATCH by somebody who looked."""
    async with app.db.writing() as session:
        task = await lock(session, Task, task_id)
        if task is None or task.owner not in _owners(caller):
            raise Problem(404, "task.unknown")
        if task.done_at is None:
            task.done_at, task.done_by, task.result = app.clock.now(), caller.sub, body.result
        elif task.result != body.result:
            raise Problem(409, "task.done")
        return {"id": task.id, "result": body.result}


def _owners(caller: Caller) -> list[str]:
    return sorted({caller.sub, *caller.roles})
