"""To whom this child's items are proposed, beside those who belong to every child of the area."""

from math import isfinite
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.problem import Problem
from services.sharing import ledger
from services.sharing.api.known import Body, Code, Key, child_known, child_locked
from services.sharing.children import changed, role_of
from services.sharing.domain.facts import SELF
from services.sharing.domain.words import without_words
from services.sharing.parts import gate
from services.sharing.policy_data import PolicyData
from services.sharing.tables import Child, Partner, Recipient

router = APIRouter(tags=["recipients"])

_SET_BY_ADDING = {"lscp_panel": {"panel_membership": True}, "health": {"open_case": True}}
"""A panel or a clinician is added for a child because that child is before them."""
_KINDS: dict[str, tuple[type, ...]] = {
    "truth": (bool,),
    "text": (str,),
    "code": (str,),
    "list": (list,),
    "number": (int, float),
}


class RecipientIn(Body):
    """A recipient as a worker knows them."""

    type: Code
    role: Code | None = None
    name: Annotated[str, Field(max_length=200)] | None = None
    pr: bool = False
    """Parental responsibility."""
    lives_with_child: bool = False
    channel_verified: bool = False
    facts: dict[str, Any] = Field(default_factory=dict)


class RecipientOut(BaseModel):
    """What was taken in."""

    child_id: str
    key: str
    version: int
    epoch: int


@router.put("/children/{child_id}/recipients/{key}")
async def put_recipient(
    child_id: str,
    key: Annotated[Key, Path()],
    body: RecipientIn,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow("practitioner"))],
) -> RecipientOut:
    """Add a recipient to a child, or say something new of one. The same again changes nothing."""
    data = gate(app).data
    kind = data.aliases.get(body.type, body.type)
    _check(data, key, kind, body)
    await child_known(app, child_id)
    now = app.clock.now()
    async with app.db.writing() as session:
        child = await child_locked(session, child_id)
        row, is_new = await _row(session, child, key, kind, body, data=data, by=caller.sub)
        if not is_new:
            return RecipientOut(child_id=child_id, key=key, version=row.version, epoch=child.epoch)
        epoch = changed(session, child)
        note = {
            "child_id": child_id,
            **ledger.about(key, kind),
            "recipient_type": kind,
            "role": row.role,
            "action": "added" if row.version == 1 else "changed",
            "epoch": epoch,
            "by": caller.sub,
        }
        await session.flush()
        await ledger.append(session, "recipient", note, now)
        return RecipientOut(child_id=child_id, key=key, version=row.version, epoch=epoch)


def _check(data: PolicyData, key: str, kind: str, body: RecipientIn) -> None:
    faults = []
    if kind not in data.types:
        faults.append(("type", "type.unknown"))
    if (kind == "young_person") is not (key == SELF):
        faults.append(("type", "type.self"))
    for name, value in body.facts.items():
        if name in data.judging:
            faults.append((f"facts.{name}", "fact.judged_elsewhere"))
        elif name not in data.kinds or name == "pseudonym_key":
            faults.append(("facts", "fact.unknown"))
        elif value is not None and not _fits(data.kinds[name], value):
            faults.append((f"facts.{name}", "fact.type"))
    if faults:
        raise Problem(422, "request.malformed", fields=faults)


def _fits(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "truth"
    if isinstance(value, float) and not isfinite(value):
        return False
    return isinstance(value, _KINDS.get(kind, ()))


async def _row(
    session: AsyncSession,
    child: Child,
    key: str,
    kind: str,
    body: RecipientIn,
    *,
    data: PolicyData,
    by: str,
) -> tuple[Recipient, bool]:
    """Return the recipient's row as it should be, and whether anything of it is new."""
    partner = await session.get(Partner, key)
    if partner is not None and partner.revoked_at is not None:
        raise Problem(409, "partner.revoked")
    if partner is not None and partner.type != kind:
        raise Problem(422, "request.malformed", fields=[("type", "type.not_of_partner")])
    roles = data.types[kind].roles
    role = body.role or (roles[0] if len(roles) == 1 else None)
    if partner is not None and partner.area is not None and kind == "childrens_services":
        role = role_of(partner, child)  # no worker can make another council this child's
    elif partner is not None:
        role = partner.role or role
    wanted = {
        "type": kind,
        "role": role,
        "name": body.name,
        "pr": body.pr,
        "lives_with_child": body.lives_with_child,
        # ops registered a partner's keys: nobody else can read its feed
        "channel_verified": body.channel_verified or partner is not None or key == SELF,
        "facts": {**_SET_BY_ADDING.get(kind, {}), **without_words(body.facts, data.kinds)},
        "partner_key": partner.key if partner else None,
        "active": True,
    }
    row = await session.get(Recipient, (child.id, key))
    if row is None:
        row = Recipient(child_id=child.id, key=key, version=1, added_by=by, **wanted)
        session.add(row)
        return row, True
    if all(getattr(row, name) == value for name, value in wanted.items()):
        return row, False
    for name, value in wanted.items():
        setattr(row, name, value)
    row.version += 1
    return row, True
