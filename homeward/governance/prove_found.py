"""What a proof found, as findings and as what a report says of the space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homeward.governance.coverage import may_release
from homeward.governance.envelope import Data, Invariant, is_locked
from homeward.governance.prove_cell import Looked
from homeward.governance.space import SEED, Sizes
from homeward.governance.space_classes import Field

Finding = dict[str, Any]
Over = Sequence[Mapping[str, Any]]
"""What must hold over the whole space, as the envelope says it."""


def finding(which: str, text: str, **more: Any) -> Finding:
    """Return a finding that keeps a version from being activated."""
    return {"id": which, "kind": "invariant", "text": text, "children": [], **more}


def found_in(
    looked: Looked, data: Data, invariants: Sequence[Invariant], over: Over, version: str
) -> Iterator[Finding]:
    """Yield what was found in a version; `version` names one that is not the draft itself."""
    before, said = (f"{version}.", f"In a {version}: ") if version else ("", "")
    for one in (*_examples(looked, invariants), *_over_the_space(looked, data, over)):
        yield {**one, "id": before + one["id"], "text": said + one["text"]}


def _examples(looked: Looked, invariants: Sequence[Invariant]) -> Iterator[Finding]:
    """One finding for each invariant and row: the example with the fewest facts."""
    titles = {one.id: one.title for one in invariants}
    best: dict[tuple[str, str], Any] = {}
    for one in looked.examples:
        key = (one.invariant, one.row)
        if key not in best or len(one.facts) < len(best[key].facts):
            best[key] = one
    for (invariant, row), one in sorted(best.items()):
        yield finding(
            f"{invariant}:{row}", f"{titles[invariant]}. {one.text}", facts=list(one.facts),
            change=list(one.change), cell=one.cell, before=one.before, after=one.after,
            document=one.document,
        )  # fmt: skip


def _over_the_space(looked: Looked, data: Data, over: Over) -> Iterator[Finding]:
    if not over:
        return
    covered = looked.coverage
    both, every = over
    locked = is_locked(data)
    for row, about in sorted(data["table"].items()):
        if not locked and may_release(about, everywhere=False):
            if not covered.released[row]:
                yield finding(f"{both['id']}:{row}", f"{both['title']}. {row} never releases.")
            if not covered.refused[row]:
                yield finding(f"{both['id']}:{row}", f"{both['title']}. {row} never refuses.")
        if not covered.decided[row]:
            yield finding(f"{every['id']}:{row}", f"{every['title']}. {row} never decides.")
    for rule in every["rules_in_lockdown" if locked else "rules"]:
        if not covered.decided[rule]:
            yield finding(f"{every['id']}:{rule}", f"{every['title']}. {rule} never decides.")


def held(
    looked: Looked, invariants: Sequence[Invariant], over: Over, findings: Sequence[Finding]
) -> list[dict[str, Any]]:
    """Return for each invariant whether it held, and how often it was looked at."""
    broken = Counter(one["id"].rsplit(":", 1)[0].rsplit(".", 1)[-1] for one in findings)
    told = [(i.id, i.title, i.why, i.source, looked.comparisons[i.id]) for i in invariants]
    told += [(o["id"], o["title"], o["why"], o["source"], looked.inputs.total()) for o in over]
    return [
        {
            "id": name, "title": title, "why": why, "source": source, "looked_at": count,
            "held": not broken[name], "cases": looked.violations[name],
        }
        for name, title, why, source, count in told
    ]  # fmt: skip


def space(looked: Looked, found: Sequence[Field], sizes: Sizes) -> dict[str, Any]:
    """Return what was looked at: fields with how many values, documents, and each cell."""
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


def coverage(looked: Looked, history: Mapping[str, int] | None) -> dict[str, Any]:
    """Return how often each rule and path was true, and how often it decided."""
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
