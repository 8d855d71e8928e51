"""Keep the parts of a home running: start in order, restart what dies, stop what was started."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from homeward import broker, engines, parts, probe, processes, seeing
from homeward.forked import Mother, Running
from homeward.home import SERVICES, Home, HomeError, choose_ports
from homeward.keys import EDGE_TTL_S
from messaging import topology

FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 30.0
WELL_AFTER_S = 60.0
"""A part that ran this long before it died starts again at once, as if it had never failed."""
READY_WITHIN_S = 90.0
"""A slow machine under load takes some ten seconds; beyond this something is wrong."""
GIVE_UP_AFTER = 3
"""A part that ended this often before everything was ready will not come up by itself."""
STOP_WITHIN_S = 25.0
LOOK_S = 30.0
"""How often it is looked whether tokens are old."""
LOOK_POLICY_S = 0.3
"""How often it is looked whether the engine is to load other policies."""

Say = Callable[[str], None]


class AlreadyUpError(HomeError):
    """Another supervisor keeps this home."""


class Supervisor:
    """Runs one home until it is told to stop."""

    def __init__(self, home: Home, say: Say) -> None:
        self.home = home
        self.say = say
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()
        self._keepers: list[tuple[str, asyncio.Task[None]]] = []
        self._running: dict[str, Running] = {}
        self._state: dict[str, Any] = {}
        self._lock: TextIO | None = None
        self._policy: str | None = None
        self._changing: set[str] = set()
        """Parts that are stopped only to be started again at once."""

    async def run(self) -> None:
        """Start everything, keep it running, and stop it all when `stop` is called.

        Raises `AlreadyUpError` where the home is up, `HomeError` where a part cannot start.
        """
        self._take_lock()
        try:
            stop_left_over(self.home, self.say)
            self.home.make()
            await self._start()
            beside = [
                asyncio.create_task(work)
                for work in (self._reissue_tokens(), self._follow_policy())
            ]
            await self.stopping.wait()
            for task in beside:
                task.cancel()
        except HomeError as error:
            self._note(phase="failed", reason=str(error))
            raise
        finally:
            await self._stop_all()
            self._note(phase="stopped", parts={}, supervisor=None)
            if self._lock:
                self._lock.close()

    def stop(self) -> None:
        """Ask for a graceful end; `run` returns when all has ended."""
        if not self.stopping.is_set():
            self.say("stopping")
            self.stopping.set()

    def _take_lock(self) -> None:
        self.home.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (self.home.path / "up.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            self._lock = None
            raise AlreadyUpError(
                f"{self.home.path} is up already: see `homeward status`"
            ) from error

    async def _start(self) -> None:
        home = self.home
        ports = choose_ports(home.state().get("ports"))
        clock = os.environ.get("HOMEWARD_CLOCK", "real")
        self._state = {
            "home": str(home.path),
            "phase": "starting",
            "clock": clock,
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "supervisor": processes.known(os.getpid()),
            "ports": ports,
            "parts": {},
        }
        self._note()
        if clock == "test":
            self.say(red("HOMEWARD_CLOCK=test: time can be set by hand. Never with real children."))
        began = time.monotonic()
        mother = await Mother.begin(home.logs / "forked.log", home.path)
        try:
            engine = await self._make_ready(ports)
            services = [
                parts.service(home, ports, name, engines.settings_for(name, home, engine))
                for name in SERVICES
            ]
            born = await mother.bear(services, home.logs) if mother is not None else {}
        finally:
            if mother is not None:
                await mother.end()
        for part in services:
            self._keep(part, born.get(part.name))
        if await self._until_ready():
            self._note(phase="ready", ready_after_s=round(time.monotonic() - began, 2))
            self.ready.set()

    async def _make_ready(self, ports: Mapping[str, int]) -> engines.Prepared:
        """Start what the services need, and make their streams and tables; return the engine."""
        home = self.home
        home.issue_edge_tokens(topology.load().http_edges())
        broker.write_config(home, ports)
        scraped = seeing.scrape_config(seeing.urls_of(ports))
        (home.generated / "prometheus.yaml").write_text(scraped)
        self._keep(parts.broker(home, ports))
        engine, *_ = await asyncio.gather(
            asyncio.to_thread(engines.prepare, home, ports),
            self._migrate(),
            broker.make_streams(home, ports),
        )
        self._policy = engine.digest
        self._note(opa={"kind": engine.kind, "version": engine.version})
        self._keep(engine.part)
        return engine

    async def _migrate(self) -> None:
        """Bring all five databases to today's tables, in one process because loading is slow.

        Addresses go over its standard input: one may hold a password, and all can read a command.
        """
        targets = {name: self.home.database_url(name) for name in SERVICES}
        with (self.home.logs / "migrate.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "homeward.migrate",
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=parts.clean_environment(),
            )
            await process.communicate(json.dumps(targets).encode())
            if process.returncode:
                raise HomeError(f"the databases could not be migrated: {tail(Path(log.name))}")

    def _keep(self, part: parts.Part, born: Running | None = None) -> None:
        if born is not None:
            self._running[part.name] = born  # to be ended even where we are stopped right now
        self._keepers.append((part.name, asyncio.create_task(self._keep_running(part, born))))

    async def _by_command(self, part: parts.Part) -> Running:
        with (self.home.logs / f"{part.name}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *part.command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(part.env), cwd=self.home.path, start_new_session=True,
            )  # fmt: skip

    async def _keep_running(self, part: parts.Part, born: Running | None) -> None:
        """Start `part` again each time it ends, later and later while it keeps failing.

        The first of its processes may be `born` already.
        """
        failures, restarts = 0, 0
        while not self.stopping.is_set():
            began = time.monotonic()
            process = born or await self._by_command(part)
            born = None
            self._running[part.name] = process
            known = processes.known(process.pid)
            self._state["parts"][part.name] = {**known, "url": part.url, "restarts": restarts}
            self._note()
            remake = (
                asyncio.create_task(self._remake_streams()) if self._is_new_broker(part) else None
            )
            code = await process.wait()
            if remake is not None:
                remake.cancel()
            if self.stopping.is_set():
                return
            if part.name in self._changing:
                self._changing.discard(part.name)
                continue
            failures = 0 if time.monotonic() - began > WELL_AFTER_S else failures + 1
            delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** max(0, failures - 1))
            restarts += 1
            self.say(f"{part.name} ended ({ending(code)}); starting it again in {delay:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), delay)

    async def _follow_policy(self) -> None:
        """Start the engine again with the policies that are wanted, once `current` names others.

        Policies that may not be loaded are said once, and the engine goes on with those it has.
        """
        refused: str | None = None
        while True:
            await asyncio.sleep(LOOK_POLICY_S)
            wanted = await asyncio.to_thread(engines.wanted, self.home)
            if wanted is None or wanted in (self._policy, refused):
                continue
            try:
                self._policy = await asyncio.to_thread(engines.build, self.home)
            except (HomeError, OSError) as error:
                refused = wanted
                self.say(f"the engine goes on with the policies it has: {error}")
                continue
            refused = None
            self.say(f"the engine loads the policies {self._policy[:12]}")
            if (process := self._running.get("opa")) is not None and process.returncode is None:
                self._changing.add("opa")
                await _end(process)

    def _is_new_broker(self, part: parts.Part) -> bool:
        """Tell whether this is a broker started again; the first one's streams are made above."""
        return part.name == "nats" and self._restarts("nats") > 0

    async def _remake_streams(self) -> None:
        """Make streams and durables that the broker may have lost with its disk, until it holds."""
        while True:
            try:
                await broker.make_streams(self.home, self._state["ports"])
            except Exception as error:
                self.say(f"the broker's streams could not be made: {error}")
                await asyncio.sleep(LONGEST_DELAY_S)
            else:
                return

    async def _until_ready(self) -> bool:
        """Wait until each service has proved its round trips; False when told to stop before."""
        waiting = dict.fromkeys(SERVICES)
        end = time.monotonic() + READY_WITHIN_S
        while waiting:
            if self.stopping.is_set():
                return False
            broken = [name for name in waiting if self._restarts(name) >= GIVE_UP_AFTER]
            if broken or time.monotonic() > end:
                name = next(iter(broken or waiting))
                last = tail(self.home.logs / f"{name}.log")
                why = "keeps ending" if broken else f"is not ready after {READY_WITHIN_S:g} s"
                raise HomeError(f"{name} {why}. Its log ends:\n{last}")
            for name in list(waiting):
                url = f"http://127.0.0.1:{self._state['ports'][name]}"
                if await asyncio.to_thread(probe.is_ready, url, 5.0):
                    del waiting[name]
            await asyncio.sleep(0.05)
        return True

    def _restarts(self, name: str) -> int:
        return int(self._state["parts"].get(name, {}).get("restarts", 0))

    async def _reissue_tokens(self) -> None:
        """Make new tokens long before the old ones end, by the clock on the wall.

        A machine that slept for a day would otherwise wake up with tokens that had ended.
        """
        issued = time.time()
        while True:
            await asyncio.sleep(LOOK_S)
            if time.time() - issued > EDGE_TTL_S / 2:
                self.home.issue_edge_tokens(topology.load().http_edges())
                issued = time.time()

    async def _stop_all(self) -> None:
        """End the services before what they depend on, each gently and then for good."""
        self.stopping.set()
        order = (set(SERVICES), {"opa", "nats"})
        for names in order:
            going = [self._running[name] for name in names if name in self._running]
            await asyncio.gather(*(_end(process) for process in going))
        await asyncio.gather(*(task for _, task in self._keepers), return_exceptions=True)

    def _note(self, **changes: Any) -> None:
        self._state |= changes
        self.home.write_state(self._state)


async def _end(process: Running) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def stop_left_over(home: Home, say: Say) -> list[str]:
    """End what a supervisor that was killed left running; return the names."""
    stopped = []
    for name, remembered in home.state().get("parts", {}).items():
        if processes.stop(remembered, grace_s=5.0):
            say(f"ended {name}, left over from a start that was cut short")
            stopped.append(name)
    return stopped


def ending(code: int) -> str:
    """Return a return code in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def tail(log: Path, lines: int = 5) -> str:
    """Return the end of a log, for a message that says why a start failed."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def red(text: str) -> str:
    """Return `text` in red where a person reads it on a terminal."""
    return f"\x1b[1;31m{text}\x1b[0m" if sys.stderr.isatty() else text


async def supervise(home: Home, say: Say, on_ready: Callable[[], None]) -> None:
    """Run a supervisor that ends on SIGTERM, SIGINT and SIGHUP."""
    supervisor = Supervisor(home, say)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, supervisor.stop)

    async def announce() -> None:
        await supervisor.ready.wait()
        on_ready()

    announcing = asyncio.create_task(announce())
    try:
        await supervisor.run()
    finally:
        announcing.cancel()


def main(arguments: Sequence[str]) -> int:
    """Run detached: everything said goes to the log that standard output is."""

    def say(text: str) -> None:
        print(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}", flush=True)

    try:
        asyncio.run(supervise(Home(Path(arguments[0])), say, lambda: say("ready")))
    except HomeError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
