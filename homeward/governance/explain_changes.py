"""The smallest change of a document that would have had another answer.

Single changes first, then pairs of those that came nearer, over the value classes of every field
that the row and the rules read. What each would have led to is asked of the engine.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from homeward.governance.explain_asked import TRUE, Asked, Row
from homeward.governance.explain_fields import Change, changes

Data = dict[str, Any]
PAIRS_MAX = 300
"""Pairs that are asked; with the single ones the whole stays below 600 questions."""


def kind_of(decision: Mapping[str, Any]) -> str:
    """Return `told`, `held` or `refused`."""
    return {"deny": "refused", "defer": "held"}.get(str(decision["decision"]), "told")


def smallest(
    asked: Asked, row: Row, document: Data, steps: Data
) -> dict[str, list[tuple[tuple[Change, ...], Data]]]:
    """Return by other kind of answer the smallest changes that lead to it, with its decision.

    For what is told in part also `more`: told with less taken out.
    """
    singles = [one for one in changes(asked.data, document) if one.made(document) != document]
    answers = asked.steps([one.made(document) for one in singles])
    now = steps["decision"]
    found: dict[str, list[tuple[tuple[Change, ...], Data]]] = {}
    for goal in _goals(now):
        found[goal] = [
            ((one,), told["decision"])
            for one, told in zip(singles, answers, strict=True)
            if "decision" in told and _reached(goal, now, told["decision"])
        ]
    open_goals = [goal for goal, some in found.items() if not some]
    if open_goals:
        pairs = promising(row, document, steps, list(zip(singles, answers, strict=True)))
        both = asked.steps([other.made(one.made(document)) for one, other in pairs])
        for goal in open_goals:
            found[goal] = [
                (pair, told["decision"])
                for pair, told in zip(pairs, both, strict=True)
                if "decision" in told and _reached(goal, now, told["decision"])
            ]
    return {goal: some for goal, some in found.items() if some}


def _goals(now: Mapping[str, Any]) -> list[str]:
    goals = [one for one in ("told", "held", "refused") if one != kind_of(now)]
    return ["more", *goals] if now["decision"] == "allow_redacted" else goals


def _reached(goal: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    if goal == "more":
        return kind_of(then) == "told" and len(then["transforms"]) < len(now["transforms"])
    return kind_of(then) == goal


def promising(
    row: Row, document: Data, steps: Data, tried: Sequence[tuple[Change, Data]]
) -> list[tuple[Change, Change]]:
    """Return the pairs that are worth asking, those first that leave least in the way of a release.

    Only which pairs are asked hangs on this; what a pair leads to is the engine's.
    """
    judged = row.judged([document, *(one.made(document) for one, _ in tried)])
    before = _State(steps, judged[0])
    moved = [
        (one, state)
        for (one, told), worth in zip(tried, judged[1:], strict=True)
        if (state := _State(told, worth)).all != before.all
    ]
    pairs = [
        (before.left(one[1], other[1]), (one[0], other[0]))
        for one, other in combinations(moved, 2)
        if one[0].path != other[0].path
    ]
    return [pair for _, pair in sorted(pairs, key=lambda some: some[0])[:PAIRS_MAX]]


class _State:
    """What stands between a document and a release: conditions of paths, and rules before them."""

    def __init__(self, steps: Data, judged: Sequence[Sequence[Data]]) -> None:
        self.short = [{n for n, c in enumerate(path) if c["worth"] < TRUE} for path in judged]
        self.worth = [[one["worth"] for one in path] for path in judged]
        self.denies = {n for n, worth in enumerate(steps.get("hard_denies", ())) if worth}
        self.other = {
            name for name in ("h1", "asked_for") if steps.get(name) not in ("none", False)
        }
        self.all = (self.worth, steps.get("hard_denies"), steps.get("h1"), steps.get("asked_for"))

    def left(self, one: "_State", other: "_State") -> int:
        """Return how much of what is in the way neither of two changes takes out of it."""
        rules = len(self.denies & one.denies & other.denies) + len(
            self.other & one.other & other.other
        )
        three = zip(self.short, one.short, other.short, strict=False)
        return rules + min((len(a & b & c) for a, b, c in three), default=0)
