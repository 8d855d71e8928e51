"""The people of a demo: each calls the public APIs with a token of their own, and time is set."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from homeward.home import SERVICES, Home

PEOPLE = {
    "worker": ("practitioner", "W-1"),
    "other worker": ("practitioner", "W-2"),
    "dsl": ("dsl", "dsl-northshire"),
    "manager": ("manager", "manager-northshire"),
    "dpo": ("dpo", "dpo-northshire"),
    "ops": ("ops", "ops-1"),
}
"""Role and name of everybody who acts in a case."""

AT_REST_WITHIN_S = 90.0
STILL_FOR = 2
"""Looks in a row that must find nothing pending: what one service ends, another begins."""

_PENDING = re.compile(r"^homeward_pending\{[^}]*\} (\S+)$", re.MULTILINE)


class StepFailedError(Exception):
    """A call of a case was answered in another way than the case expects."""


@dataclass
class Ids:
    """What the services called the things of one case."""

    child: str = ""
    episodes: dict[str, str] = field(default_factory=dict)
    interviews: dict[str, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    """What a step saw and a check wants to know later."""


class World:
    """All services of a home, seen from outside."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.ids: dict[str, Ids] = {}
        self._urls = {name: home.url(name) for name in SERVICES}
        self._tokens = {who: home.token(role, sub) for who, (role, sub) in PEOPLE.items()}
        self._http = httpx.AsyncClient(timeout=20.0, trust_env=False, verify=home.verify())

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    def of(self, case: str) -> Ids:
        """Return the ids of a case."""
        return self.ids.setdefault(case, Ids())

    async def call(
        self,
        who: str,
        method: str,
        service: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        expect: tuple[int, ...] = (200, 201, 202, 204),
        **params: Any,
    ) -> Any:
        """Call one service as one person; return the JSON answer.

        Raises `StepFailedError` with status and problem code where the status is not expected.
        """
        headers = {"Authorization": f"Bearer {self._tokens[who]}"}
        if key:
            headers["Idempotency-Key"] = key
        answer = await self._http.request(
            method, f"{self._urls[service]}{path}", json=body, params=params, headers=headers
        )
        if answer.status_code not in expect:
            raise StepFailedError(
                f"{method} {service}{path} as {who}: {answer.status_code} {answer.text[:600]}"
            )
        return answer.json() if answer.content else None

    async def all_of(self, who: str, service: str, path: str, **params: Any) -> list[Any]:
        """Return the items of all pages."""
        found: list[Any] = []
        after: str | None = None
        while True:
            more = {**params, "limit": 200, **({"after": after} if after else {})}
            page = await self.call(who, "GET", service, path, **more)
            if isinstance(page, list):
                return page
            found += page["items"]
            after = page.get("next")
            if not after:
                return found

    async def set_time(self, now: datetime) -> None:
        """Set the clock of every service, then wait until all that was due is done."""
        body = {"now": now.isoformat()}
        await asyncio.gather(*(self.call("ops", "PUT", name, "/clock", body) for name in SERVICES))
        await self.rest()

    async def rest(self) -> None:
        """Wait until no service has anything pending.

        Raises `StepFailedError` naming what is still pending after a minute and a half.
        """
        end = asyncio.get_running_loop().time() + AT_REST_WITHIN_S
        still = 0
        while still < STILL_FOR:
            pending = await asyncio.gather(*(self._pending(name) for name in SERVICES))
            still = still + 1 if not any(pending) else 0
            if asyncio.get_running_loop().time() > end:
                busy = [n for n, some in zip(SERVICES, pending, strict=True) if some]
                raise StepFailedError(f"still at work after {AT_REST_WITHIN_S:g} s: {busy}")
            if still < STILL_FOR:
                await asyncio.sleep(0.02)

    async def _pending(self, service: str) -> bool:
        answer = await self._http.get(f"{self._urls[service]}/metrics")
        values = [float(value) for value in _PENDING.findall(answer.text)]
        return any(value != 0 for value in values)  # NaN, not known, is not zero either
