"""The cells of a proof, shared by processes that each have an engine.

Each process takes cells from its own end of the list, for neighbours ask much the same; who has
none left takes from the end of who has most.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import util
from pathlib import Path
from threading import Thread

from homeward.engine.faults import NoAnswerError
from homeward.engine.fit import SCHEMA
from homeward.governance.envelope import read_envelope
from homeward.governance.prove_cell import CellProof, Looked
from homeward.governance.questions import Built, Questions
from homeward.governance.questions_tree import Steps
from homeward.governance.space import Sizes
from homeward.governance.space_classes import Field, fields


@dataclass(frozen=True)
class Job:
    """One cell of one version."""

    version: str
    cell: str
    sizes: Sizes


@dataclass(frozen=True)
class Version:
    """The policies of a folder, made ready."""

    policies: Path
    built: Built


def fields_of(questions: Questions, policies: Path) -> tuple[list[Field], list[Steps]]:
    """Return the fields that the rules read, and those of which no values are known."""
    return fields(questions, json.loads((policies / SCHEMA).read_bytes()))


class Worker:
    """Looks at cells, with an engine for each version that they are of."""

    def __init__(self, versions: Mapping[str, Version]) -> None:
        self._versions = versions
        self._opened: dict[str, tuple[Questions, CellProof]] = {}

    def look(self, job: Job) -> Looked:
        """Return what is found in a cell. Raises NoAnswerError."""
        questions, proof = self._open(job.version)
        before = questions.asked
        looked = proof.look(job.cell, job.sizes)
        looked.asked = questions.asked - before
        return looked

    def close(self) -> None:
        """End the engines."""
        for questions, _ in list(self._opened.values()):
            questions.close()

    def _open(self, name: str) -> tuple[Questions, CellProof]:
        if name not in self._opened:
            version = self._versions[name]
            beside = next((questions for questions, _ in self._opened.values()), None)
            questions = Questions(version.built, beside)
            found, _ = fields_of(questions, version.policies)
            invariants, _ = read_envelope(questions.data)
            self._opened[name] = questions, CellProof(questions, found, invariants)
        return self._opened[name]


def shared(
    versions: Mapping[str, Version], jobs: Sequence[Job], cores: int
) -> Iterator[tuple[int, Looked]]:
    """Yield the place of each job and what was found there, as they end. Raises NoAnswerError."""
    runs = _runs(len(jobs), cores)
    if len(runs) == 1:
        with closing(Worker(versions)) as alone:
            yield from ((place, alone.look(jobs[place])) for place in runs[0])
        return
    context = multiprocessing.get_context("spawn")
    with ExitStack() as opened:
        pools = [
            opened.enter_context(
                ProcessPoolExecutor(1, context, _start, (dict(versions), os.getpid()))
            )
            for _ in runs
        ]
        working: dict[Future[Looked | str], tuple[int, int]] = {}

        def next_for(worker: int) -> None:
            if (place := _taken(runs, worker)) is not None:
                working[pools[worker].submit(_look, jobs[place])] = (worker, place)

        for worker in range(len(runs)):
            next_for(worker)
        while working:
            done, _ = wait(working, return_when=FIRST_COMPLETED)
            for one in done:
                worker, place = working.pop(one)
                looked = one.result()
                if isinstance(looked, str):
                    raise NoAnswerError(looked)
                next_for(worker)
                yield place, looked


def _runs(count: int, cores: int) -> list[deque[int]]:
    """The places of the jobs, one after another for each process."""
    workers = max(1, min(cores, count))
    ends = [count * one // workers for one in range(workers + 1)]
    return [deque(range(*two)) for two in pairwise(ends)]


def _taken(runs: Sequence[deque[int]], worker: int) -> int | None:
    if runs[worker]:
        return runs[worker].popleft()
    most = max(runs, key=len)
    return most.pop() if most else None


_MINE: list[Worker] = []
"""Of a process of a pool; it ends, and its engines, with the proof."""


def _start(versions: Mapping[str, Version], parent: int) -> None:
    gc.disable()  # millions of small things are kept, and hardly any are in a ring
    _MINE.append(Worker(versions))
    # a process of a pool ends without leaving any `with`; no engine must be left behind
    util.Finalize(None, _MINE[0].close, exitpriority=10)
    Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End, and the engines with it, when whoever started this was killed."""
    while os.getppid() == parent:
        time.sleep(1)
    _MINE[0].close()
    os._exit(1)


def _look(job: Job) -> Looked | str:
    try:
        return _MINE[0].look(job)
    except NoAnswerError as error:  # its kind need not survive the way to another process
        return str(error)
