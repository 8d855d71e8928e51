"""Bring entries of the ledger back that a backup lacks, from an export that somebody outside kept.

They are taken page by page and lie aside until a checkpoint proves all of them: what is on the
chain can never be taken off again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ledger
from services.sharing.ledger_tables import CHECKPOINTS, ENTRIES, HEAD
from services.sharing.outside import head_of
from services.sharing.quarantine_tables import IMPORTED

_NAMES = ("seq", "at", "kind", "body", "prev", "hash")


class UnfitPageError(Exception):
    """An entry does not follow the one before it, or is not what its hash says; names its place."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"entry {seq} does not fit")
        self.seq = seq


async def take_page(session: AsyncSession, lines: Sequence[Mapping[str, Any]]) -> int:
    """Lay entries aside that follow our head, or the page before; return the last number.

    A page that begins right after our head begins anew. Raises `UnfitPageError`.
    """
    seq, prev = await head_of(session)
    if lines and lines[0].get("seq") == seq + 1:
        await session.execute(delete(IMPORTED))
    last = select(IMPORTED.c.seq, IMPORTED.c.hash).order_by(IMPORTED.c.seq.desc()).limit(1)
    if (row := (await session.execute(last)).first()) is not None:
        seq, prev = int(row.seq), str(row.hash)
    rows = []
    for line in lines:
        seq += 1
        try:
            wanted = ledger.entry(seq, line["at"], line["kind"], line["body"], prev)
        except (LookupError, TypeError, ValueError) as error:
            raise UnfitPageError(seq) from error
        if wanted != line:
            raise UnfitPageError(seq)
        rows.append(wanted | {"body": ledger.canonical(wanted["body"]).decode()})
        prev = wanted["hash"]
    if rows:
        await session.execute(insert(IMPORTED), rows)
    return seq


async def put_on_chain(session: AsyncSession, checkpoint: Mapping[str, Any]) -> None:
    """Append what lies aside, exactly as it was, where `checkpoint` speaks of its last entry.

    The caller has checked the signature. Raises `UnfitPageError`.
    """
    await session.execute(select(HEAD.c.seq).where(HEAD.c.id == 1).with_for_update())
    last = select(IMPORTED.c.seq, IMPORTED.c.hash).order_by(IMPORTED.c.seq.desc()).limit(1)
    row = (await session.execute(last)).first()
    if row is None or (row.seq, row.hash) != (checkpoint["seq"], checkpoint["hash"]):
        raise UnfitPageError(int(checkpoint["seq"]))
    columns = [IMPORTED.c[name] for name in _NAMES]
    await session.execute(
        insert(ENTRIES).from_select(list(_NAMES), select(*columns).order_by(IMPORTED.c.seq))
    )
    await session.execute(update(HEAD).where(HEAD.c.id == 1).values(seq=row.seq, hash=row.hash))
    await session.execute(delete(IMPORTED))
    same = (CHECKPOINTS.c.seq == row.seq) & (CHECKPOINTS.c.kid == checkpoint["kid"])
    if not await session.scalar(select(exists().where(same))):
        kept = {name: checkpoint[name] for name in ("seq", "hash", "at", "kid", "signature")}
        await session.execute(insert(CHECKPOINTS), [kept])
