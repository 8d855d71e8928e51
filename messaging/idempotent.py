"""A command that is sent again gets its first answer again."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.caller import Caller
from messaging.problem import Problem
from messaging.schema import idempotency

KEY_LENGTH_MAX = 200


@dataclass(frozen=True)
class Stored:
    """The first answer to a command."""

    body: Any
    status: int = 200


async def remembered(
    session: AsyncSession, key: str | None, caller: Caller, route: str, body: bytes | BaseModel
) -> Stored | None:
    """Return the first answer to this caller's `key` on `route`, or None where there is none yet.

    Raises Problem 409 `idempotency_key.reused` where the key came with another body. On Postgres
    a second request with the key waits here until the first has ended.
    """
    if key is None:
        return None
    _check(key)
    if session.get_bind().dialect.name == "postgresql":
        cause = f"{caller.sub}\n{route}\n{key}"
        number = int.from_bytes(sha256(cause.encode()).digest()[:8], signed=True)
        await session.execute(select(func.pg_advisory_xact_lock(number)))
    row = (
        await session.execute(
            select(idempotency.c.digest, idempotency.c.answer).where(
                idempotency.c.caller == caller.sub,
                idempotency.c.route == route,
                idempotency.c.key == key,
            )
        )
    ).first()
    if row is None:
        return None
    if row.digest != _digest(body):
        raise Problem(409, "idempotency_key.reused")
    return Stored(json.loads(row.answer))


async def remember(  # noqa: PLR0917 - the same row as `remembered`, and its answer
    session: AsyncSession,
    key: str | None,
    caller: Caller,
    route: str,
    body: bytes | BaseModel,
    answer: BaseModel | dict[str, Any],
) -> None:
    """Keep `answer` (ids and codes, nothing personal) for the same command sent again."""
    if key is None:
        return
    text = answer.model_dump_json() if isinstance(answer, BaseModel) else json.dumps(answer)
    row = idempotency.insert().values(
        caller=caller.sub,
        route=route,
        key=key,
        digest=_digest(body),
        answer=text,
        stored_at=datetime.now(UTC),
    )
    await session.execute(row)


def _digest(body: bytes | BaseModel) -> str:
    raw = body if isinstance(body, bytes) else body.model_dump_json().encode()
    return sha256(raw).hexdigest()


def _check(key: str) -> None:
    """Refuse a key that no column or log could hold."""
    if not 0 < len(key) <= KEY_LENGTH_MAX or not key.isascii() or not key.isprintable():
        fields = [("header.idempotency-key", "key")]
        raise Problem(422, "request.malformed", fields=fields)
