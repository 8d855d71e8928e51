"""What those outside hold: checkpoints of the ledger, and releases that a backup knows nothing of.

A restored system is measured by it. What a partner has read stays read, under the number that it
was read under, whatever our database says.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ledger
from messaging.app import App
from messaging.database import lock
from services.sharing.checkpoints import ours
from services.sharing.ledger_tables import ENTRIES, HEAD
from services.sharing.quarantine_tables import PartnerAsked, Quarantine, ReadOutside
from services.sharing.tables import (
    CLAIMED,
    DELIVERED,
    SENT,
    VOID,
    Child,
    Partner,
    Release,
)

_READ_BY = select(ReadOutside).where(ReadOutside.partner_key.in_(bindparam("keys", expanding=True)))


class Held(NamedTuple):
    """One number on a partner's feed, as the partner has it."""

    number: int
    release_id: str
    void: bool
    """It has a void under this number, and no release."""


class NotOursError(Exception):
    """A checkpoint that the ledger's key of today did not sign."""


async def head_of(session: AsyncSession) -> tuple[int, str]:
    """Return number and hash of the ledger's last entry."""
    head = (await session.execute(select(HEAD.c.seq, HEAD.c.hash).where(HEAD.c.id == 1))).one()
    return int(head.seq), str(head.hash)


async def weigh(
    app: App, session: AsyncSession, found: Quarantine, checkpoints: Iterable[Mapping[str, Any]]
) -> None:
    """Compare checkpoints from outside with the ledger, and keep the newest. Raises NotOursError.

    Whatever two people have stated or confirmed on older knowledge has to be stated again.
    """
    head, _ = await head_of(session)
    for one in sorted(checkpoints, key=lambda one: int(one["seq"])):
        if not ours(app, one):
            raise NotOursError
        if found.outside is None or one["seq"] > found.outside["seq"]:
            found.outside, found.loss = dict(one), None
        if one["seq"] > head:
            continue
        if one["hash"] == await _hash_at(session, one["seq"]):
            found.agreed_seq = max(found.agreed_seq, one["seq"])
        elif not await _lost_before(session, one["seq"]):
            found.forked = True


async def _hash_at(session: AsyncSession, seq: int) -> str | None:
    if seq == 0:
        return ledger.GENESIS
    found: str | None = await session.scalar(select(ENTRIES.c.hash).where(ENTRIES.c.seq == seq))
    return found


async def _lost_before(session: AsyncSession, seq: int) -> bool:
    """Tell whether an earlier quarantine recorded that the entry of this checkpoint was lost."""
    earlier = await session.scalars(select(Quarantine).where(Quarantine.ended_at.is_not(None)))
    return any(one.loss and one.loss["first"] <= seq <= one.loss["last"] for one in earlier)


async def take(
    app: App,
    session: AsyncSession,
    found: Quarantine,
    partner: Partner,
    held: Sequence[Held],
    *,
    highest: int,
    listed: bool,
) -> None:
    """Remember what a partner holds; what it has read is never sent again as something new."""
    rows = await _rows(session, partner.key, held)
    known = await session.scalars(
        select(ReadOutside).where(
            ReadOutside.partner_key == partner.key,
            ReadOutside.number.in_([one.number for one in held]),
        )
    )
    there = {one.number: one for one in known}
    for one in held:
        row = rows.get(one.release_id)
        if row is not None:
            _bring_in_line(app, row, one)
        before = there.get(one.number)
        if before is not None:
            before.void = before.void and one.void
        elif one.number >= partner.next_number:
            values = {"number": one.number, "release_id": one.release_id, "void": one.void}
            session.add(ReadOutside(partner_key=partner.key, **values))
    asked = await session.get(PartnerAsked, (found.seq, partner.key))
    if asked is None:
        asked = PartnerAsked(
            quarantine=found.seq, partner_key=partner.key, highest=0, listed=listed
        )
        session.add(asked)
    asked.highest = max(asked.highest, highest, *(one.number for one in held), 0)
    asked.listed = asked.listed or listed
    found.confirmed = found.ending = None
    await session.flush()


async def _rows(session: AsyncSession, partner: str, held: Sequence[Held]) -> Mapping[str, Release]:
    """Return the releases that are ours as well; their children's rows are locked first."""
    ids = [one.release_id for one in held]
    mine = (Release.partner_key == partner, Release.id.in_(ids))
    children = await session.scalars(select(Release.child_id).where(*mine).distinct())
    for child_id in sorted(children):
        await lock(session, Child, child_id)
    chosen = select(Release).where(*mine).with_for_update().order_by(Release.id)
    return {row.id: row for row in await session.scalars(chosen)}


def _bring_in_line(app: App, row: Release, held: Held) -> None:
    """Let a release be what its partner says it is."""
    now = app.clock.now()
    if row.number is None:  # it got its number after the backup
        row.number, row.content = held.number, None
        row.state = VOID if held.void else DELIVERED
    elif row.number != held.number:
        return
    elif row.state in {CLAIMED, SENT}:
        row.state, row.sealed = (VOID if held.void else DELIVERED), None
    if held.void:
        return
    row.sent_at = row.sent_at or now  # also where it is being taken back: it may have been read
    if row.state == DELIVERED:
        row.how, row.delivered_at = row.how or "feed", row.delivered_at or now


async def not_asked(session: AsyncSession, found: Quarantine) -> list[str]:
    """Return the partners of whom nobody has said yet what they hold."""
    asked = select(PartnerAsked.partner_key).where(PartnerAsked.quarantine == found.seq)
    chosen = select(Partner.key).where(Partner.key.not_in(asked)).order_by(Partner.key)
    return list(await session.scalars(chosen))


async def read_by(session: AsyncSession, partners: Iterable[str]) -> dict[str, ReadOutside]:
    """Return by id what these partners read of which a backup knew nothing; mostly nothing."""
    keys = set(partners)
    if not keys:
        return {}
    found = await session.scalars(_READ_BY, {"keys": sorted(keys)})
    return {one.release_id: one for one in found}


async def highest_of(session: AsyncSession, partner: str) -> int:
    """Return the highest number that a partner was ever seen to hold."""
    chosen = select(func.max(PartnerAsked.highest)).where(PartnerAsked.partner_key == partner)
    return int(await session.scalar(chosen) or 0)
