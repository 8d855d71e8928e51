"""Start and stop a home from the command line."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress

from homeward import processes, status, supervisor
from homeward.home import Home, HomeError

UP_WITHIN_S = supervisor.READY_WITHIN_S + 30


def up(home: Home, *, detach: bool) -> int:
    """Start all parts; with `detach` return when they are ready, else stay until told to stop."""
    if detach:
        start_detached(home)
        print(status.table(status.read(home)))
        return 0

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def on_ready() -> None:
        print(status.table(status.read(home)), flush=True)
        say("Everything is ready. Ctrl-C stops it.")

    with suppress(KeyboardInterrupt):
        asyncio.run(supervisor.supervise(home, say, on_ready))
    return 0


def start_detached(home: Home, env: dict[str, str] | None = None) -> None:
    """Start a supervisor in a session of its own and wait until everything is ready.

    `env` adds settings, e.g. the test clock. Does nothing where the home is up already.
    Raises `HomeError` with the reason where it does not come up.
    """
    if _keeper(home) is not None:
        _wait_ready(home, None)
        return
    home.make()
    settings = {**os.environ, **(env or {})}
    if settings.get("HOMEWARD_CLOCK") == "test":
        warning = "The test clock is on: time can be set by hand. Never with real children."
        print(supervisor.red(warning), file=sys.stderr)
    with (home.logs / "supervisor.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 # our own interpreter and module
            [sys.executable, "-m", "homeward.supervisor", str(home.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=settings,
            start_new_session=True,
        )
    _wait_ready(home, process)


def down(home: Home) -> int:
    """Stop what runs in `home` and say so."""
    print(f"stopped {home.path}" if stop(home) else f"nothing runs in {home.path}")
    return 0


def stop(home: Home) -> bool:
    """Stop the supervisor of `home`, then what a killed one left over; tell whether any ran."""
    kept = _keeper(home) is not None
    if kept:
        processes.stop(home.state()["supervisor"], grace_s=60.0)
    left = supervisor.stop_left_over(home, lambda text: print(text, file=sys.stderr))
    return kept or bool(left)


def _keeper(home: Home) -> object | None:
    return processes.find(home.state().get("supervisor"))


def _wait_ready(home: Home, process: subprocess.Popen[bytes] | None) -> None:
    end = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < end:
        state = home.state()
        mine = process is None or (state.get("supervisor") or {}).get("pid") == process.pid
        if mine and state.get("phase") == "ready":
            return
        if process is not None and process.poll() is not None:
            last = supervisor.tail(home.logs / "supervisor.log", 8)
            raise HomeError(f"it did not start. The last it said:\n{last}")
        time.sleep(0.05)
    raise HomeError(f"not ready after {UP_WITHIN_S:g} s: see {home.logs}")
