"""The child's row: raising its epoch, reading its facts again, and who belongs to it by area."""

from datetime import date
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from messaging.database import lock, wake
from messaging.edge import NotFoundThereError
from messaging.errors import AwayError
from services.sharing.domain.birthdays import ADULT, age_at, birthday
from services.sharing.domain.facts import SELF
from services.sharing.tables import Child, Partner, Recipient

RECONSIDER = "reconsider"
OF_AREA = ("police", "childrens_services", "commissioner")
_OF_HOST_AREA = ("childrens_services",)
"""The host authority belongs to a child that has one; its contract team learns of nobody."""


def changed(session: AsyncSession, child: Child) -> int:
    """Raise the epoch of a child whose row this transaction has locked; return the new one.

    Whatever was decided before no longer leaves, until every pair has been looked at again.
    """
    child.epoch += 1
    child.dirty = True
    wake(session, RECONSIDER)
    return child.epoch


async def locked(session: AsyncSession, child_id: str) -> Child | None:
    """Return the child's row, locked until the end of the transaction, or None."""
    return await lock(session, Child, child_id)


async def read_again(app: App, child_id: str, wanted: int) -> None:
    """Ask `referral` for the facts of a child and take them in. Raises AwayError.

    `wanted` is the version that was announced; an older answer is taken but asked for again.
    """
    try:
        told: dict[str, Any] = await app.edges["referral"].get(f"/children/{child_id}")
    except NotFoundThereError as error:
        raise AwayError("referral", "child_unknown") from error
    async with app.db.writing() as session:
        child = await locked(session, child_id)
        if child is None or (int(told["version"]) <= child.version and child.version >= wanted):
            return
        _take_in(child, told, app)
        await keep_recipients(session, child)
        changed(session, child)


def _take_in(child: Child, told: dict[str, Any], app: App) -> None:
    """Keep what decisions read: no name, no address, and of the birth date only its instants."""
    now = app.clock.now()
    born_on = date.fromisoformat(told["date_of_birth"])
    age = age_at(born_on, now)
    child.version = int(told["version"])
    child.wanted_version = max(child.wanted_version, child.version)
    child.locality = told.get("locality") or child.locality
    child.responsible_la = told.get("responsible_la")
    child.host_la = told.get("host_la")
    child.age = age
    child.next_birthday_at = birthday(born_on, age + 1)
    child.adult_at = birthday(born_on, ADULT)
    child.facts = {
        name: told[name]
        for name in ("identity_status", "legal_status", "address_confidential")
        if told.get(name) is not None
    }


async def keep_recipients(session: AsyncSession, child: Child) -> None:
    """Give the child the recipients of its area and `self`; stop proposing to those it has left."""
    area = child.responsible_la or child.locality
    partners = (
        await session.scalars(
            select(Partner).where(
                or_(Partner.area == area, Partner.area == child.host_la),
                Partner.type.in_(OF_AREA),
                Partner.revoked_at.is_(None),
            )
        )
    ).all()
    rows = await session.scalars(select(Recipient).where(Recipient.child_id == child.id))
    held = {row.key: row for row in rows}
    wanted = {SELF}
    if SELF not in held:
        session.add(_own(child))
    for partner in partners:
        if partner.area != area and partner.type not in _OF_HOST_AREA:
            continue
        wanted.add(partner.key)
        _keep(session, child, partner, held.get(partner.key))
    for row in held.values():
        if row.added_by is None and row.active is not (row.key in wanted):
            row.active = row.key in wanted
            row.version += 1


def _own(child: Child) -> Recipient:
    """Return the child as a recipient: a worker tells them face to face."""
    return Recipient(
        child_id=child.id,
        key=SELF,
        type="young_person",
        role=SELF,
        channel_verified=True,
        facts={},
        version=1,
        active=True,
    )


def _keep(session: AsyncSession, child: Child, partner: Partner, row: Recipient | None) -> None:
    role = role_of(partner, child)
    if row is None:
        session.add(
            Recipient(
                child_id=child.id,
                key=partner.key,
                type=partner.type,
                role=role,
                channel_verified=True,  # ops registered its keys: nobody else can read its feed
                facts={},
                version=1,
                partner_key=partner.key,
                active=True,
            )
        )
    elif (row.role, row.partner_key) != (role, partner.key):
        row.role, row.partner_key, row.channel_verified = role, partner.key, True
        row.version += 1


def role_of(partner: Partner, child: Child) -> str | None:
    """Return the role that a partner has for this child; an authority's follows from the child."""
    if partner.type != "childrens_services" or partner.area is None:
        return partner.role
    if partner.area == (child.responsible_la or child.locality):
        return "responsible_la"
    return "host_la" if partner.area == child.host_la else None
