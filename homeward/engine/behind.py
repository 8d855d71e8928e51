"""The library in a process that can be killed: `python -m homeward.engine.behind BUNDLE SOCKET`.

Its answers are OPA's, whole: a status and a body. What the door takes goes to it as it came. Where
a question costs too much work the process is killed and started again, and there is no decision.
"""

import asyncio
import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeward.engine.faults import NoAnswerError
from homeward.engine.patience import LOOK_S, SOFT, Patience, Watch, confine

if TYPE_CHECKING:
    from homeward.engine.loaded import Loaded

Answer = tuple[int, bytes]

_ASKED = struct.Struct(">I?")
"""Bytes of the question that follow, and whether the answer says which policies gave it."""
_ANSWERED = struct.Struct(">HI")
"""The status, and the bytes of the body that follow."""
_FAILED = 500, b'{"code": "internal_error", "message": "error(s) occurred in the policy"}'
_NO_INPUT = 400, b'{"code": "invalid_parameter", "message": "request body is not an input"}'


class Behind:
    """One engine; it is asked one question at a time."""

    def __init__(self, bundle: Path, version: str, patience: Patience | None = None) -> None:
        self._words = [str(bundle), version]
        self._patience = patience or Patience()
        self._lock = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    async def start(self) -> None:
        """Load the policies. Raises NoAnswerError where that fails."""
        here, there = socket.socketpair()
        here.setblocking(False)
        with there:
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - this interpreter, at once
                [sys.executable, "-m", "homeward.engine.behind", *self._words, str(there.fileno())],
                pass_fds=[there.fileno()], env={**os.environ, **SOFT},
            )  # fmt: skip
        confine(self._process.pid)
        self._socket = here
        status, _ = await self._within(self._patience.start_s, b"")
        if status != 200:
            raise NoAnswerError("the engine did not start")

    async def ask(self, question: bytes, with_provenance: bool) -> Answer:
        """Return the status and body of the answer."""
        async with self._lock:
            if self._socket is None:
                try:
                    await self.start()
                except NoAnswerError:
                    return _FAILED
            asked = _ASKED.pack(len(question), with_provenance) + question
            return await self._within(self._patience.for_(1), asked)

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _within(self, limit_s: float, asked: bytes) -> Answer:
        process, there = self._process, self._socket
        if process is None or there is None:
            return _FAILED
        loop = asyncio.get_running_loop()
        watch = Watch([process.pid], limit_s)

        def look() -> None:
            if watch.is_over():
                process.kill()
            looking[:] = [loop.call_later(LOOK_S, look)]

        looking = [loop.call_later(LOOK_S, look)]
        try:
            await loop.sock_sendall(there, asked)
            status, length = _ANSWERED.unpack(await _received(there, _ANSWERED.size))
            return status, await _received(there, length)
        except OSError:
            self.close()
            return _FAILED
        except BaseException:
            self.close()  # its answer would be taken for that to the next question
            raise
        finally:
            looking[0].cancel()


async def _received(there: socket.socket, length: int) -> bytes:
    loop = asyncio.get_running_loop()
    whole = bytearray()
    while len(whole) < length:
        part = await loop.sock_recv(there, length - len(whole))
        if not part:
            raise ConnectionResetError
        whole += part
    return bytes(whole)


def main() -> None:
    """Say that all is loaded, then answer until the other side closes."""
    bundle, version, descriptor = sys.argv[1:]
    if sys.platform == "linux":
        # one that loops does not see that the other side has closed
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    from homeward.engine.loaded import Loaded  # noqa: PLC0415 - a Go library, loaded here only

    loaded = Loaded(Path(bundle))
    told = {"version": version, "bundles": {"homeward": {"revision": loaded.revision}}}
    answered(loaded, b'{"input": {}}', None)  # compiles
    with socket.socket(fileno=int(descriptor)) as door, door.makefile("rb") as questions:
        door.sendall(_ANSWERED.pack(200, 0))
        while head := questions.read(_ASKED.size):
            length, with_provenance = _ASKED.unpack(head)
            provenance = told if with_provenance else None
            status, body = answered(loaded, questions.read(length), provenance)
            door.sendall(_ANSWERED.pack(status, len(body)) + body)


def answered(loaded: "Loaded", question: bytes, provenance: dict[str, Any] | None) -> Answer:
    """Answer one question as OPA's server does."""
    from homeward.engine.loaded import OpaError  # noqa: PLC0415 - see above

    try:
        given = json.loads(question, parse_constant=_refused)["input"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return _NO_INPUT
    try:
        answer = {"result": loaded.document("homeward.sharing.decision", given)}
    except OpaError as error:
        if error.code == "undefined":
            answer = {}
        else:
            return _NO_INPUT if error.code in ("invalid_argument", "invalid_json") else _FAILED
    if provenance is not None:
        answer["provenance"] = provenance
    return 200, json.dumps(answer).encode()


def _refused(_: str) -> None:
    """Refuse NaN and Infinity, as OPA does: they are no JSON."""
    raise ValueError


if __name__ == "__main__":
    main()
