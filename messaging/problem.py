"""How a refusal looks: application/problem+json with codes, and never the value that was wrong."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from messaging.database import database_away
from messaging.errors import AwayError, NotYetError
from messaging.telemetry import get_logger

log = get_logger()

_LATER_S = "1"


class Problem(Exception):  # noqa: N818 - named as RFC 9457 names it
    """A refusal with its reason. `detail` and `fields` hold codes and names, never content.

    `members` are further members of the answer, for callers who may read what is in them.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str = "",
        fields: Sequence[tuple[str, str]] = (),
        *,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = tuple(fields)
        self.members = dict(members or {})

    def response(self) -> JSONResponse:
        """Return the answer as it goes out."""
        body: dict[str, Any] = {
            **self.members,
            "type": f"urn:homeward:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            body["detail"] = self.detail
        if self.fields:
            body["errors"] = [{"field": field, "code": code} for field, code in self.fields]
        headers = {}
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        if self.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = _LATER_S
        return JSONResponse(
            body, self.status, headers=headers, media_type="application/problem+json"
        )


def install(app: FastAPI) -> None:
    """Make every error of `app` leave as a problem."""
    names = _Names(app)

    def malformed(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
        fields = [(names.path(e["loc"]), str(e["type"])) for e in error.errors()]
        return Problem(422, "request.malformed", fields=fields).response()

    def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        code = {404: "route.unknown", 405: "method.unknown", 413: "body.too_large"}.get(
            error.status_code, f"http.{error.status_code}"
        )
        answer = Problem(error.status_code, code).response()
        for name, value in (error.headers or {}).items():
            answer.headers[name] = value
        return answer

    handlers: dict[Any, Callable[[Request, Any], JSONResponse]] = {
        Problem: lambda _, error: error.response(),
        RequestValidationError: malformed,
        HTTPException: http,
        AwayError: lambda _, error: Problem(503, "dependency.away").response(),
        NotYetError: lambda _, error: Problem(503, "fact.not_yet").response(),
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def unexpected(error: Exception) -> JSONResponse:
    """Return the answer to an error that nobody foresaw; logged by kind and place, not text."""
    if database_away(error):
        return Problem(503, "database.away").response()
    if isinstance(error, DataError):  # e.g. a NUL character, which Postgres cannot hold in a text
        return Problem(422, "request.malformed", fields=[("body", "not_storable")]).response()
    log.error("request.failed", exc_info=error)
    return Problem(500, "internal.error").response()


class _Names:
    """Names of fields that the API itself declares; anything else in a path came from outside."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._known: frozenset[str] | None = None

    def path(self, location: Sequence[str | int]) -> str:
        """Return a dotted path in which a key that the caller made up is a star."""
        if self._known is None:
            self._known = frozenset(_declared(self._app.openapi())) | {
                "body", "query", "path", "header", "cookie",
            }  # fmt: skip
        return ".".join(
            str(part) if isinstance(part, int) or part in self._known else "*" for part in location
        )


def _declared(schema: Any) -> Iterator[str]:
    """Yield the names of properties and parameters in an OpenAPI document."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield from schema["properties"]
        if "in" in schema and isinstance(schema.get("name"), str):
            yield schema["name"]
        for value in schema.values():
            yield from _declared(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _declared(value)
