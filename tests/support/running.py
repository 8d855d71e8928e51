"""One service, running against a real broker and database, in this process or in its own."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import httpx
import uvicorn
from support import tables
from support.broker import environment, free_port
from support.tokens import Issuer, bearer


class Running:
    """A service that answers at `url`; `app` is its App where it runs in this process."""

    def __init__(self, name: str, url: str, issuer: Issuer) -> None:
        self.name = name
        self.url = url
        self.app = None
        self.process: subprocess.Popen[bytes] | None = None
        self._issuer = issuer
        self._client = httpx.AsyncClient(base_url=url, timeout=10)
        self._server: Quiet | None = None
        self._serving: asyncio.Task | None = None

    async def call(
        self, method: str, path: str, json=None, *, role="ops", sub="", headers=None, **how
    ):
        """Send a request as somebody with `role`."""
        token = self._issuer.token(role, sub=sub, audience=self.name)
        headers = bearer(token) | (headers or {})
        return await self._client.request(method, path, json=json, headers=headers, **how)

    async def until_ready(self, within_s: float = 20) -> None:
        """Wait until /ready says so."""
        await eventually(self._ready, within_s, f"{self.name} is not ready")

    async def _ready(self) -> bool:
        try:
            return (await self._client.get("/ready")).status_code == 200
        except httpx.HTTPError:
            return False

    async def pending(self) -> dict[str, float]:
        """Return homeward_pending by kind."""
        lines = (await self._client.get("/metrics")).text.splitlines()
        found = [line for line in lines if line.startswith("homeward_pending{")]
        return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in found}

    async def at_rest(self, within_s: float = 10) -> None:
        """Wait until nothing is pending."""

        async def rests() -> bool:
            return all(value == 0 for value in (await self.pending()).values())

        await eventually(rests, within_s, f"{self.name} is not at rest")

    async def serve(self, api) -> None:
        """Serve an app in this process."""
        self.app = api.state.homeward
        port = int(self.url.rpartition(":")[2])
        config = uvicorn.Config(api, port=port, log_config=None, access_log=False)
        self._server = Quiet(config)
        self._serving = asyncio.create_task(self._server.serve())

    async def stop(self, *, hard: bool = False) -> None:
        """Stop it; `hard` as a crash does, which needs a process of its own."""
        await self._client.aclose()
        if self._server is not None and self._serving is not None:
            self._server.leave()
            await self._serving
            self._server = None
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
            await asyncio.to_thread(self.process.wait, 20)
            self.process = None


class Quiet(uvicorn.Server):
    """Leaves the test run's signal handlers alone, and ends at once when it is told to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """Begin to end."""
        self.should_exit = True
        self._leaving.set()

    async def main_loop(self) -> None:
        """Wait; the library's own looks ten times a second whether it is to end."""
        await self._leaving.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Runner:
    """Starts services; what it started is stopped at the end of the test."""

    def __init__(self, directory: Path, broker, issuer: Issuer, database_url=None) -> None:
        self.directory = directory
        self.broker = broker
        self.issuer = issuer
        self._database_url = database_url
        self.running: list[Running] = []
        (directory / "ids.key").write_bytes(bytes(range(32)))

    def settings(self, name: str, **extra: str) -> dict[str, str]:
        """Return the environment of a service; `extra` are settings in lower case."""
        url = extra.pop("url", f"http://127.0.0.1:{free_port()}")
        targets = list(self.broker.topology.targets_of(name))
        peers = {r.name: r.url for r in self.running if r.name in targets}
        found = {
            "listen": url.removeprefix("http://"),
            "database_url": self._database_url or f"sqlite:///{self.directory}/{name}.sqlite",
            "nats_url": self.broker.url,
            "nats_nkey": str(self.broker.seed(name)),
            "issuer": "urn:homeward:test",
            "jwks": str(self.issuer.jwks),
            "tokens": str(self.issuer.edges(self.directory, name, targets)),
            "peers": json.dumps(peers),
            "id_key": str(self.directory / "ids.key"),
            "clock": "test",
        } | {key: str(value) for key, value in extra.items()}
        return {f"HOMEWARD_{key.upper()}": value for key, value in found.items()}

    async def __call__(self, name: str, *, process: bool = False, wait=True, **extra) -> Running:
        """Migrate and start a service; `process=True` gives it one of its own."""
        variables = self.settings(name, **extra)
        running = Running(name, "http://" + variables["HOMEWARD_LISTEN"], self.issuer)
        if process:
            command = [sys.executable, "-m", f"services.{name}"]
            surroundings = environment() | variables
            await asyncio.to_thread(
                subprocess.run, [*command, "migrate"], env=surroundings, check=True
            )
            log = (self.directory / f"{name}.log").open("ab")
            running.process = subprocess.Popen(  # noqa: ASYNC220 - starting takes no time
                command, env=surroundings, stdout=log, stderr=log
            )
        else:
            await tables.make(variables["HOMEWARD_DATABASE_URL"], name)
            with _surroundings(variables):
                api = import_module(f"services.{name}.app").create()
            await running.serve(api)
        self.running.append(running)
        if wait:
            await running.until_ready()
        return running

    async def stop(self) -> None:
        for running in reversed(self.running):
            await running.stop()


@contextlib.contextmanager
def _surroundings(variables: dict[str, str]) -> Iterator[None]:
    before = {k: v for k, v in os.environ.items() if k.startswith("HOMEWARD_")}
    for key in before:
        del os.environ[key]
    os.environ.update(variables)
    try:
        yield
    finally:
        for key in variables:
            os.environ.pop(key, None)
        os.environ.update(before)


async def eventually(check, within_s: float = 15, why: str = "it did not happen"):
    """Return what `check` returns once it is true; fail after `within_s` seconds."""
    until = time.monotonic() + within_s
    while True:
        found = check()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < until, why
        await asyncio.sleep(0.02)
