"""The library behind the same door as OPA's server: `python -m homeward.engine.library`.

The engine is in a process of its own behind it, so that a policy that loops can be killed while the
door stays open. Paths, token, status codes and the shape of answers are OPA's, so that `sharing`
knows one client.
"""

import argparse
import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import uvicorn

from homeward.engine.behind import Answer, Behind
from homeward.engine.found import find_engine

_DECISION = "/v1/data/homeward/sharing/decision"
_BODY_BYTES_MAX = 1_000_000
_UNAUTHORIZED = b'{"code": "unauthorized", "message": "request rejected by administrative policy"}'
_TOO_LARGE = b'{"code": "invalid_parameter", "message": "request body too large"}'

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Door:
    """What may be asked: health, and one document by the holder of a token."""

    def __init__(self, engine: Behind, tokens_sha256: Sequence[str]) -> None:
        self._engine = engine
        self._tokens_sha256 = tokens_sha256

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            return
        status, body = await self._answer(scope, receive)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> Answer:
        if (scope["method"], scope["path"]) == ("GET", "/health"):
            return 200, b"{}"
        if (scope["method"], scope["path"]) != ("POST", _DECISION) or not self._knows(scope):
            return 401, _UNAUTHORIZED
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > _BODY_BYTES_MAX:
                return 413, _TOO_LARGE
        asks = scope["query_string"].split(b"&")
        return await self._engine.ask(body, with_provenance=b"provenance=true" in asks)

    def _knows(self, scope: dict[str, Any]) -> bool:
        held = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(held) != 1 or not held[0].startswith(b"Bearer "):
            return False
        digest = sha256(held[0].removeprefix(b"Bearer ")).hexdigest()
        return any(hmac.compare_digest(digest, known) for known in self._tokens_sha256)


def main() -> None:
    """Load the bundle, then listen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    caller = json.loads((asked.bundle / "homeward_caller" / "data.json").read_bytes())
    engine = Behind(asked.bundle, find_engine().version)
    asyncio.run(engine.start())
    door = Door(engine, caller["tokens_sha256"])
    uvicorn.run(
        door,
        host="127.0.0.1",
        port=asked.port,
        log_level="error",
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
    )


if __name__ == "__main__":
    main()
