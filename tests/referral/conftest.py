"""One `referral` per database, called over HTTP as anybody would; no bus is needed for it."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from support import tables
from support.tokens import ISSUER, Issuer, bearer

from messaging.app import App
from messaging.schema import access, outbox
from messaging.settings import Settings
from services.referral.app import create, read_localities

LOCALITIES = """
northshire:
  authority: northshire
  triggers:
    - {count: 3, window_days: 30, action: strategy_meeting}
    - {count: 3, window_days: 90, action: strategy_meeting}
eastvale: {authority: eastvale}
"""
NOW = datetime(2027, 1, 20, 12, tzinfo=UTC)


class Referrals:
    """The service, and ways to call it and to see what it told."""

    def __init__(self, app: App, client: httpx.AsyncClient, issuer: Issuer) -> None:
        self.app = app
        self.client = client
        self.issuer = issuer

    async def call(self, method: str, path: str, body=None, *, role="practitioner", sub="", **how):
        token = self.issuer.token(role, sub=sub, audience="referral")
        headers = bearer(token) | how.pop("headers", {})
        return await self.client.request(method, path, json=body, headers=headers, **how)

    async def refer(self, body, key: str | None = None, **how):
        headers = {"Idempotency-Key": key} if key else {}
        return await self.call("POST", "/referrals", body, headers=headers, **how)

    async def get(self, path: str, **how):
        answer = await self.call("GET", path, **how)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def told(self, fact: str) -> list[dict]:
        """Return the events of one kind in the outbox, in order."""
        of_kind = outbox.select().where(outbox.c.subject == f"evt.referral.{fact}.v1")
        async with self.app.db.reading() as session:
            rows = await session.execute(of_kind.order_by(outbox.c.seq))
            return [json.loads(row.body) for row in rows]

    async def reads(self) -> list[tuple[str, str]]:
        """Return who read about whom."""
        async with self.app.db.reading() as session:
            rows = await session.execute(access.select().order_by(access.c.seq))
            return [(row.caller, row.subject_id) for row in rows]

    async def tasks(self, role: str = "manager") -> list[dict]:
        return (await self.get("/tasks", role=role))["items"]

    async def episodes(self, **params) -> list[dict]:
        return (await self.get("/episodes", params=params))["items"]


@pytest.fixture
async def referrals(database_url: str, issuer: Issuer, tmp_path: Path) -> AsyncIterator[Referrals]:
    (tmp_path / "ids.key").write_bytes(bytes(range(32)))
    (tmp_path / "localities.yaml").write_text(LOCALITIES)
    settings = Settings(
        database_url=database_url, nats_url="nats://127.0.0.1:1", nats_nkey=tmp_path / "none.nk",
        issuer=ISSUER, jwks=str(issuer.jwks), tokens=tmp_path, clock="test",
        id_key=tmp_path / "ids.key", localities=tmp_path / "localities.yaml",
    )  # fmt: skip
    await tables.make(database_url, "referral")
    api = create(settings)
    app = api.state.homeward
    app.clock.set(NOW)
    await read_localities(app)
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://referral") as client:
        yield Referrals(app, client, issuer)
    await app.db.dispose()
