"""An engine for one command: started on a bundle, asked in batches, gone with the command."""

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from homeward.engine.faults import EngineGoneError, NoAnswerError
from homeward.engine.found import Engine
from homeward.engine.patience import SOFT, confine

BATCH = Path(__file__).with_name("batch.rego")
LAZY_GC = {"GOGC": "800", **SOFT}
"""Collect garbage less often: a fifth faster, for some more memory while the command runs."""

_START_S = 60
_JSON = {"Content-Type": "application/json"}
_PATH = "/v1/data/homeward_batch/decisions?strict-builtin-errors=true"


class Asker(Protocol):
    """Takes documents, gives the answer to each."""

    def ask(self, documents: Sequence[Any]) -> list[object]:
        """Return one answer per document, None for none.

        Raises NoAnswerError when all failed, EngineGoneError where nobody is there to answer.
        """


@contextmanager
def private_server(engine: Engine, folder: Path, bundle: Path) -> Iterator[tuple[Path, int]]:
    """Run OPA's server on a socket in `folder`, which only this user can open.

    Yields the socket and the process; `bundle` holds `batch.rego` too.
    """
    place, log = folder / "opa.sock", folder / "opa.log"
    place.unlink(missing_ok=True)
    command = [str(engine.path), "run", "--server", "--skip-version-check", "--log-level", "error",
               "--addr", f"unix://{place}", "--bundle", str(bundle)]  # fmt: skip
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - the engine that was found
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **LAZY_GC}
        )
    confine(process.pid)
    try:
        until = time.monotonic() + _START_S
        while not _answers(place):
            if process.poll() is not None or time.monotonic() > until:
                raise NoAnswerError(log.read_text(errors="replace")[-2000:])
            time.sleep(0.005)
        yield place, process.pid
    finally:
        process.kill()
        process.wait()


def _answers(place: Path) -> bool:
    connection = UnixConnection(place)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True


class UnixConnection(http.client.HTTPConnection):
    """A connection to a server that listens on a socket in a folder."""

    def __init__(self, place: Path) -> None:
        super().__init__("localhost")
        self._place = str(place)

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._place)


class ServerAsker:
    """One connection to a private server."""

    def __init__(self, place: Path) -> None:
        self._connection = UnixConnection(place)

    def ask(self, documents: Sequence[Any]) -> list[object]:
        """See Asker."""
        try:
            body = json.dumps({"input": documents}, ensure_ascii=False, separators=(",", ":"))
            self._connection.request("POST", _PATH, body.encode(), _JSON)
            answer = json.loads(self._connection.getresponse().read())
        except (OSError, http.client.HTTPException) as error:
            raise EngineGoneError(str(error)) from error
        except (ValueError, RecursionError) as error:
            self._connection.close()
            raise NoAnswerError(str(error)) from error
        return in_order(answer.get("result"), len(documents))


def in_order(answers: object, count: int) -> list[object]:
    """Return answers that came by their place as a list. Raises NoAnswerError without any."""
    if not isinstance(answers, dict):
        raise NoAnswerError("no result")
    return [answers.get(str(place)) for place in range(count)]
