"""What was decided and what left, as lists; a child's words are not in them."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlalchemy import Select, select
from sqlalchemy.orm import defer

from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.paging import Page, Paging
from services.sharing.api.scope import READERS, children_seen
from services.sharing.tables import Decision, Release

router = APIRouter(tags=["lists"])

Reader = Annotated[Caller, Depends(allow(*READERS))]


class DecisionOut(BaseModel):
    """One decision, to share or not to share."""

    id: str
    decision_id: str
    child_id: str
    episode_id: str
    item_id: str
    item_version: int
    category: str
    recipient: str
    decision: str
    rule_ids: list[str]
    gates_used: list[str]
    basis: list[str]
    transforms: list[str]
    obligations: list[str]
    reasons: list[str]
    defer_to: dict[str, Any] | None
    purpose: str | None
    epoch: int
    policy_version: str
    policy_digest: str
    decided_at: datetime
    current: bool


class ReleaseOut(BaseModel):
    """One release, without what is in it."""

    id: str
    release_id: str
    decision_id: str
    child_id: str
    episode_id: str
    item_id: str
    item_version: int
    category: str
    recipient: str
    partner: str | None
    state: str
    number: int | None
    how: str | None
    epoch: int
    policy_version: str
    permitted_at: datetime
    created_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None


@router.get("/decisions")
async def read_decisions(
    app: Annotated[App, Depends(the_app)],
    caller: Reader,
    paging: Annotated[Paging, Depends()],
    *,
    child_id: str | None = None,
    recipient: str | None = None,
    item_id: str | None = None,
    current: bool | None = None,
) -> Page[DecisionOut]:
    """Give decisions in order of time; a practitioner's are those of their own cases."""
    wanted = _narrowed(
        select(Decision), Decision, caller, child_id=child_id, recipient=recipient, item_id=item_id
    )
    if current is not None:
        wanted = wanted.where(Decision.current.is_(current))
    async with app.db.reading() as session:
        found = paging.seek(wanted, Decision.decided_at, Decision.id)
        rows = (await session.scalars(found)).all()
    return paging.page(rows, make=_decision, key=lambda row: (row.decided_at, row.id))


@router.get("/releases")
async def read_releases(
    app: Annotated[App, Depends(the_app)],
    caller: Reader,
    paging: Annotated[Paging, Depends()],
    *,
    child_id: str | None = None,
    recipient: str | None = None,
    item_id: str | None = None,
    state: str | None = None,
) -> Page[ReleaseOut]:
    """Give releases in order of time; a practitioner's are those of their own cases."""
    wanted = _narrowed(
        select(Release), Release, caller, child_id=child_id, recipient=recipient, item_id=item_id
    ).options(defer(Release.content), defer(Release.sealed))
    if state is not None:
        wanted = wanted.where(Release.state == state)
    async with app.db.reading() as session:
        found = paging.seek(wanted, Release.permitted_at, Release.id)
        rows = (await session.scalars(found)).all()
    return paging.page(rows, make=_release, key=lambda row: (row.permitted_at, row.id))


def _narrowed(
    wanted: Select[Any],
    table: Any,
    caller: Caller,
    *,
    child_id: str | None,
    recipient: str | None,
    item_id: str | None,
) -> Select[Any]:
    """Return the query for what the caller may see and asks for."""
    seen = children_seen(table.child_id, caller)
    if seen is not None:
        wanted = wanted.where(seen)
    for column, value in (
        (table.child_id, child_id),
        (table.recipient, recipient),
        (table.item_id, item_id),
    ):
        if value is not None:
            wanted = wanted.where(column == value)
    return wanted


def _decision(row: Decision) -> DecisionOut:
    names = set(DecisionOut.model_fields) - {"decision_id"}
    return DecisionOut(decision_id=row.id, **{name: getattr(row, name) for name in names})


def _release(row: Release) -> ReleaseOut:
    named = {"release_id": row.id, "partner": row.partner_key, "created_at": row.permitted_at}
    names = set(ReleaseOut.model_fields) - set(named)
    return ReleaseOut(**named, **{name: getattr(row, name) for name in names})
