"""Everything over TLS alone, as production has it; who is not what they say is not spoken to."""

import asyncio
import json
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from support.broker import Broker, environment
from support.certificates import Authority
from support.running import eventually

from messaging import trust
from messaging.database import Database, database_away
from messaging.edge import Edge
from messaging.errors import AwayError
from messaging.settings import Settings


def a_referral(number: int = 1) -> dict:
    missing = datetime.now(UTC) - timedelta(days=1)
    return {
        "source": "police",
        "police_reference": f"NP/26/{number:04}",
        "locality": "northshire",
        "child": {"given_name": "A", "family_name": "B", "date_of_birth": "2011-05-01"},
        "episode": {
            "missing_from": missing.isoformat(),
            "returned_at": (missing + timedelta(hours=5)).isoformat(),
        },
    }


async def refer(referral, number: int = 1) -> dict:
    """Refer a child and return the answer."""
    taken = await referral.call("POST", "/referrals", a_referral(number), role="practitioner")
    assert taken.status_code == 201, taken.text
    return taken.json()


def an_edge(site, referral, **changes) -> Edge:
    """Return the edge along which `sharing` calls this referral."""
    settings = {
        "service": "sharing",
        "database_url": "sqlite://",
        "nats_url": "tls://localhost",
        "nats_nkey": site.broker.seed("sharing"),
        "issuer": "urn:homeward:test",
        "jwks": str(site.issuer.jwks),
        "tokens": site.issuer.edges(site.directory, "sharing", ["referral"]),
        "peers": {"referral": referral.url},
        "id_key": site.directory / "ids.key",
        "tls_ca": site.authority.ca,
    } | changes
    return Edge(Settings(**settings), "referral")


async def test_events_and_calls_travel_over_tls_alone(site):
    referral = await site("referral")
    scheduling = await site("scheduling")
    told = await refer(referral)
    seen = await scheduling.call("GET", f"/episodes/{told['episode_id']}", role="practitioner")
    edge = an_edge(site, referral)
    asked = await edge.get(f"/children/{told['child_id']}")
    await edge.close()

    assert seen.json()["child_id"] == told["child_id"]
    assert asked["given_name"] == "A"


class TestEdges:
    """A service that calls another believes its certificate, or does not call it."""

    @pytest.fixture
    async def referral(self, site):
        return await site("referral")

    async def why(self, edge: Edge) -> str:
        with pytest.raises(AwayError) as refused:
            await edge.get("/children/C-1")
        await edge.close()
        return refused.value.why

    async def test_a_certificate_has_to_be_of_our_authority_of_this_name_and_of_today(
        self, site, referral, tmp_path
    ):
        another = Authority(tmp_path, "another")
        by_number = referral.url.replace("localhost", "127.0.0.2")
        for_clear = referral.url.replace("https", "http")

        assert await self.why(an_edge(site, referral, tls_ca=another.ca)) == (
            "certificate.unknown_authority"
        )
        named = an_edge(site, referral, peers={"referral": by_number})
        assert await self.why(named) in {"certificate.other_name", "ConnectionRefusedError"}
        clear = an_edge(site, referral, peers={"referral": for_clear})
        assert await self.why(clear) in {"RemoteProtocolError", "ConnectionResetError"}
        site.authority.issue("referral", ["elsewhere"])
        assert await self.why(an_edge(site, referral)) == "certificate.other_name"
        site.authority.issue("referral", days=-1)
        assert await self.why(an_edge(site, referral)) == "certificate.expired"
        site.authority.issue("referral")
        edge = an_edge(site, referral)
        with pytest.raises(Exception, match="referral"):
            await edge.get("/children/C-1")  # let in; there is no such child
        await edge.close()

    async def test_the_service_says_why_it_took_no_call(self, site, referral):
        host, _, port = referral.url.removeprefix("https://").partition(":")
        with socket.create_connection((host, int(port))) as plain:
            plain.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"HTTP/1.1 200" not in plain.recv(100)

        await eventually(
            lambda: any(
                (e["event"], e.get("reason")) == ("tls.refused", "tls.http_request")
                for e in site.log("referral")
            )
        )


def reasons(site, name: str, event: str) -> set[str | None]:
    return {e.get("reason") for e in site.log(name) if e["event"] == event}


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("authority", "certificate.unknown_authority"),
        ("ended", "certificate.expired"),
        ("name", "certificate.other_name"),
        ("in clear", "tls."),
    ],
)
async def test_a_broker_that_is_not_ours_is_not_spoken_to(site, tmp_path, broken, why):
    changes = {}
    if broken == "authority":
        changes = {"nats_ca": Authority(tmp_path, "another").ca}
    elif broken == "in clear":  # whoever stands between could say so in our broker's name
        site.broker.stop()
        Broker.configure(site.broker)
        site.broker.configure = lambda: None
        site.broker.start()
    else:
        hosts, days = (["elsewhere"], 1) if broken == "name" else (["localhost"], -1)
        site.authority.issue("nats", hosts, days=days)
        site.broker.stop()
        site.broker.start()
    service = await site("referral", wait=False, **changes)

    await eventually(
        lambda: any((r or "").startswith(why) for r in reasons(site, "referral", "broker.error"))
    )
    assert (await service._client.get("/ready")).status_code == 503
    assert "CONNECT" not in site.broker.log


async def test_the_broker_takes_nobody_in_clear(site):
    reader, writer = await asyncio.open_connection("127.0.0.1", site.broker.port)
    told = json.loads((await reader.readline()).removeprefix(b"INFO "))
    writer.write(b"CONNECT {}\r\nPING\r\n")

    assert told["tls_required"]
    assert b"PONG" not in await reader.read()
    writer.close()


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("authority", "certificate.unknown_authority"),
        ("ended", "certificate.expired"),
        ("name", "certificate.other_name"),
    ],
)
async def test_a_database_that_is_not_ours_is_not_spoken_to(site, tmp_path, broken, why):
    if site.postgres is None:
        pytest.skip("no Postgres with TLS: install the system's package")
    hosts, days = (["elsewhere"], 1) if broken == "name" else (["localhost"], 1)
    site.postgres.take(
        site.authority.issue("postgres", hosts, days=-1 if broken == "ended" else days)
    )
    ca = Authority(tmp_path, "another").ca if broken == "authority" else site.authority.ca
    db = Database(site.postgres.database("referral"), ca, site.postgres.password)

    async def refused() -> bool:
        try:
            async with db.reading() as session:
                await session.execute(text("select 1"))
        except ssl.SSLError as error:
            # work waits for a database that is away, and never becomes a dead letter
            return database_away(error) and trust.reason(error) == why
        return False

    await eventually(refused)  # Postgres takes a moment to read its certificate again
    await db.dispose()


async def test_a_database_takes_nobody_in_clear(site):
    if site.postgres is None:
        pytest.skip("no Postgres with TLS: install the system's package")
    url = site.postgres.database("referral").replace("verify-full", "disable")
    db = Database(url, None, site.postgres.password)

    with pytest.raises(Exception, match="no encryption") as refused:
        async with db.reading() as session:
            await session.execute(text("select 1"))
    assert database_away(refused.value)
    await db.dispose()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nats_url": "nats://localhost:4222"}, {"name": "nats_url"}),
        ({"peers": '{"referral": "http://localhost"}'}, {"name": "peers"}),
        ({"database_url": "postgresql://u:hunter2@localhost/x"}, {"name": "database_url"}),
        ({"tls_key": "/nowhere/hunter2.key"}, {"error": "FileNotFoundError"}),
        ({"listen": "203.0.113.7:1"}, {"error": "OSError"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_a_start_that_fails_says_why_and_no_value(site, change, says):
    variables = site.settings("referral", **change)
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "services.referral"],
        env=environment() | variables, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    lines = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]

    (said,) = [line for line in lines if line["event"] == "service.not_started"]
    assert ended.returncode in {1, 2}
    assert says.items() <= said.items()
    assert "hunter2" not in ended.stdout + ended.stderr
