"""Agencies with a feed: registered by ops with their public keys, while everything runs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.database import wake
from messaging.paging import Page, Paging
from messaging.problem import Problem
from services.sharing import ledger
from services.sharing.api.known import Body, Code, Key
from services.sharing.children import RECONSIDER, keep_recipients, locked
from services.sharing.parts import gate
from services.sharing.sealing import encryption_key
from services.sharing.tables import Child, Partner, Recipient

router = APIRouter(tags=["partners"])

_BATCH = 500
_SECRET = ("d", "p", "q", "k", "dp", "dq", "qi")
"""Members of a JWK that are nobody's business but the partner's."""


class PublicKeys(Body):
    """A partner's public keys, as `homeward partner keys` wrote them."""

    key: Key | None = None
    nkey: Annotated[str, Field(pattern=r"^U[A-Z2-7]{55}$")]
    jwk: dict[str, Any]


class PartnerIn(Body):
    """An agency as ops registers it."""

    key: Key
    type: Code
    role: Code | None = None
    area: Code | None = None
    public: PublicKeys


class PartnerOut(BaseModel):
    """A registered agency."""

    id: str
    key: str
    type: str
    role: str | None
    area: str | None
    nkey: str


@router.post("/partners", status_code=201)
async def add_partner(
    body: PartnerIn,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow("ops"))],
) -> PartnerOut:
    """Register an agency; the children of its area are looked at again. The same again is fine."""
    kind = _checked(app, body)
    async with app.db.writing() as session:
        found = await session.get(Partner, body.key)
        if found is not None:
            same = (found.type, found.area, found.nkey, found.jwk)
            if same != (kind, body.area, body.public.nkey, body.public.jwk):
                raise Problem(409, "partner.exists")
            partner = found
        else:
            partner = await _add(app, session, body, kind, caller)
    await _give_to_children(app, partner)
    return _out(partner)


async def _add(
    app: App, session: AsyncSession, body: PartnerIn, kind: str, caller: Caller
) -> Partner:
    now = app.clock.now()
    partner = Partner(
        key=body.key,
        type=kind,
        role=_role(app, kind, body.role),
        area=body.area,
        nkey=body.public.nkey,
        jwk=body.public.jwk,
        added_at=now,
    )
    session.add(partner)
    await session.flush()
    note = {
        "recipient": partner.key,
        "partner_type": partner.type,
        "role": partner.role,
        "action": "added",
        "by": caller.sub,
    }
    await ledger.append(session, "partner", note, now)
    return partner


def _checked(app: App, body: PartnerIn) -> str:
    data = gate(app).data
    kind = data.aliases.get(body.type, body.type)
    faults = []
    if kind not in data.types or kind == "young_person":
        faults.append(("type", "type.unknown"))
    if set(_SECRET) & set(body.public.jwk):
        faults.append(("public.jwk", "jwk.private"))
    elif not _fit_for_sealing(body.public.jwk):
        faults.append(("public.jwk", "jwk.not_fit"))
    if body.public.key not in (None, body.key):
        faults.append(("public.key", "key.other"))
    if faults:
        raise Problem(422, "request.malformed", fields=faults)
    return kind


def _fit_for_sealing(jwk: dict[str, Any]) -> bool:
    """Tell whether releases could be encrypted to it: better refused now than stuck later."""
    try:
        encryption_key(jwk)
    except ValueError:
        return False
    return True


def _role(app: App, kind: str, role: str | None) -> str | None:
    roles = gate(app).data.types[kind].roles
    return role or (roles[0] if len(roles) == 1 or kind == "police" else None)


async def _give_to_children(app: App, partner: Partner) -> None:
    """Make the partner a recipient of the children of its area; those who have it get its feed."""
    after = ""
    while True:
        async with app.db.writing() as session:
            ids = await _concerned(session, partner, after)
            for child_id in ids:
                child = await locked(session, child_id)
                if child is not None and child.version > 0:
                    await keep_recipients(session, child)
            await session.execute(
                update(Recipient)
                .where(
                    Recipient.key == partner.key,
                    Recipient.type == partner.type,
                    Recipient.child_id.in_(ids),
                    Recipient.partner_key.is_(None),
                )
                .values(
                    partner_key=partner.key,
                    channel_verified=True,
                    version=Recipient.version + 1,
                )
            )
            await session.execute(
                update(Child)
                .where(Child.id.in_(ids))
                .values(epoch=Child.epoch + 1, dirty=True)
                .execution_options(synchronize_session=False)
            )
            wake(session, RECONSIDER)
        if len(ids) < _BATCH:
            return
        after = ids[-1]


async def _concerned(session: AsyncSession, partner: Partner, after: str) -> list[str]:
    named = select(Recipient.child_id).where(Recipient.key == partner.key)
    of_area = or_(
        Child.responsible_la == partner.area,
        Child.host_la == partner.area,
        (Child.responsible_la.is_(None)) & (Child.locality == partner.area),
    )
    wanted = (of_area | Child.id.in_(named)) if partner.area else Child.id.in_(named)
    found = await session.scalars(
        select(Child.id).where(Child.id > after, wanted).order_by(Child.id).limit(_BATCH)
    )
    return list(found)


@router.get("/partners")
async def read_partners(
    app: Annotated[App, Depends(the_app)],
    _: Annotated[Caller, Depends(allow("ops", "manager", "ig_lead", "dpo"))],
    paging: Annotated[Paging, Depends()],
) -> Page[PartnerOut]:
    """Give the registered agencies by key."""
    async with app.db.reading() as session:
        rows = (await session.scalars(paging.seek(select(Partner), Partner.key))).all()
    return paging.page(rows, make=_out, key=lambda row: row.key)


def _out(row: Partner) -> PartnerOut:
    return PartnerOut(
        id=row.key, key=row.key, type=row.type, role=row.role, area=row.area, nkey=row.nkey
    )
