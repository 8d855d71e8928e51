"""Withdrawals made after the backup, as far as entries brought back into the ledger tell of them.

An entry names no child: its commitment can be opened only with a salt that was lost. It names
releases, and where one of them is ours, it is known whose withdrawal it was.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.sharing.ledger_tables import ENTRIES
from services.sharing.quarantine_tables import Quarantine
from services.sharing.tables import AgreementLine, Release

_LISTS = ("cancelled", "erased", "left")
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


async def facts(session: AsyncSession, found: Quarantine) -> dict[str, int]:
    """Return how many entries of other facts that may stop a release were brought back, by kind."""
    chosen = (
        select(ENTRIES.c.kind, func.count())
        .where(ENTRIES.c.seq > found.head_seq, ENTRIES.c.kind.in_(FACTS))
        .group_by(ENTRIES.c.kind)
    )
    return {str(kind): int(count) for kind, count in await session.execute(chosen)}
