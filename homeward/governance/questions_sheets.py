"""What the rules say of many documents at once, by numbers that stand for values.

A sheet works out only what is asked for, and a changed sheet only what the change can touch; what
is not known is asked of `questions`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from homeward.governance.questions_edits import ABSENT, AN_OBJECT, Edit, look
from homeward.governance.questions_reads import Call, Choice, Read, Rule, Sight
from homeward.governance.questions_tree import Steps

if TYPE_CHECKING:
    from homeward.governance.questions import Questions

DECISION = Rule(("homeward", "sharing"), "decision")
UNDEFINED, FAILED = 0, 1
"""Numbers of values: a rule has none, or the engine gave none."""

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


class Plan:
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
        self._parts: dict[Call, Column] = {}
        self._chosen_by: dict[Rule, set[Rule]] = {}
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
        known: dict[int, int] = {}  # what stands there is mostly the same few objects
        told = []
        for document in self._documents:
            value = look(read, document)
            if id(value) not in known:
                known[id(value)] = number(value)
            told.append(known[id(value)])
        return told

    def read_some(self, read: Read, among: Sequence[int]) -> Column:
        """Return what stands at one place of some of the documents."""
        column = self._reads.get(read)
        if column is not None:
            return [column[place] for place in among]
        number = self._questions.values.number
        return [number(look(read, self.document(place))) for place in among]

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
        if rule not in self._chosen_by:
            choices = self._questions.plan(rule).choices
            told = {one for choice in choices for one in self._targets(choice)}
            self._chosen_by[rule] = {one for one in told if one is not None}
        return self._chosen_by[rule]

    def keys(self, rule: Rule) -> list[tuple[int, ...]]:
        """Return, for each document, what the value of `rule` follows from."""
        seen = self._seen(rule)
        return list(zip(*seen, strict=True)) if seen else [()] * self.size

    def _seen(self, rule: Rule) -> list[Column]:
        return self._of_plan(self._questions.plan(rule))

    def _of_plan(self, plan: Plan) -> list[Column]:
        return [
            *(self.read(read) for read in plan.reads),
            *(self._call(call) for call in plan.calls),
            *(self._chosen(choice) for choice in plan.choices),
        ]

    def _work_out(self, rule: Rule) -> Column:
        keys: list[Any] | None = None
        if rule == DECISION and (held := self._holding()):
            if self._questions.handed_on is not None:
                return self._questions.decided(self.column(self._questions.handed_on))
            keys = [("holds", *key) for key in zip(*held, strict=True)]
        return self._questions.answers(rule, self, keys or self.keys(rule))

    def _holding(self) -> list[Column] | None:
        """What decisions see where their guard holds for every document; None where for some not.

        Nor where what they see then has no value, or none is known.
        """
        plan = self._questions.holding()
        if plan is None:
            return None
        seen = self._of_plan(plan)
        none = {FAILED, *self._questions.no_guard}
        return seen if all(map(none.isdisjoint, seen)) else None

    def _call(self, call: Call) -> Column:
        if call.part is None:
            return self.column(call.rule)
        if call not in self._parts:
            self._parts[call] = self._questions.part(self.column(call.rule), call.part)
        return self._parts[call]

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
        words = [self._words(key) for key in choice.keys]
        known = {told: choice.by_keys.get(told) for told in set(zip(*words, strict=True))}
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

    What a way does not change is not looked at again, nor what sees only that.
    """

    def __init__(self, questions: Questions, before: Sheet, ways: Sequence[Sequence[Edit]]) -> None:
        super().__init__(questions, ())
        self.size = before.size * len(ways)
        self._before = before
        self._ways = ways
        self._touching: dict[Read, dict[int, list[Edit]]] = {}
        for place, way in enumerate(ways):
            for edit in way:
                for read in questions.touched(edit.path):
                    self._touching.setdefault(read, {}).setdefault(place, []).append(edit)
        self._touched = frozenset(self._touching)
        self._differing: dict[Read | Rule, frozenset[int]] = {}
        """The ways that make any difference to what stands at a place, or to a rule."""

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
        if rule not in self._columns and not self._differs(rule):
            self._columns[rule] = self.before(self._before.column(rule))
        return self._columns[rule]

    def is_same(self) -> bool:
        """Tell whether no change can have changed any decision."""
        return not self._differs(DECISION)

    def read_some(self, read: Read, among: Sequence[int]) -> Column:
        column = self.read(read)
        return [column[place] for place in among]

    def _look(self, read: Read) -> Column:
        column, size = self._before.read(read), self._before.size
        told, kinds, differing = self.before(column), set(column), set()
        for place, edits in self._touching_at(read).items():
            changed = {number: self._edited(number, read, edits) for number in kinds}
            if any(old != new for old, new in changed.items()):
                differing.add(place)
                told[place * size : (place + 1) * size] = map(changed.__getitem__, column)
        self._differing[read] = frozenset(differing)
        return told

    def _touching_at(self, read: Read) -> Mapping[int, Sequence[Edit]]:
        if self._questions.is_known(read):
            return self._touching.get(read, {})
        ways = enumerate(self._ways)
        told = {place: [one for one in way if one.touches(read)] for place, way in ways}
        return {place: edits for place, edits in told.items() if edits}

    def _edited(self, number: int, read: Read, edits: Sequence[Edit]) -> int:
        for edit in edits:
            number = self._questions.edited(edit, read, number)
        return number

    def _differs(self, one: Read | Rule) -> frozenset[int]:
        """Return the ways that make a difference; all that this hangs on is then worked out."""
        if one not in self._differing:
            if isinstance(one, Read):
                self.read(one)
            else:
                self._differing[one] = self._differs_rule(one)
        return self._differing[one]

    def _differs_rule(self, rule: Rule) -> frozenset[int]:
        if not self._questions.sees(rule, self._touched):
            return frozenset()
        if rule == DECISION and self._without_guard():
            return self._of_these(rule, range(len(self._ways)))
        plan = self._questions.plan(rule)
        keys = [key for choice in plan.choices for key in choice.keys if not isinstance(key, str)]
        seen: list[Read | Rule] = [*plan.reads, *(call.rule for call in plan.calls)]
        seen += [key.rule if isinstance(key, Call) else key for key in keys]
        seen += self._before.chosen_by(rule)
        ways = sorted(frozenset().union(*map(self._differs, seen)))
        if not ways:
            return frozenset()
        if len(ways) == len(self._ways):
            self._columns[rule] = self._work_out(rule)
        else:
            size = self._before.size
            among = [at for way in ways for at in range(way * size, (way + 1) * size)]
            column = self.before(self._before.column(rule))
            told = _Part(self, among)._work_out(rule)
            for place, way in enumerate(ways):
                column[way * size : (way + 1) * size] = told[place * size : (place + 1) * size]
            self._columns[rule] = column
        return self._of_these(rule, ways)

    def _of_these(self, rule: Rule, ways: Iterable[int]) -> frozenset[int]:
        """Of some ways those in which the column of a rule is another."""
        column, before, size = self._columns[rule], self._before.column(rule), self._before.size
        return frozenset(way for way in ways if column[way * size : (way + 1) * size] != before)

    def _without_guard(self) -> bool:
        """Decide at once where a change takes the guard from all documents; tell whether it did.

        The guard is the rule without which the decision looks at nothing else: that a document fits
        the contract. What is left is looked at as a sheet of its own.
        """
        unless = self._questions.unless
        if unless is None:
            return False
        guard, plan = unless
        ways = self._differs(guard)
        if not ways:
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
        seen = zip(gone.column(guard), *gone._of_plan(plan), strict=True)
        keys = [("unless", *key) for key in seen]
        held = iter(self._questions.answers(DECISION, gone, keys))
        self._columns[DECISION] = [
            next(held if is_broken else left) for is_broken in broken for _ in range(size)
        ]
        return True


class _Part(Sheet):
    """Some of the documents of a sheet: what is known of all need not be worked out again."""

    def __init__(self, whole: Sheet, among: Sequence[int]) -> None:
        super().__init__(whole._questions, ())
        self._whole, self._among = whole, among
        self.size = len(among)

    def document(self, place: int) -> Any:
        return self._whole.document(self._among[place])

    def _look(self, read: Read) -> Column:
        return self._whole.read_some(read, self._among)

    def column(self, rule: Rule) -> Column:
        known = self._whole._columns.get(rule)
        if known is None:
            return super().column(rule)
        return [known[place] for place in self._among]


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None
