"""Keys and certificates are replaced while everything runs, and nobody notices."""

import asyncio
import hashlib
import json
import ssl
import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import OKPKey
from sqlalchemy import text
from support.broker import new_user
from support.certificates import Authority, replace
from support.running import eventually
from support.tokens import ISSUER

from messaging import caller, nats_config
from messaging.caller import Verifier
from messaging.database import Database
from messaging.errors import AwayError
from messaging.problem import Problem
from messaging.trust import serving

from .test_tls import an_edge, refer


async def shown(url: str, ca) -> str:
    """Return the digest of the certificate that a new connection is shown."""
    host, _, port = url.rpartition("//")[2].partition(":")
    trusting = ssl.create_default_context(cafile=str(ca))
    _, writer = await asyncio.open_connection(host, int(port), ssl=trusting)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return hashlib.sha256(found).hexdigest()


def digest(certificate) -> str:
    found = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    return hashlib.sha256(found).hexdigest()


class TestServices:
    """A service shows its new certificate to whoever connects next, and believes new ones."""

    async def test_a_new_certificate_and_a_new_authority_interrupt_no_caller(self, site, tmp_path):
        referral = await site("referral")
        child = (await refer(referral))["child_id"]
        bundle = tmp_path / "bundle.crt"
        bundle.write_bytes(site.authority.ca.read_bytes())
        edge = an_edge(site, referral, tls_ca=bundle)
        stop, answers = asyncio.Event(), []

        async def call_without_end() -> None:
            while not stop.is_set():
                answers.append(await edge.get(f"/children/{child}"))

        calling = asyncio.create_task(call_without_end())
        before = site.authority.directory / "referral.crt"
        first = digest(before)
        assert await shown(referral.url, site.authority.ca) == first

        # both authorities count, then the other one signs, then the former no longer counts
        other = Authority(tmp_path, "other")
        replace(bundle, site.authority.ca.read_bytes() + other.ca.read_bytes())
        files = tmp_path / "referral.crt", tmp_path / "referral.key"
        renewed, key = other.issue("renewed")
        replace(files[0], renewed.read_bytes())
        assert await shown(referral.url, site.authority.ca) == first  # its key is not there yet
        replace(files[1], key.read_bytes())
        assert await shown(referral.url, other.ca) == digest(renewed)
        replace(bundle, other.ca.read_bytes())
        fresh = an_edge(site, referral, tls_ca=bundle)
        assert await fresh.get(f"/children/{child}")
        stop.set()
        await calling
        await edge.close()
        await fresh.close()

        assert answers
        said = [e["event"] for e in site.log("referral")]
        assert said.count("service.started") == 1
        assert {"file.not_read", "file.read_again"} <= set(said)

    async def test_the_brokers_certificate_is_replaced_under_services_that_stay(self, site):
        referral, scheduling = await site("referral"), await site("scheduling")
        certificate, _ = site.authority.issue("nats")
        await nats_config.reload(site.broker.process.pid)
        told = [await refer(referral, number) for number in range(3)]
        for one in told:
            found = await scheduling.call(
                "GET", f"/episodes/{one['episode_id']}", role="practitioner"
            )
            assert found.status_code == 200

        assert await first_word(site) == digest(certificate)
        for name in ("referral", "scheduling"):
            said = [e["event"] for e in site.log(name)]
            assert said.count("broker.listening") == 1
            assert "broker.not_listening" not in said

    async def test_a_services_key_at_the_broker_is_replaced_and_no_event_is_lost(self, site):
        referral, scheduling = await site("referral"), await site("scheduling")
        broker, told, stop = site.broker, [], asyncio.Event()

        async def refer_without_end() -> None:
            while not stop.is_set():
                told.append(await refer(referral, len(told)))

        referring = asyncio.create_task(refer_without_end())
        for name in ("referral", "scheduling"):
            old, new = broker.users[name], new_user(broker.directory / "new.nk")
            broker.users[name] = [old, new]
            broker.configure()
            await nats_config.reload(broker.process.pid)
            replace(broker.seed(name), (broker.directory / "new.nk").read_bytes())
            await eventually(
                lambda name=name: any(e["event"] == "broker.new_key" for e in site.log(name))
            )
            await site_ready(site, name)
            broker.users[name] = new
            broker.configure()
            await nats_config.reload(broker.process.pid)
        stop.set()
        await referring
        await referral.at_rest()
        await scheduling.at_rest(30)
        listed = await scheduling.call("GET", "/offers", role="manager", params={"limit": 200})

        assert {o["episode_id"] for o in listed.json()["items"]} == {o["episode_id"] for o in told}
        assert not any(e["event"] == "broker.away" for e in site.log("referral"))


async def site_ready(site, name: str) -> None:
    (running,) = [one for one in site.running if one.name == name]
    await running.until_ready()


async def first_word(site) -> str:
    """Return the digest of the certificate that the broker shows to who begins with TLS."""
    return await shown(site.broker.url, site.authority.ca)


async def test_a_databases_password_and_certificate_are_replaced(site, tmp_path):
    if site.postgres is None:
        pytest.skip("no Postgres with TLS: install the system's package")
    url, ca = site.postgres.database("referral"), site.authority.ca
    db = Database(url, ca, site.postgres.password)

    async def ask() -> int:
        async with db.reading() as session:
            return int((await session.execute(text("select 1"))).scalar_one())

    async def connections() -> int:
        return await asyncio.gather(*(ask() for _ in range(4)))  # more than one is open at a time

    assert await connections() == [1] * 4
    for _ in range(2):
        site.postgres.change_password()
        site.postgres.take(site.authority.issue("postgres"))
        assert await connections() == [1] * 4
        await db.engine.dispose(close=False)  # what the pool does with connections that ended
        assert await connections() == [1] * 4
    await db.dispose()


# Tokens


class Provider:
    """An OpenID Connect provider as far as its public keys go, over HTTPS."""

    def __init__(self) -> None:
        self.keys: list[dict] = []
        self.asked = 0
        self.broken = False

    async def __call__(self, scope, receive, send) -> None:
        self.asked += 1
        body = json.dumps({"keys": self.keys}).encode()
        status = 500 if self.broken else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def provider(tmp_path):
    """A provider at `url`, whose certificate is signed by the authority in `ca`."""
    authority, made = Authority(tmp_path, "provider-ca"), Provider()
    files = authority.issue("provider")
    made.ca, made.authority = authority.ca, authority
    config = uvicorn.Config(
        made, port=0, log_config=None, lifespan="off",
        ssl_context_factory=lambda *_: serving(*files),
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # the test run has its own
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    made.url = f"https://localhost:{port}/keys"
    yield made
    server.should_exit = True
    await task


class Signing:
    """A key of the provider: `token()` is signed with it."""

    def __init__(self, kid: str) -> None:
        self.key = OKPKey.generate_key("Ed25519", {"kid": kid})
        self.public = self.key.as_dict(private=False)
        self.kid = kid

    def token(self) -> str:
        claims = {
            "iss": ISSUER, "sub": "W-1", "aud": ["referral"], "roles": ["practitioner"],
            "exp": int(time.time()) + 600,
        }  # fmt: skip
        header = {"alg": "Ed25519", "kid": self.kid}
        return "Bearer " + jwt.encode(header, claims, self.key, algorithms=["Ed25519"])


@pytest.fixture
def clock(monkeypatch):
    """`clock.pass_s(n)` lets time pass for the verifier alone."""

    class Passing:
        passed = 0.0

        def pass_s(self, seconds: float) -> None:
            self.passed += seconds

    made = Passing()
    clocks = SimpleNamespace(time=time.time, monotonic=lambda: time.monotonic() + made.passed)
    monkeypatch.setattr(caller, "time", clocks)
    return made


@pytest.fixture(params=["file", "url"])
def issuer_of(request, provider, tmp_path):
    """`issuer_of(*keys)` publishes keys, at a URL or in a file; `verifier` reads them there."""
    file = tmp_path / "provider.json"

    def publish(*keys: Signing) -> None:
        provider.keys = [one.public for one in keys]
        replace(file, json.dumps({"keys": provider.keys}).encode())

    def away() -> None:
        provider.broken = True
        file.unlink()

    publish()
    where = provider.url if request.param == "url" else str(file)
    publish.verifier = Verifier(ISSUER, "referral", where, provider.ca)
    publish.away = away
    return publish


async def test_old_tokens_count_until_the_old_key_is_dropped(issuer_of, clock):
    old, new = Signing("2026"), Signing("2027")
    issuer_of(old)
    assert await issuer_of.verifier.caller(old.token())
    issuer_of(old, new)
    clock.pass_s(3)
    assert await issuer_of.verifier.caller(new.token())
    assert await issuer_of.verifier.caller(old.token())
    issuer_of(new)
    clock.pass_s(caller._KEYS_AGE_MAX_S + 1)

    assert await issuer_of.verifier.caller(new.token())
    with pytest.raises(Problem):
        await issuer_of.verifier.caller(old.token())


async def test_an_issuer_that_is_away_is_believed_for_a_while_and_no_longer(issuer_of, clock):
    key = Signing("2026")
    issuer_of(key)
    assert await issuer_of.verifier.caller(key.token())
    issuer_of.away()
    clock.pass_s(caller._KEYS_OLDEST_S - 60)
    assert await issuer_of.verifier.caller(key.token())
    clock.pass_s(120)

    with pytest.raises(AwayError):
        await issuer_of.verifier.caller(key.token())


async def test_made_up_key_ids_do_not_make_us_flood_the_issuer(provider, clock):
    key = Signing("2026")
    provider.keys = [key.public]
    verifier = Verifier(ISSUER, "referral", provider.url, provider.ca)
    await verifier.caller(key.token())
    clock.pass_s(3)
    for number in range(50):
        with pytest.raises(Problem):
            await verifier.caller(Signing(f"made-up-{number}").token())

    assert provider.asked == 2


async def test_many_callers_at_once_ask_once(provider):
    key = Signing("2026")
    provider.keys = [key.public]
    verifier = Verifier(ISSUER, "referral", provider.url, provider.ca)
    await asyncio.gather(*(verifier.caller(key.token()) for _ in range(20)))

    assert provider.asked == 1


@pytest.mark.parametrize("broken", ["authority", "clear"])
async def test_keys_from_somebody_else_are_no_keys(provider, tmp_path, broken):
    key = Signing("2026")
    provider.keys = [key.public]
    url = provider.url.replace("https", "http") if broken == "clear" else provider.url
    verifier = Verifier(ISSUER, "referral", url, Authority(tmp_path, "another").ca)

    with pytest.raises(AwayError) as refused:
        await verifier.caller(key.token())
    assert broken == "clear" or refused.value.why == "certificate.unknown_authority"
    with pytest.raises(AwayError):  # at once: an issuer that is away is not asked for each call
        await verifier.caller(key.token())
    assert provider.asked == 0


async def test_an_issuer_that_answers_nonsense_has_no_keys(provider):
    provider.broken = True
    verifier = Verifier(ISSUER, "referral", provider.url, provider.ca)

    with pytest.raises(AwayError):
        await verifier.caller(Signing("2026").token())
