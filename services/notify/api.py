"""All routes of `notify`."""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import select

from messaging.app import App, the_app
from messaging.caller import Caller, allow, allow_edge
from messaging.database import lock
from messaging.paging import Page, Paging
from messaging.problem import Problem
from messaging.transaction import wake
from services.notify.bodies import MessageOut, PageIn, PageOut, PathId, TaskOut
from services.notify.domain import TASK_TEXTS, State
from services.notify.owed import owe_page
from services.notify.tables import Message, Task

router = APIRouter()

Here = Annotated[App, Depends(the_app)]
Worker = Annotated[Caller, Depends(allow("practitioner", "manager"))]


@router.post("/pages", status_code=202)
async def page(
    body: PageIn, app: Here, _: Annotated[Caller, Depends(allow_edge("sharing"))]
) -> PageOut:
    """Page a person although the bus is away; the same page over the bus as well is one page."""
    async with app.db.writing() as session:
        message_id = await owe_page(session, app, body)
        message = await session.get_one(Message, message_id)
        return PageOut(message_id=message_id, state=message.state)


@router.get("/messages")
async def messages(
    app: Here,
    _: Annotated[Caller, Depends(allow("manager", "ops"))],
    paging: Annotated[Paging, Depends()],
    state: State | None = None,
) -> Page[MessageOut]:
    """List messages and where they stand: ids, codes and times, no address and no text."""
    wanted = select(Message)
    if state is not None:
        wanted = wanted.where(Message.state == state)
    async with app.db.reading() as session:
        rows = await session.scalars(paging.seek(wanted, Message.written_at, Message.message_id))
        return paging.page(list(rows), _message, lambda row: (row.written_at, row.message_id))


@router.post("/messages/{message_id}/again")
async def again(message_id: PathId, app: Here, _: Worker) -> PageOut:
    """Try a message to a child again that was blocked, or may not have gone out.

    For when a safe channel has been found; which one it is, is asked of referral as always.
    """
    async with app.db.writing() as session:
        message = await lock(session, Message, message_id)
        if message is None:
            raise Problem(404, "message.unknown")
        if message.state not in {State.BLOCKED, State.UNSURE}:
            raise Problem(409, "message.not_blocked")
        message.state, message.again_at = State.WAITING, app.clock.now()
        message.blocked_code = message.channel = None
        wake(session, "due")
        return PageOut(message_id=message_id, state=message.state)


@router.get("/tasks")
async def tasks(app: Here, _: Worker, paging: Annotated[Paging, Depends()]) -> Page[TaskOut]:
    """List what people still have to do because a message could not go out."""
    async with app.db.reading() as session:
        rows = await session.scalars(
            paging.seek(select(Task).where(Task.done_at.is_(None)), Task.written_at, Task.task_id)
        )
        return paging.page(list(rows), _task, lambda row: (row.written_at, row.task_id))


@router.post("/tasks/{task_id}/done")
async def done(task_id: PathId, app: Here, caller: Worker) -> TaskOut:
    """Say that a task is done; the first who says so stays recorded."""
    async with app.db.writing() as session:
        task = await lock(session, Task, task_id)
        if task is None:
            raise Problem(404, "task.unknown")
        if task.done_at is None:
            task.done_at, task.done_by = app.clock.now(), caller.sub
        return _task(task)


def _message(row: Message) -> MessageOut:
    names = MessageOut.model_fields.keys() - {"id"}
    return MessageOut(id=row.message_id, **{name: getattr(row, name) for name in names})


def _task(row: Task) -> TaskOut:
    return TaskOut(
        id=row.task_id,
        child_id=row.child_id,
        owner=row.owner,
        due_at=row.due_at,
        message_id=row.message_id,
        code=row.code,
        text=TASK_TEXTS[row.code],
    )
