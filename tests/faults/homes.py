"""A home to break: started, found process by process, healed and stopped, all from outside."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psutil
from support import postgres
from support.apart import end_with_us, run
from support.broker import environment

from homeward import processes, up
from homeward.home import SERVICES, Home

READY_WITHIN_S = 240
"""Much: a round may run beside a build on a small machine, and parts are killed while starting."""
COMPARE_EVERY_S = 5.0
"""How soon a service finds by itself what it was told and has not got."""
SUPERVISE = (
    "import sys; from homeward import supervisor;"
    "supervisor.LONGEST_DELAY_S = 1.0;"  # else eight kills of a part idle it for half a minute
    "sys.exit(supervisor.main(sys.argv[1:]))"
)


class KeptPostgres:
    """A server with a keeper: killed, it comes back, as a site's own would."""

    def __init__(self, server: postgres.Postgres) -> None:
        self.server = server
        self._keeper = ThreadPoolExecutor(1)  # a server ends with the thread that started it

    @property
    def root(self) -> psutil.Process | None:
        """Return the process whose end is the end of the server."""
        process = self.server._process
        return psutil.Process(process.pid) if process and process.poll() is None else None

    def kill(self) -> None:
        """Kill it; its children see that and end."""
        process = self.server._process
        assert process is not None
        process.send_signal(signal.SIGKILL)
        process.wait()

    async def start_again(self) -> None:
        """Start it; while the killed one's children still hold its memory it refuses: again."""
        await asyncio.get_running_loop().run_in_executor(self._keeper, self._start_again)

    def stop(self) -> None:
        """Let the keeper go."""
        self._keeper.shutdown()

    def _start_again(self, within_s: float = 30) -> None:
        end = time.monotonic() + within_s
        while True:
            with suppress(postgres.NoPostgresError):
                self.server.start()
                return
            if time.monotonic() > end:
                raise TimeoutError("postgres does not come back")
            time.sleep(0.2)


class BrokenHome:
    """One home under faults; `process(part)` is the one that runs now."""

    def __init__(self, home: Home, server: KeptPostgres | None, *, small_disk: bool) -> None:
        self.home = home
        self.postgres = server
        self.small_disk = small_disk
        """The broker's store is a small file system of its own, which can be filled."""
        self._supervisor: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start everything and wait until it is ready."""
        variables = environment() | {
            "HOMEWARD_CLOCK": "test",
            "HOMEWARD_COMPARE_EVERY_S": f"{COMPARE_EVERY_S:g}",
        }
        if self.postgres is not None:
            url = self.postgres.server.url + "/hw_{service}"
            variables["HOMEWARD_DATABASES"] = os.environ["HOMEWARD_DATABASES"] = url
        try:
            self.home.make()
        finally:
            os.environ.pop("HOMEWARD_DATABASES", None)
        with (self.home.logs / "supervisor.log").open("ab") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-c", SUPERVISE, str(self.home.path)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=variables,
                start_new_session=True,
                preexec_fn=end_with_us,  # noqa: PLW1509 - it only asks the kernel
            )  # fmt: skip
        end = time.monotonic() + READY_WITHIN_S
        while self.home.state().get("phase") != "ready":
            if self._supervisor.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the home did not start: {self.said()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Let everything run on that was stopped, then stop the home."""
        for part in (*SERVICES, "nats", "opa"):
            if process := self.process(part):
                _send(process, signal.SIGCONT)
        self.hold_supervisor(False)
        up.stop(self.home)
        if self._supervisor is not None:
            with suppress(subprocess.TimeoutExpired):
                self._supervisor.wait(10)

    def said(self) -> str:
        """Return the end of what the supervisor said."""
        return (self.home.logs / "supervisor.log").read_text(errors="replace")[-2000:]

    def process(self, part: str) -> psutil.Process | None:
        """Return the process of a part of the home that runs at this moment."""
        return processes.find(self.home.state().get("parts", {}).get(part))

    def restarts(self) -> int:
        """Return how often the supervisor has started something again."""
        parts = self.home.state().get("parts", {})
        return sum(int(part.get("restarts", 0)) for part in parts.values())

    def hold_supervisor(self, hold: bool) -> None:
        """Keep the supervisor from starting anything until it is let go."""
        if self._supervisor is not None and self._supervisor.poll() is None:
            self._supervisor.send_signal(signal.SIGSTOP if hold else signal.SIGCONT)


def _send(process: psutil.Process, number: int) -> bool:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


@contextmanager
def broken_home(folder: Path, *, on_postgres: bool, small_disk_mb: int = 0) -> Iterator[BrokenHome]:
    """Give a home that was just made and runs; nothing of it is left behind.

    Raises NoPostgresError where there is no server to run on.
    """
    home = Home(folder / "home")
    mounted = bool(small_disk_mb) and _mount(home.nats_data, small_disk_mb)
    kept: KeptPostgres | None = None
    server = postgres.own() if on_postgres else None
    try:
        if server is not None:
            kept = KeptPostgres(server.__enter__())
            for service in SERVICES:
                run(postgres.ask(f"{kept.server.url}/postgres", f"create database hw_{service}"))
        broken = BrokenHome(home, kept, small_disk=mounted)
        try:
            broken.start()
            yield broken
        finally:
            broken.stop()
    finally:
        if server is not None:
            server.__exit__(None, None, None)
        if kept is not None:
            kept.stop()
        if mounted:
            subprocess.run(["umount", "--lazy", home.nats_data], check=False)


@cache
def can_mount() -> bool:
    """Tell whether file systems can be mounted here, which only root can, and not everywhere."""
    with tempfile.TemporaryDirectory() as place:
        if not _mount(Path(place), 1):
            return False
        subprocess.run(["umount", place], check=True)
    return True


def _mount(place: Path, size_mb: int) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    place.mkdir(parents=True, mode=0o700, exist_ok=True)
    options = f"size={size_mb}m,mode=0700"
    command = ["mount", "-t", "tmpfs", "-o", options, "homeward-faults", place]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
