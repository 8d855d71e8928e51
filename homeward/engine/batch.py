"""Decide many documents, in order, on as many cores as there are."""

import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from homeward.engine.bundle import build_bundle
from homeward.engine.faults import NoAnswerError
from homeward.engine.found import find_engine
from homeward.engine.private import LAZY_GC, private_server

CHUNK = 200
"""Documents in one question; more gains little and keeps a reader waiting."""

Worker = subprocess.Popen[bytes]


def decide_lines(
    chunks: Iterable[Sequence[bytes]], policies: Path, raw: bool = False, cores: int | None = None
) -> Iterator[bytes]:
    """Yield the answers to each chunk of lines, as many lines; what does not fit gets its error.

    `chunks` may wait for input; answers to what was asked do not wait for it. Raises NoAnswerError
    when the engine cannot be started or goes away.
    """
    # one more than two cores: while one reads and writes, two judge
    count = cores or max(3, min(4, os.cpu_count() or 1))
    with _workers(policies, raw, count) as workers, ThreadPoolExecutor(count + 1) as pool:
        free: SimpleQueue[Worker] = SimpleQueue()
        for worker in workers:
            free.put(worker)

        def decide(lines: Sequence[bytes]) -> bytes:
            worker = free.get()
            try:
                return _exchange(worker, lines)
            finally:
                free.put(worker)

        coming = iter(chunks)
        following: Future[Sequence[bytes] | None] = pool.submit(next, coming, None)
        waiting: deque[Future[bytes]] = deque()
        more = True
        while more or waiting:
            room = more and len(waiting) <= 2 * count
            # whichever comes first: with only the answers waited for, one core would sit idle
            first: list[Future[Any]] = [*([following] if room else []), *list(waiting)[:1]]
            wait(first, return_when=FIRST_COMPLETED)
            if room and following.done():
                lines = following.result()
                more = lines is not None
                if lines is not None:
                    waiting.append(pool.submit(decide, lines))
                    following = pool.submit(next, coming, None)
            else:
                yield waiting.popleft().result()


@contextmanager
def _workers(policies: Path, raw: bool, count: int) -> Iterator[list[Worker]]:
    engine = find_engine()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="homeward-")))
        bundle = folder / "bundle"
        build_bundle(policies, bundle)
        words = [str(policies), "raw" if raw else "checked", str(bundle)]
        if engine.kind == "command":
            words.append(str(opened.enter_context(private_server(engine, folder, bundle))))
        yield [opened.enter_context(_worker(words)) for _ in range(count)]


@contextmanager
def _worker(words: list[str]) -> Iterator[Worker]:
    worker = subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-m", "homeward.engine.worker", *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **LAZY_GC},
    )  # fmt: skip
    try:
        yield worker
    finally:
        worker.kill()
        worker.communicate()


def _exchange(worker: Worker, lines: Sequence[bytes]) -> bytes:
    if worker.stdin is None or worker.stdout is None:
        raise NoAnswerError("the engine's process has no pipes")
    try:
        worker.stdin.write(b"%d\n" % len(lines) + b"".join(line + b"\n" for line in lines))
        worker.stdin.flush()
        answers = [worker.stdout.readline() for _ in lines]
    except OSError as error:
        raise NoAnswerError("the engine's process ended") from error
    if not all(answers):
        raise NoAnswerError("the engine's process ended")
    return b"".join(answers)
