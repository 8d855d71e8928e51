"""How the policy commands reach `sharing`: on a home or a site as somebody, else with a token."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

import httpx
import typer

from homeward.home import Home, HomeError

NO, WRONG_USE, AWAY = 1, 2, 75
TOKEN, CA = "HOMEWARD_TOKEN", "HOMEWARD_TLS_CA"

HomeOption = Annotated[
    Path | None, typer.Option("--home", envvar="HOMEWARD_HOME", help="Folder of this home")
]
RoleOption = Annotated[
    str, typer.Option("--role", help="In which role: ig_lead dpo dsl manager (on a home)")
]
SubOption = Annotated[str | None, typer.Option("--sub", help="Who you are, e.g. IG-1 (on a home)")]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help=f"A sharing elsewhere; your token is taken from {TOKEN}"),
]


class LifeError(HomeError):
    """A step in the life of a policy was not done; `code` is the exit code."""

    def __init__(self, why: str, code: int = NO) -> None:
        super().__init__(why)
        self.code = code


class RefusedError(LifeError):
    """`sharing` refused a step."""

    def __init__(
        self,
        status: int,
        told: str,
        fields: list[tuple[str, str]],
        findings: list[dict[str, Any]],
    ) -> None:
        forbidden = status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
        super().__init__(f"sharing refuses: {told}", WRONG_USE if forbidden else NO)
        self.status, self.told = status, told
        self.fields, self.findings = fields, findings


@dataclass(frozen=True)
class Access:
    """Which `sharing`, and as whom."""

    home: Home
    """The home or site; with `url` only a place to keep copies in, if it is one at all."""
    role: str
    sub: str | None
    url: str | None = None
    token: str = field(default="", repr=False)

    @classmethod
    def of(cls, home: Path | None, role: str, sub: str | None, url: str | None = None) -> Self:
        """Return what the options of a command say. Raises LifeError where they do not fit."""
        token = os.environ.get(TOKEN, "")
        if url and not token:
            raise LifeError(f"--url needs your token in {TOKEN}", WRONG_USE)
        if url and not url.startswith("https://") and "//127.0.0.1" not in url:
            raise LifeError("--url takes https:// alone: the token would go in clear", WRONG_USE)
        if not url and not sub:
            raise LifeError("say who you are: --sub IG-1", WRONG_USE)
        return cls(Home.at(home), role, sub, url, token)

    @property
    def on_home(self) -> bool:
        """Tell whether the engine's policies are a file of ours, to be put in place by us."""
        return self.url is None


class Sharing:
    """`sharing`, asked as somebody."""

    def __init__(self, access: Access) -> None:
        try:
            here = access.home
            url = access.url or here.url("sharing")
            token = access.token or here.token(access.role, access.sub, services=["sharing"])
            verify = _authority() if access.url else here.verify()
        except LifeError:
            raise
        except (HomeError, OSError) as error:
            raise LifeError(str(error), AWAY) from error
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,  # no proxy of the surroundings may see these calls
            verify=verify,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str = "", **asked: Any) -> dict[str, Any]:
        """Return what `sharing` tells of /policies. Raises LifeError, RefusedError."""
        return self._ask("GET", path, params=asked)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Take a step and return the answer. Raises LifeError, RefusedError."""
        return self._ask("POST", path, json=dict(body))

    def _ask(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        try:
            answer = self._client.request(method, f"/policies{path}", **what)
            told: dict[str, Any] = answer.json() if answer.content else {}
        except (httpx.HTTPError, ValueError) as error:
            raise LifeError("sharing does not answer: see `homeward status`", AWAY) from error
        if answer.is_success:
            return told
        if answer.is_server_error:
            raise LifeError(f"sharing cannot answer now: {told.get('code')}", AWAY)
        fields = [(str(e.get("field")), str(e.get("code"))) for e in told.get("errors", [])]
        code = str(told.get("code", answer.status_code))
        raise RefusedError(answer.status_code, code, fields, list(told.get("findings", [])))


def _authority() -> ssl.SSLContext | bool:
    named = os.environ.get(CA)
    return ssl.create_default_context(cafile=named) if named else True
