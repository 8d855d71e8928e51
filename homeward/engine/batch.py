"""Decide many documents, in order, on as many cores as there are."""

import os
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import LifoQueue
from typing import Any

from homeward.engine.bundle import build_bundle
from homeward.engine.found import find_engine
from homeward.engine.pair import Pair
from homeward.engine.patience import Loss, Patience
from homeward.engine.private import BATCH

USUAL = Patience()
CHUNK = 200
"""Documents in one question; more gains little and keeps a reader waiting."""


def decide_lines(
    chunks: Iterable[Sequence[bytes]],
    policies: Path,
    raw: bool = False,
    cores: int | None = None,
    patience: Patience = USUAL,
) -> Iterator[bytes]:
    """Yield the answers to each chunk of lines, as many lines; what does not fit gets its error.

    So does what costs too much work: it is cut off, and the rest goes on. `chunks` may wait for
    input; answers to what was asked do not wait for it. Raises NoAnswerError when the engine cannot
    be started, BrokenPoliciesError for policies that may not be loaded.
    """
    # one more than two cores: while one reads and writes, two judge
    count = cores or max(3, min(4, os.cpu_count() or 1))
    with _pairs(policies, raw, count, patience) as pairs, ThreadPoolExecutor(count + 1) as pool:
        free: LifoQueue[Pair] = LifoQueue()
        for pair in pairs:
            free.put(pair)

        def decide(lines: Sequence[bytes]) -> bytes:
            pair = free.get()
            try:
                return pair.decide(lines)
            finally:
                free.put(pair)

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
def _pairs(policies: Path, raw: bool, count: int, patience: Patience) -> Iterator[list[Pair]]:
    engine = find_engine()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="homeward-")))
        bundle = folder / "bundle"
        build_bundle(policies, bundle)
        if engine.kind == "command":
            (bundle / BATCH.name).write_bytes(BATCH.read_bytes())
        loss = Loss(patience)
        pairs = [Pair(engine, policies, raw, bundle, loss) for _ in range(count)]
        for pair in pairs:
            opened.callback(pair.close)
        yield pairs
