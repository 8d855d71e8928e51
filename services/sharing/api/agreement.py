"""What the child, or someone for them, said about sharing (R64): lines are added, never changed."""

from typing import Annotated, Any, Literal

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
    happened,
    items_known,
)
from services.sharing.children import changed
from services.sharing.parts import gate
from services.sharing.tables import AgreementLine, Recipient

router = APIRouter(tags=["agreement"])

EVERYBODY = "all"


class LineIn(Body):
    """What was said of a category, or of one item, and one recipient."""

    category: Code | None = None
    """None, without an item: all categories."""
    item_id: Id | None = None
    recipient: Key | None = None
    """`all` or None: everybody."""
    status: Literal["agreed", "declined", "not_asked", "withdrawn"]
    consequences_explained: bool = False


class AgreementIn(Body):
    """What was said in one talk."""

    by: Literal["child", "pr_holder", "la"]
    items: Annotated[list[LineIn], Field(min_length=1, max_length=500)]
    occurred_at: AwareDatetime | None = None


class AgreementOut(BaseModel):
    """What was taken in."""

    epoch: int
    lines: int


@router.put("/children/{child_id}/agreement")
async def put_agreement(
    child_id: str,
    body: AgreementIn,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow("practitioner"))],
) -> AgreementOut:
    """Add what was said; an item's line beats a category's, the later the earlier."""
    at, now = happened(app, body.occurred_at), app.clock.now()
    categories = gate(app).data.codes.get("category", ())
    faults = []
    for n, line in enumerate(body.items):
        if line.category is not None and line.category not in categories:
            faults.append((f"items.{n}.category", "category.unknown"))
        if line.category is not None and line.item_id is not None:
            faults.append((f"items.{n}.item_id", "scope.category_or_item"))
    if faults:
        raise Problem(422, "request.malformed", fields=faults)
    await child_known(app, child_id)
    await items_known(app, child_id, {line.item_id for line in body.items if line.item_id})
    async with app.db.writing() as session:
        child = await child_locked(session, child_id)
        epoch = changed(session, child)
        notes: list[tuple[str, dict[str, Any]]] = []
        for line in body.items:
            key = None if line.recipient == EVERYBODY else line.recipient
            row = AgreementLine(
                child_id=child_id,
                recipient=key,
                category=line.category,
                item_id=line.item_id,
                status=line.status,
                by=body.by,
                consequences_explained=line.consequences_explained,
                occurred_at=at,
                recorded_at=now,
                recorded_by=caller.sub,
                role="practitioner",
            )
            session.add(row)
            known = None if key is None else await session.get(Recipient, (child_id, key))
            notes.append(("agreement", _noted(row, known, epoch)))
        await session.flush()
        await ledger.append_all(session, notes, now)
        return AgreementOut(epoch=epoch, lines=len(body.items))


def _noted(row: AgreementLine, recipient: Recipient | None, epoch: int) -> dict[str, Any]:
    """Return the ledger's note; a recipient that is not known yet may be a person."""
    whom: dict[str, Any] = {"recipients": EVERYBODY}
    if row.recipient is not None:
        kind = recipient.type if recipient is not None else "carer_parent"
        whom = ledger.about(row.recipient, kind)
    return {
        "child_id": row.child_id,
        "item_id": row.item_id,
        "category": row.category,
        **whom,
        "answer": row.status,
        "by": row.recorded_by,
        "role": row.role,
        "epoch": epoch,
        "occurred_at": row.occurred_at,
    }
