"""The enumerated space: which documents the safety envelope is checked over.

A *cell* is one recipient, one category, and whether it is told or asked for. In each cell:

- the *grid* holds every combination of what the row's own paths read, as far as it fits `Sizes`;
- the *core* holds a no and a yes, each with no gate true and with all gates true that the row's
  paths read, and the facts that open most paths;
- every single change of every other field, valid or broken, is made to every document of the core;
- some changes of two to four fields at once, drawn with `SEED`, are made to it too.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from homeward.governance.questions import Questions
from homeward.governance.questions_edits import ABSENT, Edit, look
from homeward.governance.questions_reads import Call, Read, Rule
from homeward.governance.questions_sheets import DECISION, Sheet
from homeward.governance.questions_tree import Steps
from homeward.governance.space_classes import FACTS, Field, a_gate, same

SEED = 20261127
Document = dict[str, Any]
ROW = ("homeward", "rows")
_STATUS: Steps = ("agreement", "status")
_FIXED: tuple[Steps, ...] = (("recipient", "type"), ("recipient", "role"), ("item", "category"))
"""What makes the cell."""
_ELSEWHERE: tuple[Steps, ...] = (("recipient", "type"), ("item", "category"))
"""Of these every other value is another cell."""
_LAST: tuple[Steps, ...] = (("gates", "G7"), ("request", "instrument"), (*FACTS, "approvals"))
"""An order of a court opens the same path nearly everywhere; what a row names comes before it."""


@dataclass(frozen=True)
class Sizes:
    """How much is enumerated in one cell."""

    grid: int = 400
    """At most so many documents that combine what the row's own paths read."""
    sampled: int = 12
    """Draws of several changes at once."""
    is_whole: bool = True
    """Single changes are made to the whole core, not to its first and last document alone; and what
    an invariant changes is changed after each of them as well."""


FULL, REDUCED, TWIN = Sizes(), Sizes(60, 2), Sizes(60, 2, is_whole=False)
"""What a version is proved over, what may be looked at first, and what its twin is proved over."""


@dataclass(frozen=True)
class Cell:
    """One recipient, one category, told or asked for."""

    name: str
    usual: Document
    """A usual case, with the facts that open most paths."""
    grid: tuple[Document, ...]
    grid_varies: tuple[Steps, ...]
    core: tuple[Document, ...]
    core_varies: tuple[Steps, ...]
    probe: tuple[Document, ...]
    """Of the core: a no, and no gate."""
    left: tuple[Steps, ...]
    """What the row's own paths read and the grid could not hold; changed one at a time."""


USUAL: Document = {
    "now": "2026-11-30T17:25:00+00:00",
    "law": {"as_of": "2026-11-30", "s16la_in_force": True, "csa_duty_in_force": False,
            "controller": "charity"},
    "request": {"kind": "push", "instrument": None},
    "purpose": "prevent_harm",
    "child": {"id": "C-1", "age": 15, "identity_status": "verified", "legal_status": "home",
              "responsible_la": "northshire", "host_la": "southshire",
              "address_confidential": False, "competence": "competent"},
    "episode": {"id": "E-1", "setting": "home"},
    "item": {"id": "I-7", "category": "push_pull", "subject": "child", "provenance": "child_said",
             "verbatim": False, "third_parties": [], "counselling": False, "offence_data": False,
             "special": [], "facts": {}},
    "recipient": {"id": "R-1", "type": "police", "role": "missing_unit", "is_16la_body": True,
                  "competent_authority": True, "channel_verified": True, "pr": False,
                  "lives_with_child": False, "alleged_perpetrator": "no",
                  "connected_to_perpetrator": "no"},
    "agreement": {"status": "declined", "by": "child", "consequences_explained": True},
    "gates": {f"G{number}": a_gate(False) for number in range(1, 9)},
    "alleged_perpetrator": "none",
    "strategy_decision": "not_held",
}  # fmt: skip
"""Design.md 6: a child of fifteen who said no, and nothing that would harm anybody."""


def seats(data: dict[str, Any]) -> Iterator[tuple[str, Document]]:
    """Yield each recipient by the name of its seat: an authority by role, anybody else by type."""
    for kind, about in data["recipients"].items():
        for role in about["roles"] if kind == "childrens_services" else about["roles"][:1]:
            recipient = {
                **USUAL["recipient"],
                "type": kind,
                "role": role,
                "is_16la_body": about["is_16la_body"],
                "competent_authority": about["competent_authority"],
                "pr": kind == "carer_parent",
            }
            yield (role if kind == "childrens_services" else kind), recipient


def cell_names(data: dict[str, Any]) -> list[str]:
    """Return the name of each cell; only police ask by a row of their own."""
    return [
        f"{seat} {category} {kind}"
        for seat, recipient in seats(data)
        for category in data["codes"]["category"]
        for kind in ("push", "pull")
        if kind == "push" or recipient["type"] == "police"
    ]


def cell(questions: Questions, fields: Sequence[Field], name: str, sizes: Sizes) -> Cell:
    """Return one cell, its grid and its core. Raises NoAnswerError where OPA gives none."""
    seat, category, kind = name.split(" ")
    about = questions.data["recipients"]
    recipient = dict(seats(questions.data))[seat]
    start = copy.deepcopy(USUAL)
    start["recipient"] = recipient
    start["item"]["category"] = category
    start["request"]["kind"] = kind
    start["purpose"] = about[recipient["type"]]["default_purpose"]
    by_path = {one.path: one for one in fields}
    own, gates = _own(questions, start, by_path)
    usual = _helpful(questions, start, [by_path[path] for path in own], gates)
    facts = [_axis(by_path[path], usual) for path in own if path not in gates]
    judged = [_axis(by_path[path], usual) for path in own if path in gates]
    said = [(_STATUS, by_path[_STATUS].valid)] if _STATUS in by_path else []
    grid, left = _fitting([*said, *facts, *judged], sizes.grid)
    core = tuple(_core(usual, gates))
    core = core if sizes.is_whole else (core[0], core[-1])
    return Cell(
        name, usual, tuple(_all(usual, grid)), tuple(path for path, _ in grid),
        core, (_STATUS, ("gates",)), core[:1], tuple(left),
    )  # fmt: skip


def to_valid(field: Field) -> list[Edit]:
    """Return every change of a field to a value that it may have, within the cell."""
    if field.path in _ELSEWHERE:
        return []
    return [Edit(field.path, "set", value) for value in field.valid]


def to_broken(field: Field) -> list[Edit]:
    """Return every change of a field to what does not fit: removed, renamed, nulled, retyped."""
    odd = [Edit(field.path, "set", value) for value in field.odd]
    return [Edit(field.path, "remove"), Edit(field.path, "rename"), *odd]


def samples(fields: Sequence[Field], name: str, sizes: Sizes) -> Iterator[list[Edit]]:
    """Yield changes of two to four fields at once, the same for a cell in every run."""
    rng = random.Random(f"{SEED} {name}")  # noqa: S311 - to be the same again
    several = [one for one in fields if len(one.valid) > 1 and one.path not in _FIXED]
    for _ in range(sizes.sampled):
        chosen = rng.sample(several, min(len(several), rng.randint(2, 4)))
        yield [Edit(one.path, "set", rng.choice(one.valid)) for one in chosen]


def row_rule(questions: Questions, sheet: Sheet) -> Rule | None:
    """Return the generated rule that says what the row's paths are worth in this cell."""
    chosen = {rule for rule in sheet.chosen(DECISION) if rule.package == ROW}
    return min(chosen) if chosen else None


def reached(questions: Questions, sheet: Sheet) -> frozenset[Read]:
    """Return every place that the rules read which decide about these documents."""
    reads: set[Read] = set()
    waiting, seen = [DECISION], set()
    while waiting:
        rule = waiting.pop()
        if rule not in seen:
            seen.add(rule)
            plan = questions.plan(rule)
            reads |= set(plan.reads)
            waiting += [call.rule for call in plan.calls]
            waiting += sheet.chosen_by(rule)
    return frozenset(reads)


def _own(
    questions: Questions, start: Document, by_path: dict[Steps, Field]
) -> tuple[list[Steps], list[Steps]]:
    """What the row's own paths read: facts, then the rest, then the gates that they name."""
    rule = row_rule(questions, questions.sheet([start]))
    if rule is None:
        return [], []
    reads = questions.sights.all_reads(rule)
    facts = [r.path for r in sorted(reads) if r.path[:2] == FACTS and len(r.path) > len(FACTS)]
    named = {
        call.part for call in _calls(questions, rule) if call.part and call.part.startswith("G")
    }
    other = [
        path for path in (("purpose",), ("recipient", "pr"), ("request", "instrument"))
        if Read(path) in reads
    ]  # fmt: skip
    gates: list[Steps] = [("gates", one) for one in sorted(named)]
    own = dict.fromkeys((*facts, *other, *gates))
    return [path for path in own if path in by_path], gates


def _calls(questions: Questions, rule: Rule) -> Iterator[Call]:
    waiting, seen = [rule], set()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        for call in questions.sights.of(one).calls:
            yield call
            waiting.append(call.rule)


def _axis(field: Field, usual: Document) -> tuple[Steps, tuple[Any, ...]]:
    absent = (ABSENT,) if field.is_optional else ()
    present = look(Read(field.path), usual)
    others = [one for one in field.valid if present is ABSENT or not same(one, present)]
    first = () if present is ABSENT else (present,)
    return field.path, (*first, *others, *absent)


def _fitting(
    axes: Sequence[tuple[Steps, tuple[Any, ...]]], size: int
) -> tuple[list[tuple[Steps, tuple[Any, ...]]], list[Steps]]:
    """The axes that fit together, those with few values first, and the paths of the rest."""
    fitting, left, whole = [], [], 1
    for axis in sorted(axes, key=lambda one: (one[0] != _STATUS, one[0] in _LAST, len(one[1]))):
        if whole * len(axis[1]) <= size:
            fitting.append(axis)
            whole *= len(axis[1])
        else:
            left.append(axis[0])
    return fitting, left


def _all(usual: Document, axes: Sequence[tuple[Steps, tuple[Any, ...]]]) -> Iterator[Document]:
    for values in product(*(values for _, values in axes)):
        document = usual
        for (path, _), value in zip(axes, values, strict=True):
            edit = Edit(path, "remove") if value is ABSENT else Edit(path, "set", value)
            document = edit.of(document)
        yield document


def _core(usual: Document, gates: Sequence[Steps]) -> Iterator[Document]:
    """A no and a yes, each with no gate true and with all of them true."""
    for status in ("declined", "agreed"):
        document = Edit(_STATUS, "set", status).of(usual)
        yield document
        for gate in gates:
            document = Edit(gate, "set", a_gate(True)).of(document)
        yield document


def _helpful(
    questions: Questions,
    start: Document,
    own: Sequence[Field],
    gates: Sequence[Steps],
) -> Document:
    """The usual document with the facts that open most paths, were there agreement and gates."""
    usual, best = start, 0
    told = [Edit(_STATUS, "set", "agreed"), *(Edit(path, "set", a_gate(True)) for path in gates)]
    facts = [field for field in own if field.path not in gates]
    for several in (*((one,) for one in facts * 2), *combinations(facts, 2)):
        if len(several) > 1 and best:
            break  # two at once only where no single fact opens anything
        tried = [_with(usual, several, values) for values in product(*(f.valid for f in several))]
        asked = tried
        for edit in told:
            asked = [edit.of(document) for document in asked]
        worth = [_openness(questions, document) for document in asked]
        best = max(worth)
        usual = tried[worth.index(best)]
    return usual


def _with(document: Document, several: Sequence[Field], values: Sequence[Any]) -> Document:
    for one, value in zip(several, values, strict=True):
        document = Edit(one.path, "set", value).of(document)
    return document


def _openness(questions: Questions, document: Document) -> int:
    sheet = questions.sheet([document])
    rule = row_rule(questions, sheet)
    told = questions.value(sheet.column(rule)[0]) if rule else None
    return sum(one for one in told or () if isinstance(one, int))
