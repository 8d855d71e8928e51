"""People who use a home through its public APIs, and do not give up while it is broken."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from faults.seen import ClockSet

from homeward.demo.world import PEOPLE
from homeward.home import SERVICES, Home

ANSWERED_WITHIN_S = 300.0
"""No call may stay without an answer for longer, whatever is broken: it is healed long before."""
ONE_TRY_S = 10.0
NOT_YET = {"child.unknown", "episode.unknown", "item.unknown", "judgement.not_on_case"}
"""Refusals of a fact that is still on its way; a broken bus takes its time."""


class RefusedError(Exception):
    """A call was answered in a way that the load does not expect: neither done nor later."""


class UnansweredError(Exception):
    """A call had no answer although everything was healed."""


@dataclass(frozen=True)
class Answer:
    """One call that was answered, with the instants (monotonic) of asking and of the answer."""

    who: str
    method: str
    service: str
    path: str
    key: str | None
    request: Mapping[str, Any] | None
    status: int
    body: Any
    asked_at: float
    answered_at: float
    tries: int


@dataclass
class Outside:
    """All services of a home as people see them; every answer is kept."""

    home: Home
    answers: list[Answer] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    """How often a call was put off, by status and code; 500 is a mistake of ours."""
    clocks: list[ClockSet] = field(default_factory=list)
    """What the clock of `sharing` was set to; first what it is without that."""

    def __post_init__(self) -> None:
        self.clocks.append(ClockSet(time.monotonic(), datetime.now(UTC)))
        self._urls = {name: self.home.url(name) for name in SERVICES}
        self._tokens = {who: self.home.token(role, sub) for who, (role, sub) in PEOPLE.items()}
        self._http = httpx.AsyncClient(
            timeout=ONE_TRY_S,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=10),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def call(
        self,
        who: str,
        method: str,
        service: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        **params: Any,
    ) -> Any:
        """Call as one person, again with the same key until there is an answer; return its body.

        Raises `RefusedError`, and `UnansweredError` after five minutes.
        """
        headers = {"Authorization": f"Bearer {self._tokens[who]}"}
        if key:
            headers["Idempotency-Key"] = key
        request = self._http.build_request(
            method, f"{self._urls[service]}{path}", json=body, params=params, headers=headers
        )
        asked_at, tries = time.monotonic(), 0
        while True:
            tries += 1
            answer = await self._try(request)
            if answer is not None and answer.is_success:
                found = answer.json() if answer.content else None
                one = Answer(
                    who, method, service, path, key, body, answer.status_code, found,
                    asked_at, time.monotonic(), tries,
                )  # fmt: skip
                if method != "GET":
                    self.answers.append(one)
                return found
            why = self._put_off(answer, f"{method} {service}{path} as {who}")
            self.errors[why] = self.errors.get(why, 0) + 1
            if time.monotonic() - asked_at > ANSWERED_WITHIN_S:
                raise UnansweredError(f"{method} {service}{path}: {why} after {tries} tries")
            await asyncio.sleep(min(1.0, 0.05 * 2**tries))

    async def _try(self, request: httpx.Request) -> httpx.Response | None:
        try:
            return await self._http.send(request)
        except httpx.HTTPError:
            return None

    def _put_off(self, answer: httpx.Response | None, what: str) -> str:
        """Return why the call has to be made again. Raises `RefusedError` where that is no use."""
        if answer is None:
            return "no answer"
        try:
            code = str(answer.json().get("code"))
        except ValueError:
            code = ""
        if answer.status_code >= 500 or code in NOT_YET:
            return f"{answer.status_code} {code}"
        raise RefusedError(f"{what}: {answer.status_code} {answer.text[:500]}")

    async def all_of(self, who: str, service: str, path: str, **params: Any) -> list[Any]:
        """Return the items of all pages of a list."""
        found: list[Any] = []
        after: str | None = None
        while True:
            more = {**params, "limit": 200, **({"after": after} if after else {})}
            page = await self.call(who, "GET", service, path, **more)
            found += page["items"]
            after = page.get("next")
            if not after:
                return found

    async def set_clock(self, now: datetime, *services: str) -> None:
        """Set the test clock of some services, else of all, once each."""
        body = {"now": now.isoformat()}
        chosen = services or SERVICES
        if "sharing" in chosen:
            self.clocks.append(ClockSet(time.monotonic(), now))
        await asyncio.gather(*(self.call("ops", "PUT", name, "/clock", body) for name in chosen))

    async def pending(self) -> dict[str, float]:
        """Return what is not at rest: `service kind` → how much; NaN where it is not known."""
        found: dict[str, float] = {}
        for name in SERVICES:
            try:
                text = (await self._http.get(f"{self._urls[name]}/metrics")).text
            except httpx.HTTPError:
                found[f"{name} itself"] = float("nan")
                continue
            for line in text.splitlines():
                if line.startswith("homeward_pending{"):
                    kind, value = line.split('"')[1], float(line.rpartition(" ")[2])
                    if value != 0:
                        found[f"{name} {kind}"] = value
        return found

    async def ready(self) -> bool:
        """Tell whether every service proves its round trips."""

        async def one(name: str) -> bool:
            with suppress(httpx.HTTPError):
                return (await self._http.get(f"{self._urls[name]}/ready")).is_success
            return False

        return all(await asyncio.gather(*map(one, SERVICES)))
