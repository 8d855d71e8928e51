"""Whose children a caller may see in lists and tasks."""

from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_, select

from messaging.caller import Caller
from services.sharing.tables import Task, WorkerOnCase

SEES_ALL = ("manager", "dsl", "dpo", "ig_lead")
READERS = (*SEES_ALL, "practitioner")

_OWNERS = {
    "dsl": ("dsl", "dsl_and_ig", "dpo_and_dsl"),
    "dpo": ("dpo", "dpo_and_dsl"),
    "ig_lead": ("dsl_and_ig", "ig_lead"),
    "manager": ("manager",),
}
"""Owners whose tasks each role sees as its own."""


def cases_of(caller: Caller) -> Any:
    """Return the children on whose case the caller is, as a subquery."""
    return select(WorkerOnCase.child_id).where(WorkerOnCase.worker == caller.sub)


def children_seen(column: Any, caller: Caller) -> ColumnElement[bool] | None:
    """Return the condition on a child's id, or None where the caller sees all."""
    if caller.has(*SEES_ALL):
        return None
    condition: ColumnElement[bool] = column.in_(cases_of(caller))
    return condition


def own_tasks(caller: Caller) -> ColumnElement[bool]:
    """Return the condition for the caller's own tasks."""
    owners = {owner for role in caller.roles for owner in _OWNERS.get(role, ())}
    mine: list[ColumnElement[bool]] = [Task.owner.in_(owners)] if owners else []
    if caller.has("practitioner"):
        mine.append(
            and_(
                Task.owner == "practitioner",
                or_(
                    Task.worker == caller.sub,
                    and_(Task.worker.is_(None), Task.child_id.in_(cases_of(caller))),
                ),
            )
        )
    return or_(*mine) if mine else false()
