"""After a loss, numbers go on after the last that was ever given: none stands for two things.

A reader finds no gap either: a void takes each number that was given and that nobody has read.
"""

import json
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from messaging.database import lock
from services.sharing.ledger_tables import ENTRIES
from services.sharing.outside import highest_of
from services.sharing.quarantine_tables import PartnerAsked, Quarantine, ReadOutside
from services.sharing.tables import WITHDRAWN, Partner, Release

_NUMBERED = ("delivered", "taken_back", "receipt")
LOST = "lost"
"""Stands where a release that nobody has any more would name its child and its item."""


async def go_on(app: App, session: AsyncSession, found: Quarantine) -> None:
    """Bring every partner's numbers to where they had come before the loss."""
    given = await _given(session, found)
    for key in (await session.scalars(select(Partner.key).order_by(Partner.key))).all():
        await _continue_numbers(app, session, found, key, given.get(key, 0))


async def _continue_numbers(
    app: App, session: AsyncSession, found: Quarantine, key: str, given: int
) -> None:
    partner = await lock(session, Partner, key)
    asked = await session.get(PartnerAsked, (found.seq, key))
    if partner is None or asked is None:
        return
    chosen = select(ReadOutside.number).where(ReadOutside.partner_key == key)
    read = set(await session.scalars(chosen))
    if not asked.listed:
        read |= set(range(partner.next_number, asked.highest + 1))  # on the partner's own word
    last = max(
        partner.next_number - 1,
        await highest_of(session, key),
        given,
        *read,
    )
    now = app.clock.now()
    for number in range(partner.next_number, last + 1):
        if number not in read:
            session.add(_lost(app, partner, number, now))
    partner.next_number = last + 1


async def _given(session: AsyncSession, found: Quarantine) -> dict[str, int]:
    """Return the last number of each partner that entries brought back tell of."""
    chosen = select(ENTRIES.c.body).where(
        ENTRIES.c.seq > found.head_seq, ENTRIES.c.kind.in_(_NUMBERED)
    )
    last: dict[str, int] = {}
    for body in await session.scalars(chosen):
        told = json.loads(body)
        key = str(told.get("recipient"))
        last[key] = max(last.get(key, 0), int(told.get("number") or 0))
    return last


def _lost(app: App, partner: Partner, number: int, now: datetime) -> Release:
    """Return what holds the place of a release that was given a number, and that nobody has."""
    return Release(
        id=app.ids.after("RL", LOST, partner.key, number),
        decision_id=LOST,
        child_id=LOST,
        episode_id=LOST,
        item_id=LOST,
        item_version=0,
        category=LOST,
        recipient=partner.key,
        partner_key=partner.key,
        epoch=0,
        recipient_version=0,
        policy_version=LOST,
        policy_digest=LOST,
        state=WITHDRAWN,
        number=number,
        permitted_at=now,
    )
