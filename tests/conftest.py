"""What tests share: a real broker, real databases, tokens, and services that run against them."""

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # `support` is imported by name

from support import postgres, tables
from support.broker import Broker
from support.running import Runner
from support.tokens import Issuer

from messaging import telemetry

MEMORY = Path("/dev/shm")  # noqa: S108 - folders of our own are made there
ENOUGH_BYTES = 4 << 30
"""Of memory that may be used as a disk: all tests together leave a good deal less in it."""


def _write_to_memory() -> None:
    """Let tests write where nothing is waited for, if there is such a place; TMPDIR overrules it.

    Brokers and databases ask the disk to hold each message and row. What that is good for, a power
    cut, no test makes; a killed program loses nothing of what it wrote here.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    about = os.statvfs(MEMORY)
    if about.f_bavail * about.f_frsize >= ENOUGH_BYTES and not about.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # asked again


_write_to_memory()
telemetry.configure("tests")  # else a log line with a traceback is drawn in colours, slowly


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the long tests out where that is asked for; each is a skip that says so."""
    if os.environ.get("HOMEWARD_LONG") == "0":
        why = pytest.mark.skip(reason="a long test: `make test` runs it, HOMEWARD_LONG=0 does not")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(why)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a Postgres server, without a database; skips, and says why, where there is none."""
    try:
        with postgres.server() as url:
            yield url
            tables.forget(url)
    except postgres.NoPostgresError as reason:
        pytest.skip(f"no Postgres: {reason}")


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, empty database; the test runs once on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.sqlite"
        return
    url = postgres.new_database(request.getfixturevalue("postgres_url"))
    yield url
    postgres.drop_database(url)


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[Broker]:
    """A real, provisioned nats-server with the generated accounts and an empty store."""
    directory = tmp_path / "nats"
    directory.mkdir()
    broker = Broker(directory)
    broker.start()
    try:
        await broker.provision()
        yield broker
    finally:
        broker.stop(hard=True)  # gently it takes a tenth of a second, and nobody reads what is left


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """The issuer of the tokens that services in tests trust."""
    return Issuer(tmp_path_factory.mktemp("issuer"))


@pytest.fixture(scope="session")
def a_token(issuer: Issuer):
    """`a_token(role, sub=…, audience=…, ttl=…)` returns a token; other claims by name."""
    return issuer.token


@pytest.fixture
async def a_service(nats: Broker, issuer: Issuer, tmp_path: Path) -> AsyncIterator[Runner]:
    """`await a_service("name")` runs one service with a test clock and waits for /ready.

    In this process, or with `process=True` in its own. Start those that it calls before it.
    """
    runner = Runner(tmp_path, nats, issuer)
    yield runner
    await runner.stop()
