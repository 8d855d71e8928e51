"""Recording judgements: who judged is in the token, what their role may judge is policy data."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, Field

from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.problem import Problem
from services.sharing import ledger
from services.sharing.api.known import (
    Body,
    Code,
    Id,
    Key,
    child_known,
    child_locked,
    episodes_known,
    happened,
    items_known,
    on_case,
)
from services.sharing.children import changed
from services.sharing.domain.judging import faults, kept
from services.sharing.parts import gate
from services.sharing.policy_data import PolicyData
from services.sharing.tables import Judgement
from services.sharing.urgency import acted

router = APIRouter(tags=["judgements"])

WORKER = "worker"
"""In policy data: a practitioner who is on the case."""


class JudgementIn(Body):
    """One judgement; what is not said of its scope is everything."""

    name: Code
    value: Any = None
    reason: Annotated[str, Field(max_length=4000)] | None = None
    episode_id: Id | None = None
    item_ids: Annotated[list[Id], Field(min_length=1, max_length=500)] | None = None
    categories: Annotated[list[Code], Field(min_length=1, max_length=20)] | None = None
    recipients: Annotated[list[Key], Field(min_length=1, max_length=100)] | None = None


class JudgementsIn(Body):
    """Several at once: one call for a whole interview."""

    judgements: Annotated[list[JudgementIn], Field(min_length=1, max_length=200)]
    occurred_at: AwareDatetime | None = None


class JudgementsOut(BaseModel):
    """What was taken in."""

    epoch: int
    recorded: int


@router.put("/children/{child_id}/judgements")
async def put_judgements(
    child_id: str,
    body: JudgementsIn,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow("practitioner", "dsl", "dpo", "manager", "ig_lead"))],
) -> JudgementsOut:
    """Record judgements, all or none. 403 names the first that this role may not make."""
    data = gate(app).data
    at = happened(app, body.occurred_at)
    _check(data, body)
    await child_known(app, child_id)
    roles = await _roles(app, data, child_id, body, caller)
    await items_known(app, child_id, {i for one in body.judgements for i in one.item_ids or ()})
    await episodes_known(
        app, child_id, {one.episode_id for one in body.judgements if one.episode_id is not None}
    )
    async with app.db.writing() as session:
        # taken after the lock, so that what exists is what whoever judged could know of
        child = await child_locked(session, child_id)
        now = app.clock.now()
        epoch = changed(session, child)
        rows = [
            _row(child_id, one, role, caller.sub, at=at, now=now)
            for one, role in zip(body.judgements, roles, strict=True)
        ]
        session.add_all(rows)
        if "dsl" in roles:
            await acted(session, child_id, now)
        await session.flush()
        await ledger.append_all(session, [("judgement", _noted(row, epoch)) for row in rows], now)
        return JudgementsOut(epoch=epoch, recorded=len(rows))


def _check(data: PolicyData, body: JudgementsIn) -> None:
    found: list[tuple[str, str]] = []
    categories = data.codes.get("category", ())
    for n, one in enumerate(body.judgements):
        at = f"judgements.{n}"
        if one.name not in data.judging:
            found.append((f"{at}.name", "judgement.unknown"))
            continue
        wrong = faults(one.name, one.value, one.reason, data.codes, data.not_told_reasons)
        found.extend((f"{at}.{field}", code) for field, code in wrong)
        if set(one.categories or ()) - set(categories):
            found.append((f"{at}.categories", "category.unknown"))
    if found:
        raise Problem(422, "request.malformed", fields=found)


async def _roles(
    app: App, data: PolicyData, child_id: str, body: JudgementsIn, caller: Caller
) -> list[str]:
    """Return in which role each judgement is made. Raises Problem 403."""
    chosen = []
    there: bool | None = None
    for n, one in enumerate(body.judgements):
        may = data.judging[one.name]
        role = next((role for role in may if role != WORKER and caller.has(role)), None)
        if role is None and WORKER in may and caller.has("practitioner"):
            if there is None:
                there = await on_case(app, child_id, caller)
            if not there:
                fields = [(f"judgements.{n}.name", "judgement.not_on_case")]
                raise Problem(403, "judgement.not_on_case", one.name, fields)
            role = "practitioner"
        if role is None:
            fields = [(f"judgements.{n}.name", "judgement.role")]
            raise Problem(403, "judgement.role", one.name, fields)
        chosen.append(role)
    return chosen


def _row(
    child_id: str, one: JudgementIn, role: str, by: str, *, at: datetime, now: datetime
) -> Judgement:
    return Judgement(
        child_id=child_id,
        name=one.name,
        value=kept(one.name, one.value),
        reason=one.reason,
        episode_id=one.episode_id,
        item_ids=one.item_ids,
        categories=one.categories,
        recipients=one.recipients,
        by=by,
        role=role,
        occurred_at=at,
        recorded_at=now,
    )


def _noted(row: Judgement, epoch: int) -> dict[str, Any]:
    """Return the ledger's note; whom and what it is about only as commitments."""
    plain = row.value is None or isinstance(row.value, bool | str)
    return {
        "child_id": row.child_id,
        "name": row.name,
        "value": row.value if plain else "given",
        "reason": row.reason,
        "episode_id": row.episode_id,
        "item_id": row.item_ids,
        "categories": row.categories,
        "person": row.recipients,
        "by": row.by,
        "role": row.role,
        "epoch": epoch,
        "occurred_at": row.occurred_at,
    }
