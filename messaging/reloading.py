"""Let running brokers read their configuration again, asked over the bus itself.

A signal needs a process on the same machine; a question to the system account reaches a broker in a
container or a cluster, and its answer says whether the new configuration was taken.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from messaging import trust
from messaging.errors import AwayError
from messaging.nats_config import RELOADER, inbox_of

if TYPE_CHECKING:
    from nats.aio.client import Client

_TIMEOUT_S = 5.0
_GATHER_S = 0.5
"""How long servers of a cluster are waited for after the first has answered."""


class ReloadRefusedError(Exception):
    """A broker does not take its new configuration and goes on with the one it has."""


async def reload(nats_url: str, seed: Path, ca: Path | None = None) -> int:
    """Make every broker of this cluster read its configuration; return how many did.

    Twice each: nats-server 2.15.1 gives an account that is new its imports only with the second
    reload. Raises `ReloadRefusedError`, and AwayError where none can be reached.
    """
    import nats  # noqa: PLC0415 - the library is slow to import
    from nats.errors import Error  # noqa: PLC0415

    secure = nats_url.startswith("tls:")
    try:
        client = await nats.connect(
            nats_url,
            nkeys_seed=str(seed),
            inbox_prefix=inbox_of(RELOADER).encode(),
            allow_reconnect=False,
            connect_timeout=int(_TIMEOUT_S),
            tls=trust.trusting(ca) if secure else None,
            tls_handshake_first=secure,
        )
        try:
            servers = await _servers(client)
            for _ in range(2):
                for server in servers:
                    await _reload_one(client, server)
        finally:
            await client.close()
    except (OSError, Error) as error:
        raise AwayError("broker", trust.reason(error) or type(error).__name__) from error
    return len(servers)


async def _servers(client: "Client") -> list[str]:
    """Return the ids of all brokers that answer. Raises nats' errors where none does."""
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    await client.publish("$SYS.REQ.SERVER.PING", reply=inbox)
    found = [_id(await answers.next_msg(timeout=_TIMEOUT_S))]
    while True:
        try:
            found.append(_id(await answers.next_msg(timeout=_GATHER_S)))
        except TimeoutError:
            return found


def _id(message: Any) -> str:
    return str(json.loads(message.data)["server"]["id"])


async def _reload_one(client: "Client", server: str) -> None:
    answer = await client.request(f"$SYS.REQ.SERVER.{server}.RELOAD", timeout=_TIMEOUT_S)
    problem = json.loads(answer.data).get("error")
    if problem:
        raise ReloadRefusedError(str(problem.get("description", problem)))
