"""The broker's configuration: one account per service and per partner, CORE holds the streams.

Inside one account subject permissions are no wall (a reply subject, an inbox wildcard, a forged
acknowledgement get around them), so each party has an account of its own and reaches CORE only
through what is exported to it by name.
"""

import asyncio
import os
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from messaging.topology import Durable, Topology, dead_stream, feed_stream

CORE = "CORE"
SYSTEM = "SYS"
RELOADER = "reloader"
"""The one user of the system account: it may ask for a reload, and nothing else (reloading.py)."""
API_PREFIX = "JSC.API"
"""JetStream's API as accounts see it: under its own name, an account without JetStream answers."""
PARTNER_KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
FILE_STORE_BYTES_MAX = 64 << 30
"""Fixed, because a reload that changes it fails whole; streams have limits of their own."""
PAYLOAD_BYTES_MAX = 1 << 20

_RELOAD_PAUSE_S = 0.3
_NKEY = re.compile(r"U[A-Z2-7]{55}\Z")


Nkeys = str | Sequence[str]
"""Public key of a party's user; the old and the new one while it is replaced."""


@dataclass(frozen=True)
class Tls:
    """Certificate of the server; read again with each reload (SIGHUP)."""

    certificate: Path
    key: Path

    def lines(self) -> Iterator[str]:
        """Yield the block for clients.

        Services begin with TLS, so that nobody on the way can tell them that there is none; the
        stock clients of partners wait for the server's first word, and get it after a second.
        With "auto", 50 ms, services on a busy host were too slow and met that first word instead.
        """
        yield "tls {"
        yield f'  cert_file: "{self.certificate}"'
        yield f'  key_file: "{self.key}"'
        yield '  handshake_first: "1s"'
        yield "}"


class BadNameError(ValueError):
    """A name or key that may not stand in the configuration."""


def account_of(service: str) -> str:
    """Return a service's account: in capitals, so that no partner's key can be the same."""
    return service.upper()


def inbox_of(name: str) -> str:
    """Return the inbox prefix of a service or partner, without the dot."""
    return f"_INBOX_{name}"


def render(
    topology: Topology,
    *,
    host: str,
    port: int,
    store_dir: Path,
    users: Mapping[str, Nkeys],
    provisioner: str,
    partners: Mapping[str, Nkeys],
    tls: Tls | None = None,
) -> str:
    """Return the configuration of a single server; `users` and `partners` map to public nkeys.

    While a key is replaced, the old and the new one both stand there. Raises BadNameError for a
    partner or nkey that does not look like one, KeyError for a service without a user.
    """
    return "\n".join(
        [
            "# Generated from the topology and the partners. Changes here are overwritten.",
            f'host: "{host}"',
            f"port: {port}",
            f"max_payload: {PAYLOAD_BYTES_MAX}",
            "jetstream {",
            f'  store_dir: "{store_dir}"',
            f"  max_file_store: {FILE_STORE_BYTES_MAX}",
            "  sync_interval: always # what was acknowledged survives a power cut",
            "}",
            *(tls.lines() if tls is not None else ()),
            accounts(topology, users=users, provisioner=provisioner, partners=partners),
        ]
    )


def accounts(
    topology: Topology,
    *,
    users: Mapping[str, Nkeys],
    provisioner: str,
    partners: Mapping[str, Nkeys],
    reloader: str | None = None,
) -> str:
    """Return the accounts block alone, for a server whose other settings are written by hand.

    With a `reloader` there is also a system account, over which it may ask for a reload.
    """
    for key in partners:
        if not PARTNER_KEY.match(key):
            raise BadNameError("a partner's key is lower-case words with hyphens")
    single = [provisioner, *([reloader] if reloader else ())]
    for nkey in chain(single, *map(_all, (*users.values(), *partners.values()))):
        if not _NKEY.match(nkey):
            raise BadNameError("not the public key of a user")
    lines = ["accounts {", *_core(topology, provisioner, sorted(partners))]
    for service in sorted(topology.services):
        lines += _service(topology, service, users[service], sorted(partners))
    for partner in sorted(partners):
        lines += _partner(partner, partners[partner])
    if reloader:
        may = ["$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.*.RELOAD"]
        lines += [*_account(SYSTEM, RELOADER, reloader, [], may), "}", f"system_account: {SYSTEM}"]
        return "\n".join([*lines, ""])
    return "\n".join([*lines, "}", ""])


def _core(topology: Topology, provisioner: str, partners: list[str]) -> Iterator[str]:
    yield f"  {CORE} {{"
    yield "    jetstream: enabled"
    yield "    users: ["
    yield f'      {{ nkey: "{provisioner}" }}'
    yield "    ]"
    yield "    exports: ["
    for service in sorted(topology.services):
        for subject in (*_published(service), *_dead_subjects(service)):
            yield _export(subject, account_of(service))
        for durable in topology.durables_of(service):
            yield from _durable_exports(durable.stream, durable.name, account_of(service))
    for partner in partners:
        stream = feed_stream(partner)
        yield from _durable_exports(
            stream, partner, partner, *([account_of(topology.feeder)] if topology.feeder else [])
        )
        if topology.feeder:
            for subject in _feed_subjects(partner):
                yield _export(subject, account_of(topology.feeder))
    yield "    ]"
    yield "  }"


def _published(service: str) -> tuple[str, str]:
    return f"evt.{service}.>", f"dlq.{service}.>"


def _dead_subjects(service: str) -> tuple[str, ...]:
    """Return what a service needs to look at what it put aside, and to let go of it."""
    stream = dead_stream(service)
    return (f"$JS.API.STREAM.MSG.GET.{stream}", f"$JS.API.STREAM.MSG.DELETE.{stream}")


def _feed_subjects(partner: str) -> tuple[str, ...]:
    """Return what the feeding service needs of one feed: to publish, to look, to erase."""
    stream = feed_stream(partner)
    return (
        f"feed.{partner}.>",
        f"$JS.API.STREAM.INFO.{stream}",
        f"$JS.API.STREAM.MSG.GET.{stream}",
        f"$JS.API.STREAM.MSG.DELETE.{stream}",
    )


def _durable_exports(stream: str, durable: str, reader: str, *watchers: str) -> Iterator[str]:
    yield _export(f"$JS.API.CONSUMER.INFO.{stream}.{durable}", reader, *watchers)
    yield _export(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}", reader, stream=True)
    yield _export(f"$JS.ACK.{stream}.{durable}.>", reader)


def _export(subject: str, *readers: str, stream: bool = False) -> str:
    kind = ", response_type: stream" if stream else ""
    return f'      {{ service: "{subject}"{kind}, accounts: [{", ".join(readers)}] }}'


def _import(subject: str) -> str:
    """Return an import from CORE; JetStream's API comes under a name of its own."""
    to = subject.replace("$JS.API", API_PREFIX, 1)
    renamed = f', to: "{to}"' if to != subject else ""
    return f'      {{ service: {{ account: {CORE}, subject: "{subject}" }}{renamed} }}'


def _service(topology: Topology, service: str, nkey: Nkeys, partners: list[str]) -> Iterator[str]:
    durables = topology.durables_of(service)
    feeds = topology.services[service].feeds
    imports = [*_published(service), *_dead_subjects(service)]
    imports += [s for d in durables for s in _durable_subjects(d)]
    may = [*imports]
    if feeds:
        # the wall is the imports below; permissions stay the same when a partner is added, so that
        # a reload does not disconnect the service
        may += ["feed.>", f"{API_PREFIX}.>"]
        for partner in partners:
            imports += [
                *_feed_subjects(partner),
                f"$JS.API.CONSUMER.INFO.{feed_stream(partner)}.{partner}",
            ]
    yield from _account(account_of(service), service, nkey, imports, may)


def _durable_subjects(durable: Durable) -> tuple[str, str, str]:
    return _reading(durable.stream, durable.name)


def _reading(stream: str, durable: str) -> tuple[str, str, str]:
    return (
        f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
        f"$JS.ACK.{stream}.{durable}.>",
    )


def _partner(partner: str, nkey: Nkeys) -> Iterator[str]:
    imports = [*_reading(feed_stream(partner), partner)]
    may = [f"{API_PREFIX}.>", imports[2]]
    yield from _account(partner, partner, nkey, imports, may)


def _account(
    account: str, name: str, nkeys: Nkeys, imports: list[str], may: list[str]
) -> Iterator[str]:
    """Yield one account whose users publish `may` and hear their own inbox alone.

    Its users are one party: two only while a key is being replaced.
    """
    yield f"  {account} {{"
    yield "    users: ["
    for nkey in _all(nkeys):
        yield "      {"
        yield f'        nkey: "{nkey}"'
        yield "        permissions: {"
        yield "          publish: ["
        for subject in may:
            yield f'            "{subject.replace("$JS.API", API_PREFIX, 1)}"'
        yield "          ]"
        yield "          subscribe: ["
        yield f'            "{inbox_of(name)}.>"'
        yield "          ]"
        yield "        }"
        yield "      }"
    yield "    ]"
    yield "    imports: ["
    for subject in imports:
        yield _import(subject)
    yield "    ]"
    yield "  }"


def _all(nkeys: Nkeys) -> tuple[str, ...]:
    return (nkeys,) if isinstance(nkeys, str) else tuple(nkeys)


async def reload(pid: int) -> None:
    """Make a running server read its changed configuration; its clients stay connected.

    Twice: nats-server 2.15.1 gives an account that is new its imports only with the second reload
    (measured: until then its requests are answered "no responders").
    """
    for _ in range(2):
        os.kill(pid, signal.SIGHUP)
        await asyncio.sleep(_RELOAD_PAUSE_S)
