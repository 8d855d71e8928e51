"""A home for one measurement: a broker, databases and those services alone that it needs."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import nats
import psutil
from nats.js import JetStreamContext

from homeward import broker, engines, parts, probe
from homeward.home import Home, choose_ports
from homeward.migrate import migrate_all
from messaging import topology
from messaging.nats_config import API_PREFIX, inbox_of

READY_WITHIN_S = 180.0
ROOT = Path(__file__).parent.parent


class Stage:
    """Starts the parts of a home one by one, as `homeward up` starts them all."""

    def __init__(self, folder: Path, databases: Mapping[str, str] | None = None) -> None:
        self.home = Home(folder).make()
        self.ports = choose_ports()
        self._databases = dict(databases or {})
        self._started: list[subprocess.Popen[bytes]] = []
        self._clients: list[Any] = []
        self._children: list[asyncio.subprocess.Process] = []

    def url(self, service: str) -> str:
        """Return where a service answers."""
        return f"http://127.0.0.1:{self.ports[service]}"

    def database_url(self, service: str) -> str:
        """Return the database of a service."""
        return self._databases.get(service) or self.home.database_url(service)

    async def open(self, *services: str, engine: bool = False) -> dict[str, psutil.Process]:
        """Start broker and `services`; return their processes by name once all are ready."""
        home = self.home
        home.issue_edge_tokens(topology.load().http_edges())
        broker.write_config(home, self.ports)
        self.start(parts.broker(home, self.ports))
        await broker.make_streams(home, self.ports)
        settings: dict[str, dict[str, str]] = {name: {} for name in services}
        if engine or "sharing" in services:
            prepared = await asyncio.to_thread(engines.prepare, home, self.ports)
            self.start(prepared.part)
            self.digest = prepared.digest
            settings["sharing"] = engines.settings_for("sharing", home, prepared)
        await migrate_all({name: self.database_url(name) for name in services})
        running = {}
        for name in services:
            extra = settings[name] | {"HOMEWARD_DATABASE_URL": self.database_url(name)}
            running[name] = self.start(parts.service(home, self.ports, name, extra))
        for name in services:
            await self._until_ready(name)
        return running

    def start(self, part: parts.Part) -> psutil.Process:
        """Start one program; it ends with the stage."""
        return self.run(part.name, part.command, part.env)

    def run(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> psutil.Process:
        """Start a command with its own log in the home."""
        with (self.home.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own programs
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(env), cwd=ROOT
            )
        self._started.append(process)
        return psutil.Process(process.pid)

    def ends_with(self, process: asyncio.subprocess.Process) -> None:
        """End a process that somebody else started, too."""
        self._children.append(process)

    async def _until_ready(self, name: str) -> None:
        end = time.monotonic() + READY_WITHIN_S
        while not await asyncio.to_thread(probe.is_ready, self.url(name)):
            if time.monotonic() > end:
                raise TimeoutError(f"{name} is not ready: see {self.home.logs}/{name}.log")
            await asyncio.sleep(0.05)

    async def log_in_partner(self, key: str) -> JetStreamContext:
        """Return the broker as the partner `key`, whose keys this home made."""
        client = await nats.connect(
            f"nats://127.0.0.1:{self.ports['nats']}",
            nkeys_seed=str(self.home.partner(key) / f"{key}.nk"),
            inbox_prefix=inbox_of(key),
        )
        self._clients.append(client)
        return client.jetstream(timeout=10.0, prefix=API_PREFIX)

    async def log_in(self, user: str) -> JetStreamContext:
        """Return the broker as `user`: a service, or the provisioner, who sees all."""
        options: dict[str, Any] = {} if user == "provisioner" else {"inbox_prefix": inbox_of(user)}
        client = await nats.connect(
            f"nats://127.0.0.1:{self.ports['nats']}",
            nkeys_seed=str(self.home.nkey(user)),
            **options,
        )
        self._clients.append(client)
        prefix = {} if user == "provisioner" else {"prefix": API_PREFIX}
        return client.jetstream(timeout=10.0, publish_async_max_pending=256, **prefix)

    def caller(self, role: str, sub: str | None = None) -> httpx.AsyncClient:
        """Return a client that calls as somebody with `role`."""
        headers = {"Authorization": f"Bearer {self.home.token(role, sub)}"}
        client = httpx.AsyncClient(headers=headers, timeout=30, trust_env=False)
        self._clients.append(client)
        return client

    async def close(self) -> None:
        """End what was started, last things first."""
        for client in self._clients:
            await (client.aclose() if isinstance(client, httpx.AsyncClient) else client.close())
        for child in self._children:
            child.kill()
            await child.wait()
        for process in reversed(self._started):
            process.terminate()
        for process in reversed(self._started):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@asynccontextmanager
async def staged(databases: Mapping[str, str] | None = None) -> AsyncIterator[Stage]:
    """Give an empty stage in a folder of its own; nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="homeward-bench-"))
    stage = Stage(folder, databases)
    try:
        yield stage
    finally:
        await stage.close()
        shutil.rmtree(folder, ignore_errors=True)


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our modules."""
    return [sys.executable, "-m", module, *arguments]


def surroundings() -> dict[str, str]:
    """Return the environment without any setting of Homeward."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HOMEWARD_")}
