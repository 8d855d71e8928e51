"""Ask the running services of a home over HTTP, with tokens of the home."""

from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import httpx

from homeward.home import SERVICES, Home, HomeError

_TIMEOUT_S = 60.0
_PAGE = 200


class NotThereError(HomeError):
    """A service does not answer, or the home is not up."""


class RefusedError(HomeError):
    """A service says no; the message names its code."""

    def __init__(self, service: str, status: int, code: str) -> None:
        super().__init__(f"{service} says {status} {code}")
        self.status = status


class Services:
    """The services of one home, by name; use it in a `with`."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._clients: dict[tuple[str, str], httpx.Client] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def get(self, service: str, path: str, role: str = "ops", **asked: Any) -> Any:
        """Return the JSON answer to a GET. Raises NotThereError, RefusedError."""
        return self._ask(service, role, "GET", path, params=asked)

    def post(self, service: str, path: str, body: Any = None, role: str = "ops") -> Any:
        """Return the JSON answer to a POST. Raises NotThereError, RefusedError."""
        return self._ask(service, role, "POST", path, json=body)

    def all(self, service: str, path: str, role: str = "ops", **asked: Any) -> Iterator[Any]:
        """Yield every item of a list, page by page."""
        asked = {"limit": _PAGE} | asked
        while True:
            page = self.get(service, path, role, **asked)
            yield from page["items"]
            if page["next"] is None:
                return
            asked["after"] = page["next"]

    def _ask(self, service: str, role: str, method: str, path: str, **what: Any) -> Any:
        try:
            answer = self._client(service, role).request(method, path, **what)
            if answer.is_success:
                return answer.json()
            code = answer.json().get("code", "unknown")
        except httpx.HTTPError as error:
            raise NotThereError(f"{service} does not answer: see `homeward status`") from error
        except ValueError as error:
            raise NotThereError(f"{service} answers something else than ours does") from error
        if answer.is_server_error:
            raise NotThereError(f"{service} cannot answer now: {code}")
        raise RefusedError(service, answer.status_code, code)

    def _client(self, service: str, role: str) -> httpx.Client:
        if service not in SERVICES:
            raise HomeError(f"no service {service}; there are: {' '.join(SERVICES)}")
        if (service, role) not in self._clients:
            try:
                url, token = self._home.url(service), self._home.token(role, services=[service])
            except HomeError as error:
                raise NotThereError(str(error)) from error
            client = httpx.Client(
                base_url=url,
                headers={"Authorization": f"Bearer {token}"},
                timeout=_TIMEOUT_S,
                trust_env=False,  # no proxy of the surroundings may see these calls
                verify=self._home.verify(),
            )
            self._clients[service, role] = self._open.enter_context(client)
        return self._clients[service, role]
