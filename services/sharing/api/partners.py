"""Agencies with a feed: registered by ops with their public keys, while everything runs."""

from datetime import datetime
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
    revoked_at: datetime | None


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
        if found is not None and found.revoked_at is not None:
            partner = await _add_again(app, session, found, body, kind, by=caller.sub)
        elif found is not None:
            same = (found.type, found.area, found.nkey, found.jwk)
            if same != (kind, body.area, body.public.nkey, body.public.jwk):
                raise Problem(409, "partner.exists")
            partner = found
        elif await known_nkey(session, body.public.nkey):
            raise Problem(409, "nkey.used_before")
        else:
            partner = await _add(app, session, body, kind, caller)
    await _give_to_children(app, partner)
    return out(partner)


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


async def _add_again(
    app: App, session: AsyncSession, partner: Partner, body: PartnerIn, kind: str, *, by: str
) -> Partner:
    """Let an agency that had left come back with keys nobody ever had; its numbers go on."""
    if partner.type != kind:
        raise Problem(409, "partner.exists")
    if await known_nkey(session, body.public.nkey):
        raise Problem(409, "nkey.used_before")
    partner.role, partner.area = _role(app, kind, body.role), body.area
    partner.nkey, partner.jwk, partner.revoked_at = body.public.nkey, body.public.jwk, None
    note = {"recipient": partner.key, "partner_type": kind, "action": "added_again", "by": by}
    await session.flush()
    await ledger.append(session, "partner", note, app.clock.now())
    return partner


async def known_nkey(session: AsyncSession, nkey: str) -> bool:
    """Tell whether any agency has this key, or ever had: whoever held it must not come back."""
    rows = await session.execute(select(Partner.nkey, Partner.former_nkeys))
    return any(nkey == row[0] or nkey in (row[1] or ()) for row in rows)


def _checked(app: App, body: PartnerIn) -> str:
    data = gate(app).data
    kind = data.aliases.get(body.type, body.type)
    faults = unfit(body.key, body.public)
    if kind not in data.types or kind == "young_person":
        faults.insert(0, ("type", "type.unknown"))
    if faults:
        raise Problem(422, "request.malformed", fields=faults)
    return kind


def unfit(key: str, public: PublicKeys) -> list[tuple[str, str]]:
    """Return what is wrong with public keys that are said to be those of `key`."""
    faults = []
    if set(_SECRET) & set(public.jwk):
        faults.append(("public.jwk", "jwk.private"))
    elif not _fit_for_sealing(public.jwk):
        faults.append(("public.jwk", "jwk.not_fit"))
    if public.key not in (None, key):
        faults.append(("public.key", "key.other"))
    return faults


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
    return paging.page(rows, make=out, key=lambda row: row.key)


def out(row: Partner) -> PartnerOut:
    """Return an agency as answers show it."""
    return PartnerOut(
        id=row.key,
        key=row.key,
        type=row.type,
        role=row.role,
        area=row.area,
        nkey=row.nkey,
        revoked_at=row.revoked_at,
    )
