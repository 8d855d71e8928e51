"""What goes wrong with messages: told again, out of order, no events at all, too large."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import nats
from faults.breaking import Breaker
from nats.errors import Error as NatsError
from nats.js.client import JetStreamContext

from messaging.nats_config import inbox_of

LARGE_BYTES = 900_000
"""The broker takes a mebibyte; a dead letter has to fit as well, with what is said about it."""
AGAIN_MAX = 8


async def told_again(on: Breaker) -> None:
    """Some of what a service ever told comes again, in another order and as other messages."""
    publisher = on.dice.choice(("referral", "scheduling", "interview"))
    stream = f"EVT_{publisher.upper()}"
    with suppress(NatsError, OSError, TimeoutError):
        async with _connected(on, "provisioner") as operator:
            end = (await operator.stream_info(stream)).state.last_seq
            seqs = on.dice.sample(range(1, end + 1), min(end, AGAIN_MAX))
            old = [await operator.get_msg(stream, seq) for seq in seqs]
        async with _connected(on, publisher) as js:
            for message in old:
                await js.publish(str(message.subject), message.data or b"", stream=stream)
        if old:
            on.note("events again, out of order")


async def poison(on: Breaker) -> None:
    """Something comes that no version of anybody could have told."""
    event_id = f"POISON-{on.dice.randrange(1 << 32):08X}"
    on.poison |= {event_id, ""}  # bytes that are no JSON have no id
    body = on.dice.choice(
        (
            json.dumps({"id": event_id}).encode(),
            json.dumps({"id": event_id, "padding": "x" * LARGE_BYTES}).encode(),
            json.dumps([event_id]).encode(),
            b"\x00\xff" + event_id.encode(),
        )
    )
    subject = on.dice.choice(("evt.referral.episode_referred.v1", "evt.interview.item_amended.v1"))
    publisher = subject.split(".")[1]
    with suppress(NatsError, OSError, TimeoutError):
        async with _connected(on, publisher) as js:
            await js.publish(subject, body, stream=f"EVT_{publisher.upper()}")
        on.note("poison or oversize message")


@asynccontextmanager
async def _connected(on: Breaker, user: str) -> AsyncIterator[JetStreamContext]:
    async def quiet(_: Exception) -> None:
        """Say nothing: the broker is being killed."""

    operator = user == "provisioner"
    client = await nats.connect(
        on.home.home.nats_url,
        nkeys_seed=str(on.home.home.nkey(user)),
        inbox_prefix=b"_INBOX" if operator else inbox_of(user).encode(),
        allow_reconnect=False,
        connect_timeout=2,
        error_cb=quiet,
    )
    try:
        yield client.jetstream(timeout=5, **({} if operator else {"prefix": "JSC.API"}))
    finally:
        with suppress(NatsError, OSError, TimeoutError):
            await client.close()
