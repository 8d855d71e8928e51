"""What the caller has to do: judge, verify, or tell somebody the exact permitted text."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import select, update

from contracts.sharing import ReleaseDelivered
from messaging.access import note_access
from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.paging import Page, Paging
from messaging.problem import Problem
from messaging.schema import outbox
from messaging.transaction import emit
from messaging.waiting import arrived
from services.sharing import ledger
from services.sharing.api.known import Body, Code, happened
from services.sharing.api.scope import READERS, own_tasks
from services.sharing.domain.payload import spoken
from services.sharing.domain.releasing import DELIVERED, LIVE, STOPPABLE, TELL, move
from services.sharing.policy_tables import MAY_LEAVE
from services.sharing.quarantine import lasts
from services.sharing.tables import Recipient, Release, Task, WorkerOnCase

router = APIRouter(tags=["tasks"])


class TaskOut(BaseModel):
    """A task; `text` is what may be told, word for word, where there is something to tell."""

    id: str
    kind: str
    child_id: str
    owner: str
    due_at: datetime
    missing: list[str]
    release_ids: list[str]
    text: str | None
    recipient: str | None
    interview_id: str | None


@router.get("/tasks")
async def read_tasks(
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow(*READERS, "ops"))],
    paging: Annotated[Paging, Depends()],
    child_id: str | None = None,
) -> Page[TaskOut]:
    """Give the caller's own open tasks, the most pressing first."""
    wanted = select(Task).where(Task.state == "open", own_tasks(caller))
    if child_id is not None:
        wanted = wanted.where(Task.child_id == child_id)
    async with app.db.reading() as session:
        rows = (await session.scalars(paging.seek(wanted, Task.due_at, Task.id))).all()
    texts = await _texts(app, caller, rows[: paging.limit])
    return paging.page(
        rows,
        make=lambda row: TaskOut(
            id=row.id,
            kind=row.kind,
            child_id=row.child_id,
            owner=row.owner,
            due_at=row.due_at,
            missing=row.missing,
            release_ids=row.release_ids,
            text=texts.get(row.id),
            recipient=row.recipient,
            interview_id=row.interview_id,
        ),
        key=lambda row: (row.due_at, row.id),
    )


async def _texts(app: App, caller: Caller, rows: Sequence[Task]) -> dict[str, str]:
    """Return what may be told, by task; that somebody reads it is recorded before it leaves.

    In quarantine there is nothing to tell: it may have been taken back after the backup.
    """
    tells = [row for row in rows if row.kind == "tell"]
    if not tells or not caller.has("practitioner"):
        return {}
    texts: dict[str, str] = {}
    async with app.db.writing() as session:
        if await lasts(session):
            return texts
        for task in tells:
            releases = await session.scalars(
                select(Release)
                .where(
                    Release.id.in_(task.release_ids),
                    Release.state == TELL,
                    Release.policy_digest == MAY_LEAVE,  # else it is just decided again
                )
                .order_by(Release.id)
            )
            said = [spoken(row.content) for row in releases if row.content is not None]
            if said:
                texts[task.id] = "\n\n".join(said)
                await note_access(
                    session, caller, task.child_id, "sharing.tell_text", app.clock.now()
                )
    return texts


_WAYS = frozenset(
    {"telephone", "phone", "in_person", "meeting", "letter", "written_link", "email", "text",
     "video", "feed"}
)  # fmt: skip
"""What bus and ledger say; another code stays here, because it is typed by hand and may name."""


class DeliveredIn(Body):
    """When and how the recipient was told."""

    occurred_at: AwareDatetime | None = None
    how: Code


class DeliveredOut(BaseModel):
    """How the release stands now."""

    release_id: str
    state: str
    delivered_at: datetime | None


@router.post("/releases/{release_id}/delivered")
async def report_delivered(
    release_id: str,
    body: DeliveredIn,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow("practitioner", "manager", "dsl"))],
) -> DeliveredOut:
    """Record that somebody was told; also what was told by telephone before the feed.

    That it happened is recorded whatever the release's state: a record that is refused is a record
    that is missing.
    """
    at = happened(app, body.occurred_at)
    await _release_known(app, release_id)
    async with app.db.writing() as session:
        found = select(Release).where(Release.id == release_id).with_for_update()
        row = (await session.scalars(found)).one()
        await _refuse_strangers(session, row, caller)
        recipient = await session.get(Recipient, (row.child_id, row.recipient))
        event_id = app.ids.after("EV", "told", row.id, at.isoformat(), body.how)
        said = select(outbox.c.event_id).where(outbox.c.event_id == event_id)
        if (await session.scalars(said)).first() is not None:
            return _out(row)
        kind = recipient.type if recipient is not None else "carer_parent"
        way = body.how if body.how in _WAYS else "other"
        before = row.state
        now = app.clock.now()
        if row.partner_key is None or row.state not in LIVE:
            if row.state != DELIVERED:
                row.state = move(row.state, DELIVERED) if _may_end(row.state) else row.state
            row.delivered_at, row.how, row.content = at, body.how, None
            await _close_told(session, row, now)
        elif row.delivered_at is None:
            row.delivered_at, row.how = at, body.how  # known by voice, and still on its way
        event = ReleaseDelivered(
            id=event_id,
            occurred_at=at,
            release_id=row.id,
            child_id=row.child_id,
            recipient=row.recipient,
            how=way,
        )
        await emit(session, event)
        note = {
            "release_id": row.id,
            "child_id": row.child_id,
            **ledger.about(row.recipient, kind),
            "how": way,
            "by": caller.sub,
            "occurred_at": at,
            "code": "told" if before in LIVE else "told_after_stop",
        }
        await session.flush()
        await ledger.append(session, "receipt", note, now)
        return _out(row)


def _may_end(state: str) -> bool:
    return state in STOPPABLE - {"queued"} or state in {"cancelled", "superseded"}


def _out(row: Release) -> DeliveredOut:
    return DeliveredOut(release_id=row.id, state=row.state, delivered_at=row.delivered_at)


async def _release_known(app: App, release_id: str) -> None:
    async def find() -> bool | None:
        async with app.db.reading() as session:
            return (await session.get(Release, release_id)) is not None or None

    if await arrived(find) is None:
        raise Problem(404, "release.unknown")


async def _refuse_strangers(session: Any, row: Release, caller: Caller) -> None:
    """Let those tell who are on the case, a manager or the DSL."""
    if caller.has("manager", "dsl"):
        return
    if await session.get(WorkerOnCase, (row.child_id, caller.sub)) is None:
        raise Problem(403, "role.not_on_case")


async def _close_told(session: Any, row: Release, now: datetime) -> None:
    """Close the task that asked for this, once all of it has been told."""
    tasks = await session.scalars(
        select(Task).where(Task.child_id == row.child_id, Task.kind == "tell", Task.state == "open")
    )
    for task in tasks:
        if row.id not in task.release_ids:
            continue
        left = [name for name in task.release_ids if name != row.id]
        if left:
            task.release_ids = left
        else:
            await session.execute(
                update(Task).where(Task.id == task.id).values(state="closed", closed_at=now)
            )
