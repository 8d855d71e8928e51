"""Withdrawals made after the backup, as far as entries brought back into the ledger tell of them.

An entry names no child: its commitment can be opened only with a salt that was lost. It names
releases, and where one of them is ours, it is known whose withdrawal it was.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.sharing.ledger_tables import ENTRIES
from services.sharing.quarantine_tables import WAITING, Quarantine
from services.sharing.tables import AgreementLine, Partner, Release

_LISTS = ("cancelled", "erased", "left")
PARTNER, CHANGES = "partner", ("revoked", "keys_replaced")
FACTS = ("agreement", "judgement", "recipient")
"""Kinds of entries that may have stopped a release as well; people enter these again too."""


@dataclass
class Withdrawn:
    """One withdrawal that the ledger tells of."""

    seq: int
    occurred_at: str | None
    recipients: str
    """`all`, or `some`, whom only the site's own papers name."""
    epoch: int
    release_ids: set[str] = field(default_factory=set)
    child_id: str | None = None
    """None: no release of it is known here; the site's own papers say whose it was."""
    entered: bool = False
    """It was entered again since the quarantine began."""


async def withdrawals(session: AsyncSession, found: Quarantine) -> list[Withdrawn]:
    """Return the withdrawals among the entries that were brought back, in their order."""
    chosen = (
        select(ENTRIES.c.seq, ENTRIES.c.body)
        .where(ENTRIES.c.seq > found.head_seq, ENTRIES.c.kind == "withdrawal")
        .order_by(ENTRIES.c.seq)
    )
    told: list[Withdrawn] = []
    by_epoch: dict[int, Withdrawn] = {}
    for seq, text in await session.execute(chosen):
        body: dict[str, Any] = json.loads(text)
        epoch = int(body.get("epoch", 0))
        if body.get("action") != "answered":
            one = Withdrawn(int(seq), body.get("occurred_at"), str(body.get("recipients")), epoch)
            told.append(one)
            by_epoch[epoch] = one
        elif (answered := by_epoch.pop(epoch, None)) is not None:
            one = answered
        else:
            continue
        one.release_ids |= {name for part in _LISTS for name in body.get(part) or ()}
    for one in told:
        await _whose(session, found, one)
    return told


async def _whose(session: AsyncSession, found: Quarantine, one: Withdrawn) -> None:
    if not one.release_ids:
        return
    ids = sorted(one.release_ids)
    child = select(Release.child_id).where(Release.id.in_(ids)).limit(1)
    one.child_id = await session.scalar(child)
    again = select(func.count()).where(
        AgreementLine.child_id == one.child_id,
        AgreementLine.status == "withdrawn",
        AgreementLine.seq > found.line_seq,
    )
    one.entered = bool(await session.scalar(again))


async def partners_changed(session: AsyncSession, found: Quarantine) -> list[tuple[str, str]]:
    """Return partners that were revoked or got other keys after the backup, and are not again.

    Whoever has the former keys could read what is sealed for them.
    """
    told = select(ENTRIES.c.body).where(ENTRIES.c.seq > found.head_seq, ENTRIES.c.kind == PARTNER)
    wanted: dict[str, str] = {}
    for body in await _bodies(session, told.order_by(ENTRIES.c.seq)):
        if body.get("action") in CHANGES:
            wanted[str(body["recipient"])] = str(body["action"])
        elif body.get("action") == "added":
            wanted.pop(str(body["recipient"]), None)
    if not wanted:
        return []
    waiting = select(WAITING.c.body).where(WAITING.c.kind == PARTNER)
    again = {(b.get("recipient"), b.get("action")) for b in await _bodies(session, waiting)}
    here = set(await session.scalars(select(Partner.key).where(Partner.key.in_(wanted))))
    return sorted((key, wanted[key]) for key in here if (key, wanted[key]) not in again)


async def _bodies(session: AsyncSession, chosen: Select[Any]) -> list[dict[str, Any]]:
    return [json.loads(text) for text in await session.scalars(chosen)]


async def facts(session: AsyncSession, found: Quarantine) -> dict[str, int]:
    """Return how many entries of other facts that may stop a release were brought back, by kind."""
    chosen = (
        select(ENTRIES.c.kind, func.count())
        .where(ENTRIES.c.seq > found.head_seq, ENTRIES.c.kind.in_(FACTS))
        .group_by(ENTRIES.c.kind)
    )
    return {str(kind): int(count) for kind, count in await session.execute(chosen)}
