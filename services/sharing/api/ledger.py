"""The ledger over HTTP: its entries as the lines of an export, and a checkpoint on demand."""

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from contracts import ledger
from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.problem import Problem
from services.sharing.checkpoints import (
    LedgerBrokenError,
    entries_after,
    make_checkpoint,
    signer_of,
)

router = APIRouter(tags=["ledger"])

LIMIT_MAX = 1000


@router.get(
    "/ledger", response_class=Response, responses={200: {"content": {"application/jsonl": {}}}}
)
async def read_ledger(
    app: Annotated[App, Depends(the_app)],
    _: Annotated[Caller, Depends(allow("ops", "ig_lead", "dpo", "manager"))],
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 200,
) -> Response:
    """Give entries after number `after`, one canonical JSON line each, in order."""
    lines: list[bytes] = []
    async with app.db.reading() as session:
        async for row in entries_after(session, after, limit):
            shown = {
                "seq": int(row.seq),
                "at": row.at,
                "kind": row.kind,
                "body": json.loads(row.body),
                "prev": row.prev,
                "hash": row.hash,
            }
            lines.append(ledger.canonical(shown) + b"\n")
    return Response(b"".join(lines), media_type="application/jsonl")


@router.post(
    "/ledger/checkpoint",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}}},
)
async def sign_ledger(
    app: Annotated[App, Depends(the_app)],
    _: Annotated[Caller, Depends(allow("ops", "ig_lead", "dpo"))],
) -> Response:
    """Sign what the ledger says now; keep the answer, and no later change stays unnoticed."""
    try:
        made = await make_checkpoint(app.db, signer_of(app), app.clock.now())
    except LedgerBrokenError as error:
        raise Problem(409, "ledger.broken", f"entry {error.seq}") from error
    return Response(ledger.canonical(made), media_type="application/json")
