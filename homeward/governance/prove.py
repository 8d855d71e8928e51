"""The proof of a version of the policies: the whole space under the safety envelope.

Functions only; `prove_command` prints. What is counted and found does not depend on how many
processes share the work; how long it took and what the engine was asked does.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import util
from pathlib import Path
from threading import Thread
from typing import Any

from homeward.engine.faults import NoAnswerError
from homeward.engine.fit import SCHEMA
from homeward.governance.coverage import may_release
from homeward.governance.envelope import Invariant, read_envelope
from homeward.governance.prove_cell import CellProof, Looked
from homeward.governance.questions import Questions
from homeward.governance.questions_tree import Steps
from homeward.governance.space import FULL, REDUCED, SEED, Sizes, cell_names
from homeward.governance.space_classes import Field, fields

__all__ = ["FULL", "REDUCED", "report"]

Told = Callable[[int, int], None]
"""Told after every share of the work: how many cells are done, and of how many."""
Finding = dict[str, Any]
_SHARE = 4
"""Cells that one process takes at a time; neighbours ask much the same."""


def report(  # noqa: PLR0917 - one call
    draft: Path,
    sizes: Sizes = FULL,
    cores: int = 2,
    told: Told | None = None,
    history: Mapping[str, int] | None = None,
    cells: Sequence[str] = (),
) -> dict[str, Any]:
    """Prove the policies in the folder `draft`; return the report, findings included.

    `history` says how often each rule decided on record. With `cells` only these are looked at, and
    nothing is said about rules that never decide. Raises BrokenPoliciesError for policies
    that may not be loaded, before anything of them is evaluated.
    """
    start = time.monotonic()
    with Questions(draft) as questions:
        found, unread = _fields(questions, draft)
        invariants, over = read_envelope(questions.data)
        names = list(cells) or cell_names(questions.data)
        data, digest = questions.data, questions.digest
    looked, stopped = Looked(), ""
    try:
        for one in _shares(draft, names, sizes, cores, told):
            looked.add(one)
    except NoAnswerError as error:  # a policy that loops is cut off
        stopped = str(error)
    findings = [
        *_unknown_fields(unread),
        *_cut_off(stopped),
        *_examples(looked, invariants),
        *([] if stopped or cells else _over_the_space(looked, data, over)),
    ]
    memory_kb = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {
        "kind": "prove",
        "policy": digest,
        "version": data.get("policy_version", ""),
        "against": None,
        "inputs": looked.inputs.total(),
        "space": _space(looked, found, sizes),
        "invariants": _held(looked, invariants, over, findings),
        "coverage": _coverage(looked, history),
        "findings": findings,
        "took_s": round(time.monotonic() - start, 1),
        "machine": {"cores": cores, "questions": looked.asked, "memory_mb": memory_kb // 1024},
    }


def _fields(questions: Questions, draft: Path) -> tuple[list[Field], list[Steps]]:
    return fields(questions, json.loads((draft / SCHEMA).read_bytes()))


def _shares(
    draft: Path, names: Sequence[str], sizes: Sizes, cores: int, told: Told | None
) -> Iterator[Looked]:
    """Look at all cells, a process on each core; in the order of the cells."""
    shares = [names[at : at + _SHARE] for at in range(0, len(names), _SHARE)]
    done = 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, context, _start, (str(draft), sizes, os.getpid())) as pool:
        for share, looked in zip(shares, pool.map(_look, shares), strict=True):
            if isinstance(looked, str):
                pool.shutdown(wait=True, cancel_futures=True)
                raise NoAnswerError(looked)
            done += len(share)
            if told is not None:
                told(done, len(names))
            yield looked


_MINE: list[tuple[Questions, CellProof, Sizes]] = []
"""What a process of the pool works with; it ends, and its engine, with the pool."""


def _start(draft: str, sizes: Sizes, parent: int) -> None:
    questions = Questions(Path(draft))
    # a process of a pool ends without leaving any `with`; the engine must not be left behind
    util.Finalize(None, questions.close, exitpriority=10)
    Thread(target=_end_with, args=(parent, questions), daemon=True).start()
    found, _ = _fields(questions, Path(draft))
    invariants, _ = read_envelope(questions.data)
    _MINE.append((questions, CellProof(questions, found, invariants), sizes))


def _end_with(parent: int, questions: Questions) -> None:
    """End, and the engine with it, when whoever started this was killed."""
    while os.getppid() == parent:
        time.sleep(1)
    questions.close()
    os._exit(1)


def _look(names: Sequence[str]) -> Looked | str:
    questions, proof, sizes = _MINE[0]
    whole, before = Looked(), questions.asked
    try:
        for name in names:
            whole.add(proof.look(name, sizes))
    except NoAnswerError as error:
        return str(error)
    whole.asked = questions.asked - before
    return whole


# what was found


def _finding(which: str, text: str, **more: Any) -> Finding:
    return {"id": which, "kind": "invariant", "text": text, "children": [], **more}


def _unknown_fields(unread: Sequence[Steps]) -> Iterator[Finding]:
    for path in unread:
        name = ".".join(path)
        yield _finding(
            f"fields_known:{name}",
            f"The rules read {name}, which neither the contract nor codes.yaml describes, so "
            "nothing can be proved about it.",
        )


def _cut_off(stopped: str) -> Iterator[Finding]:
    if stopped:
        yield _finding(
            "always_answered:cut_off",
            f"The rules were cut off, which is no decision, and the proof ends here: {stopped}",
        )


def _examples(looked: Looked, invariants: Sequence[Invariant]) -> Iterator[Finding]:
    """One finding for each invariant and row: the example with the fewest facts."""
    titles = {one.id: one.title for one in invariants}
    best: dict[tuple[str, str], Any] = {}
    for one in looked.examples:
        key = (one.invariant, one.row)
        if key not in best or len(one.facts) < len(best[key].facts):
            best[key] = one
    for (invariant, row), one in sorted(best.items()):
        yield _finding(
            f"{invariant}:{row}", f"{titles[invariant]}. {one.text}", facts=list(one.facts),
            change=list(one.change), cell=one.cell, before=one.before, after=one.after,
            document=one.document,
        )  # fmt: skip


def _over_the_space(
    looked: Looked, data: Mapping[str, Any], over: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    covered = looked.coverage
    both, every = over
    locked = data.get("lockdown", False) is not False
    for row, about in sorted(data["table"].items()):
        if not locked and may_release(about, everywhere=False):
            if not covered.released[row]:
                yield _finding(f"{both['id']}:{row}", f"{both['title']}. {row} never releases.")
            if not covered.refused[row]:
                yield _finding(f"{both['id']}:{row}", f"{both['title']}. {row} never refuses.")
        if not covered.decided[row]:
            yield _finding(f"{every['id']}:{row}", f"{every['title']}. {row} never decides.")
    for rule in every["rules"]:
        if not covered.decided[rule] and not locked:
            yield _finding(f"{every['id']}:{rule}", f"{every['title']}. {rule} never decides.")


def _held(
    looked: Looked,
    invariants: Sequence[Invariant],
    over: Sequence[Mapping[str, Any]],
    findings: Sequence[Finding],
) -> list[dict[str, Any]]:
    broken = Counter(finding["id"].split(":")[0] for finding in findings)
    told = [(i.id, i.title, i.why, i.source, looked.comparisons[i.id]) for i in invariants]
    told += [(o["id"], o["title"], o["why"], o["source"], looked.inputs.total()) for o in over]
    return [
        {
            "id": name, "title": title, "why": why, "source": source, "looked_at": count,
            "held": not broken[name], "cases": looked.violations[name],
        }
        for name, title, why, source, count in told
    ]  # fmt: skip


def _space(looked: Looked, found: Sequence[Field], sizes: Sizes) -> dict[str, Any]:
    return {
        "fields": {
            ".".join(one.path): {"values": len(one.valid), "broken": len(one.odd) + 2}
            for one in found
        },
        "by": dict(sorted(looked.inputs.items())),
        "cells": looked.cells,
        "combinations_max": sizes.grid,
        "seed": SEED,
    }


def _coverage(looked: Looked, history: Mapping[str, int] | None) -> dict[str, Any]:
    covered = looked.coverage
    rules = sorted({*covered.matched, *covered.decided, *(history or ())})
    return {
        "rules": {
            rule: {"matched": covered.matched[rule], "decided": covered.decided[rule]}
            | ({"history": history.get(rule, 0)} if history is not None else {})
            for rule in rules
        },
        "paths": {
            path: {"open": covered.path_open[path], "decided": covered.path_decided[path]}
            for path in sorted(covered.path_open)
        },
    }
