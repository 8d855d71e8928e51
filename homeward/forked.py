"""Services forked from one process that has loaded what they share: loading is most of a start.

Five services load the same libraries, a second and a half of processor time each. The mother loads
them once, forks a process for each service and ends; the processes then are our own children, and
whoever dies later is started by its command, as ever. Only where the system lets a process adopt
(Linux): elsewhere, and where anything goes wrong, all are started by their commands.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import runpy
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import psutil

from homeward import parts

_MODULE = "homeward.forked"
_SHARED = (
    "messaging.run",  # first: it has nobody look for garbage while modules load
    "messaging.app",
    "messaging.consuming",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.h11_impl",
)
_WITHIN_S = 60.0
_ADOPTS = 36
"""PR_SET_CHILD_SUBREAPER: orphans of ours become our children."""


class Running(Protocol):
    """A process that was started, by its command or here."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""

    async def wait(self) -> int:
        """Return its return code once it has ended."""

    def terminate(self) -> None:
        """Ask it to end. Raises ProcessLookupError where it has."""

    def kill(self) -> None:
        """End it. Raises ProcessLookupError where it has ended."""


class Forked:
    """A service's process, used as one of `asyncio.subprocess`."""

    def __init__(self, pid: int) -> None:
        """Begin to wait for its end; call it in a running event loop."""
        self._pid = pid
        self._code: int | None = None
        self._ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._wait, args=(loop,), daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._pid

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._code

    async def wait(self) -> int:
        """Return its return code once it has ended."""
        await self._ended.wait()
        assert self._code is not None  # noqa: S101 - set before the event is
        return self._code

    def terminate(self) -> None:
        """Ask it to end. Raises ProcessLookupError where it has."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it. Raises ProcessLookupError where it has ended."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._code is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(RuntimeError):  # the loop has ended before it
            loop.call_soon_threadsafe(self._note, code)

    def _note(self, code: int) -> None:
        self._code = code
        self._ended.set()


class Mother:
    """Loads while other things are made ready, then gives birth once."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Take over a process that `begin` has started."""
        self._process = process

    @classmethod
    async def begin(cls, log: Path, cwd: Path) -> "Mother | None":
        """Start to load; None where processes cannot be adopted here."""
        if not _adopt(True):
            return None
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", _MODULE, stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE, stderr=file, env=parts.clean_environment(), cwd=cwd,
            )  # fmt: skip
        return cls(process)

    async def bear(self, services: Sequence[parts.Part], logs: Path) -> dict[str, Forked]:
        """Return the processes of `services` by name; none where that failed."""
        wanted = [
            {"module": one.command[-1], "env": dict(one.env), "log": f"{logs}/{one.name}.log"}
            for one in services
        ]
        try:
            async with asyncio.timeout(_WITHIN_S):
                said, _ = await self._process.communicate(json.dumps(wanted).encode())
            pids: list[int] = json.loads(said)
            return {one.name: Forked(pid) for one, pid in zip(services, pids, strict=True)}
        except (OSError, TimeoutError, ValueError):
            await self.end()
            _end_unknown()
            return {}
        finally:
            await self.end()

    async def end(self) -> None:
        """End it, whatever it is at."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()
        _adopt(False)


def _adopt(wanted: bool) -> bool:
    """Take in, or no more, what our children leave behind; tell whether that is so now."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        return int(ctypes.CDLL(None).prctl(_ADOPTS, int(wanted), 0, 0, 0)) == 0
    except (OSError, AttributeError):
        return False


def _end_unknown() -> None:
    """End those who were born to a mother that could not say so: they would hold the ports."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if _MODULE in child.cmdline():
                child.kill()
                child.wait()


def _become(wanted: Mapping[str, Any]) -> None:
    """Be the service: what `python -m …` with its environment and its log would be."""
    os.setsid()
    log = os.open(wanted["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, number in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, number)
    os.close(log)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(wanted["env"])
    sys.argv = [wanted["module"]]
    runpy.run_module(wanted["module"], run_name="__main__", alter_sys=True)


def main() -> None:
    """Load, read what is wanted, fork, say the process ids and end; or be one of the services."""
    for module in _SHARED:
        import_module(module)
    pids = []
    for wanted in json.load(sys.stdin):
        pid = os.fork()
        if pid == 0:
            _become(wanted)
            return
        pids.append(pid)
    print(json.dumps(pids), flush=True)
    os._exit(0)  # to take down what was loaded would keep the children's processor busy


if __name__ == "__main__":
    main()
