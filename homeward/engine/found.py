"""Which engine there is: the `opa` command, else OPA's engine as a library."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from homeward.engine.faults import EngineMissingError, NoAnswerError
from homeward.engine.patience import run

OLDEST = (1, 21, 3)
"""Before it the signature of a bundle could be side-stepped (GHSA-g2pf-6v5v-qcc8)."""

GET_COMMAND = (
    "Put OPA's command `opa` (1.21.3 or newer) on the PATH: from the OPA project's releases, or "
    "with Go: go install github.com/open-policy-agent/opa@v1.22.2"
)
GET_LIBRARY = (
    "pip install --no-deps --ignore-requires-python opa-golib-python-bindings "
    "(its metadata asks for a newer Python than it needs)"
)

_LIBRARY = "opa_bindings"
_BUILT_WITH = re.compile(rb"dep\tgithub\.com/open-policy-agent/opa\tv([0-9.]+)")
_QUICK_S = 60
QUERY_S = 60.0
"""Of work, for one expression; the largest parses all policies and takes about one."""


@dataclass(frozen=True)
class Engine:
    """One way to run OPA."""

    kind: Literal["command", "library"]
    version: str
    path: str | None
    """Of the command; None for the library."""
    why: str
    how_to_get_the_other: str


def find_engine() -> Engine:
    """Return the engine to use. Raises EngineMissingError in plain words when there is none.

    `HOMEWARD_OPA` forces one: `command`, `library` or the path of a command.
    """
    return _find(os.environ.get("HOMEWARD_OPA", ""), os.environ.get("PATH", ""))


@cache
def _find(forced: str, path: str) -> Engine:
    if forced == "library":
        return _library("HOMEWARD_OPA asks for the library")
    if forced not in ("", "command"):
        return _command(forced, "HOMEWARD_OPA names this command")
    found = shutil.which("opa", path=path)
    if found is not None:
        try:
            return _command(found, "the command is on the PATH")
        except EngineMissingError as error:
            if forced:
                raise
            return _library(str(error))
    if forced:
        raise EngineMissingError(f"The command `opa` is not on the PATH. {GET_COMMAND}")
    return _library("the command `opa` is not on the PATH")


def _command(path: str, why: str) -> Engine:
    try:
        told = subprocess.run(  # noqa: S603 - the engine that the person put there
            [path, "version"], capture_output=True, text=True, timeout=_QUICK_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineMissingError(f"{path} does not run as OPA. {GET_COMMAND}") from error
    version = re.search(r"^Version: (\d+)\.(\d+)\.(\d+)", told, re.MULTILINE)
    if version is None or tuple(map(int, version.groups())) < OLDEST:
        raise EngineMissingError(f"{path} is too old. {GET_COMMAND}")
    return Engine("command", ".".join(version.groups()), path, why, GET_LIBRARY)


def _library(why: str) -> Engine:
    if importlib.util.find_spec(_LIBRARY) is None:
        raise EngineMissingError(f"No policy engine: {why}.\n{GET_COMMAND}\nor {GET_LIBRARY}")
    return Engine("library", _library_version(), None, why, GET_COMMAND)


def _library_version() -> str:
    """Return the version of OPA inside: it tells nobody, but Go writes it into every build."""
    spec = importlib.util.find_spec(_LIBRARY)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        for binary in Path(place).glob("libopabridge.*"):
            found = _BUILT_WITH.search(binary.read_bytes())
            if found:
                return found[1].decode()
    return "unknown"


def query(
    engine: Engine,
    expression: str,
    given: object,
    folder: Path | None = None,
    limit_s: float = QUERY_S,
) -> Any:
    """Return the value of one fixed expression, in a process of its own that then ends.

    `folder` is a bundle to load first. Raises NoAnswerError, CutOffError after `limit_s` seconds of
    work. For our own expressions only.
    """
    if engine.kind == "command":
        loaded = ["--bundle", str(folder)] if folder else []
        command = [str(engine.path), "eval", "--format", "json", "--strict-builtin-errors",
                   "--stdin-input", *loaded, expression]  # fmt: skip
    else:
        loaded = [str(folder)] if folder else []
        command = [sys.executable, "-m", "homeward.engine.once", expression, *loaded]
    done = run(command, json.dumps(given), limit_s)
    try:
        (result,) = json.loads(done.stdout)["result"]
        return result["expressions"][0]["value"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise NoAnswerError((done.stderr or done.stdout).strip()[:2000]) from error
