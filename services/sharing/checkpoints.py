"""Sign, now and then, what the ledger says: whoever holds a checkpoint notices any later change."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from joserfc.jwk import OKPKey
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ledger
from messaging.app import App
from messaging.database import Database
from messaging.reread import Reread
from services.sharing.ledger_tables import CHECKPOINTS, ENTRIES, HEAD

EVERY_ENTRIES = 1000
EVERY = timedelta(minutes=1)
"""A checkpoint is made when either has passed since the last and there is something new."""
FRESH = timedelta(seconds=10)
"""How old the checkpoint may be that goes out with a release, where there are newer entries."""

PAGE = 1000
_SEQ = select(HEAD.c.seq).where(HEAD.c.id == 1)
_NEWEST = select(CHECKPOINTS).order_by(CHECKPOINTS.c.seq.desc(), CHECKPOINTS.c.at.desc()).limit(1)
PUBLISHED = "ledger.jwks.json"


class LedgerBrokenError(Exception):
    """The ledger in the database is not the one that was written; nothing is signed over it."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"entry {seq} does not fit")
        self.seq = seq


class Signer:
    """The ledger's own key, which signs checkpoints and nothing else."""

    def __init__(self, key: Ed25519PrivateKey, kid: str) -> None:
        self._key = key
        self.kid = kid

    @classmethod
    def read(cls, path: Path) -> "Signer":
        """Read a private Ed25519 JWK."""
        jwk = OKPKey.import_key(json.loads(path.read_text()))
        if not isinstance(jwk.private_key, Ed25519PrivateKey):
            raise ValueError("the ledger's key is not a private Ed25519 key")
        return cls(jwk.private_key, jwk.kid or jwk.thumbprint())

    @property
    def public(self) -> Ed25519PublicKey:
        """Return the half with which others verify."""
        return self._key.public_key()

    def sign(self, seq: int, digest: str, at: str) -> bytes:
        """Return the signature of "entry `seq` had hash `digest`"."""
        return self._key.sign(ledger.signing_input(seq, digest, at, self.kid))


async def make_checkpoint(db: Database, signer: Signer, now: datetime) -> dict[str, Any]:
    """Return a checkpoint over all entries there are; the one already made where nothing is new.

    What came since the last checkpoint is hashed anew first, so that nothing is signed over a
    ledger that was tampered with in the database: `LedgerBrokenError` names the entry.
    """
    async with db.writing() as session:
        head = (
            await session.execute(
                select(HEAD.c.seq, HEAD.c.hash).where(HEAD.c.id == 1).with_for_update()
            )
        ).one()
        last = await _last(session)
        if last is not None and last.seq == head.seq and last.kid == signer.kid:
            return _shown(last)
        start = (0, ledger.GENESIS) if last is None else (int(last.seq), str(last.hash))
        if await _hash_anew(session, *start) != (head.seq, head.hash):
            raise LedgerBrokenError(int(head.seq))
        seq, digest, at = int(head.seq), str(head.hash), ledger.instant(now)
        signature = signer.sign(seq, digest, at)
        made = ledger.checkpoint(seq, digest, at, signer.kid, signature)
        row = {name: value for name, value in made.items() if name != "checkpoint"}
        await session.execute(insert(CHECKPOINTS), [row])
    return made


def ours(app: App, found: Mapping[str, Any]) -> bool:
    """Tell whether a checkpoint that somebody shows us was signed with a key of our ledger.

    Besides the present one count those in `ledger.jwks.json` beside it, where that is: a key that
    was replaced after a backup is known to those outside alone, and is put there by hand.
    """
    present = signer_of(app)
    keys = {present.kid: present.public}
    others = Path(app.settings.ledger_key).with_name(PUBLISHED)
    if others.exists():
        for one in json.loads(others.read_bytes())["keys"]:
            key = OKPKey.import_key(one)
            if isinstance(key.public_key, Ed25519PublicKey) and key.kid:
                keys.setdefault(key.kid, key.public_key)
    try:
        said = ledger.signing_input(found["seq"], found["hash"], found["at"], found["kid"])
        keys[found["kid"]].verify(bytes.fromhex(found["signature"]), said)
    except (InvalidSignature, ValueError, KeyError):
        return False
    return True


async def for_leaving(
    db: Database, signer: Signer, now: datetime, within: timedelta = FRESH
) -> dict[str, Any] | None:
    """Return the checkpoint that goes out with what leaves: a new one where the last is too old.

    What partners hold is what a restored system is measured by. A ledger that does not fit is for
    `checkpoint_due` to shout about: it stops no release, which may be what protects a child.
    """
    async with db.reading() as session:
        head = (await session.execute(_SEQ)).scalar_one()
        last = await _last(session)
    if last is not None:
        made_at = datetime.fromisoformat(str(last.at))
        if last.seq == head or made_at <= now < made_at + within:
            return _shown(last)
    try:
        return await make_checkpoint(db, signer, now)
    except LedgerBrokenError:
        return None if last is None else _shown(last)


async def _last(session: AsyncSession) -> Any:
    return (await session.execute(_NEWEST)).first()


def _shown(row: Any) -> dict[str, Any]:
    return ledger.checkpoint(
        int(row.seq), str(row.hash), str(row.at), str(row.kid), bytes.fromhex(row.signature)
    )


async def _hash_anew(session: AsyncSession, seq: int, prev: str) -> tuple[int, str]:
    async for row in entries_after(session, seq):
        made = ledger.text_hash(seq + 1, str(row.at), str(row.kind), str(row.body), prev)
        if (row.seq, row.prev, row.hash) != (seq + 1, prev, made):
            raise LedgerBrokenError(seq + 1)
        seq, prev = seq + 1, made
    return seq, prev


async def entries_after(
    session: AsyncSession, seq: int, limit: int | None = None
) -> AsyncIterator[Any]:
    """Give the rows of entries after `seq` in order, a page in memory at a time."""
    left = limit
    while left is None or left > 0:
        page = PAGE if left is None else min(PAGE, left)
        chosen = select(ENTRIES).where(ENTRIES.c.seq > seq).order_by(ENTRIES.c.seq).limit(page)
        rows = (await session.execute(chosen)).all()
        for row in rows:
            yield row
        if len(rows) < page:
            return
        seq = int(rows[-1].seq)
        left = None if left is None else left - len(rows)


async def checkpoint_due(app: App) -> datetime | None:
    """Make a checkpoint where one is due; return when the next one is (a `due` function)."""
    async with app.db.reading() as session:
        head = (await session.execute(_SEQ)).scalar_one()
        last = await _last(session)
        since = 0 if last is None else int(last.seq)
        if head == since:
            return None
        if last is not None:
            began = datetime.fromisoformat(str(last.at))
        else:
            first = select(ENTRIES.c.at).where(ENTRIES.c.seq == 1)
            began = datetime.fromisoformat(str((await session.execute(first)).scalar_one()))
    now = app.clock.now()
    # A test clock may have been set back: a checkpoint from the future must not stop the next.
    if head - since < EVERY_ENTRIES and began <= now < began + EVERY:
        return began + EVERY
    await make_checkpoint(app.db, signer_of(app), now)
    return None


def signer_of(app: App) -> Signer:
    """Return the ledger's signer of this process; a key that was replaced is read again."""
    found = app.state.get("ledger_signer")
    if not isinstance(found, Reread):
        file = app.settings.ledger_key
        found = Reread("ledger_key", partial(Signer.read, file), file)
        app.state["ledger_signer"] = found
    signer = found()
    assert isinstance(signer, Signer)  # noqa: S101 - put there above
    return signer
