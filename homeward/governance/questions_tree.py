"""Pieces of OPA's syntax tree: rules with their clauses, names, and what they stand for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Steps = tuple[str, ...]
Node = Any
"""A piece of OPA's syntax tree as JSON."""


@dataclass
class Package:
    """The rules of one package."""

    clauses: dict[str, list[tuple[Node, dict[str, Node]]]] = field(default_factory=dict)
    """By rule name: each clause, with the imports of its file by alias."""

    def is_function(self, name: str) -> bool:
        """Tell whether a rule takes arguments."""
        return any("args" in clause["head"] for clause, _ in self.clauses[name])

    def depth(self, name: str) -> int:
        """How many fixed keys every clause has in its head; 0 where they differ."""
        heads = [clause["head"] for clause, _ in self.clauses[name]]
        fixed = {
            len(head["ref"]) - 1
            if "key" not in head and all(p["type"] == "string" for p in head["ref"][1:])
            else 0
            for head in heads
        }
        return fixed.pop() if len(fixed) == 1 else 0


@dataclass(frozen=True)
class Here:
    """Where a piece of Rego stands: which names mean what."""

    package: Steps
    imports: Mapping[str, Node]
    local: frozenset[str] = frozenset()
    fixed: Mapping[str, Node] = field(default_factory=dict)
    """Local names that hold a constant: the arguments of a function called with one."""

    def standing_for(self, places: Mapping[str, Node]) -> Here:
        """The same with names for places."""
        imports = {**self.imports, **places}
        return Here(self.package, imports, self.local - places.keys(), self.fixed)

    def inside(self, names: set[str]) -> Here:
        """The same where these names are local."""
        kept = {name: one for name, one in self.fixed.items() if name not in names}
        return Here(self.package, self.imports, self.local | names, kept)


def is_assignment(expression: Node) -> bool:
    """Tell whether an expression is `x := y`."""
    terms = expression["terms"]
    return isinstance(terms, list) and dotted(terms[0]) == "assign"


def stands_for(target: Node, here: Here) -> bool:
    """Tell whether a name that is assigned to stands for a place."""
    name = target["value"] if target["type"] == "var" else ""
    return name in here.imports and name not in here.local


def unaliased(parts: list[Node], here: Here) -> list[Node]:
    """Return the parts of a reference with its first name put in full."""
    name = parts[0].get("value")
    if parts[0]["type"] == "var" and name not in here.local and name in here.imports:
        return [*parts_of(here.imports[name]), *parts[1:]]
    return parts


def parts_of(term: Node) -> list[Node]:
    """Return the parts of a reference; another term is one part."""
    return list(term["value"]) if term["type"] == "ref" else [term]


def dotted(term: Node) -> str:
    """Return a reference as it is written."""
    return ".".join(str(part.get("value")) for part in parts_of(term))


def word_of(term: Node, here: Here) -> str | None:
    """The word that a term is, written or given to a function as a constant."""
    if term["type"] == "string":
        return str(term["value"])
    held = here.fixed.get(term["value"]) if term["type"] == "var" else None
    return held if isinstance(held, str) else None


def constant_of(term: Node, here: Here) -> str | None:
    """A constant as JSON; None for what is none."""
    if term["type"] in ("string", "number", "boolean", "null"):
        return json.dumps(term.get("value"))
    if term["type"] == "var" and term["value"] in here.fixed:
        return json.dumps(here.fixed[term["value"]])
    return None


def constants_in(node: Node) -> Iterator[Node]:
    """Yield what is written as a value; the steps of a reference are names."""
    if isinstance(node, list):
        for one in node:
            yield from constants_in(one)
    elif isinstance(node, dict):
        if node.get("type") in ("string", "number"):
            yield node["value"]
        elif node.get("type") != "ref":
            for one in node.values():
                yield from constants_in(one)


def variables_in(pattern: Node) -> Iterator[str]:
    """The names in a pattern that is assigned to."""
    if isinstance(pattern, list):
        for one in pattern:
            yield from variables_in(one)
    elif isinstance(pattern, dict):
        if pattern.get("type") == "var":
            yield pattern["value"]
        elif pattern.get("type") in ("array", "object"):
            yield from variables_in(pattern["value"])


def declared_in(body: Node) -> set[str]:
    """The names that a body declares for itself and for all that stands within it."""
    names: set[str] = set()
    for expression in body:
        terms = expression["terms"]
        if isinstance(terms, list):
            if dotted(terms[0]) == "assign":
                names |= set(variables_in(terms[1]))
        elif "symbols" in terms:
            for symbol in terms["symbols"]:
                told = [symbol] if symbol["type"] == "var" else symbol["value"][1:-1]
                names |= set(variables_in(told))
    return names
