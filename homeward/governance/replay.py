"""Deciding the recorded decisions of some children again under a draft, and what comes of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homeward.governance import changes
from homeward.governance.changes import Change, Comparison
from homeward.governance.history import ChildHistory, History, Recorded, Span
from homeward.governance.replay_answers import NOT_PROPOSED_PLACE, Answer, Answers
from homeward.governance.replay_documents import Again, Built
from homeward.governance.replay_shape import Seen
from messaging.ids import Ids
from services.sharing.domain.answer import NO_CONTENT, NO_DECISION
from services.sharing.policy_data import PolicyData

EXAMPLES = 3
"""Decisions that are shown of each kind, type of recipient and category."""
NAMED = 20
"""Decisions that are named of those that cannot be checked, by reason."""

Tally = dict[str, Any]
_LISTS = ("rule_ids", "gates_used", "basis", "transforms", "obligations")


class Replay:
    """Decides again, and compares with what was recorded."""

    def __init__(
        self,
        history: History,
        answers: Answers,
        draft: PolicyData,
        versions: Mapping[str, PolicyData],
        ids: Ids | None,
    ) -> None:
        """`versions`: the data of earlier policies by digest, the one in force first."""
        self._history, self._answers, self._draft = history, answers, draft
        self._versions, self._ids = versions, ids
        self._in_force = next(iter(versions))
        self._recorded: dict[tuple[Any, ...], Answer] = {}
        self._changes: dict[tuple[Any, ...], Change | None] = {}
        self._comparisons: dict[str, Comparison] = {}

    def children(self, names: Sequence[str], span: Span, examples: int = EXAMPLES) -> Tally:
        """Return what changes for some children: sums, so that those of all can be added."""
        cases: list[tuple[Recorded, Built, bytes | None]] = []
        new: dict[bytes, Any] = {}
        tally = _Tally(examples)
        keep: list[Any] = []
        for child in self._history.of(names, span):
            again = Again(child, self._versions, self._ids)
            keep.append(again)  # shapes know parts of documents by identity
            cases += self._asked(child, again, tally, new)
        self._answers.ask(new)
        found = list(self._compared(cases, tally))
        left = self._left(found)
        for one, built, change, answer in found:
            tally.change(one, built, change, self._parsed(one), answer)
            if change.recall:
                for release, state in left.get(one.id, ()):
                    tally.recall(one, built, release, state)
        return tally.plain(new)

    def _asked(
        self, child: ChildHistory, again: Again, tally: "_Tally", new: dict[bytes, Any]
    ) -> Iterator[tuple[Recorded, Built, bytes | None]]:
        seen: dict[int, Seen] = {}
        tally.children += 1
        for one in child.decisions:
            tally.decisions += 1
            if NO_DECISION in one.answer[1]:
                tally.unanswered += 1
                continue
            built = again.built(one)
            if isinstance(built, str):
                tally.uncertain(one, built)
                continue
            if built.unchecked:
                tally.unchecked += 1
            document, question = built.document(self._draft), None
            if document is not None:
                moment = built.moment()
                shape = seen.get(id(moment))
                if shape is None:
                    shape = seen[id(moment)] = self._answers.shape.seen()
                question = shape.question(document)
                if question not in new and not self._answers.knows(question):
                    new[question] = shape.stand_in()
            yield one, built, question

    def _compared(
        self, cases: Sequence[tuple[Recorded, Built, bytes | None]], tally: "_Tally"
    ) -> Iterator[tuple[Recorded, Built, Change, Answer]]:
        for one, built, question in cases:
            place = NOT_PROPOSED_PLACE if question is None else self._answers.place(question)
            type_ = built.recipient.type
            asked = one.answer, place, type_, one.policy_digest
            try:
                change = self._changes[asked]
            except KeyError:
                change = self._changes[asked] = self._comparison(one.policy_digest).change(
                    self._parsed(one), self._answers.answer(place), type_
                )
            tally.cell(type_, one.category)["decisions"] += 1
            if change is None:
                continue
            if NO_CONTENT in one.answer[1] and changes.LEARN in change.kinds:
                tally.no_content += 1  # the words decide that, and they are not here
                continue
            yield one, built, change, self._answers.answer(place)

    def _left(
        self, found: Sequence[tuple[Recorded, Built, Change, Answer]]
    ) -> dict[str, list[tuple[str, str]]]:
        children = {one.child_id for one, _, change, _ in found if change.recall}
        return self._history.left(sorted(children)) if children else {}

    def _comparison(self, digest: str) -> Comparison:
        if digest not in self._comparisons:
            before = self._versions.get(digest, self._versions[self._in_force])
            self._comparisons[digest] = Comparison(before, self._draft)
        return self._comparisons[digest]

    def _parsed(self, one: Recorded) -> Answer:
        found = self._recorded.get(one.answer)
        if found is None:
            decision, *lists, defer_to = one.answer
            found = self._recorded[one.answer] = {
                "decision": decision,
                **{name: json.loads(text) for name, text in zip(_LISTS, lists, strict=True)},
                "defer_to": None if defer_to is None else json.loads(defer_to),
            }
        return found


class _Tally:
    """Sums over some children."""

    def __init__(self, examples: int) -> None:
        self.children = self.decisions = self.unanswered = self.no_content = self.unchecked = 0
        self._examples = examples
        self._cells: dict[str, dict[str, Tally]] = {}
        self._uncertain: dict[str, Tally] = {}
        self._recalls: list[dict[str, str]] = []
        self._met: set[tuple[str, ...]] = set()
        self._kinds: dict[str, Tally] = {}

    def cell(self, type_: str, category: str) -> Tally:
        """Return the sums of one type of recipient and one category."""
        row = self._cells.setdefault(type_, {})
        found = row.get(category)
        if found is None:
            found = row[category] = {"decisions": 0, "kinds": {}}
        return found

    def uncertain(self, one: Recorded, why: str) -> None:
        """Note a decision whose document does not come out again."""
        found = self._uncertain.setdefault(why, {"decisions": 0, "some": []})
        found["decisions"] += 1
        if len(found["some"]) < NAMED:
            found["some"].append(one.id)

    def change(self, one: Recorded, built: Built, change: Change, old: Answer, new: Answer) -> None:
        """Count a change under each of its kinds."""
        kinds = list(change.kinds)
        if change.safety_stop:
            kinds.append("safety_stop")
        if changes.LEARN in kinds and built.plain_no():
            kinds.append("against_the_childs_no")
        type_ = built.recipient.type
        for kind in kinds:
            kept = self.cell(type_, one.category)["kinds"].setdefault(kind, _sums())
            whole = self._kinds.setdefault(kind, {"decisions": 0, "children": 0, "recipients": 0})
            kept["decisions"] += 1
            whole["decisions"] += 1
            move = f"{change.before}, then {change.after}"
            kept["moves"][move] = kept["moves"].get(move, 0) + 1
            if self._first(kind, "child", one.child_id):
                whole["children"] += 1
            if self._first(kind, "recipient", one.child_id, one.recipient):
                whole["recipients"] += 1
            if self._first(kind, type_, one.category, one.child_id):
                kept["children"] += 1
                if kind in ("safety_stop", "against_the_childs_no"):
                    kept["named"].append(one.child_id)
            if len(kept["examples"]) < self._examples:
                kept["examples"].append(_example(one, move, old, new))

    def recall(self, one: Recorded, built: Built, release: str, state: str) -> None:
        """Note what had left and would now be refused."""
        self._recalls.append(
            {"child": one.child_id, "recipient": one.recipient, "type": built.recipient.type,
             "item": one.item_id, "category": one.category, "release": release, "state": state,
             "decision": one.id}
        )  # fmt: skip

    def plain(self, new: Mapping[bytes, Any]) -> Tally:
        """Return the sums as JSON; `questions` are those that were met for the first time."""
        return {
            "children": self.children,
            "decisions": self.decisions,
            "unanswered": self.unanswered,
            "no_content": self.no_content,
            "unchecked": self.unchecked,
            "kinds": self._kinds,
            "cells": self._cells,
            "uncertain": self._uncertain,
            "recall": self._recalls,
            "questions": [question.hex() for question in new],
        }

    def _first(self, *met: str) -> bool:
        if met in self._met:
            return False
        self._met.add(met)
        return True


def _sums() -> Tally:
    return {"decisions": 0, "children": 0, "moves": {}, "named": [], "examples": []}


def _example(one: Recorded, move: str, old: Answer, new: Answer) -> Tally:
    told = ("rule_ids", "transforms", "defer_to")
    return {
        "decision": one.id, "child": one.child_id, "item": one.item_id,
        "recipient": one.recipient, "category": one.category, "move": move,
        "decided_at": one.decided_at.isoformat(),
        "before": {name: old[name] for name in told},
        "after": {name: new[name] for name in told},
    }  # fmt: skip


def added(whole: Tally, part: Tally) -> None:
    """Add the sums of some children to those of others; lists of examples stay short."""
    for name, value in part.items():
        if isinstance(value, Mapping):
            added(whole.setdefault(name, {}), dict(value))
        elif isinstance(value, list):
            most = {"examples": EXAMPLES, "some": NAMED}.get(name)
            whole[name] = (whole.get(name, []) + value)[:most]
        else:
            whole[name] = whole.get(name, 0) + value
