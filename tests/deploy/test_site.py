"""A site's secrets are made once, dealt to each container apart, and reach nobody else."""

import asyncio
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator

import nats
import pytest
import yaml
from cryptography import x509
from support.apart import end_with_us
from support.broker import SERVER, free_port

from contracts import policies as contract
from homeward import enrolment, feed
from homeward.compose import Site
from homeward.engine import policy_digest, signing
from homeward.home import SERVICES, Home, HomeError
from messaging import nats_config
from services.sharing import policy_sources

from .conftest import ROOT


def made(tmp_path, **options) -> Site:
    site = Site(tmp_path / "site")
    site.make_site(**options)
    return site


def contents(site: Site) -> dict[str, bytes]:
    return {str(f.relative_to(site.path)): f.read_bytes() for f in site.path.rglob("*.*")}


def test_nobody_but_its_owner_gets_into_a_site(tmp_path):
    site = made(tmp_path)

    assert stat.S_IMODE(site.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(site.keys_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((site.keys_dir / "ca.key").stat().st_mode) == 0o600


def test_what_a_container_reads_can_be_read_by_a_user_this_host_does_not_know(tmp_path):
    for file in made(tmp_path).secrets.rglob("*.*"):
        assert file.stat().st_mode & 0o004


def test_no_container_gets_a_key_that_signs_for_others(tmp_path):
    site = made(tmp_path)
    dealt = {f.parent.name: set() for f in site.secrets.rglob("*.*")}
    for file in site.secrets.rglob("*.*"):
        dealt[file.parent.name].add(file.name)

    assert {name for name, files in dealt.items() if "issuer.jwk.json" in files} == {"issuer"}
    assert {name for name, files in dealt.items() if "signing.jwk.json" in files} == {"sharing"}
    assert {name for name, files in dealt.items() if "provisioner.nk" in files} == {"provision"}
    assert not any("ca.key" in files for files in dealt.values())
    for service in SERVICES:
        assert not any(other in name for other in SERVICES for name in dealt[service])


def test_making_it_again_changes_nothing(tmp_path):
    site = made(tmp_path)
    before = contents(site)
    site.make_site()

    assert contents(site) == before


def test_two_sites_have_no_secret_in_common(tmp_path):
    one, other = made(tmp_path / "a"), made(tmp_path / "b")
    mine = {f.read_bytes() for f in one.keys_dir.rglob("*.*")}

    assert not mine & {f.read_bytes() for f in other.keys_dir.rglob("*.*")}


@pytest.mark.parametrize(
    ("what", "changed"),
    [("passwords", "database.password"), ("certificates", "tls.crt"), ("opa-token", "opa.token")],
)
def test_renewing_changes_that_and_nothing_else(tmp_path, what, changed):
    site = made(tmp_path)
    before = contents(site)
    site.make_site(renew=(what,))
    after = {
        name: content for name, content in contents(site).items() if "secrets/sharing/" in name
    }
    differ = {name.rpartition("/")[2] for name, content in after.items() if content != before[name]}

    assert changed in differ
    assert differ <= {changed, "tls.key"}


def test_the_engine_gets_the_public_half_of_the_bundle_s_key_and_nobody_the_private_one(tmp_path):
    site = made(tmp_path)
    config = yaml.safe_load((site.secrets / "opa/opa.yaml").read_text())
    key = config["keys"][config["bundles"]["homeward"]["signing"]["keyid"]]["key"]

    assert key == (site.bundle_keys / signing.PUBLIC).read_text()
    assert not [
        f
        for f in site.secrets.rglob("*.*")
        if b"EC PRIVATE" in f.read_bytes() and f.name != "tls.key"
    ]


def test_another_key_for_bundles_is_made_when_it_is_asked_for(tmp_path):
    site = made(tmp_path)
    before = (site.secrets / "opa/opa.yaml").read_text()
    site.make_site(renew=("bundle-key",))

    assert before != (site.secrets / "opa/opa.yaml").read_text()


def test_a_site_begins_with_the_tree_s_policies_signed(tmp_path):
    folder = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "homeward", "site", "make", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 75:
        pytest.skip(done.stderr)

    assert done.returncode == 0, done.stderr
    bundle = Site(folder).bundle
    assert policy_digest(ROOT / "policies") == contract.digest(policy_sources.sources(bundle))


def test_certificates_name_the_part_and_what_partners_call_it(tmp_path):
    site = made(tmp_path, names=("feeds.northshire.example",))
    certificate = x509.load_pem_x509_certificate((site.secrets / "nats/tls.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert {"nats", "feeds.northshire.example"} <= set(names.get_values_for_type(x509.DNSName))
    assert site.partners_url == "tls://feeds.northshire.example:4222"
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(site.ca.read_bytes()))


def test_its_certificates_pass_a_strict_look(tmp_path):
    site = made(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(site.secrets / "nats/tls.crt", site.secrets / "nats/tls.key")
    client = ssl.create_default_context(cafile=str(site.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    out, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(back, out, server_hostname="nats")
    answering = server.wrap_bio(out, back, server_side=True)
    for _ in range(4):
        for side in (asking, answering):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue

    assert asking.getpeercert()


def test_a_folder_of_a_site_is_used_like_a_home(tmp_path):
    site = made(tmp_path)

    assert isinstance(Home.at(site.path), Site)
    assert site.url("sharing") == "https://127.0.0.1:8104"
    with pytest.raises(HomeError, match="docker compose"):
        site.make()


def test_the_demo_refuses_what_is_no_site(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "homeward", "demo", "--site", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 2


# The broker is told over the bus


@pytest.fixture
def running(tmp_path, monkeypatch) -> Iterator[Site]:
    """A site whose broker runs here, with the server block of Compose."""
    site = made(tmp_path)
    port = free_port()
    monkeypatch.setenv("HOMEWARD_PORT_NATS", str(port))
    conf = (ROOT / "deploy/compose/nats.conf").read_text()
    for there, here in (
        ("port: 4222", f'port: {port}\nhost: "127.0.0.1"'),
        ("127.0.0.1:8222", f"127.0.0.1:{free_port()}"),
        ("/run/secrets/homeward", str(site.secrets / "nats")),
        ('"/data"', f'"{tmp_path}/data"'),
        ("accounts/accounts.conf", "site/generated/nats/accounts.conf"),
    ):
        assert there in conf
        conf = conf.replace(there, here)
    (tmp_path / "nats.conf").write_text(conf)
    with (tmp_path / "nats.log").open("wb") as log:
        process = subprocess.Popen(
            [SERVER, "--config", str(tmp_path / "nats.conf")],
            stdout=log,
            stderr=log,
            preexec_fn=end_with_us,  # noqa: PLW1509 - it only asks the kernel
        )
    end = time.monotonic() + 20
    while "Server is ready" not in (tmp_path / "nats.log").read_text():
        assert process.poll() is None, (tmp_path / "nats.log").read_text()
        assert time.monotonic() < end
        time.sleep(0.02)
    yield site
    process.kill()
    process.wait()


def bring(site: Site, key: str) -> feed.Creds:
    """Let a partner bring its keys, and give it what it needs."""
    enrolment.make_keys(key, site.partner(key))
    enrolment.write_context(site, key, site.partner(key))
    return feed.Creds.read(site.partner(key), key)


def read(creds: feed.Creds) -> list:
    found: list = []
    asyncio.run(feed.pull(creds, found.append, feed.Numbers()))
    return found


def test_a_partner_is_let_in_while_the_broker_runs(running):
    creds = bring(running, "northshire-police")
    running.reload_broker()

    assert read(creds) == []


def test_a_partner_that_is_gone_is_let_in_no_more(running):
    creds = bring(running, "northshire-police")
    running.reload_broker()
    (running.partner("northshire-police") / "northshire-police.public.json").unlink()
    running.reload_broker()

    with pytest.raises(feed.FeedError) as refused:
        read(creds)
    assert refused.value.code == feed.NO


def test_accounts_that_the_broker_refuses_are_put_back(running, monkeypatch):
    before = (running.accounts / "accounts.conf").read_bytes()
    monkeypatch.setattr(nats_config, "accounts", lambda *_, **__: "accounts { this is none")

    with pytest.raises(HomeError, match="refused"):
        running.reload_broker()
    assert (running.accounts / "accounts.conf").read_bytes() == before


def test_who_may_ask_for_a_reload_may_do_nothing_else(running):
    async def look() -> list[str]:
        heard: list[str] = []

        async def error(problem: Exception) -> None:
            heard.append(str(problem))

        client = await nats.connect(
            running.nats_url,
            nkeys_seed=str(running.nkey("reloader")),
            tls=ssl.create_default_context(cafile=str(running.ca)),
            error_cb=error,
            allow_reconnect=False,
        )
        await client.subscribe(">")
        await client.subscribe("$SYS.>")
        await client.publish("$SYS.REQ.SERVER.PING.CONNZ", b"")
        await client.publish("evt.sharing.release_permitted.v1", b"")
        await client.flush()
        await asyncio.sleep(0.1)
        await client.close()
        return heard

    heard = asyncio.run(look())

    assert len([line for line in heard if "permissions violation" in line.lower()]) == 4
