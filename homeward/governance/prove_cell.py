"""One cell of the space, looked at under every invariant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from homeward.governance.counter import Example, reduced
from homeward.governance.coverage import Coverage
from homeward.governance.envelope import Invariant
from homeward.governance.questions import Questions
from homeward.governance.questions_edits import Edit
from homeward.governance.questions_reads import Read, Rule
from homeward.governance.questions_sheets import DECISION, Column, Sheet
from homeward.governance.space import (
    Cell,
    Sizes,
    cell,
    reached,
    row_rule,
    samples,
    to_broken,
    to_valid,
)
from homeward.governance.space_classes import Field


@dataclass
class Looked:
    """What was found in some cells."""

    inputs: Counter[str] = field(default_factory=Counter)
    """Documents, by how they were chosen."""
    comparisons: Counter[str] = field(default_factory=Counter)
    """Of pairs of answers, by invariant."""
    violations: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)
    cells: list[dict[str, object]] = field(default_factory=list)
    asked: int = 0

    def add(self, other: Looked) -> None:
        """Take in what was found elsewhere."""
        self.inputs.update(other.inputs)
        self.comparisons.update(other.comparisons)
        self.violations.update(other.violations)
        self.examples += other.examples
        self.coverage.add(other.coverage)
        self.cells += other.cells
        self.asked += other.asked


class CellProof:
    """The invariants over one cell."""

    def __init__(
        self, questions: Questions, fields: Sequence[Field], invariants: Sequence[Invariant]
    ) -> None:
        self._questions = questions
        self._fields = fields
        self._invariants = invariants
        self._valid = {one.path: to_valid(one) for one in fields}
        self._broken = {one.path: to_broken(one) for one in fields}

    def look(self, name: str, sizes: Sizes) -> Looked:
        """Return what is found in the cell of this name. Raises NoAnswerError."""
        looked, questions = Looked(), self._questions
        here = cell(questions, self._fields, name, sizes)
        grid = questions.sheet(here.grid, here.grid_varies)
        core = questions.sheet(here.core, here.core_varies)
        probe = questions.sheet(here.probe, here.core_varies)
        row = row_rule(questions, core)
        found = _Found(self, here, looked)
        sampled = core.spread(list(samples(self._fields, name, sizes)))
        for how, sheet in (("every combination", grid), ("several changes, drawn", sampled)):
            self._count(looked, how, sheet, row)
            found.as_they_are(sheet)
            found.changed(sheet, looked)
        seen = reached(questions, core)
        for fields in (self._read(seen), self._read(seen, no=True)):
            valid = [[edit] for one in fields for edit in self._valid[one.path]]
            told = core.spread(valid)
            self._count(looked, "one change, valid", told, row)
            found.as_they_are(told)
            if valid and sizes.is_whole and not told.is_same():
                found.changed(probe.spread(valid), looked)
            broken = [[edit] for one in fields for edit in self._broken[one.path]]
            told = core.spread(broken)
            self._count(looked, "one change, broken", told, None)
            found.as_they_are(told)
            found.broken(core, told, broken)
        looked.cells.append(
            {
                "cell": name,
                "combinations": len(here.grid),
                "of": [".".join(path) for path in here.grid_varies],
                "one_at_a_time": [".".join(path) for path in here.left],
            }
        )
        return looked

    def _read(self, seen: frozenset[Read], no: bool = False) -> list[Field]:
        """The fields that can be seen in this cell, or those that cannot."""
        told = [(one, Edit(one.path)) for one in self._fields]
        return [one for one, edit in told if any(map(edit.touches, seen)) is not no]

    def _count(self, looked: Looked, how: str, sheet: Sheet, row: Rule | None) -> None:
        looked.inputs[how] += sheet.size
        if how != "one change, broken":
            looked.coverage.look(self._questions, sheet, row)
        else:
            for number, count in Counter(sheet.column(DECISION)).items():
                looked.coverage.answered(self._questions.value(number), count)


class _Found:
    """Looks for what must never be seen, and keeps one example of each kind."""

    def __init__(self, proof: CellProof, here: Cell, looked: Looked) -> None:
        self._questions = proof._questions
        self._invariants = proof._invariants
        self._here = here
        self._looked = looked
        self._kept: set[tuple[str, str]] = set()
        self._judged: dict[tuple[int, int, int, str], bool] = {}

    def as_they_are(self, sheet: Sheet) -> None:
        for place, one in enumerate(self._invariants):
            if one.forbidden in _AS_IT_IS:
                self._compare(place, sheet, sheet, sheet.column(DECISION), [()])

    def changed(self, sheet: Sheet, looked: Looked) -> None:
        """Make every change that an invariant names, to all documents of a sheet."""
        for place, one in enumerate(self._invariants):
            if not one.ways:
                continue
            before = sheet.changed(*one.before) if one.before else sheet
            if not self._may_concern(one, before):
                continue
            for way in one.ways:
                after = before.changed(*way)
                if after.is_same() and one.forbidden not in _ABOUT_ONE:
                    looked.comparisons[one.id] += after.size
                    looked.inputs["changed as an invariant says"] += after.size
                    continue
                looked.inputs["changed as an invariant says"] += after.size
                self._compare(place, sheet, after, before.column(DECISION), [way])

    def broken(self, before: Sheet, after: Sheet, ways: Sequence[Sequence[Edit]]) -> None:
        for place, one in enumerate(self._invariants):
            if one.broken:
                told = before.column(DECISION) * len(ways)
                self._compare(place, before, after, told, ways)

    def _may_concern(self, one: Invariant, sheet: Sheet) -> bool:
        """Spare what cannot concern this cell: the recipient's type never changes on the way."""
        path = ("recipient", "type")
        if path not in one.only:
            return True
        kinds = {self._questions.values.held[n] for n in set(sheet.read(Read(path)))}
        return bool(kinds & set(one.only[path]))

    def _compare(
        self,
        place: int,
        sheet: Sheet,
        after: Sheet,
        before: Column,
        ways: Sequence[Sequence[Edit]],
    ) -> None:
        one = self._invariants[place]
        held = self._questions.values.held
        self._looked.comparisons[one.id] += after.size
        only = [after.read(Read(path)) for path in one.only]
        seat = [after.read(Read(("recipient", key))) for key in ("type", "role")]
        columns = (before, after.column(DECISION), *seat, *only)
        bad = {
            key
            for key in set(zip(*columns, strict=True))
            if self._is_bad(place, key[0], key[1], _seat(held[key[2]], held[key[3]]))
            and one.concerns([held[number] for number in key[4:]])
        }
        if not bad:
            return
        for at, key in enumerate(zip(*columns, strict=True)):
            if key in bad:
                self._keep(one, sheet, at, ways, key[1])

    def _is_bad(self, place: int, before: int, after: int, seat: str) -> bool:
        key = (place, before, after, seat)
        if key not in self._judged:
            value, data = self._questions.value, self._questions.data
            one = self._invariants[place]
            self._judged[key] = one.is_broken_by(value(before), value(after), seat, data)
        return self._judged[key]

    def _keep(
        self, one: Invariant, sheet: Sheet, at: int, ways: Sequence[Sequence[Edit]], after: int
    ) -> None:
        answer = self._questions.value(after)
        row = answer["rule_ids"][-1] if answer else "none"
        self._looked.violations[one.id] += 1
        if (one.id, row) in self._kept:
            return
        self._kept.add((one.id, row))
        size = sheet.size
        document, way = sheet.document(at % size), ways[at // size if len(ways) > 1 else 0]
        self._looked.examples.append(
            reduced(self._questions, one, self._here, document, tuple(way))
        )


_AS_IT_IS = frozenset({"unanswered", "released_with_identity", "released_without_gate"})
"""These are looked for in every document as it is, too."""
_ABOUT_ONE = frozenset({"released", "denied_where_no_path_knows_g1", "released_with_identity"})
"""These look at the answer afterwards alone, so it matters even where nothing changed."""


def _seat(kind: object, role: object) -> str:
    return str(role if kind == "childrens_services" else kind)
