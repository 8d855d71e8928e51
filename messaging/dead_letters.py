"""Events that this service has put aside: looked at, and handed to the handlers again.

They lie in the service's own stream at the broker as the bytes that came. One leaves it only when
it was handled: a retry that fails, or only waits, leaves it where it is.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nats.js.errors import APIError, NotFoundError

from messaging.consuming import Delivery, UnparseableError, take, waits
from messaging.telemetry import get_logger, place_of
from messaging.topology import dead_stream

if TYPE_CHECKING:
    from messaging.app import App

log = get_logger()

_NOT_DELETED = {10037, 10057}
"""No such message; deletion failed, which is also said where another was faster."""


@dataclass(frozen=True)
class Letter:
    """One event that was put aside; `id` is its place among this service's dead letters."""

    id: int
    at: datetime | None
    delivery: Delivery
    reason: str
    """`failed` or `unparseable`."""
    error: str
    """Class of the last error."""

    @classmethod
    def of(cls, service: str, message: Any) -> "Letter":
        """Read a letter from what the library hands over."""
        headers = message.headers or {}
        body = message.data or b""
        delivery = Delivery(
            subject=(message.subject or "").removeprefix(f"dlq.{service}."),
            stream=headers.get("Homeward-Stream", ""),
            seq=_number(headers.get("Homeward-Seq")),
            tries=_number(headers.get("Homeward-Tries")),
            body=body,
            event_id=headers.get("Homeward-Event") or _id_within(body),
        )
        return cls(
            message.seq,
            message.time,
            delivery,
            headers.get("Homeward-Reason", ""),
            headers.get("Homeward-Error", ""),
        )


async def letters(app: "App", after: int = 0) -> AsyncIterator[Letter]:
    """Give the letters later than `after`, oldest first. Raises AwayError."""
    service = app.settings.service
    while True:
        async with app.bus.asking() as js:
            try:
                found = await js.get_msg(
                    dead_stream(service), after + 1, f"dlq.{service}.>", next=True
                )
            except NotFoundError:
                return
        letter = Letter.of(service, found)
        yield letter
        after = letter.id


async def letter_of(app: "App", letter_id: int) -> Letter | None:
    """Return one letter, or None where there is none (any more). Raises AwayError."""
    async with app.bus.asking() as js:
        try:
            found = await js.get_msg(dead_stream(app.settings.service), letter_id)
        except NotFoundError:
            return None
    return Letter.of(app.settings.service, found)


async def retry(app: "App", letter: Letter) -> tuple[str, str]:
    """Hand a letter to the handlers now; return what came of it and the class of the error.

    `handled` (it is gone from the letters), `waits`, `failed` or `unparseable`. A handler that had
    taken it before passes over it. Raises AwayError where the broker cannot let go of it.
    """
    try:
        await take(app, letter.delivery)
    except Exception as error:
        unparseable = isinstance(error, UnparseableError)
        result = "unparseable" if unparseable else "waits" if waits(error) else "failed"
        name = type(error).__name__
        log.warning("dead_letter.retried", reason=result, error=name, where=place_of(error))
        return result, name
    async with app.bus.asking() as js:
        try:
            await js.delete_msg(dead_stream(app.settings.service), letter.id)
        except APIError as error:
            if error.err_code not in _NOT_DELETED:
                raise
    log.info("dead_letter.retried", reason="handled", subject=letter.delivery.subject)
    return "handled", ""


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _id_within(body: bytes) -> str:
    """Return the id that the bytes name, where they can be read at all."""
    try:
        found = json.loads(body)["id"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""
