"""Makes streams and durables as the topology says; one shot, and again harmless."""

import argparse
import asyncio
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from messaging import trust
from messaging.errors import AwayError
from messaging.topology import (
    Topology,
    dead_stream,
    event_stream,
    feed_stream,
    load,
)

if TYPE_CHECKING:
    from nats.js.api import ConsumerConfig, StreamConfig
    from nats.js.client import JetStreamContext

_SMALL_BYTES = 64 << 20
"""Of a dead-letter stream and of a feed: full refuses the new, and their senders wait."""
_TIMEOUT_S = 5.0
_PARTNER_ACK_WAIT_S = 30
"""How long a partner may take to store what it pulled before it is handed out again."""


async def provision(
    nats_url: str,
    provisioner_seed: Path,
    topology: Topology,
    partners: Iterable[str],
    ca: Path | None = None,
    *,
    replicas: int = 1,
) -> None:
    """Create what is missing and change what differs; nothing is ever removed.

    `ca` is the broker's authority, where it is not one the system knows; `replicas` how many nodes
    of a cluster keep each message. What a durable has been told stays told. Raises AwayError where
    the broker cannot be reached.
    """
    import nats  # noqa: PLC0415 - the library is slow to import and the caller may not need it
    from nats.errors import Error  # noqa: PLC0415

    secure = nats_url.startswith("tls:")
    try:
        client = await nats.connect(
            nats_url,
            nkeys_seed=str(provisioner_seed),
            allow_reconnect=False,
            connect_timeout=int(_TIMEOUT_S),
            tls=trust.trusting(ca) if secure else None,
            tls_handshake_first=secure,
        )
    except (OSError, Error) as error:
        raise AwayError("broker", trust.reason(error) or type(error).__name__) from error
    try:
        js = client.jetstream(timeout=_TIMEOUT_S)
        ends: dict[str, int] = {}
        for config in _streams(topology, partners):
            config.num_replicas = replicas
            ends[str(config.name)] = await _stream(js, config)
        for stream, consumer in _consumers(topology, partners):
            await _consumer(js, stream, consumer, ends[stream])
    finally:
        await client.close()


def _streams(topology: Topology, partners: Iterable[str]) -> "list[StreamConfig]":
    from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig  # noqa: PLC0415

    limits = topology.streams
    window_s = float(limits.duplicate_window_s)
    configs: list[StreamConfig] = []
    for service in sorted(topology.services):
        configs.append(
            StreamConfig(
                name=event_stream(service),
                subjects=[f"evt.{service}.>"],
                max_age=limits.max_age_days * 86_400,
                max_bytes=limits.max_bytes,
                duplicate_window=window_s,
                discard=DiscardPolicy.NEW,
                deny_delete=True,
                deny_purge=True,
                allow_direct=False,
            )
        )
        configs.append(
            StreamConfig(
                name=dead_stream(service),
                subjects=[f"dlq.{service}.>"],
                max_bytes=_SMALL_BYTES,
                duplicate_window=window_s,
                discard=DiscardPolicy.NEW,
                deny_purge=True,
                allow_direct=False,
            )
        )
    configs.extend(
        StreamConfig(
            name=feed_stream(partner),
            subjects=[f"feed.{partner}.>"],
            # what the partner has acknowledged is gone; what it has not waits, however long
            retention=RetentionPolicy.WORK_QUEUE,
            max_bytes=_SMALL_BYTES,
            duplicate_window=window_s,
            discard=DiscardPolicy.NEW,
            deny_purge=True,
            deny_delete=False,  # a withdrawal erases what lies unread
            allow_direct=False,
        )
        for partner in partners
    )
    return configs


def _consumers(topology: Topology, partners: Iterable[str]) -> "list[tuple[str, ConsumerConfig]]":
    from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy  # noqa: PLC0415

    settings = topology.durables
    made = [
        (
            durable.stream,
            ConsumerConfig(
                durable_name=durable.name,
                name=durable.name,
                filter_subjects=list(durable.subjects),
                deliver_policy=DeliverPolicy.ALL,  # also what was told before it existed
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=settings.ack_wait_s,
                max_deliver=-1,
                max_ack_pending=settings.max_ack_pending,
            ),
        )
        for service in sorted(topology.services)
        for durable in topology.durables_of(service)
    ]
    made += [
        (
            feed_stream(partner),
            ConsumerConfig(
                durable_name=partner,
                name=partner,
                deliver_policy=DeliverPolicy.ALL,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=_PARTNER_ACK_WAIT_S,
                max_deliver=-1,
                max_ack_pending=settings.max_ack_pending,
            ),
        )
        for partner in partners
    ]
    return made


async def _stream(js: "JetStreamContext", config: "StreamConfig") -> int:
    """Create or change a stream; return its last sequence."""
    from nats.js.errors import NotFoundError  # noqa: PLC0415

    try:
        there = await js.stream_info(str(config.name))
    except NotFoundError:
        await js.add_stream(config)
        return 0
    await js.update_stream(config)
    return there.state.last_seq


async def _consumer(
    js: "JetStreamContext", stream: str, config: "ConsumerConfig", end: int
) -> None:
    """Create or change a durable; a start alone would silently keep the old settings.

    One that was told more than its stream holds (a spoilt file cost the stream its end) is made
    anew: it would count for ever as unhandled what is nowhere. What is told twice is handled once.
    """
    from nats.js.errors import NotFoundError  # noqa: PLC0415

    name = str(config.name)
    with suppress(NotFoundError):
        there = await js.consumer_info(stream, name)
        if there.delivered is not None and there.delivered.stream_seq > end:
            await js.delete_consumer(stream, name)
    await js.add_consumer(stream, config)


def main() -> None:
    """Provision from the command line: `python -m messaging.provision --seed FILE [partner …]`."""
    parser = argparse.ArgumentParser(prog="messaging.provision", description=__doc__)
    parser.add_argument("--url", default="nats://127.0.0.1:4222")
    parser.add_argument("--seed", type=Path, required=True, help="the provisioner's NKey seed file")
    parser.add_argument("--ca", type=Path, help="certificate authority of the broker (tls://)")
    parser.add_argument("--replicas", type=int, default=1, help="nodes that keep each message [1]")
    parser.add_argument("--partners", type=Path, help="file that names partners, a key a line")
    parser.add_argument("partner", nargs="*", help="keys of the partners that have a feed")
    given = parser.parse_args()
    partners = [*given.partner, *(given.partners.read_text().split() if given.partners else ())]
    try:
        asyncio.run(
            provision(given.url, given.seed, load(), partners, given.ca, replicas=given.replicas)
        )
    except AwayError as error:
        sys.exit(f"provision: {error}")


if __name__ == "__main__":
    main()
