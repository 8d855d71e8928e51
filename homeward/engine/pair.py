"""A worker and its engine, started together and cut off together when a question costs too much."""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from homeward.engine.faults import NoAnswerError
from homeward.engine.found import Engine
from homeward.engine.patience import LOOK_S, CutOffError, Loss, Watch, confine
from homeward.engine.private import LAZY_GC, private_server
from homeward.engine.worker import NO_DECISION

_READ_BYTES = 1 << 20
_NO_DECISION = json.dumps(NO_DECISION).encode() + b"\n"


class Pair:
    """Starts when it is first asked, and again after it was cut off."""

    def __init__(self, engine: Engine, policies: Path, raw: bool, bundle: Path, loss: Loss) -> None:
        self._engine = engine
        self._words = [str(policies), "raw" if raw else "checked", str(bundle)]
        self._bundle = bundle
        self._loss = loss
        self._opened = ExitStack()
        self._worker: subprocess.Popen[bytes] | None = None
        self._pids: list[int] = []

    def decide(self, lines: Sequence[bytes]) -> bytes:
        """Return as many lines; where a document was cut off, that there is no decision.

        Raises NoAnswerError where the engine cannot be started.
        """
        if not lines:
            return b""
        if self._loss.is_too_much():
            return _NO_DECISION * len(lines)
        try:
            return self._exchange(lines)
        except CutOffError:
            if len(lines) == 1:
                return _NO_DECISION
            half = len(lines) // 2
            return self.decide(lines[:half]) + self.decide(lines[half:])

    def close(self) -> None:
        """End both processes."""
        self._worker = None
        self._opened.close()

    def _exchange(self, lines: Sequence[bytes]) -> bytes:
        worker = self._worker or self._start()
        limit_s = self._loss.patience.for_(len(lines))
        asked = b"%d\n" % len(lines) + b"".join(line + b"\n" for line in lines)
        try:
            return self._answers(worker, asked, len(lines), Watch(self._pids, limit_s))
        except CutOffError:
            self._loss.add(limit_s)
            self.close()
            raise

    def _start(self) -> "subprocess.Popen[bytes]":
        words = list(self._words)
        self._pids = []
        folder = Path(self._opened.enter_context(tempfile.TemporaryDirectory(prefix="homeward-")))
        if self._engine.kind == "command":
            place, pid = self._opened.enter_context(
                private_server(self._engine, folder, self._bundle)
            )
            words.append(str(place))
            self._pids.append(pid)
        log = self._opened.enter_context((folder / "worker.log").open("w+b"))
        worker = subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-m", "homeward.engine.worker", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0,
            env={**os.environ, **LAZY_GC},
        )  # fmt: skip
        self._opened.callback(_end, worker)
        confine(worker.pid)
        self._pids.append(worker.pid)
        try:
            self._answers(worker, b"", 1, Watch(self._pids, self._loss.patience.start_s))
        except CutOffError as error:
            log.seek(0)
            said = log.read().decode(errors="replace").strip()[-2000:]
            self.close()
            raise NoAnswerError(f"the engine did not start: {said or error}") from error
        self._worker = worker
        return worker

    def _answers(
        self, worker: "subprocess.Popen[bytes]", asked: bytes, count: int, watch: Watch
    ) -> bytes:
        """Write all, read `count` lines; both go on at a time, so that no pipe fills up."""
        if worker.stdin is None or worker.stdout is None:
            raise CutOffError("the engine's process has no pipes")
        into, out = worker.stdin.fileno(), worker.stdout.fileno()
        rest, answers, still = memoryview(asked), bytearray(), count
        while still:
            readable, writable, _ = select.select([out], [into] if rest else [], [], LOOK_S)
            if not readable and not writable and watch.is_over():
                raise CutOffError("it took too much work")
            if writable:
                try:
                    rest = rest[os.write(into, rest[: select.PIPE_BUF]) :]
                except OSError as error:
                    raise CutOffError("the engine's process ended") from error
            if readable:
                received = os.read(out, _READ_BYTES)
                if not received:
                    raise CutOffError("the engine's process ended")
                answers += received
                still -= received.count(b"\n")
        return bytes(answers)


def _end(worker: "subprocess.Popen[bytes]") -> None:
    worker.kill()
    worker.communicate()
