"""The ledger of decisions: append-only, hash-chained, written in the transaction that it describes.

What is personal goes in as a commitment (HMAC under a salt of that entry alone): an entry can be
opened by whoever holds the database, and says nothing about a child to whoever holds an export.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ledger
from services.sharing.ledger_tables import ENTRIES, HEAD, SALTS
from services.sharing.quarantine_tables import WAITING, Quarantine

COMMITTED = frozenset(
    {"child_id", "episode_id", "item_id", "interview_id", "person", "by", "purpose", "reason"}
)
"""Keys whose values are personal, or free text that may be: only their commitment is written."""

CLEAR = frozenset(
    {
        "access_id",
        "against_digest",
        "action",
        "answer",
        "base_digest",
        "basis",
        "cancelled",
        "categories",
        "category",
        "claimed_at",
        "code",
        "cause",
        "count",
        "decision",
        "decision_id",
        "digest",
        "due_at",
        "epoch",
        "erased",
        "facts_digest",
        "findings_digest",
        "first",
        "gates_used",
        "how",
        "item_version",
        "known_digest",
        "last",
        "left",
        "name",
        "number",
        "obligations",
        "occurred_at",
        "ok",
        "owner",
        "page_id",
        "partner_type",
        "policy_digest",
        "policy_version",
        "recall_id",
        "recipient",
        "recipient_type",
        "recipients",
        "release_id",
        "release_ids",
        "report_digest",
        "role",
        "roles",
        "rule_ids",
        "sealed_digest",
        "stream_seq",
        "superseded",
        "task_id",
        "transforms",
        "value",
        "void",
    }
)
"""Keys whose values are codes, ids of ours, counts and times: readable in every export."""

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,79}\Z")
"""A value in clear has no spaces: a name or a sentence that strays in here is refused."""

PRIVATE_TYPES = frozenset({"carer_parent", "carer_professional", "young_person"})
"""Recipients who are persons: the key that a worker gave them is about them and their child."""


_WAITED = ("at", "kind", "body", "salt")
_HELD = exists().where(Quarantine.ended_at.is_(None))
# made once: building a statement takes longer than the database needs for it
_NOW = select(HEAD.c.seq, HEAD.c.hash, _HELD.label("held")).where(HEAD.c.id == 1).with_for_update()
_ENTER, _SALT = insert(ENTRIES).inline(), insert(SALTS).inline()
_MOVE = update(HEAD).where(HEAD.c.id == 1).values(seq=bindparam("to"), hash=bindparam("digest"))


class UnfitEntryError(ValueError):
    """An entry would hold something that is not known to be safe in clear; names the key alone."""


def about(recipient: str, recipient_type: str) -> dict[str, str]:
    """Return how an entry names a recipient: an agency in clear, a person as a commitment."""
    return {"person" if recipient_type in PRIVATE_TYPES else "recipient": recipient}


def commitment(salt: bytes, name: str, value: object) -> str:
    """Return what stands in an entry for a personal `value`; opened by computing it again."""
    digest = hmac.new(salt, ledger.canonical([name, value]), hashlib.sha256)
    return "hmac-sha256:" + digest.hexdigest()


def _told(body: Mapping[str, Any], salt: bytes) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, value in body.items():
        if name in COMMITTED:
            told[name] = None if value is None else commitment(salt, name, value)
        elif name in CLEAR:
            told[name] = _clear(name, value, salt)
        else:
            raise UnfitEntryError(f"{name!r} is not known to the ledger")
    return told


def _clear(name: str, value: object, salt: bytes) -> object:
    match value:
        case None | bool() | int():
            return value
        case datetime():
            return ledger.instant(value)
        case str() if _CODE.match(value):
            return value
        case dict():
            return _told(value, salt)
        case list() | tuple():
            return [_clear(name, part, salt) for part in value]
        case set() | frozenset():
            return sorted(str(_clear(name, part, salt)) for part in value)
    raise UnfitEntryError(f"{name!r} holds something else than a code, a number or a time")


def unchained(kind: str, body: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """Return an entry that has no place in the chain yet: at, kind, body (text) and salt."""
    if not _CODE.match(kind):
        raise UnfitEntryError("the kind of an entry is a code")
    salt = secrets.token_bytes(32)
    told = ledger.canonical(_told(body, salt)).decode()
    return {"at": ledger.instant(at), "kind": kind, "body": told, "salt": salt}


def chained(seq: int, prev: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of entry `seq`, which follows the one whose hash is `prev`."""
    digest = ledger.text_hash(seq, row["at"], row["kind"], row["body"], prev)
    entry = {name: row[name] for name in ("at", "kind", "body")}
    return {"seq": seq, **entry, "prev": prev, "hash": digest}


async def append(session: AsyncSession, kind: str, body: Mapping[str, Any], at: datetime) -> None:
    """Append one entry; see `append_all`."""
    await append_all(session, [(kind, body)], at)


async def append_all(
    session: AsyncSession, notes: Sequence[tuple[str, Mapping[str, Any]]], at: datetime
) -> list[int]:
    """Append an entry for each (kind, body) in the caller's transaction; return their numbers.

    Call it last: from here to the commit it holds the one row that all entries go through, so
    that numbers have no gap and no fork, and a transaction that fails leaves no trace.
    Raises `UnfitEntryError` for a body with a key that is in neither list above.

    In quarantine entries wait beside the chain, and have no number yet: see `chain_waiting`.
    """
    if not notes:
        return []
    rows = [unchained(kind, body, at) for kind, body in notes]
    head = (await session.execute(_NOW)).one()
    # Asked again after the wait for the lock: the quarantine may have ended meanwhile.
    if head.held and await session.scalar(select(_HELD)):
        await session.execute(insert(WAITING), rows)
        return []
    return await _chain(session, int(head.seq), str(head.hash), rows)


async def chain_waiting(session: AsyncSession) -> None:
    """Append what has waited, in its order; this transaction has just ended the quarantine."""
    waiting = (await session.execute(select(WAITING).order_by(WAITING.c.seq))).all()
    head = (await session.execute(select(HEAD.c.seq, HEAD.c.hash).where(HEAD.c.id == 1))).one()
    rows = [{name: getattr(row, name) for name in _WAITED} for row in waiting]
    await _chain(session, int(head.seq), str(head.hash), rows)
    await session.execute(delete(WAITING))


async def _chain(
    session: AsyncSession, seq: int, prev: str, rows: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Append rows of at, kind, body (text) and salt after entry `seq`, whose hash is `prev`."""
    if not rows:
        return []
    entries: list[dict[str, Any]] = []
    salts: list[dict[str, Any]] = []
    for row in rows:
        seq += 1
        entries.append(chained(seq, prev, row))
        salts.append({"seq": seq, "salt": row["salt"]})
        prev = entries[-1]["hash"]
    await session.execute(_ENTER, entries)
    await session.execute(_SALT, salts)
    await session.execute(_MOVE, {"to": seq, "digest": prev})
    return [int(row["seq"]) for row in entries]
