"""What each rule of the policies can see of a document, read from OPA's own syntax tree.

A rule sees the fields that it names, and what the rules that it calls see. Whatever is not
understood is taken to be seen whole, so the answer may be too much and is never too little.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from homeward.governance.questions_tree import (
    Here,
    Node,
    Package,
    Steps,
    constant_of,
    constants_in,
    declared_in,
    dotted,
    is_assignment,
    parts_of,
    stands_for,
    unaliased,
    variables_in,
    word_of,
)

_OF_WHICH_TYPE = frozenset(
    [
        "type_name",
        *(f"is_{kind}" for kind in ("object", "array", "set", "string", "number", "null")),
    ]
)


_NOTHING: Node = {"head": {"ref": [{"type": "var", "value": ""}]}}


@dataclass(frozen=True, order=True)
class Read:
    """One place of the input. `shape`: only whether an object is there, or what else is."""

    path: Steps
    shape: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.path, self.shape)))

    def __hash__(self) -> int:  # worked out once: there are millions of look-ups
        return self._hash  # type: ignore[attr-defined, no-any-return]


@dataclass(frozen=True, order=True)
class Rule:
    """One rule as it can be asked for: by name, by fixed keys, or with fixed arguments."""

    package: Steps
    name: str
    keys: Steps = ()
    arguments: tuple[str, ...] = ()
    """Each as JSON."""

    def __post_init__(self) -> None:
        whole = (self.package, self.name, self.keys, self.arguments)
        object.__setattr__(self, "_hash", hash(whole))

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined, no-any-return]

    @property
    def rego(self) -> str:
        """The reference that asks for it."""
        steps = "".join(f"[{json.dumps(one)}]" for one in (*self.package, self.name, *self.keys))
        return f"data{steps}" + (f"({', '.join(self.arguments)})" if self.arguments else "")


@dataclass(frozen=True)
class Call:
    """A rule that is called, of whose value only the member `part` is read.

    None: all of it is; the empty word: only that it is there, and whether it is an object.
    """

    rule: Rule
    part: str | None = None


@dataclass(frozen=True)
class Choice:
    """One of several rules, by keys that are words, places of the input, or parts of rules."""

    keys: tuple[str | Read | Call, ...]
    among: tuple[Rule, ...]

    @cached_property
    def by_keys(self) -> dict[Steps, Rule]:
        """The rules by their keys."""
        return {rule.keys: rule for rule in self.among}


@dataclass
class Sight:
    """What a rule sees by itself, and whom it calls."""

    reads: set[Read] = field(default_factory=set)
    calls: set[Call] = field(default_factory=set)
    choices: list[Choice] = field(default_factory=list)
    functions: set[Rule] = field(default_factory=set)
    """Whose bodies stand in the rule as if they were written there."""
    data: set[Steps] = field(default_factory=set)
    """The places of the data that it names; what follows them may be worked out."""

    def add(self, other: Sight) -> None:
        """See what `other` sees as well."""
        self.reads |= other.reads
        self.calls |= other.calls
        self.functions |= other.functions
        self.data |= other.data
        self.choices += [one for one in other.choices if one not in self.choices]


@dataclass(frozen=True)
class Guarded:
    """A rule whose first clause stands under another rule, its guard."""

    guard: Rule
    own: Sight
    """What it sees where the guard holds, if that is the whole condition."""
    rest: Sight
    """What it sees where it does not."""
    handed_on: Rule | None
    """The rule whose value it has where the guard holds, if it has it as it is."""


class Sights:
    """What every rule of the parsed modules sees."""

    def __init__(self, modules: Mapping[str, Node]) -> None:
        self._packages: dict[Steps, Package] = {}
        for module in modules.values():
            path = tuple(part["value"] for part in module["package"]["path"][1:])
            package = self._packages.setdefault(path, Package())
            imports = {
                one.get("alias") or one["path"]["value"][-1]["value"]: one["path"]
                for one in module.get("imports") or ()
            }
            for rule in module.get("rules") or ():
                name = rule["head"]["ref"][0]["value"]
                package.clauses.setdefault(name, []).append((rule, imports))
        self._seen: dict[Rule, Sight] = {}
        self._all: dict[Rule, tuple[frozenset[Read], frozenset[Steps]]] = {}
        self._open: list[Rule] = []

    def of(self, rule: Rule) -> Sight:
        """Return what `rule` sees by itself."""
        if rule not in self._seen:
            self._seen[rule] = self._look(rule)
        return self._seen[rule]

    def guarded(self, rule: Rule) -> Guarded | None:
        """Return the guard of `rule`, and what the first clause and all others see.

        Where the guard has no value, or is false, only what the other clauses see matters; where
        it holds, and that is the whole condition of the first clause, only that clause.
        """
        clauses = self._packages[rule.package].clauses[rule.name]
        clause, imports = clauses[0]
        if len(clauses) > 1 or rule.arguments or rule.keys or "else" not in clause:
            return None
        first = clause["body"][0]
        terms = first["terms"]
        plain = isinstance(terms, dict) and not first.get("negated") and not first.get("with")
        if not plain or terms.get("type") not in ("var", "ref"):
            return None
        here = self._within(clause["body"], Here(rule.package, imports))
        place = self._place(parts_of(terms), here)
        if place is None or place[2] or not self._is_plain(place[0], place[1]):
            return None
        own, rest, handed_on = Sight(), Sight(), None
        value = clause["head"]["value"]
        if len(clause["body"]) == 1 and value["type"] in ("var", "ref"):
            here = Here(rule.package, imports)
            self._clause({**clause, "else": _NOTHING}, here, own)
            named = self._place(parts_of(value), here)
            if named is not None and not named[2] and self._is_plain(named[0], named[1]):
                handed_on = Rule(named[0], named[1])
        self._clause(clause["else"], Here(rule.package, imports), rest)
        return Guarded(Rule(place[0], place[1]), own, rest, handed_on)

    def all_reads(self, rule: Rule) -> frozenset[Read]:
        """Return every place of the input that `rule` sees, through whichever rule it calls."""
        return self._everything(rule)[0]

    def all_data(self, rule: Rule) -> frozenset[Steps]:
        """Return every place of the data that `rule` sees, through whichever rule it calls."""
        return self._everything(rule)[1]

    def _everything(self, rule: Rule) -> tuple[frozenset[Read], frozenset[Steps]]:
        if rule not in self._all:
            if rule in self._open:  # it calls itself, which OPA would refuse
                return frozenset({Read(())}), frozenset[Steps]({()})
            self._open.append(rule)
            flat = self._flat(self.of(rule))
            self._all[rule] = frozenset(flat.reads), frozenset(flat.data)
            self._open.pop()
        return self._all[rule]

    def constants(self, rule: Rule) -> Iterator[Node]:
        """Yield the numbers and words that are written in `rule` and the functions in it."""
        for one in (rule, *self.of(rule).functions):
            for clause, _ in self._packages[one.package].clauses[one.name]:
                keys = tuple(part["value"] for part in clause["head"]["ref"][1:])
                if not one.keys or keys == one.keys:
                    yield from constants_in(clause)

    def rules(self) -> Iterator[Rule]:
        """Yield every rule that can be asked for by name and keys alone."""
        for path, package in self._packages.items():
            for name in package.clauses:
                if not package.is_function(name):
                    yield from self._named(path, name)

    # a rule and its clauses

    def _look(self, rule: Rule) -> Sight:
        package = self._packages[rule.package]
        sight = Sight()
        for clause, imports in package.clauses[rule.name]:
            head = clause["head"]
            keys = tuple(part["value"] for part in head["ref"][1:])
            if rule.keys and keys != rule.keys:
                continue
            here = Here(rule.package, imports)
            self._clause(clause, self._with_arguments(head, rule.arguments, here), sight)
        return sight

    def _with_arguments(self, head: Node, given: tuple[str, ...], here: Here) -> Here:
        names: set[str] = set()
        for one in head.get("args") or ():
            names |= set(variables_in(one))
        fixed = {
            written["value"]: json.loads(value)
            for written, value in zip(head.get("args") or (), given, strict=False)
            if written["type"] == "var"
        }
        return Here(here.package, here.imports, here.local | names, fixed)

    def _within(self, body: Node, here: Here) -> Here:
        """What names mean in a body: its own are local, or stand for a place."""
        declared = declared_in(body)
        within = here.inside(declared)
        assigned = [e["terms"] for e in body if is_assignment(e)]
        names = [name for terms in assigned for name in variables_in(terms[1])]
        told: dict[str, Node] = {}
        for _, target, given in assigned:
            if target["type"] != "var" or given["type"] not in ("var", "ref"):
                continue
            parts = unaliased(parts_of(given), within)
            if names.count(target["value"]) == 1 and self._is_place(parts, within):
                told[target["value"]] = {"type": "ref", "value": parts}
        return within.standing_for(told)

    def _is_place(self, parts: list[Node], here: Here) -> bool:
        """A place of the input, or a rule, and nothing after it that is worked out."""
        path, place = self._input_path(parts, here), self._place(parts, here)
        if path is not None:
            return not path[1]
        return place is not None and not place[2] and self._is_plain(place[0], place[1])

    def _is_plain(self, package: Steps, name: str) -> bool:
        held = self._packages[package]
        return not held.is_function(name) and not held.depth(name)

    def _clause(self, clause: Node, here: Here, sight: Sight) -> None:
        body = clause.get("body") or ()
        within = self._within(body, here)
        self._body(body, within, sight)
        head = clause["head"]
        for part in (head.get("value"), head.get("key"), *head["ref"][1:], *head.get("args", ())):
            self._term(part, within, sight)
        if "else" in clause:
            self._clause(clause["else"], here, sight)

    def _body(self, body: Node, here: Here, sight: Sight) -> None:
        for expression in body:
            if not expression.get("with"):
                self._expression(expression["terms"], here, sight)
                continue
            # another input, or a rule replaced: what is seen under it is seen here, rule by rule
            under = Sight()
            self._expression(expression["terms"], here, under)
            for replaced in expression["with"]:
                self._term(replaced["value"], here, under)
            sight.add(self._flat(under))

    def _expression(self, terms: Node, here: Here, sight: Sight) -> None:
        if isinstance(terms, list):
            if is_assignment({"terms": terms}) and stands_for(terms[1], here):
                self._is_there(parts_of(terms[2]), here, sight)
            else:
                self._called(terms[0], terms[1:], here, sight)
        elif "symbols" in terms:
            for symbol in terms["symbols"]:
                if symbol["type"] == "call":
                    self._term(symbol["value"][-1], here, sight)
        elif "domain" in terms:
            self._term(terms["domain"], here, sight)
            names = {n for key in ("key", "value") for n in variables_in(terms.get(key))}
            self._body(terms["body"], self._within(terms["body"], here.inside(names)), sight)
        else:
            self._term(terms, here, sight)

    # terms

    def _term(self, term: Node, here: Here, sight: Sight) -> None:
        if isinstance(term, list):
            for one in term:
                self._term(one, here, sight)
            return
        if not isinstance(term, dict):
            return
        kind: Any = term.get("type")
        value: Any = term.get("value")
        if kind == "var":
            self._reference([term], here, sight)
        elif kind == "ref":
            self._reference(value, here, sight)
        elif kind == "call":
            self._called(value[0], value[1:], here, sight)
        elif isinstance(value, dict) and "body" in value:
            within = self._within(value["body"], here)
            self._body(value["body"], within, sight)
            for name in ("term", "key", "value"):
                self._term(value.get(name), within, sight)
        else:
            for one in term.values():
                self._term(one, here, sight)

    def _called(self, operator: Node, given: list[Node], here: Here, sight: Sight) -> None:
        if dotted(operator) == "object.get" and self._member(given, here, sight):
            return
        if dotted(operator) in _OF_WHICH_TYPE and self._type(given[0], here, sight):
            return
        for one in given:
            self._term(one, here, sight)
        place = self._place(parts_of(operator), here)
        if place is None:
            return
        package, name, _ = place
        if not self._packages[package].is_function(name):
            self._rule(package, name, [], here, sight)
            return
        constants = [constant_of(one, here) for one in given]
        if all(one is not None for one in constants):
            told = tuple(one for one in constants if one is not None)
            sight.calls.add(Call(Rule(package, name, arguments=told)))
        else:
            sight.add(self._inlined(Rule(package, name)))

    def _is_there(self, parts: list[Node], here: Here, sight: Sight) -> None:
        """A name for a place: that something is there is seen, the rest where it is read."""
        path, place = self._input_path(parts, here), self._place(parts, here)
        if path is not None:
            sight.reads.add(Read(path[0], shape=True))
        elif place is not None:
            sight.calls.add(Call(Rule(place[0], place[1]), ""))

    def _inlined(self, function: Rule) -> Sight:
        if function in self._open:
            return Sight({Read(())}, data={()})
        self._open.append(function)
        seen = self.of(function)
        self._open.pop()
        functions = {*seen.functions, function}
        return Sight(seen.reads, seen.calls, seen.choices, functions, seen.data)

    def _type(self, of: Node, here: Here, sight: Sight) -> bool:
        """`is_object(x)` sees whether an object is there, not what is in it."""
        path = self._input_path(parts_of(of), here) if of["type"] == "ref" else None
        if path is None or path[1]:
            return False
        sight.reads.add(Read(path[0], shape=True))
        return True

    def _member(self, given: list[Node], here: Here, sight: Sight) -> bool:
        """`object.get(x, key, default)` with a key that is known reads no more than that of x."""
        of, wanted, default = given
        written = wanted["value"] if wanted["type"] == "array" else [wanted]
        keys = [word_of(one, here) for one in written]
        if not keys or None in keys or of["type"] not in ("ref", "var"):
            return False
        parts, told = parts_of(of), tuple(key for key in keys if key is not None)
        path = self._input_path(parts, here)
        if path is not None:
            whole, rest = path
            if rest:
                return False
            sight.reads |= {Read(whole, shape=True), Read((*whole, *told))}
        else:
            place = self._place(parts, here)
            if place is None or place[2] or not self._is_plain(place[0], place[1]):
                return False
            sight.calls.add(Call(Rule(place[0], place[1]), told[0]))
        self._term(default, here, sight)
        return True

    def _reference(self, parts: list[Node], here: Here, sight: Sight) -> None:
        path = self._input_path(parts, here)
        if path is not None:
            sight.reads.add(Read(path[0]))
            self._term(path[1], here, sight)
            return
        place = self._place(parts, here)
        if place is not None:
            package, name, rest = place
            if self._packages[package].is_function(name):
                sight.add(self._inlined(Rule(package, name)))
            else:
                self._rule(package, name, rest, here, sight)
            return
        data = self._data_path(parts, here)
        if data is not None:
            sight.data.add(data)
        if data is not None and any(path[: len(data)] == data for path in self._packages):
            for rule in self.rules():  # all of a package, or of several
                if rule.package[: len(data)] == data:
                    sight.calls.add(Call(rule))
        if parts[0]["type"] != "var":
            self._term(parts[0], here, sight)
        self._term([one for one in parts[1:] if one["type"] != "string"], here, sight)

    def _rule(self, package: Steps, name: str, rest: list[Node], here: Here, sight: Sight) -> None:
        depth = self._packages[package].depth(name)
        if not depth:
            part = word_of(rest[0], here) if rest else None
            sight.calls.add(Call(Rule(package, name), part))
        else:
            keys = [self._key(one, here) for one in rest[:depth]]
            among = tuple(self._named(package, name))
            if len(keys) < depth or None in keys:
                sight.calls |= {Call(rule) for rule in among}
            else:
                told = tuple(key for key in keys if key is not None)
                choice = Choice(told, among)
                sight.choices += [choice] if choice not in sight.choices else []
        self._term([one for one in rest if one["type"] != "string"], here, sight)

    def _named(self, package: Steps, name: str) -> Iterator[Rule]:
        held = self._packages[package]
        if not held.depth(name):
            yield Rule(package, name)
            return
        keys = dict.fromkeys(
            tuple(part["value"] for part in clause["head"]["ref"][1:])
            for clause, _ in held.clauses[name]
        )
        yield from (Rule(package, name, one) for one in keys)

    # names

    def _key(self, term: Node, here: Here) -> str | Read | Call | None:
        word = word_of(term, here)
        if word is not None:
            return word
        if term["type"] not in ("ref", "var"):
            return None
        path = self._input_path(parts_of(term), here)
        if path is not None:
            return None if path[1] else Read(path[0])
        place = self._place(parts_of(term), here)
        if place is None:
            return None
        package, name, rest = place
        held = self._packages[package]
        if held.is_function(name) or held.depth(name) or len(rest) > 1:
            return None
        part = word_of(rest[0], here) if rest else None
        return None if rest and part is None else Call(Rule(package, name), part)

    def _input_path(self, parts: list[Node], here: Here) -> tuple[Steps, list[Node]] | None:
        """The named steps below the input, and what follows them; None for what is no input."""
        parts = unaliased(parts, here)
        if parts[0] != {"type": "var", "value": "input"}:
            return None
        steps = []
        for one in parts[1:]:
            word = word_of(one, here)
            if word is None:
                break
            steps.append(word)
        return tuple(steps), parts[1 + len(steps) :]

    def _data_path(self, parts: list[Node], here: Here) -> Steps | None:
        """The named steps below data up to the first that is not named; None for no data."""
        parts = unaliased(parts, here)
        if parts[0] != {"type": "var", "value": "data"}:
            return None
        steps = [word_of(one, here) for one in parts[1:]]
        named = steps[: steps.index(None)] if None in steps else steps
        return tuple(one for one in named if one is not None)

    def _place(self, parts: list[Node], here: Here) -> tuple[Steps, str, list[Node]] | None:
        """The rule that a reference leads to, and the steps after it."""
        parts = unaliased(parts, here)
        name = parts[0].get("value")
        if parts[0]["type"] != "var" or name in here.local:
            return None
        own = self._packages[here.package]
        if name in own.clauses:
            return here.package, name, parts[1:]
        data = self._data_path(parts, here)
        for length in range(len(data or ()), 0, -1):
            held = self._packages.get((data or ())[: length - 1])
            if data and held and data[length - 1] in held.clauses:
                return data[: length - 1], data[length - 1], parts[1 + length :]
        return None

    def _flat(self, sight: Sight) -> Sight:
        """See in place of every rule what it sees."""
        flat = Sight(set(sight.reads), data=set(sight.data))
        called = {call.rule for call in sight.calls}
        for choice in sight.choices:
            called |= {key.rule for key in choice.keys if isinstance(key, Call)}
            flat.reads |= {key for key in choice.keys if isinstance(key, Read)}
            called |= set(choice.among)
        for rule in called:
            reads, data = self._everything(rule)
            flat.reads |= reads
            flat.data |= data
        return flat
