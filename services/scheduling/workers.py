"""The workers: who they are, and who may go to a child."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.paging import Page, Paging
from messaging.problem import Problem
from services.scheduling.bodies import WorkerAnswer, WorkerBody
from services.scheduling.cases import wait_for
from services.scheduling.continuity import as_worker, previous_worker, wanted
from services.scheduling.domain import LONDON, unfit
from services.scheduling.tables import WorkerRow

router = APIRouter()

TheApp = Annotated[App, Depends(the_app)]
WorkerId = Annotated[str, Path(max_length=200, pattern=r"^[A-Za-z0-9._@-]+$")]


@router.put("/workers/{worker_id}")
async def put_worker(
    worker_id: WorkerId,
    body: WorkerBody,
    app: TheApp,
    caller: Annotated[Caller, Depends(allow("practitioner", "manager", "ops"))],
) -> WorkerAnswer:
    """Record a worker under the `sub` of their tokens; replaces what was recorded.

    403 `worker.own_record` for a practitioner's own: nobody vouches for their own training or
    takes back their own conflict (R08, R09).
    """
    if worker_id == caller.sub and not caller.has("manager", "ops"):
        raise Problem(403, "worker.own_record")
    async with app.db.writing() as session:
        row = WorkerRow(
            id=worker_id, changed_by=caller.sub, changed_at=app.clock.now(), **body.model_dump()
        )
        await session.merge(row)
    return WorkerAnswer(id=worker_id, **body.model_dump())


@router.get("/workers")
async def get_workers(
    app: TheApp,
    paging: Annotated[Paging, Depends()],
    _: Annotated[Caller, Depends(allow("practitioner", "manager"))],
    episode_id: Annotated[str | None, Query(max_length=60)] = None,
) -> Page[WorkerAnswer]:
    """List workers; with an episode only those who may go to its child, as the child prefers."""
    child_id = await wait_for(app, episode_id) if episode_id is not None else None
    async with app.db.reading() as session:
        rows = (await session.scalars(paging.seek(select(WorkerRow), WorkerRow.id))).all()
        page = paging.page(rows, _answer, lambda row: row.id)
        if child_id is not None:
            page.items = await _fit(app, session, list(rows[: paging.limit]), child_id)
    return page


async def _fit(
    app: App, session: AsyncSession, rows: list[WorkerRow], child_id: str
) -> list[WorkerAnswer]:
    wish = await wanted(session, child_id)
    before = await previous_worker(session, child_id)
    today = app.clock.now().astimezone(LONDON).date()
    required = app.settings.worker_records_required
    return [
        _answer(row).model_copy(update={"known_to_child": row.id == before})
        for row in rows
        if not unfit(as_worker(row), child_id, wish, today, records_required=required)
    ]


@router.get("/workers/{worker_id}")
async def get_worker(
    worker_id: WorkerId,
    app: TheApp,
    _: Annotated[Caller, Depends(allow("practitioner", "manager"))],
) -> WorkerAnswer:
    """Return one worker."""
    async with app.db.reading() as session:
        row = await session.get(WorkerRow, worker_id)
        if row is None:
            raise Problem(404, "worker.unknown")
        return _answer(row)


def _answer(row: WorkerRow) -> WorkerAnswer:
    return WorkerAnswer.model_validate(row, from_attributes=True)
