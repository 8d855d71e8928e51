"""A running `interview`, called as people and services call it."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from support import tables
from support.tokens import ISSUER, Issuer, bearer

from contracts.referral import EpisodeReferred
from messaging import telemetry
from messaging.schema import access, outbox
from messaging.settings import Settings
from messaging.transaction import AlreadyHandledError
from services.interview.app import create
from services.interview.handlers import know_episode

NOON = datetime(2026, 12, 7, 12, 0, tzinfo=UTC)


class Interviews:
    """One running service and what a test does to it."""

    def __init__(self, app: Any, client: httpx.AsyncClient, issuer: Issuer) -> None:
        self.app = app
        self.client = client
        self._issuer = issuer

    async def call(
        self, method: str, path: str, role: str | None = "practitioner", sub: str = "W-1", **what
    ) -> httpx.Response:
        headers = what.pop("headers", {})
        if role is not None:
            headers |= bearer(self._issuer.token(role, sub, "interview"))
        return await self.client.request(method, path, headers=headers, **what)

    async def record(self, body: dict[str, Any], key: str = "k1", **caller) -> httpx.Response:
        headers = {"Idempotency-Key": key}
        return await self.call("POST", "/interviews", json=body, headers=headers, **caller)

    async def hear(self, event: EpisodeReferred) -> None:
        with suppress(AlreadyHandledError):
            await know_episode(event, self.app)

    async def told(self) -> list[tuple[str, str]]:
        """Return subject and body of all events told, in order."""
        async with self.app.db.reading() as session:
            rows = await session.execute(
                select(outbox.c.subject, outbox.c.body).order_by(outbox.c.seq)
            )
            return [(row.subject, row.body) for row in rows]

    async def accesses(self) -> list[tuple[str, str, str]]:
        """Return who read what of whom, in order."""
        async with self.app.db.reading() as session:
            rows = await session.execute(
                select(access.c.caller, access.c.subject_id, access.c.what).order_by(access.c.seq)
            )
            return [tuple(row) for row in rows]


def an_episode(number: int = 1, child: str = "C-1", day: int = 6) -> EpisodeReferred:
    return EpisodeReferred(
        id=f"EV-{number}-{child}",
        occurred_at=NOON,
        referral_id=f"RF-{number}",
        child_id=child,
        episode_id=f"EP-{number}",
        locality="northshire",
        setting="home",
        missing_from=datetime(2026, 12, day, 1, tzinfo=UTC),
        returned_at=datetime(2026, 12, day, 2, tzinfo=UTC),
        received_at=datetime(2026, 12, day, 9, tzinfo=UTC),
    )


@pytest.fixture
async def interviews(url: str, issuer: Issuer, tmp_path: Path) -> AsyncIterator[Interviews]:
    """Give a service that knows episode EP-1 of child C-1, at noon on 7 December.

    Called without sockets and with the broker away: what it tells stays in its outbox.
    """
    telemetry.configure("interview")
    (tmp_path / "ids.key").write_bytes(bytes(range(32)))
    await tables.make(url, "interview")
    api = create(
        Settings(
            database_url=url,
            nats_url="nats://127.0.0.1:1",
            nats_nkey=tmp_path / "none.nk",
            issuer=ISSUER,
            jwks=str(issuer.jwks),
            tokens=tmp_path,
            id_key=tmp_path / "ids.key",
            clock="test",
        )
    )
    transport = httpx.ASGITransport(app=api)
    async with (
        api.router.lifespan_context(api),
        httpx.AsyncClient(transport=transport, base_url="http://interview") as client,
    ):
        here = Interviews(api.state.homeward, client, issuer)
        here.app.clock.set(NOON)
        await here.hear(an_episode())
        yield here


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database of the quicker kind; a test that needs both asks for `database_url`."""
    return f"sqlite:///{tmp_path}/interview.sqlite"
