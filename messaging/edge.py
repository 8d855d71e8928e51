"""Calls from one service to another, along an edge of the topology and with that edge's token."""

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

import httpx

from messaging import trust
from messaging.errors import AwayError
from messaging.settings import Settings

_TIMEOUT_S = 5.0
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

    def __init__(
        self, settings: Settings, target: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.target = target
        self._file = settings.tokens / f"{target}.jwt"
        self._token = ""
        self._ends_at = 0.0
        self._client = httpx.AsyncClient(
            base_url=settings.peers.get(target, f"http://{target}.invalid"),
            timeout=_TIMEOUT_S,
            trust_env=False,  # no proxy of the surroundings may see these calls
            transport=transport,
            verify=trust.trusting(settings.tls_ca),
        )

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON answer. Raises AwayError, NotFoundThereError, RefusedThereError."""
        return await self._ask("GET", path, params=params)

    async def post(self, path: str, body: Any) -> Any:
        """Return the JSON answer to a POST of `body`, which is repeated by the caller, not here."""
        return await self._ask("POST", path, json=body)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def _ask(self, method: str, path: str, **what: Any) -> Any:
        fresh = time.time() > self._ends_at - _NEAR_EXPIRY_S
        if fresh:
            self._read_token()
        answer = await self._send(method, path, **what)
        if answer.status_code == httpx.codes.UNAUTHORIZED and not fresh:
            self._read_token()
            answer = await self._send(method, path, **what)
        return self._judge(answer)

    async def _send(self, method: str, path: str, **what: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            return await self._client.request(method, path, headers=headers, **what)
        except httpx.HTTPError as error:
            why = trust.reason(error) or type(error).__name__
            raise AwayError(self.target, why) from error

    def _read_token(self) -> None:
        try:
            self._token = self._file.read_text().strip()
            payload = self._token.split(".")[1]
            claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            self._ends_at = float(claims["exp"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise AwayError(self.target, "no_token") from error

    def _judge(self, answer: httpx.Response) -> Any:
        status = answer.status_code
        if status == httpx.codes.NOT_FOUND:
            raise NotFoundThereError(self.target)
        if status in {403, 409, 413, 422}:
            raise RefusedThereError(status, _code(answer))
        if not answer.is_success:
            raise AwayError(self.target, f"status_{status}")
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise AwayError(self.target, "not_json") from error


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["code"])
    except (ValueError, LookupError, TypeError):
        return "unknown"
