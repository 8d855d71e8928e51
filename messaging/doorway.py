"""The outermost layer of HTTP: no request passes without a valid token, none too large."""

import time
from http import HTTPStatus

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from messaging.caller import Verifier
from messaging.errors import AwayError
from messaging.metrics import Metrics
from messaging.problem import Problem, unexpected
from messaging.workloads import TwoIssuers

OPEN = frozenset({"/health", "/ready", "/metrics", "/openapi.json"})
"""Paths that need no token; they tell nothing about anybody."""
BODY_BYTES_MAX = 1 << 20
_TOO_LARGE = Problem(413, "body.too_large")


class Doorway:
    """ASGI middleware; being around everything, it also guards what somebody forgets to guard."""

    def __init__(self, app: ASGIApp, verifier: Verifier | TwoIssuers, metrics: Metrics) -> None:
        self._app = app
        self._verifier = verifier
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # there are none to be had
            return
        status, began = 0, time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"cache-control", b"no-store"),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            refusal = await self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, sending)
            else:
                await self._app(scope, _limited(receive), sending)
        except Exception as error:
            answer = unexpected(error)
            if status:
                raise  # half an answer has left; the connection has to end
            await answer(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            self._metrics.requests.labels(route, _method(scope), str(status)).inc()
            self._metrics.answering.labels(route).observe(time.perf_counter() - began)
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR or not status:
                self._metrics.request_failures.labels(route).inc()

    async def _refusal(self, scope: Scope) -> JSONResponse | None:
        """Return why the request may not pass, or None and the caller in the scope."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        try:
            if scope["path"] not in OPEN:
                authorization = headers.get(b"authorization", b"").decode("latin-1")
                scope["homeward.caller"] = await self._verifier.caller(authorization)
            if not length.isdigit() or int(length) > BODY_BYTES_MAX:
                raise _TOO_LARGE
        except Problem as problem:
            return problem.response()
        except AwayError:
            return Problem(503, "issuer.away").response()
        return None


def _limited(receive: Receive) -> Receive:
    """Count what arrives without a stated length."""
    taken = 0

    async def receiving() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > BODY_BYTES_MAX:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return receiving


def _method(scope: Scope) -> str:
    """Return the method as a label, bounded."""
    method = str(scope["method"])
    return method if method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"} else "other"
