"""Partner agencies that read their feeds with their own keys, over whatever breaks meanwhile."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import nats
from faults.seen import Read
from nats.errors import Error as NatsError

from homeward import enrolment, feed
from homeward.feed_open import BadEventError
from homeward.home import Home

AREA = "northshire"
POLICE = "northshire-police"
LA = "northshire-childrens-services"
COMMISSIONER = "northshire-commissioning"
PARTNERS = {
    POLICE: ("police", "missing_unit"),
    LA: ("childrens_services", "responsible_la"),
    COMMISSIONER: ("commissioner", "contract_team"),
}
"""Type and role of each."""

BATCH = 10
WAIT_S = 0.5
PAUSE_S = 0.1
HANGS_S = 15.0
"""A broker that was stopped answers nothing; then the partner connects anew."""


def join(home: Home) -> list["Reader"]:
    """Let each agency make its keys and register them all; return their readers."""
    agencies = []
    for key, (kind, role) in PARTNERS.items():
        *_, public = enrolment.make_keys(key, home.partner(key))
        agencies.append(enrolment.Agency(key, json.loads(public.read_text()), kind, role, AREA))
    enrolment.add_all(home, agencies)
    for key in PARTNERS:
        enrolment.write_context(home, key, home.partner(key))
    return [Reader(home.partner(key), key) for key in PARTNERS]


async def stop_reading(readers: list["Reader"], tasks: list[asyncio.Task[None]]) -> None:
    """End what keeps reading, when each partner has taken what it asked for.

    One that is cut off in between has had handed out to it what comes again much later only.
    """
    for reader in readers:
        await reader.pause()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for reader in readers:
        reader.away = False


@dataclass
class Reader:
    """A partner; `reads` is what it has had in its hands, in order."""

    folder: Path
    key: str
    reads: list[Read] = field(default_factory=list)
    away: bool = False
    """Nothing is read while this is set."""
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._creds = feed.Creds.read(self.folder, self.key)

    async def keep_reading(self) -> None:
        """Read for ever; a broker that is away, or has no feed for a while, is asked again."""
        while True:
            if not self.away:
                with suppress(NatsError, OSError, TimeoutError):
                    await self.read()
            await asyncio.sleep(PAUSE_S)

    async def read(self) -> int:
        """Read and acknowledge what there is; return how many. Raises what the library does."""
        found = 0
        async with self._busy, asyncio.timeout(HANGS_S):
            client = await self._connect()
            try:
                prefix = str(self._creds.context["jetstream_api_prefix"])
                jetstream = client.jetstream(prefix=prefix, timeout=5)
                pull = await jetstream.pull_subscribe_bind(self.key, f"FEED_{self.key}")
                while not self.away:
                    try:
                        messages = await pull.fetch(BATCH, timeout=WAIT_S)
                    except TimeoutError:
                        return found
                    at = time.monotonic()
                    for message in messages:
                        self._take(message.data, message.metadata.sequence.stream, at)
                        found += 1
                        await message.ack_sync(timeout=5)
            finally:
                with suppress(NatsError, OSError, TimeoutError):
                    await client.close()
        return found

    async def left(self) -> int:
        """Return how many messages the broker has for this partner that are not acknowledged."""
        client = await self._connect()
        try:
            prefix = str(self._creds.context["jetstream_api_prefix"])
            jetstream = client.jetstream(prefix=prefix, timeout=5)
            told = await jetstream.consumer_info(f"FEED_{self.key}", self.key)
        finally:
            await client.close()
        return int(told.num_pending or 0) + int(told.num_ack_pending or 0)

    async def pause(self) -> None:
        """Take what was asked for, and ask for no more."""
        self.away = True
        async with self._busy:
            pass

    def _take(self, raw: bytes, seq: int, at: float) -> None:
        try:
            opened = self._creds.opener.open(raw)
        except BadEventError:
            opened = None
        self.reads.append(Read(self.key, raw, at, seq, opened))

    async def _connect(self) -> nats.NATS:
        async def quiet(_: Exception) -> None:
            """Say nothing: what matters is raised where it matters."""

        return await nats.connect(
            str(self._creds.context["url"]),
            nkeys_seed=str(self.folder / f"{self.key}.nk"),
            inbox_prefix=str(self._creds.context["inbox_prefix"]).encode(),
            allow_reconnect=False,
            connect_timeout=2,
            error_cb=quiet,
        )
