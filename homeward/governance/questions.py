"""Decide each distinct question once: what the rules cannot tell apart gets one decision.

A rule's value follows from what it sees: fields of the document, and values of the rules that it
calls. So OPA is asked for a rule once for each combination of what it sees, and every document that
shows it the same has the same value; the decision is the last of these rules. Nothing is decided
here but by OPA. What a rule sees is taken from the policies (`questions_reads`).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from homeward.engine.bundle import build_bundle, parse
from homeward.engine.found import find_engine
from homeward.governance.questions_asked import MODULE, asker, module
from homeward.governance.questions_edits import ABSENT, AN_OBJECT, Edit, cut_to, look
from homeward.governance.questions_reads import Call, Choice, Read, Rule, Sight, Sights, Steps

DECISION = Rule(("homeward", "sharing"), "decision")
UNDEFINED, FAILED = 0, 1
"""Numbers of values: a rule has none, or the engine gave none."""
TOGETHER = 2_000
"""Documents that are looked at together."""

Column = list[int]
"""The number of a value for each document of a sheet."""


class Values:
    """Numbers for values; the same number is the same value to every rule."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self.held: list[Any] = []
        for one in (ABSENT, "failed"):
            self.number(one, key=(id(one),))

    def number(self, value: Any, key: Any = None) -> int:
        """Return the number of `value`, told apart by `key`; true, 1 and "1" are three."""
        if key is None:
            if type(value) is str:
                key = value
            elif value is ABSENT:
                return UNDEFINED
            elif value is AN_OBJECT:
                key = (AN_OBJECT,)
            else:
                key = (json.dumps(value, sort_keys=True),)
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.held)
            self.held.append(value)
        return found


class Questions:
    """The policies of a folder, asked as little as possible.

    Raises BrokenPoliciesError for policies that may not be loaded, CutOffError when a rule does not
    end. One engine runs until `close`.
    """

    def __init__(self, policies: Path) -> None:
        self._opened = ExitStack()
        folder = self._opened.enter_context(tempfile.TemporaryDirectory(prefix="homeward-"))
        try:
            self._open(policies, Path(folder) / "bundle")
        except BaseException:
            self._opened.close()
            raise

    def _open(self, policies: Path, bundle: Path) -> None:
        engine = find_engine()
        self.digest = build_bundle(policies, bundle)
        (bundle / "authz.rego").unlink()  # whose door this is; it decides nothing
        self.data: dict[str, Any] = json.loads((bundle / "data.json").read_bytes())
        self.sights = Sights(parse(bundle, engine, tests=False))
        self._ones: dict[Any, Any] = {}
        self.rules = [self._one(rule) for rule in _called(self.sights)]
        self.values = Values()
        self._names = {rule: f"r{place}" for place, rule in enumerate(self.rules)}
        self._memo: dict[Rule, dict[Any, int]] = {rule: {} for rule in self.rules}
        self._parts: dict[str, dict[int, int]] = {}
        self._plans = {rule: _Plan(self.sights.of(rule), self._one) for rule in self.rules}
        self._related: dict[tuple[Rule, frozenset[Read]], bool] = {}
        self._touched: dict[Steps, frozenset[Read]] = {}
        unless = self.sights.unless(DECISION)
        self.unless = None if unless is None else (unless[0], _Plan(unless[2], self._one))
        """The rule without which a decision does not look at most others, and what it then sees."""
        self._holding = None if unless is None else _Plan(unless[1], self._one)
        self.reads = sorted(self.sights.all_reads(DECISION))
        self._sorted_reads = {rule: sorted(self.sights.all_reads(rule)) for rule in self.rules}
        parts: dict[Rule, set[str]] = {rule: set() for rule in self.rules}
        for plan in self._plans.values():
            for call in plan.parts_read():
                parts[call.rule].add(call.part or "")
        asked = ((self._names[r], r.rego, sorted(parts[r])) for r in self.rules)
        (bundle / MODULE).write_text(module(asked), encoding="utf-8")
        self._asker = self._opened.enter_context(asker(engine, bundle))
        self.asked = 0
        """How many questions were put to the engine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the engine."""
        self._opened.close()

    def key(self, document: Any) -> Hashable:
        """Return what the decision on `document` follows from: with one key comes one decision."""
        return self.sheet([document]).keys(DECISION)[0]

    def decide(self, documents: Iterable[Any]) -> Iterator[Any]:
        """Yield the decision on each document, in order; None where there is none."""
        coming = iter(documents)
        while some := list(islice(coming, TOGETHER)):
            for number in self.sheet(some).column(DECISION):
                yield self.value(number)

    @property
    def no_guard(self) -> set[int]:
        """The numbers that say that a guard does not hold."""
        if self.unless is None:
            return set()
        false = ["[false]", "boolean", {}, False]
        return {UNDEFINED, self.values.number(false, key=(self.unless[0], "[false]"))}

    def value(self, number: int) -> Any:
        """Return the value of a rule by its number, as JSON; None where there is none."""
        return None if number in (UNDEFINED, FAILED) else self.values.held[number][3]

    def sheet(self, documents: Sequence[Any], varying: Sequence[Steps] | None = None) -> Sheet:
        """Return what the rules say of some documents, which differ only at `varying` if given."""
        return Sheet(self, documents, varying)

    def _one(self, equal: Any) -> Any:
        return self._ones.setdefault(equal, equal)

    # for sheets

    def holding(self) -> _Plan | None:
        """Return what the decision sees where its guard holds and what it then says is there."""
        plan = self._holding
        return plan if plan and plan.calls and not plan.reads and not plan.choices else None

    def plan(self, rule: Rule) -> _Plan:
        """Return what `rule` sees, in an order."""
        return self._plans[rule]

    def touched(self, path: Steps) -> frozenset[Read]:
        """Return the places at which a change of `path` could be seen."""
        if path not in self._touched:
            edit = Edit(path)
            self._touched[path] = frozenset(read for read in self.reads if edit.touches(read))
        return self._touched[path]

    def sees(self, rule: Rule, touched: frozenset[Read]) -> bool:
        """Tell whether `rule` sees any of these places, by itself or through others."""
        known = self._related.get((rule, touched))
        if known is None:
            known = not touched.isdisjoint(self.sights.all_reads(rule))
            self._related[rule, touched] = known
        return known

    def part(self, column: Column, part: str) -> Column:
        """Return one member of each value."""
        known = self._parts.setdefault(part, {})
        for number in set(column) - known.keys():
            known[number] = self._part(number, part)
        return [known[number] for number in column]

    def _part(self, number: int, part: str) -> int:
        if number in (UNDEFINED, FAILED):
            return number
        _, kind, parts, _ = self.values.held[number]
        if kind != "object":
            return number
        told = parts[part]
        key = ("part", told[0]) if told else ("no such part",)  # which is not: no value at all
        return self.values.number(told, key=key)

    def answers(self, rule: Rule, sheet: Sheet, keys: Sequence[Any]) -> dict[Any, int]:
        """Return all that is known of `rule`, after asking for what is new in `keys`."""
        memo = self._memo[rule]
        new = {key: place for place, key in enumerate(keys) if key not in memo}
        if new:
            reads = self._sorted_reads[rule]
            documents = [sheet.document(place) for place in new.values()]
            if rule != DECISION:  # who is asked for a part need not read the rest
                documents = [cut_to(reads, document) for document in documents]
            for start in range(0, len(new), TOGETHER):
                some = list(new)[start : start + TOGETHER]
                told = self._asker.ask(self._names[rule], documents[start : start + TOGETHER])
                for key, answer in zip(some, told, strict=True):
                    memo[key] = self._number(rule, answer)
            self.asked += len(new)
        return memo

    def _number(self, rule: Rule, answer: Any) -> int:
        if not answer:
            return FAILED if answer is None else UNDEFINED
        return self.values.number(answer[0], key=(rule, answer[0][0]))


class _Plan:
    """What a rule sees, in an order; `one` gives the same object for what is equal."""

    def __init__(self, sight: Sight, one: Callable[[Any], Any]) -> None:
        self.reads: list[Read] = [one(read) for read in sorted(sight.reads)]
        calls = sorted(sight.calls, key=lambda call: (call.rule, call.part or ""))
        self.calls = [Call(one(call.rule), call.part) for call in calls]
        self.choices = [
            Choice(
                tuple(
                    Call(one(key.rule), key.part) if isinstance(key, Call) else one(key)
                    for key in choice.keys
                ),
                tuple(one(rule) for rule in choice.among),
            )
            for choice in sight.choices
        ]
        self.by_keys = [{rule.keys: rule for rule in choice.among} for choice in self.choices]

    def parts_read(self) -> Iterator[Call]:
        """Yield the calls that read one part of a value."""
        keys = (key for choice in self.choices for key in choice.keys if isinstance(key, Call))
        yield from (call for call in (*self.calls, *keys) if call.part is not None)


class Sheet:
    """What the rules say of some documents, worked out where it is asked for."""

    def __init__(
        self,
        questions: Questions,
        documents: Sequence[Any],
        varying: Sequence[Steps] | None = None,
    ) -> None:
        self._questions = questions
        self._documents = documents
        self._columns: dict[Rule, Column] = {}
        self._reads: dict[Read, Column] = {}
        self._varying = (
            None if varying is None else frozenset().union(*map(questions.touched, varying))
        )
        self.size = len(documents)

    def document(self, place: int) -> Any:
        """Return one document."""
        return self._documents[place]

    def changed(self, *edits: Edit) -> ChangedSheet:
        """Return the same documents, each changed in the same way."""
        return self.spread([edits])

    def spread(self, ways: Sequence[Sequence[Edit]]) -> ChangedSheet:
        """Return the same documents once for each way of changing them."""
        return ChangedSheet(self._questions, self, ways)

    def read(self, read: Read) -> Column:
        """Return what stands at one place of each document."""
        if read not in self._reads:
            self._reads[read] = self._look(read)
        return self._reads[read]

    def _look(self, read: Read) -> Column:
        number = self._questions.values.number
        if self._varying is not None and read not in self._varying:
            return [number(look(read, self._documents[0]))] * self.size
        return [number(look(read, document)) for document in self._documents]

    def column(self, rule: Rule) -> Column:
        """Return the value of `rule` for each document."""
        if rule not in self._columns:
            self._columns[rule] = self._work_out(rule)
        return self._columns[rule]

    def chosen(self, rule: Rule) -> set[Rule]:
        """Return the rules that are chosen by key, on the way to `rule`, for these documents."""
        found: set[Rule] = set()
        waiting, seen = [rule], set()
        while waiting:
            one = waiting.pop()
            if one in seen:
                continue
            seen.add(one)
            plan = self._questions.plan(one)
            told = self.chosen_by(one)
            found |= told
            waiting += [*(call.rule for call in plan.calls), *told]
        return found

    def chosen_by(self, rule: Rule) -> set[Rule]:
        """Return the rules that `rule` chooses by key for these documents."""
        choices = self._questions.plan(rule).choices
        return {one for choice in choices for one in self._targets(choice) if one is not None}

    def keys(self, rule: Rule) -> list[tuple[int, ...]]:
        """Return, for each document, what the value of `rule` follows from."""
        seen = self._seen(rule)
        return list(zip(*seen, strict=True)) if seen else [()] * self.size

    def _seen(self, rule: Rule) -> list[Column]:
        return self._of_plan(self._questions.plan(rule))

    def _of_plan(self, plan: _Plan) -> list[Column]:
        return [
            *(self.read(read) for read in plan.reads),
            *(self._call(call) for call in plan.calls),
            *(self._chosen(choice) for choice in plan.choices),
        ]

    def _work_out(self, rule: Rule) -> Column:
        keys: list[Any] | None = self._holding() if rule == DECISION else None
        if keys is None:
            seen = self._seen(rule)
            keys = list(zip(*seen, strict=True)) if seen else [()] * self.size
        memo = self._questions.answers(rule, self, keys)
        return [memo[key] for key in keys]

    def _holding(self) -> list[Any] | None:
        """The keys of decisions whose guard holds for every document; None where for some not."""
        plan = self._questions.holding()
        if plan is None:
            return None
        seen = self._of_plan(plan)
        if not set().union(*map(set, seen)).isdisjoint({FAILED, *self._questions.no_guard}):
            return None
        return [("holds", *key) for key in zip(*seen, strict=True)]

    def _call(self, call: Call) -> Column:
        column = self.column(call.rule)
        return column if call.part is None else self._questions.part(column, call.part)

    def _chosen(self, choice: Choice) -> Column:
        """The value of the rule that each document's keys choose."""
        chosen = self._targets(choice)
        rules = set(chosen)
        if len(rules) == 1:
            (rule,) = rules
            return [UNDEFINED] * self.size if rule is None else self.column(rule)
        column = [UNDEFINED] * self.size
        among: dict[Rule, list[int]] = {}
        for place, rule in enumerate(chosen):
            if rule is not None:
                among.setdefault(rule, []).append(place)
        for rule, places in among.items():
            for place, number in zip(places, _Part(self, places).column(rule), strict=True):
                column[place] = number
        return column

    def _targets(self, choice: Choice) -> list[Rule | None]:
        rules = {rule.keys: rule for rule in choice.among}
        words = [self._words(key) for key in choice.keys]
        known = {told: rules.get(told) for told in set(zip(*words, strict=True))}
        return [known[told] for told in zip(*words, strict=True)]

    def _words(self, key: str | Read | Call) -> list[Any]:
        if isinstance(key, str):
            return [key] * self.size
        if isinstance(key, Read):
            held = self._questions.values.held
            return [_word(held[number]) for number in self.read(key)]
        known: dict[int, Any] = {}
        column = self.column(key.rule)
        for number in set(column):
            value = self._questions.value(number)
            part = value.get(key.part) if key.part and isinstance(value, dict) else value
            known[number] = _word(part)
        return [known[number] for number in column]


class ChangedSheet(Sheet):
    """The documents of another sheet once for each way of changing them, one way after another.

    What the changes do not touch is not looked at again, nor what sees only that.
    """

    def __init__(self, questions: Questions, before: Sheet, ways: Sequence[Sequence[Edit]]) -> None:
        super().__init__(questions, ())
        self.size = before.size * len(ways)
        self._before = before
        self._ways = ways
        self._edits = [edit for way in ways for edit in way]
        self._touched = frozenset().union(*(questions.touched(edit.path) for edit in self._edits))
        self._same: dict[Read | Rule, bool] = {}

    def document(self, place: int) -> Any:
        way, place = divmod(place, self._before.size)
        document = self._before.document(place)
        for edit in self._ways[way]:
            document = edit.of(document)
        return document

    def before(self, column: Column) -> Column:
        """Return a column of the other sheet beside that of this one."""
        return column * len(self._ways)

    def column(self, rule: Rule) -> Column:
        if rule not in self._columns and self._is_same(rule):
            self._columns[rule] = self.before(self._before.column(rule))
        return self._columns[rule]

    def is_same(self) -> bool:
        """Tell whether no change can have changed any decision."""
        return self._is_same(DECISION)

    def _look(self, read: Read) -> Column:
        column = self._before.read(read)
        self._same[read] = True
        if not any(edit.touches(read) for edit in self._edits):
            return self.before(column)
        told: Column = []
        for way in self._ways:
            changed = {number: self._seen_as(number, read, way) for number in set(column)}
            self._same[read] &= all(old == new for old, new in changed.items())
            told += [changed[number] for number in column]
        return told

    def _seen_as(self, number: int, read: Read, way: Sequence[Edit]) -> int:
        values = self._questions.values
        value = values.held[number]
        for edit in way:
            if edit.touches(read):
                value = edit.seen(read, value)
        return values.number(value)

    def _is_same(self, one: Read | Rule) -> bool:
        if one not in self._same:
            if isinstance(one, Read):
                self.read(one)
            else:
                self._same[one] = self._is_same_rule(one)
        return self._same[one]

    def _without_guard(self) -> bool:
        """Decide at once where a change takes the guard from all documents; tell whether it did.

        The guard is the rule without which the decision looks at nothing else: that a document fits
        the contract. What is left is looked at as a sheet of its own.
        """
        unless = self._questions.unless
        if unless is None:
            return False
        guard, plan = unless
        if self._is_same(guard):
            return False
        size, told = self._before.size, self.column(guard)
        broken = [
            set(told[at : at + size]) <= self._questions.no_guard
            for at in range(0, self.size, size)
        ]
        if not any(broken):
            return False
        whole = [way for way, is_broken in zip(self._ways, broken, strict=True) if not is_broken]
        left = iter(ChangedSheet(self._questions, self._before, whole).column(DECISION))
        gone = ChangedSheet(
            self._questions,
            self._before,
            [way for way, is_broken in zip(self._ways, broken, strict=True) if is_broken],
        )
        keys = [
            ("unless", *key) for key in zip(gone.column(guard), *gone._of_plan(plan), strict=True)
        ]
        memo = self._questions.answers(DECISION, gone, keys)
        held = iter(memo[key] for key in keys)
        self._columns[DECISION] = [
            next(held if is_broken else left) for is_broken in broken for _ in range(size)
        ]
        return True

    def _is_same_rule(self, rule: Rule) -> bool:
        if not self._questions.sees(rule, self._touched):
            return True
        if rule == DECISION and self._without_guard():
            return self._columns[rule] == self.before(self._before.column(rule))
        plan = self._questions.plan(rule)
        seen: list[Read | Rule] = [*plan.reads, *(call.rule for call in plan.calls)]
        for choice in plan.choices:
            keys = [one.rule if isinstance(one, Call) else one for one in choice.keys]
            seen += [one for one in keys if not isinstance(one, str)]
        same = [self._is_same(one) for one in seen]  # every one, so that all are worked out
        if all(same):
            chosen = {one for choice in plan.choices for one in self._before._targets(choice)}
            if all(self._is_same(one) for one in chosen if one is not None):
                return True
        self._columns[rule] = self._work_out(rule)
        return self._columns[rule] == self.before(self._before.column(rule))


class _Part(Sheet):
    """Some of the documents of a sheet: what is known of all need not be worked out again."""

    def __init__(self, whole: Sheet, among: Sequence[int]) -> None:
        super().__init__(whole._questions, ())
        self._whole, self._among = whole, among
        self.size = len(among)

    def document(self, place: int) -> Any:
        return self._whole.document(self._among[place])

    def _look(self, read: Read) -> Column:
        known = self._whole._reads.get(read)
        if known is not None:
            return [known[place] for place in self._among]
        number = self._questions.values.number
        return [number(look(read, self._whole.document(place))) for place in self._among]

    def column(self, rule: Rule) -> Column:
        known = self._whole._columns.get(rule)
        if known is None:
            return super().column(rule)
        return [known[place] for place in self._among]


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _called(sights: Sights) -> list[Rule]:
    """Return the decision and every rule that it may call."""
    found: dict[Rule, None] = {}
    waiting = [DECISION]
    while waiting:
        rule = waiting.pop()
        if rule in found:
            continue
        found[rule] = None
        sight = sights.of(rule)
        waiting += sorted(call.rule for call in sight.calls)
        for choice in sight.choices:
            waiting += [*choice.among, *(k.rule for k in choice.keys if isinstance(k, Call))]
    return list(found)
