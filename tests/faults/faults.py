"""What is broken: each fault is one function that breaks one thing and, after a while, lets go."""

import asyncio
import os
import random
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import psutil
from faults.breaking import Breaker

from homeward.home import SERVICES

DISK_FULL_BYTES = 1 << 20
LOOKS = 90
"""A second apart: until cases move again, an emptied stream holds nothing to spoil."""
SERVER_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""Postgres may be killed while it is used to break something else."""


def kill(program: str) -> Callable[[Breaker], Awaitable[None]]:
    """Return the fault that kills a program as power cuts and the kernel do."""

    async def killed(on: Breaker) -> None:
        if program == "postgres":
            await _kill_server(on)
            return
        process = on.process(program)
        if process is None:
            return  # it lies dead already, and the supervisor waits
        with suppress(psutil.NoSuchProcess):
            process.kill()
            on.note(f"kill -9 {_kind(program)}")

    return killed


async def _kill_server(on: Breaker) -> None:
    server = on.home.postgres
    if server is None or on.server.locked():
        return
    async with on.server:
        server.kill()
        on.note("kill -9 Postgres")
        await asyncio.sleep(on.dice.uniform(0, 1.5))
        await server.start_again()


def stop(program: str) -> Callable[[Breaker], Awaitable[None]]:
    """Return the fault that stops a program for some seconds: it holds what it holds, and hangs."""

    async def stopped(on: Breaker) -> None:
        process = on.process(program)
        if process is None or (program == "postgres" and on.server.locked()):
            return
        for_s = on.dice.choice((0.3, 1.0, 3.0, 6.0, 12.0))
        async with on.server if program == "postgres" else asyncio.Lock():
            with suppress(psutil.NoSuchProcess):
                family = [process, *process.children()] if program == "postgres" else [process]
                on.stopped += family
                for one in family:
                    with suppress(psutil.NoSuchProcess):
                        one.suspend()
                on.note(f"SIGSTOP {_kind(program)}")
                await asyncio.sleep(for_s)
                for one in family:
                    with suppress(psutil.NoSuchProcess):
                        one.resume()

    return stopped


def _kind(program: str) -> str:
    names = {"nats": "the broker", "opa": "OPA", "postgres": "Postgres"}
    return names.get(program, f"`{program}`")


# The broker's disk


async def store_lost(on: Breaker) -> None:
    """The broker's whole data directory is deleted while it is down."""
    async with on.broker:
        with on.broker_down():
            for path in on.home.home.nats_data.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        on.note("broker's data deleted")


async def bit_flipped(on: Breaker) -> None:
    """One bit of a file that holds messages is another one when the broker comes back."""
    for _ in range(LOOKS):
        async with on.broker:
            if _blocks(on):
                with on.broker_down():
                    if blocks := _blocks(on):
                        _flip(on.dice.choice(blocks), on.dice)
                        on.note("bit flipped in a stream")
                        return
        await asyncio.sleep(1)


def _blocks(on: Breaker) -> list[Path]:
    files = on.home.home.nats_data.rglob("msgs/*.blk")
    return sorted(path for path in files if path.exists() and path.stat().st_size)


def _flip(path: Path, dice: random.Random) -> None:
    with path.open("r+b") as file:
        place = dice.randrange(path.stat().st_size)
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << dice.randrange(8)]))


async def disk_full(on: Breaker) -> None:
    """Not a byte more fits on the broker's disk for some seconds; then somebody makes room.

    Who made room starts the broker again: what JetStream could not write it does not try again.
    """
    if not on.home.small_disk:
        return
    async with on.broker:
        ballast = on.home.home.nats_data / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(DISK_FULL_BYTES))  # writes what still fits, then ENOSPC
        free = os.statvfs(on.home.home.nats_data).f_bfree
        if free == 0:
            on.note("disk full for the broker")
        await asyncio.sleep(on.dice.uniform(2, 6))
        with on.broker_down():
            ballast.unlink()


# Databases


async def database_locked(on: Breaker) -> None:
    """Somebody else holds a service's database for longer than it is ready to wait, or nearly."""
    service, for_s = on.dice.choice(SERVICES), on.dice.uniform(0.5, 7)
    if on.home.postgres is None:
        connection = await asyncio.to_thread(_held, on.home.home.db(service))
        on.note("database locked (SQLite)")
        await asyncio.sleep(for_s)
        await asyncio.to_thread(connection.close)
        return
    with suppress(*SERVER_AWAY):
        url = f"{on.home.postgres.server.url}/hw_{service}"
        connection = await asyncpg.connect(url, timeout=5)
        try:
            async with asyncio.timeout(10), connection.transaction():
                table = on.dice.choice(("outbox", "inbox"))
                await connection.execute(f"lock table {table} in access exclusive mode")
                on.note("table locked (Postgres)")
                await asyncio.sleep(for_s)
        finally:
            with suppress(*SERVER_AWAY):
                await connection.close(timeout=2)


def _held(path: Path) -> sqlite3.Connection:
    """Return a connection that holds the file's one writer lock."""
    connection = sqlite3.connect(path, timeout=20, check_same_thread=False, isolation_level=None)
    connection.execute("begin immediate")
    return connection


async def connections_cut(on: Breaker) -> None:
    """Every connection to one database ends in the middle of what it was doing."""
    if on.home.postgres is None:
        return
    service = on.dice.choice(SERVICES)
    with suppress(*SERVER_AWAY):
        connection = await asyncpg.connect(f"{on.home.postgres.server.url}/postgres", timeout=5)
        try:
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1",
                f"hw_{service}",
            )
            on.note("connections cut (Postgres)")
        finally:
            with suppress(*SERVER_AWAY):
                await connection.close(timeout=2)


# Time and partners


async def clock_off(on: Breaker) -> None:
    """The clock of one process goes a day wrong, until it ends or all is healed."""
    service, days = on.dice.choice(SERVICES), on.dice.choice((-1, 1))
    now = datetime.now(UTC) + timedelta(days=days)
    on.latest = max(on.latest, now)
    await on.outside.set_clock(now, service)
    on.note("one clock a day wrong")


async def partner_away(on: Breaker) -> None:
    """A partner reads nothing while a week goes by on every clock; others notice nothing."""
    reader = on.dice.choice(on.readers)
    if reader.away:
        return
    reader.away = True
    on.note("partner away for a week")
    on.latest = max(on.latest, datetime.now(UTC)) + timedelta(days=7)
    await on.outside.set_clock(on.latest)
