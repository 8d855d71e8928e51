"""`homeward status --home SITE` asks a Compose site over its published ports."""

import http.server
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.demo import homeward

from homeward import status
from homeward.compose import LISTENING, Site
from homeward.home import SERVICES

METRICS = b"""# TYPE homeward_urgent_holds gauge
homeward_urgent_holds 2.0
# TYPE homeward_dependency_up gauge
homeward_dependency_up{name="policy"} 1.0
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Site:
    """A site with keys and certificates, of which nothing runs."""
    made = Site(tmp_path_factory.mktemp("compose") / "site")
    made.make_site()
    return made


class AsService(http.server.BaseHTTPRequestHandler):
    """Answers as each of the five would."""

    ready = 200

    def do_GET(self) -> None:
        self.send_response(self.ready if self.path == "/ready" else 200)
        self.end_headers()
        self.wfile.write(METRICS if self.path == "/metrics" else b"{}")

    def log_message(self, *_) -> None:
        """Say nothing."""


class AsBroker(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(b'INFO {"tls_required":true} \r\n')


@contextmanager
def running(site: Site, monkeypatch, ready: int = 200) -> Iterator[None]:
    """Let one server with the certificate of `sharing` stand for all five, and one for the broker.

    Each certificate names 127.0.0.1, under which the host reaches them.
    """
    assert {*SERVICES, "nats"} <= set(LISTENING)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key, certificate = site._certificate("sharing")
    tls.load_cert_chain(certificate, key)
    handler = type("Service", (AsService,), {"ready": ready})
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as services,
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), AsBroker) as broker,
    ):
        services.socket = tls.wrap_socket(services.socket, server_side=True)
        for part in (*SERVICES, "nats"):
            port = (broker if part == "nats" else services).server_address[1]
            monkeypatch.setenv(f"HOMEWARD_PORT_{part.upper()}", str(port))
        for server in (services, broker):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        services.shutdown()
        broker.shutdown()


def test_a_site_that_runs_is_ready_and_says_the_same_as_a_home(site, monkeypatch):
    with running(site, monkeypatch):
        told = homeward("status", "--json", "--home", str(site.path))

    assert told.returncode == 0, told.stdout + told.stderr
    found = json.loads(told.stdout)
    assert found["ready"]
    assert found["services"]["sharing"]["url"].startswith("https://127.0.0.1:")
    shown = status.table(found)
    assert "! urgent holds 2 open" in shown
    assert "policy       answers" in shown
    assert shown.count("  ready  ") == len(SERVICES) + 1


def test_a_service_of_a_site_that_answers_and_is_not_ready_is_waited_for(site, monkeypatch):
    with running(site, monkeypatch, ready=503):
        found = status.read(site)

    assert not found["ready"]
    assert status.table(found).count("  wait   https://") == len(SERVICES)


def test_a_site_that_does_not_run_is_down(site, monkeypatch):
    with running(site, monkeypatch):
        pass  # its ports are known, and nobody is there any more
    found = status.read(site)

    assert not found["ready"]
    shown = status.table(found)
    assert shown.count("  down   ") == len(SERVICES) + 1
    assert "? open" in shown


def test_somebody_else_at_the_port_of_a_service_is_not_taken_for_it(site, monkeypatch, tmp_path):
    other = Site(tmp_path / "other")
    other.make_site()
    with running(other, monkeypatch):
        found = status.read(site)

    assert not found["ready"]
    assert status.table(found).count("  down   https://") == len(SERVICES)
