"""One `scheduling` per database, called over HTTP; events go straight to its handlers."""

import contextlib
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from support import tables
from support.tokens import ISSUER, Issuer, bearer

from contracts.event import Event
from messaging.app import App
from messaging.schema import outbox
from messaging.transaction import AlreadyHandledError
from services.scheduling.app import create
from services.scheduling.settings import SchedulingSettings

sys.path.insert(0, str(Path(__file__).parent))  # `scheduling_builders` is imported by name


class Cases:
    """The service, ways to call it, and what it told."""

    def __init__(self, app: App, client: httpx.AsyncClient, issuer: Issuer) -> None:
        self.app = app
        self.client = client
        self.issuer = issuer

    async def call(self, method: str, path: str, body=None, *, role="practitioner", sub="", **how):
        token = self.issuer.token(role, sub=sub, audience="scheduling")
        headers = bearer(token) | how.pop("headers", {})
        return await self.client.request(method, path, json=body, headers=headers, **how)

    async def get(self, path: str, **how):
        answer = await self.call("GET", path, **how)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def do(self, what: str, episode: str, body=None, **how):
        """POST and expect success; return the answer's body."""
        answer = await self.call("POST", f"/episodes/{episode}/{what}", body, **how)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    async def refused(self, what: str, episode: str, body=None, **how) -> tuple[int, str]:
        """POST and expect a problem; return its status and code."""
        answer = await self.call("POST", f"/episodes/{episode}/{what}", body, **how)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        return answer.status_code, answer.json()["code"]

    async def take(self, event: Event) -> None:
        """Hand an event to its handlers as the bus does: one taken before is done."""
        for subscription in self.app.subscriptions.of(event.subject):
            with contextlib.suppress(AlreadyHandledError):
                await subscription.handler(event, self.app)

    async def at(self, now: datetime) -> None:
        """Make it `now` and let every timer run that is due."""
        await self.app.timers.run(now)

    async def told(self, fact: str, episode: str | None = None) -> list[dict]:
        """Return the events of one kind in the outbox, in order."""
        of_kind = outbox.select().where(outbox.c.subject == f"evt.scheduling.{fact}.v1")
        async with self.app.db.reading() as session:
            rows = await session.execute(of_kind.order_by(outbox.c.seq))
            told = [json.loads(row.body) for row in rows]
        return [event for event in told if episode in {None, event["episode_id"]}]

    async def clock(self, episode: str, name: str) -> dict:
        case = await self.get(f"/episodes/{episode}")
        (found,) = [clock for clock in case["clocks"] if clock["clock"] == name]
        return found

    async def worker(self, worker: str, gender="female", **more) -> None:
        body = {"name": f"Name of {worker}", "gender": gender} | more
        answer = await self.call("PUT", f"/workers/{worker}", body, role="manager")
        assert answer.status_code == 200, answer.text


@pytest.fixture
async def cases(database_url: str, issuer: Issuer, tmp_path: Path) -> AsyncIterator[Cases]:
    (tmp_path / "ids.key").write_bytes(bytes(range(32)))
    settings = SchedulingSettings(
        database_url=database_url, nats_url="nats://127.0.0.1:1", nats_nkey=tmp_path / "none.nk",
        issuer=ISSUER, jwks=str(issuer.jwks), tokens=tmp_path, clock="test",
        id_key=tmp_path / "ids.key",
    )  # fmt: skip
    await tables.make(database_url, "scheduling")
    api = create(settings)
    app = api.state.homeward
    app.clock.set(datetime(2026, 11, 28, 9, 15, tzinfo=UTC))
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://scheduling") as client:
        yield Cases(app, client, issuer)
    await app.db.dispose()
