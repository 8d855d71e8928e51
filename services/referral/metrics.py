"""What a scrape of `referral` looks up: questions that only a person can answer."""

from collections.abc import Mapping

from sqlalchemy import case, func, select

from messaging.app import App
from messaging.gauges import COUNTED_MAX, Family, Labels, Look, Values
from services.referral.tables import Task

_KNOWN = [("compare", "manager"), ("question", "practitioner"), ("triage", "manager")]


async def _tasks(app: App) -> Mapping[str, Values]:
    few = (
        select(Task.kind, Task.owner, Task.due_at)
        .where(Task.done_at.is_(None))
        .order_by(Task.owner, Task.due_at)
        .limit(COUNTED_MAX)
        .subquery()
    )
    late = case((few.c.due_at < app.clock.now(), 1), else_=0)
    asked = select(few.c.kind, few.c.owner, func.count(), func.sum(late))
    counts: dict[Labels, float] = {}
    overdue: dict[Labels, float] = {}
    async with app.db.reading() as session:
        for kind, owner, count, late_count in await session.execute(
            asked.group_by(few.c.kind, few.c.owner)
        ):
            counts[kind, owner], overdue[kind, owner] = count, late_count
    return {"homeward_tasks": counts, "homeward_tasks_overdue": overdue}


LOOKS = (
    Look(
        [
            Family(
                "homeward_tasks",
                "Tasks that people have, by kind and owner",
                ("kind", "owner"),
                _KNOWN,
            ),
            Family(
                "homeward_tasks_overdue",
                "Of these, those past their time",
                ("kind", "owner"),
                _KNOWN,
            ),
        ],
        _tasks,
    ),
)
