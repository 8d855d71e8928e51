"""From the outbox to the broker: what a transaction told, told to the others."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from messaging.app import App

_SAFETY_S = 1.0


async def relay(app: "App") -> None:
    """Send for ever what waits in the outbox; woken by each commit that told something."""
    while True:
        await app.woken("relay", _SAFETY_S)
