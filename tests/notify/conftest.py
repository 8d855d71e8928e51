"""A running `notify` with a real mail server; referral and scheduling answer as a test says."""

import email
import email.policy
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select
from support import tables
from support.broker import free_port
from support.talking import Instead
from support.tokens import ISSUER, Issuer, bearer

from contracts.event import Event
from contracts.scheduling import AppointmentBooked
from contracts.sharing import UrgentHoldRaised
from messaging import telemetry
from messaging.app import App
from messaging.edge import Edge
from messaging.schema import outbox
from messaging.transaction import AlreadyHandledError
from services.notify.app import create
from services.notify.handlers import events
from services.notify.settings import NotifySettings

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
STARTS = datetime(2026, 11, 30, 16, 30, tzinfo=UTC)
LOCALITIES = """
localities:
  northshire: {name: Northshire, dsl: dsl@northshire.example, on_call: call@northshire.example,
    manager: manager@northshire.example, authority: northshire, controller: charity}
  eastvale: {dsl: dsl@eastvale.example, on_call: call@eastvale.example,
    manager: manager@eastvale.example, authority: eastvale}
"""


class MailServer:
    """A real SMTP server that can be away, refuse, or break off."""

    def __init__(self) -> None:
        self.mails: list[email.message.EmailMessage] = []
        self.reply: str | None = None
        self.breaks = False
        self.on_mail: Callable[[], None] = lambda: None
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self.port = self._controller.port
        self.start()

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        with suppress(AssertionError):  # it is stopped
            self._controller.stop()

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 -- named so by aiosmtpd
        if self.reply:
            return self.reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 -- named so by aiosmtpd
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(mail)
        self.on_mail()
        if self.breaks:
            server.transport.abort()
        return "250 OK"

    @property
    def to(self) -> list[str]:
        return [str(mail["To"]) for mail in self.mails]

    def text(self, at: int = 0) -> str:
        mail = self.mails[at]
        return f"{mail['Subject']}\n{mail.get_content()}".replace("\r\n", "\n")


class Peers:
    """What referral and scheduling answer; each can be away."""

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.asked: list[str] = []
        self.children: dict[str, Any] = {"C-1": a_child()}
        self.bookings: dict[str, Any] = {"BK-1": a_booking()}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        host, (_, kind, key) = request.url.host, request.url.path.split("/")
        self.asked.append(request.url.path)
        if kind in self.away or host in self.away:
            raise httpx.ConnectError("away")
        found = {"children": self.children, "bookings": self.bookings}[kind].get(key)
        return httpx.Response(200, json=found) if found else httpx.Response(404)


class Notify:
    """One running service and what a test does to it."""

    def __init__(self, app: App, client: httpx.AsyncClient, issuer: Issuer, peers: Peers) -> None:
        self.app = app
        self.client = client
        self.peers = peers
        self._issuer = issuer
        for target in ("referral", "scheduling"):
            app.edges[target] = Edge(app.settings, target, Instead(f"http://{target}", peers))

    async def call(
        self, method: str, path: str, role: str | None = "manager", sub: str = "M-1", **what
    ) -> httpx.Response:
        headers = bearer(self._issuer.token(role, sub, "notify")) if role else {}
        return await self.client.request(method, path, headers=headers, **what)

    async def hear(self, event: Event) -> None:
        for subscription in events.of(event.subject):
            with suppress(AlreadyHandledError):
                await subscription.handler(event, self.app)
        await self.app.timers.run()

    async def page(self, page: UrgentHoldRaised, sub: str = "sharing") -> httpx.Response:
        body = page.model_dump(mode="json")
        answer = await self.call("POST", "/pages", "service", sub, json=body)
        await self.app.timers.run()
        return answer

    async def later(self, **passes: int) -> None:
        """Let time pass and do all that is due by then."""
        await self.app.timers.run(self.app.clock.now() + timedelta(**passes))

    async def states(self) -> list[str]:
        items = (await self.call("GET", "/messages")).json()["items"]
        return [item["state"] for item in items]

    async def tasks(self) -> list[dict[str, Any]]:
        return (await self.call("GET", "/tasks")).json()["items"]

    async def told(self) -> list[tuple[str, str]]:
        async with self.app.db.reading() as session:
            rows = await session.execute(
                select(outbox.c.subject, outbox.c.body).order_by(outbox.c.seq)
            )
            return [(row.subject.split(".")[2], row.body) for row in rows]


def a_child(**changes: Any) -> dict[str, Any]:
    channel = {"kind": "email", "address": "child@example.org", "safe": "safe", "whose": "child"}
    child = {"id": "C-1", "version": 1, "given_name": "Zebra", "family_name": "Canary"}
    return child | {"locality": "northshire", "channels": [channel | changes]}


def a_booking(**changes: Any) -> dict[str, Any]:
    booking = {
        "booking_id": "BK-1",
        "episode_id": "EP-1",
        "child_id": "C-1",
        "worker": "W-1",
        "worker_name": "Ada",
        "venue": "Central Library",
        "starts_at": STARTS.isoformat(),
        "ends_at": (STARTS + timedelta(hours=1)).isoformat(),
    }
    return booking | changes


def booked(**changes: Any) -> AppointmentBooked:
    event = {
        "id": "EV-1",
        "occurred_at": NOW,
        "booking_id": "BK-1",
        "episode_id": "EP-1",
        "child_id": "C-1",
        "worker": "W-1",
        "starts_at": STARTS,
    }
    return AppointmentBooked(**event | changes)


def a_page(**changes: Any) -> UrgentHoldRaised:
    event = {
        "id": "EV-2",
        "occurred_at": NOW,
        "page_id": "PG-1",
        "child_id": "C-1",
        "locality": "northshire",
        "to": "dsl",
        "code": "urgent_hold",
        "due_at": datetime(2026, 11, 30, 12, 42, tzinfo=UTC),
    }
    return UrgentHoldRaised(**event | changes)


@pytest.fixture
def mail() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.stop()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database of the quicker kind; a test that needs both asks for `database_url`."""
    return f"sqlite:///{tmp_path}/notify.sqlite"


@pytest.fixture
def running(url: str, issuer: Issuer, mail: MailServer, tmp_path: Path):
    """`async with running(**settings) as notify`: at 9 o'clock, without sockets, no broker."""
    telemetry.configure("notify")
    (tmp_path / "ids.key").write_bytes(bytes(range(32)))
    (tmp_path / "localities.yaml").write_text(LOCALITIES)
    tokens = issuer.edges(tmp_path, "notify", ["referral", "scheduling"])

    @asynccontextmanager
    async def run(**changes: Any) -> AsyncIterator[Notify]:
        given = {
            "database_url": url,
            "nats_url": "nats://127.0.0.1:1",
            "nats_nkey": tmp_path / "none.nk",
            "issuer": ISSUER,
            "jwks": str(issuer.jwks),
            "tokens": tokens,
            "id_key": tmp_path / "ids.key",
            "clock": "test",
            "localities": tmp_path / "localities.yaml",
            "smtp_url": f"smtp://127.0.0.1:{mail.port}",
            "mail_from": "hello@homeward.example",
        }
        await tables.make(url, "notify")
        api = create(NotifySettings(**given | changes))
        transport = httpx.ASGITransport(app=api)
        async with (
            api.router.lifespan_context(api),
            httpx.AsyncClient(transport=transport, base_url="http://notify") as client,
        ):
            here = Notify(api.state.homeward, client, issuer, Peers())
            here.app.clock.set(NOW)
            yield here

    return run


@pytest.fixture
async def notify(running) -> AsyncIterator[Notify]:
    async with running() as here:
        yield here
