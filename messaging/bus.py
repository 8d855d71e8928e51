"""The broker as a service sees it: publish, ask, and be sure of the answer."""

from dataclasses import dataclass
from typing import Any

from messaging.errors import AwayError


@dataclass(frozen=True)
class Stored:
    """The broker's word that it keeps a message."""

    stream: str
    seq: int
    duplicate: bool


class Bus:
    """Connection of one service to the broker."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def publish(
        self, subject: str, body: bytes, *, msg_id: str, headers: dict[str, str] | None = None
    ) -> Stored:
        """Store `body` under `subject`; `msg_id` makes a repeat harmless. Raises AwayError."""
        raise AwayError("broker", "not_connected")

    async def ready(self) -> None:
        """Prove a round trip. Raises AwayError."""

    async def unhandled(self) -> int:
        """Return how many events wait for this service or are being handled."""
        return 0

    async def start(self) -> None:
        """Connect and start to listen."""

    async def stop_taking(self) -> None:
        """Take no more events; finish those that have begun."""

    async def stop(self) -> None:
        """Stop to listen, finish what has begun, disconnect."""
