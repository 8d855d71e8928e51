"""The broker as one service sees it: publish, ask, listen, and be sure of the answer."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from messaging import trust
from messaging.errors import AwayError
from messaging.nats_config import API_PREFIX
from messaging.reread import mark
from messaging.telemetry import get_logger
from messaging.topology import stream_of

if TYPE_CHECKING:
    from faststream.nats import NatsBroker
    from nats.aio.client import Client
    from nats.js.client import JetStreamContext

    from messaging.app import App

log = get_logger()

_TIMEOUT_S = 5.0
_ROUND_TRIP_S = 2.0
_WATCH_S = 2.0
_RETRY_S = 0.5
_CONNECT_S = 10.0
"""A handshake that failed half-way once left the library waiting for ever."""
_GIVE_UP_S = 5.0
"""So long without a connection, and a new one is made rather than waited for."""


@dataclass(frozen=True)
class Stored:
    """The broker's word that it keeps a message."""

    stream: str
    seq: int
    duplicate: bool


class Bus:
    """One service's connection; it looks after itself for as long as `keep` runs."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._broker: NatsBroker | None = None
        self._client: Client | None = None
        self._js: JetStreamContext | None = None
        self._durables = app.topology.durables_of(app.settings.service)
        self._listening = False
        self._stopping = False

    async def publish(
        self, subject: str, body: bytes, *, msg_id: str, headers: dict[str, str] | None = None
    ) -> Stored:
        """Store `body` under `subject`; `msg_id` makes a repeat harmless. Raises AwayError."""
        named = {**(headers or {}), "Nats-Msg-Id": msg_id}
        async with self.asking() as js:
            ack = await js.publish(
                subject, body, timeout=_TIMEOUT_S, stream=stream_of(subject), headers=named
            )
        return Stored(ack.stream, ack.seq, bool(ack.duplicate))

    async def _position(self, stream: str, name: str) -> int:
        """Return how many events wait at a durable or are out. Raises AwayError."""
        async with self.asking() as js:
            info = await js.consumer_info(stream, name, timeout=_TIMEOUT_S)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    async def ready(self) -> None:
        """Prove round trips: to the server, and to each durable. Raises AwayError."""
        if not self._listening or self._client is None:
            raise AwayError("broker", "not_listening")
        async with self.asking():
            await self._client.flush(timeout=int(_ROUND_TRIP_S))
        await self._positions()

    async def unhandled(self) -> int:
        """Return how many events wait for this service or are being handled. Raises AwayError."""
        return sum(await self._positions())

    async def waiting(self, publisher: str) -> int:
        """Return how many events of one publisher wait here or are being handled. AwayError."""
        (durable,) = (d for d in self._durables if d.publisher == publisher)
        return await self._position(durable.stream, durable.name)

    async def _positions(self) -> list[int]:
        return await asyncio.gather(*(self._position(d.stream, d.name) for d in self._durables))

    def jetstream(self) -> "JetStreamContext":
        """Return the library's own context, for what has no method here. Raises AwayError.

        Its errors are the library's. Ask again for each use: the connection may be a new one.
        """
        if self._js is None or self._client is None or not self._client.is_connected:
            raise AwayError("broker", "not_connected")
        return self._js

    @asynccontextmanager
    async def asking(self) -> AsyncIterator["JetStreamContext"]:
        """Give the library's context; a broker that does not answer raises AwayError."""
        js = self.jetstream()
        from nats.errors import Error  # noqa: PLC0415

        try:
            yield js
        except (Error, OSError, TimeoutError) as error:
            raise AwayError("broker", type(error).__name__) from error

    async def keep(self) -> None:
        """Connect, listen and watch for ever; each new key of ours makes a new connection."""
        while True:
            await self._keep_connection()

    async def _keep_connection(self) -> None:
        """Connect, listen, and watch that the durables are there, until our key was replaced.

        Where the broker is away it tries again. A durable that vanished (the broker lost its disk)
        is waited for: pulling from what is not there would burn a core and never recover.
        """
        from messaging.consuming import broker_of  # noqa: PLC0415 - slow to import

        await self._forget()
        key = mark(self._app.settings.nats_nkey)
        self._broker = broker_of(self._app, self._durables, _trust(self._app.settings))
        tries = 0
        while self._client is None:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    self._client = await self._broker.connect()
            except Exception as error:
                tries += 1
                if tries & (tries - 1) == 0:  # 1, 2, 4, 8, … or the log would drown
                    log.warning(
                        "broker.away",
                        error=type(error).__name__,
                        reason=trust.reason(error),
                        tries=tries,
                    )
                await asyncio.sleep(_RETRY_S)
        self._js = self._client.jetstream(prefix=API_PREFIX, timeout=_TIMEOUT_S)
        self._app.wake("relay")
        connected_at, reconnects = time.monotonic(), 0
        while time.monotonic() - connected_at < _GIVE_UP_S and not self._client.is_closed:
            if self._client.is_connected:
                connected_at = time.monotonic()
            try:
                await self._positions()
            except AwayError as error:
                if self._listening and error.why == "NotFoundError":
                    await self._listen(False)
                await asyncio.sleep(_RETRY_S)
                continue
            if not self._listening and not self._stopping:
                await self._listen(True)
            if self._client.stats["reconnects"] != reconnects:
                reconnects = self._client.stats["reconnects"]
                self._app.wake("compare")  # the broker may have come back without what we lack
            if mark(self._app.settings.nats_nkey) not in (None, key):
                log.info("broker.new_key")
                return
            await asyncio.sleep(_WATCH_S)
        raise AwayError("broker", "lost")  # `keep` is called again and begins anew

    async def _forget(self) -> None:
        """Leave a connection behind that will not come back.

        The library's own reconnecting ends silently where the broker did not know us for a moment,
        e.g. while a configuration was put right.
        """
        from messaging.consuming import stop_taking  # noqa: PLC0415 - loaded by now

        broker, client = self._broker, self._client
        self._client = self._js = None
        self._listening = False
        with suppress(Exception):
            async with asyncio.timeout(_GIVE_UP_S):
                if broker is not None:
                    await stop_taking(broker)
        with suppress(Exception):
            async with asyncio.timeout(_GIVE_UP_S):
                if client is not None:
                    await client.close()

    async def _listen(self, on: bool) -> None:
        """Start or stop to take events."""
        assert self._broker is not None  # noqa: S101 - made before anything listens
        from messaging.consuming import stop_taking  # noqa: PLC0415 - loaded by now

        await (self._broker.start() if on else stop_taking(self._broker))
        self._listening = on
        if on:
            self._app.wake("compare")
        log.info("broker.listening" if on else "broker.not_listening")

    async def stop_taking(self) -> None:
        """Take no more events; those that have begun are finished first."""
        self._stopping = True
        if self._listening:
            await self._listen(False)

    async def stop(self) -> None:
        """Send what is buffered and disconnect."""
        if self._broker is not None and self._client is not None and self._client.is_connected:
            await self._broker.stop()
        elif self._client is not None:
            await self._client.close()


def _trust(settings: Any) -> ssl.SSLContext | None:
    """Return whose certificate the broker has to have; None where it is reached without TLS."""
    if settings.nats_ca is None and not settings.nats_url.startswith(("tls:", "wss:")):
        return None
    return trust.trusting(settings.nats_ca)
