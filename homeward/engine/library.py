"""The library behind the same door as OPA's server: `python -m homeward.engine.library`.

A process of its own, so that a policy that hangs can be killed. Paths, token, status codes and the
shape of answers are OPA's, so that `sharing` knows one client.
"""

import argparse
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import uvicorn

from homeward.engine.found import find_engine
from homeward.engine.loaded import Loaded, OpaError

_DECISION = "/v1/data/homeward/sharing/decision"
_BODY_BYTES_MAX = 1_000_000
_UNAUTHORIZED = {"code": "unauthorized", "message": "request rejected by administrative policy"}

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Door:
    """What may be asked: health, and one document by the holder of a token."""

    def __init__(self, loaded: Loaded, tokens_sha256: Sequence[str]) -> None:
        self._loaded = loaded
        self._tokens_sha256 = tokens_sha256
        self._provenance = {
            "version": find_engine().version,
            "bundles": {"homeward": {"revision": loaded.revision}},
        }

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            return
        status, answer = await self._answer(scope, receive)
        body = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> tuple[int, dict[str, Any]]:
        if (scope["method"], scope["path"]) == ("GET", "/health"):
            return 200, {}
        if (scope["method"], scope["path"]) != ("POST", _DECISION) or not self._knows(scope):
            return 401, _UNAUTHORIZED
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > _BODY_BYTES_MAX:
                return 413, {"code": "invalid_parameter", "message": "request body too large"}
        try:
            asked = json.loads(body, parse_constant=_refused)
            given = asked["input"]
        except (ValueError, LookupError, TypeError, RecursionError):
            return 400, {"code": "invalid_parameter", "message": "request body is not an input"}
        return self._decide(given, b"provenance=true" in scope["query_string"].split(b"&"))

    def _decide(self, given: object, with_provenance: bool) -> tuple[int, dict[str, Any]]:
        try:
            answer: dict[str, Any] = {
                "result": self._loaded.document("homeward.sharing.decision", given)
            }
        except OpaError as error:
            if error.code == "undefined":
                answer = {}
            elif error.code in ("invalid_argument", "invalid_json"):
                return 400, {"code": "invalid_parameter", "message": "request body is not an input"}
            else:
                return 500, {"code": "internal_error", "message": "error(s) occurred in the policy"}
        if with_provenance:
            answer["provenance"] = self._provenance
        return 200, answer

    def _knows(self, scope: dict[str, Any]) -> bool:
        held = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(held) != 1 or not held[0].startswith(b"Bearer "):
            return False
        digest = sha256(held[0].removeprefix(b"Bearer ")).hexdigest()
        return any(hmac.compare_digest(digest, known) for known in self._tokens_sha256)


def _refused(_: str) -> None:
    """Refuse NaN and Infinity, as OPA does: they are no JSON."""
    raise ValueError


def main() -> None:
    """Load the bundle, then listen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    caller = json.loads((asked.bundle / "homeward_caller" / "data.json").read_bytes())
    door = Door(Loaded(asked.bundle), caller["tokens_sha256"])
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
