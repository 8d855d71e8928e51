"""How much work a question may cost before it is cut off, in time and memory.

Work is counted in seconds of processor time, not of the clock: a machine that is busy with other
things is slow, and that is no fault of the policies. The clock counts only where nothing happens at
all. What is cut off has given no decision.
"""

import contextlib
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

import psutil

from homeward.engine.faults import NoAnswerError

MEMORY_BYTES_MAX = 2 << 30
"""Of one engine; it holds some 100 MB for the policies of this tree."""
SOFT = {"GOMEMLIMIT": "1GiB", "GOTRACEBACK": "none"}
"""Collect garbage harder from here on, and end without pages about it."""
LOOK_S = 0.25
"""How often it is looked how much work a question has cost; an answer is not kept waiting."""
IDLE_S = 300.0
"""By the clock: whoever has done nothing for this long will not."""


@dataclass(frozen=True)
class Patience:
    """Seconds of work. A usual document costs about 0.0003."""

    question_s: float = 1.0
    """For one question, however many documents are in it."""
    document_s: float = 0.01
    """More, for each document in it."""
    start_s: float = 30.0
    """For an engine to load policies."""
    lost_s: float = 20.0
    """For all that is cut off in one run; then the policies are not asked any more."""

    def for_(self, documents: int) -> float:
        """Return what a question with so many documents may cost."""
        return self.question_s + self.document_s * documents


class Loss:
    """What a run has lost by cutting off, wherever in it."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._lost_s = 0.0
        self._lock = Lock()

    def add(self, limit_s: float) -> None:
        """Count work that was for nothing: all that it was allowed, also where it died before."""
        with self._lock:
            self._lost_s += limit_s

    def is_too_much(self) -> bool:
        """Tell whether these policies are not worth asking any more."""
        return self._lost_s > self.patience.lost_s


class CutOffError(NoAnswerError):
    """It took too much work, or too much memory."""


class Watch:
    """What some processes have worked since it was first looked; nearly all answer before that."""

    def __init__(self, pids: Iterable[int], limit_s: float) -> None:
        self._pids = tuple(pids)
        self._limit_s = limit_s
        self._before_s: float | None = None
        self._until = time.monotonic() + IDLE_S

    def is_over(self) -> bool:
        """Tell whether it is to be cut off."""
        now_s = worked_s(self._pids)
        if self._before_s is None:
            self._before_s = now_s
        return now_s - self._before_s > self._limit_s or time.monotonic() > self._until


def worked_s(pids: Iterable[int]) -> float:
    """Return the seconds of work of these processes."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(pid).cpu_times()
            total += times.user + times.system
    return total


def confine(pid: int) -> None:
    """Limit the memory of a process that was just started, where the system can."""
    if hasattr(resource, "prlimit"):
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(pid, resource.RLIMIT_DATA, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))


def run(command: Sequence[str], given: str, limit_s: float) -> "subprocess.CompletedProcess[str]":
    """Run a program that then ends. Raises CutOffError after `limit_s` seconds of work."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as question:
        question.write(given)
        question.seek(0)
        process = subprocess.Popen(  # noqa: S603 - the engine that was found, or this interpreter
            command, stdin=question, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            encoding="utf-8", errors="replace", env={**os.environ, **SOFT},
        )  # fmt: skip
    with process:
        confine(process.pid)
        watch = Watch([process.pid], limit_s)
        try:
            while True:
                try:
                    out, err = process.communicate(timeout=LOOK_S)
                    return subprocess.CompletedProcess(command, process.returncode, out, err)
                except subprocess.TimeoutExpired:
                    if watch.is_over():
                        said = f"it was cut off after {limit_s:g} s of work: the policies loop"
                        raise CutOffError(said) from None
        finally:
            process.kill()
