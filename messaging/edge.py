"""Calls from one service to another, along an edge of the topology and with that edge's token."""

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from messaging import trust
from messaging.errors import AwayError
from messaging.kept import BrokenError, Kept, Reply, TooLargeError, Way
from messaging.settings import Settings

_TIMEOUT_S = 5.0
_BYTES_MAX = 64 * 1024 * 1024
"""More than any answer of ours; whoever answers without end is away."""
_NEAR_EXPIRY_S = 60


class NotFoundThereError(Exception):
    """The other service has no such thing."""


class RefusedThereError(Exception):
    """The other service will not: not allowed (403), in conflict (409) or malformed (422)."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code


class Edge:
    """One target service. Its token is a file that whoever issues tokens keeps fresh."""

    def __init__(self, settings: Settings, target: str, way: Way | None = None) -> None:
        self.target = target
        self._file = settings.tokens / f"{target}.jwt"
        self._token = ""
        self._ends_at = 0.0
        url = settings.peers.get(target, f"http://{target}.invalid")
        tls = trust.trusting(settings.tls_ca) if url.startswith("https:") else None
        self._way: Way = way or Kept(url, tls)

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON answer. Raises AwayError, NotFoundThereError, RefusedThereError."""
        asked = f"?{urlencode(params)}" if params else ""
        return await self._ask("GET", quote(path) + asked, b"")

    async def post(self, path: str, body: Any) -> Any:
        """Return the JSON answer to a POST of `body`, which is repeated by the caller, not here."""
        return await self._ask("POST", quote(path), json.dumps(body).encode())

    async def close(self) -> None:
        """Close its connections."""
        await self._way.close()

    async def _ask(self, method: str, target: str, body: bytes) -> Any:
        fresh = time.time() > self._ends_at - _NEAR_EXPIRY_S
        if fresh:
            self._read_token()
        reply = await self._send(method, target, body)
        if reply.status == HTTPStatus.UNAUTHORIZED and not fresh:
            self._read_token()
            reply = await self._send(method, target, body)
        return self._judge(reply)

    async def _send(self, method: str, target: str, body: bytes) -> Reply:
        headers = [("Authorization", f"Bearer {self._token}")]
        if body:
            headers.append(("Content-Type", "application/json"))
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await self._way.ask(method, target, headers, body, most=_BYTES_MAX)
        except (BrokenError, TooLargeError, TimeoutError) as error:
            why = trust.reason(error) or type(error.__cause__ or error).__name__
            raise AwayError(self.target, why) from error

    def _read_token(self) -> None:
        try:
            self._token = self._file.read_text().strip()
            payload = self._token.split(".")[1]
            claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            self._ends_at = float(claims["exp"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise AwayError(self.target, "no_token") from error

    def _judge(self, reply: Reply) -> Any:
        if reply.status == HTTPStatus.NOT_FOUND:
            raise NotFoundThereError(self.target)
        if reply.status in {403, 409, 413, 422}:
            raise RefusedThereError(reply.status, _code(reply))
        if not 200 <= reply.status < 300:
            raise AwayError(self.target, f"status_{reply.status}")
        try:
            return json.loads(reply.body) if reply.body else None
        except ValueError as error:
            raise AwayError(self.target, "not_json") from error


def _code(reply: Reply) -> str:
    try:
        return str(json.loads(reply.body)["code"])
    except (ValueError, LookupError, TypeError):
        return "unknown"
