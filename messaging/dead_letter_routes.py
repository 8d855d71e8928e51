"""Dead letters for ops: what was put aside and why, and another try."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel

from messaging.caller import Caller, allow
from messaging.paging import Page
from messaging.problem import Problem

if TYPE_CHECKING:
    from messaging.app import App
    from messaging.dead_letters import Letter

router = APIRouter()

_BODY_SHOWN_MAX = 65_536
Ops = Annotated[Caller, Depends(allow("ops"))]
Id = Annotated[int, Path(ge=1, lt=2**63)]


class LetterOut(BaseModel):
    """One event that was put aside: codes, ids and times, and nothing of what it says."""

    id: int
    event_id: str
    subject: str
    at: datetime | None
    reason: str
    error: str
    stream: str
    seq: int
    tries: int


class WholeLetterOut(LetterOut):
    """The same with its bytes as text; what cannot be read as text is replaced."""

    body: str


class RetriedOut(BaseModel):
    """What came of another try: `handled` (and gone), `waits`, `failed` or `unparseable`."""

    id: int
    result: str
    error: str


@router.get("/dead-letters")
async def list_letters(
    request: Request,
    _: Ops,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[LetterOut]:
    """List what this service has put aside, oldest first."""
    from messaging.dead_letters import letters  # noqa: PLC0415 - the library is slow to load

    app: App = request.app.state.homeward
    found: list[LetterOut] = []
    async for letter in letters(app, after):
        if len(found) == limit:
            return Page(items=found, next=str(found[-1].id))
        found.append(LetterOut(**_told(letter)))
    return Page(items=found)


@router.get("/dead-letters/{letter_id}")
async def show_letter(request: Request, letter_id: Id, _: Ops) -> WholeLetterOut:
    """Show one with the bytes that came."""
    letter = await _letter(request.app.state.homeward, letter_id)
    text = letter.delivery.body[:_BODY_SHOWN_MAX].decode(errors="replace")
    return WholeLetterOut(**_told(letter), body=text)


@router.post("/dead-letters/{letter_id}/retry")
async def retry_letter(request: Request, letter_id: Id, _: Ops) -> RetriedOut:
    """Hand one to the handlers again; answers when they have taken it, or not."""
    from messaging.dead_letters import retry  # noqa: PLC0415 - the library is slow to load

    app: App = request.app.state.homeward
    result, error = await retry(app, await _letter(app, letter_id))
    return RetriedOut(id=letter_id, result=result, error=error)


async def _letter(app: "App", letter_id: int) -> "Letter":
    from messaging.dead_letters import letter_of  # noqa: PLC0415 - the library is slow to load

    letter = await letter_of(app, letter_id)
    if letter is None:
        raise Problem(404, "dead_letter.unknown")
    return letter


def _told(letter: "Letter") -> dict[str, Any]:
    delivery = letter.delivery
    return {
        "id": letter.id, "event_id": delivery.event_id, "subject": delivery.subject,
        "at": letter.at, "reason": letter.reason, "error": letter.error,
        "stream": delivery.stream, "seq": delivery.seq, "tries": delivery.tries,
    }  # fmt: skip
