"""What runs beside the services of a site does its one job, and a health check tells the truth."""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from support.broker import free_port

from homeward.compose import ISSUER, Site
from messaging.topology import load


def job(*words: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "homeward.jobs", *words],
        env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def site(tmp_path) -> Site:
    made = Site(tmp_path / "site")
    made.make_site()
    return made


def test_accounts_follow_from_public_keys_and_the_topology_alone(site, tmp_path):
    there = site.accounts / "accounts.conf"
    before = there.read_bytes()
    there.unlink()

    assert job("accounts", str(site.accounts)).wait() == 0
    assert there.read_bytes() == before


def test_every_edge_gets_a_token_that_the_services_take(site, tmp_path):
    key = site.secrets / "issuer/issuer.jwk.json"
    issuing = job("issue", str(tmp_path), HOMEWARD_ISSUER=ISSUER, HOMEWARD_ISSUER_KEY=str(key))
    wanted = {tmp_path / a / f"{b}.jwt": (a, b) for a, b in load().http_edges()}
    end = time.monotonic() + 30
    while not all(file.exists() for file in wanted) and time.monotonic() < end:
        time.sleep(0.05)
    issuing.terminate()

    assert issuing.wait(10) == 0
    public = KeySet.import_key_set(json.loads((site.keys_dir / "issuer.jwks.json").read_text()))
    for file, (caller, called) in wanted.items():
        claims = jwt.decode(file.read_text(), public, algorithms=["Ed25519"]).claims
        assert (claims["iss"], claims["sub"], claims["aud"]) == (ISSUER, caller, [called])
    assert job("issued", str(tmp_path)).wait() == 0


def test_tokens_that_nobody_renews_are_no_health(site, tmp_path):
    for service, target in load().http_edges():
        file = tmp_path / service / f"{target}.jwt"
        file.parent.mkdir(exist_ok=True)
        file.write_text("old")
        os.utime(file, (0, 0))

    assert job("issued", str(tmp_path)).wait() != 0


class Answering(http.server.BaseHTTPRequestHandler):
    """Is ready, and knows nothing else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ready" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def asked(path: str, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "messaging.ask", path],
        env={**os.environ, "HOMEWARD_LISTEN": f"0.0.0.0:{port}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_service_that_is_ready_is_healthy(port):
    assert asked("/ready", port).returncode == 0


def test_a_service_that_is_not_ready_is_not(port):
    told = asked("/other", port)

    assert (told.returncode, told.stderr) == (1, "answered 503\n")


def test_nobody_there_is_no_health():
    assert asked("/ready", 1).returncode == 1


# The image has no services in it


def test_what_runs_in_the_image_of_jobs_needs_no_service():
    without = "import sys; sys.modules['services'] = None; import homeward.policy, homeward.jobs"
    done = subprocess.run(
        [sys.executable, "-c", without], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


# The bundle for the engine


def test_a_bundle_is_offered_as_it_is_now_and_nothing_beside_it(tmp_path):
    (tmp_path / "more").write_bytes(b"more")
    port = free_port()
    offering = job("offer", str(tmp_path), HOMEWARD_LISTEN=f"127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}"

    def got(path: str = "/bundle.tar.gz", **headers: str) -> httpx.Response:
        return httpx.get(url + path, headers=headers, trust_env=False)

    def offered() -> int:
        return job("offered", str(tmp_path), HOMEWARD_LISTEN=f"127.0.0.1:{port}").wait()

    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            missing = got().status_code
            break
        except httpx.HTTPError:
            time.sleep(0.05)
    none = offered()
    (tmp_path / "bundle.tar.gz").write_bytes(b"one")
    one = got()
    again = got(**{"If-None-Match": one.headers["ETag"]})
    (tmp_path / "bundle.tar.gz").write_bytes(b"two")
    two = got(**{"If-None-Match": one.headers["ETag"]})
    beside = [got(path).status_code for path in ("/more", "/../more", "/", "/bundle.tar.gz/more")]
    healthy = offered()
    offering.terminate()

    assert offering.wait(10) == 0
    assert (missing, none != 0, healthy) == (404, True, 0)
    assert (one.content, again.status_code, two.content) == (b"one", 304, b"two")
    assert beside == [404] * 4
