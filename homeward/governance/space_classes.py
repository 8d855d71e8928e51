"""Which values a field of a document can have, as far as the rules can tell them apart.

The fields are those that the rules read; the values come from the published schema, the closed
lists, and the numbers, words and dates that the rules and the table themselves are written with.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homeward.engine.rows import GATES
from homeward.governance.questions import Questions
from homeward.governance.questions_reads import Read
from homeward.governance.questions_tree import Steps

GIVEN = "given"
"""A text of which nothing matters but that it is there."""
UNHEARD_OF = "unheard_of"
FACTS: Steps = ("item", "facts")
_ODD: tuple[Any, ...] = (None, UNHEARD_OF, "", 7, True, [], {})
"""Retyped: of these every one that has another type than the field."""
_FEW = 4
"""A rule that reads more is about the form of a document; its words are no values."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d$")
_SIGNED = {
    "by": "W-3",
    "role": "dsl",
    "at": "2026-11-30T17:20:00+00:00",
    "reason": "as it was seen",
}


@dataclass(frozen=True)
class Field:
    """One field: the values that the contract knows, and those that do not fit there."""

    path: Steps
    valid: tuple[Any, ...]
    odd: tuple[Any, ...]
    is_optional: bool
    """It may be absent: facts and gates."""


def a_gate(value: object) -> dict[str, Any]:
    """Return a gate that somebody judged."""
    return {"value": value, **_SIGNED}


def fields(questions: Questions, schema: Mapping[str, Any]) -> tuple[list[Field], list[Steps]]:
    """Return every field that the rules read, and those of which no values are known."""
    classes = _Classes(questions, schema)
    found: dict[Steps, Field] = {}
    unknown: list[Steps] = []
    for read in questions.reads:
        told = list(classes.of(read.path))
        found |= {one.path: one for one in told}
        if not told:
            unknown.append(read.path)
    return [found[path] for path in sorted(found)], unknown


class _Classes:
    def __init__(self, questions: Questions, schema: Mapping[str, Any]) -> None:
        self._questions = questions
        self._data = questions.data
        self._schema = schema
        self._written: dict[Steps, list[Any]] = {}
        for rule in questions.rules:
            reads = questions.sights.of(rule).reads
            if len(reads) <= _FEW:
                for read in reads:
                    told = questions.sights.constants(rule)
                    self._written.setdefault(read.path, []).extend(told)
        self._dates = sorted(set(_dates(self._data)))

    def of(self, path: Steps) -> Iterator[Field]:
        """Yield the fields at and below `path`; nothing where the contract has no such place."""
        if path[:1] == ("gates",):
            yield from self._gates(path)
        elif path[:2] == FACTS and len(path) > len(FACTS):
            yield from self._facts(path)
        else:
            yield from self._of_schema(path)

    def _of_schema(self, path: Steps) -> Iterator[Field]:
        spec: Any = self._schema
        for name in path:
            spec = spec.get("properties", {}).get(name)
            if spec is None:
                return
        if spec.get("type") != "object":
            yield self._field(path, self._valid(path, spec), spec)
            return
        if path:
            yield Field(path, (), (None, UNHEARD_OF, 7, [], {}), is_optional=False)
        for name in spec.get("properties", ()):
            yield from self._of_schema((*path, name))
        if path in ((), ("item",)):
            names = {"": "gates", "item": "facts"}
            yield from self.of((*path, names["".join(path)]))
        if path == ("gates",):
            yield from self._gates(path)
        if path == FACTS:
            for fact in (*self._data["facts"], "vir"):
                yield from self._facts((*FACTS, fact))

    def _field(self, path: Steps, valid: list[Any], spec: Mapping[str, Any]) -> Field:
        told = spec.get("type", [])
        types = {told} if isinstance(told, str) else set(told)
        odd = tuple(
            one
            for one in _ODD
            if _type(one) not in types and not ("enum" in spec and one in spec["enum"])
        )
        return Field(path, tuple(valid), odd, is_optional=False)

    def _valid(  # noqa: PLR0911 - one case a line
        self, path: Steps, spec: Mapping[str, Any]
    ) -> list[Any]:
        if "enum" in spec:
            return list(spec["enum"])
        if path == ("purpose",):
            return list(self._data["codes"]["purpose"])
        if path == ("recipient", "role"):
            return [role for one in self._data["recipients"].values() for role in one["roles"]]
        types = spec.get("type", [])
        if spec.get("format") == "date":
            return self._around(path)
        if "integer" in types or "number" in types:
            return [n for n in self._near(path, 1) if n >= spec.get("minimum", n)]
        if types == "boolean":
            return [True, False]
        if types == "array":
            return [[], ["P-1"]]
        words: list[Any] = self._words(path)
        return [None, *words] if "null" in types else words

    # item.facts, whose kinds are in codes.yaml

    def _facts(self, path: Steps) -> Iterator[Field]:
        fact, *below = path[len(FACTS) :]
        if fact == "vir":
            if not below:
                yield Field(path, (), (None, UNHEARD_OF, 7, [], {}), is_optional=True)
            for name in below or self._data["vir"]:
                if name in self._data["vir"] and len(below) < 2:
                    yield self._fact((*FACTS, "vir", name), self._data["vir"][name])
        elif fact in self._data["facts"] and not below:
            yield self._fact(path, self._data["facts"][fact])

    def _fact(self, path: Steps, kind: str) -> Field:
        name = path[-1]
        codes = self._data["codes"].get(name, [])
        if kind == "truth":
            valid: list[Any] = [True, False]
        elif kind == "text":
            valid = [GIVEN, "", *(w for w in self._beside(path) if w != GIVEN)]
        elif kind == "code":
            valid = list(codes)
        elif kind == "number":
            valid = self._near(path, 1)
        else:
            lists = [list(codes), *([code] for code in codes), [*codes, UNHEARD_OF]]
            numbers = [[None], *([n] for n in self._near(path, 1))]
            valid = [["one"], [], *(lists if codes else numbers)]
        types = {"truth": {"boolean"}, "text": {"string"}, "number": {"number"}, "list": {"array"}}
        odd = tuple(one for one in _ODD if _type(one) not in types.get(kind, {""}))
        return Field(path, tuple(valid), odd, is_optional=True)

    # gates

    def _gates(self, path: Steps) -> Iterator[Field]:
        """A gate is read whole, whichever of its members a rule asks for."""
        names = [path[1]] if len(path) > 1 else sorted(GATES | self._gates_written())
        for name in names:
            spoiled = [{**a_gate(True), "value": one} for one in (None, "true", 1)]
            others: tuple[Any, ...] = (None, "", 7, [])
            for member, other in zip(_SIGNED, others, strict=True):
                signed = a_gate(True)
                del signed[member]
                spoiled += [signed, {**signed, member: other}]
            odd: tuple[Any, ...] = (*spoiled, {}, None, True, [])
            yield Field(("gates", name), (a_gate(True), a_gate(False)), odd, is_optional=True)

    def _gates_written(self) -> set[str]:
        """The members that are asked for of rules that read all gates."""
        questions = self._questions
        whole = {r for r in questions.rules if Read(("gates",)) in questions.sights.of(r).reads}
        return {
            call.part
            for rule in questions.rules
            for call in questions.plan(rule).parts_read()
            if call.rule in whole and call.part
        }

    # what is written in the rules

    def _near(self, path: Steps, step: float) -> list[Any]:
        numbers = {n for n in self._written.get(path, ()) if isinstance(n, (int, float))}
        return sorted({one for n in numbers or {0} for one in (n - step, n, n + step)})

    def _words(self, path: Steps) -> list[Any]:
        told = {word for word in self._written.get(path, ()) if isinstance(word, str)}
        return [GIVEN, "", *sorted(told - {"", GIVEN}), *self._beside(path)]

    def _beside(self, path: Steps) -> list[str]:
        """Texts that another field of the same rule may hold, which may be compared."""
        beside = {
            read.path[-1]
            for rule in self._questions.rules
            if Read(path) in (reads := self._questions.sights.of(rule).reads) and len(reads) <= _FEW
            for read in reads
        }
        return ["northshire", "southshire"] if {"place_la", "host_la"} & beside else []

    def _around(self, path: Steps) -> list[str]:
        written = {w for w in self._written.get(path, ()) if isinstance(w, str) and _DATE.match(w)}
        day = datetime.timedelta(days=1)
        days = {datetime.date.fromisoformat(one) for one in {*written, *self._dates}}
        return sorted({str(one) for d in days for one in (d - day, d, d + day)})


def _dates(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from _dates(value)
    elif isinstance(node, list):
        for value in node:
            yield from _dates(value)
    elif isinstance(node, str) and _DATE.match(node):
        yield node


def _type(value: Any) -> str:
    return {
        type(None): "null", bool: "boolean", int: "integer", float: "number",
        str: "string", list: "array", dict: "object",
    }[type(value)]  # fmt: skip


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same as JSON: true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
