"""A registered agency gets other keys, or leaves, while everything runs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel

from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.database import lock
from messaging.problem import Problem
from services.sharing import ledger
from services.sharing.api.known import Body, Key
from services.sharing.api.partners import PartnerOut, PublicKeys, known_nkey, out, unfit
from services.sharing.api.withdrawals import Named
from services.sharing.leaving import Left, release_anew, revoke
from services.sharing.tables import Partner
from services.sharing.taking_back import Taken, TakenBack

router = APIRouter(tags=["partners"])


class KeysIn(Body):
    """Other public keys of an agency."""

    public: PublicKeys
    lost: bool = False
    """The former decryption key is lost: what lies unread is released anew, under new numbers."""


class KeysOut(BaseModel):
    """From when on which key reads what."""

    partner: PartnerOut
    sealed_before: int
    """Numbers up to this one open with the former key, all later ones with the new one."""
    void: list[Named]
    """Released anew, because the former key was lost."""
    left: list[Named]
    """Sealed for the lost key and not taken back: handed out before."""


class RevokedOut(BaseModel):
    """What an agency that left has, and has not."""

    partner: PartnerOut
    cancelled: list[Named]
    erased: list[Named]
    left: list[Named]
    """Handed out and not acknowledged: it had left, or may have."""
    delivered: int
    """Acknowledged before; `GET /releases` names them."""
    children: int
    successor: bool
    """False: nobody of its type is there for its area, so nobody is told in its place."""


@router.put("/partners/{key}/keys")
async def put_keys(
    key: Annotated[Key, Path()],
    body: KeysIn,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow("ops"))],
) -> KeysOut:
    """Seal for other keys from now on. What lies unread stays readable with the former key."""
    if faults := unfit(key, body.public):
        raise Problem(422, "request.malformed", fields=faults)
    async with app.db.writing() as session:
        row = await lock(session, Partner, key)
        if row is None:
            raise Problem(404, "partner.unknown")
        if row.revoked_at is not None:
            raise Problem(409, "partner.revoked")
        changed = (row.nkey, row.jwk) != (body.public.nkey, body.public.jwk)
        if row.nkey != body.public.nkey:
            if await known_nkey(session, body.public.nkey):
                raise Problem(409, "nkey.used_before")
            row.former_nkeys = sorted({*(row.former_nkeys or ()), row.nkey})
        row.nkey, row.jwk = body.public.nkey, body.public.jwk
        before = row.next_number - 1
        if changed:
            note = {"recipient": key, "action": "keys_replaced", "by": caller.sub, "number": before}
            await session.flush()
            await ledger.append(session, "partner", note, app.clock.now())
        told = out(row)
    taken = await release_anew(app, key) if body.lost else TakenBack()
    gone = [*taken.erased, *taken.cancelled]
    return KeysOut(partner=told, sealed_before=before, void=named(gone), left=named(taken.left))


@router.post("/partners/{key}/revocation")
async def post_revocation(
    key: Annotated[Key, Path()],
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow("ops"))],
) -> RevokedOut:
    """Release nothing more to it, erase what it has not read, and name what it has or may have."""
    async with app.db.reading() as session:
        found = await session.get(Partner, key)
    if found is None:
        raise Problem(404, "partner.unknown")
    return await _answer(app, key, await revoke(app, found, caller.sub))


async def _answer(app: App, key: str, left: Left) -> RevokedOut:
    async with app.db.reading() as session:
        row = await session.get(Partner, key)
        assert row is not None  # noqa: S101 - partners are never deleted
    return RevokedOut(
        partner=out(row),
        cancelled=named([*left.cancelled, *left.taken.cancelled]),
        erased=named(left.taken.erased),
        left=named(left.taken.left),
        delivered=left.delivered,
        children=left.children,
        successor=left.successor,
    )


def named(taken: list[Taken]) -> list[Any]:
    """Return releases as an answer names them."""
    return [
        Named(release_id=one.release_id, recipient=one.recipient, number=one.number or None)
        for one in taken
    ]
