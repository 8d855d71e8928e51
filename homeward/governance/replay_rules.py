"""The decision on many documents, rule by rule, with everything that was met before looked up.

`questions` asks OPA for a rule once for each combination of what it sees. Here the looking up of
what is known is written out as one Python function for all rules, and what a rule sees of a part
that many documents share is looked at once; what is not known goes to `questions`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from homeward.governance.questions import TOGETHER, Questions
from homeward.governance.questions_edits import look
from homeward.governance.questions_reads import Call, Choice, Read, Rule
from homeward.governance.questions_sheets import DECISION, UNDEFINED
from homeward.governance.questions_tree import Steps

Part = Any
Numbers = tuple[int, ...]
Known = Callable[[Numbers], Any]
"""What the decision follows from; None where something of it is not known."""

HAS_CODES = Rule(("homeward", "sharing"), "has_codes")
HEADS = (
    "now", "law", "request", "purpose", "child", "episode", "item", "recipient", "agreement",
    "gates", "alleged_perpetrator", "strategy_decision",
)  # fmt: skip
"""The parts of a document, in an order."""


class Rules:
    """The rules of some policies, with what is known of their values."""

    def __init__(self, questions: Questions, codes: Mapping[Steps, frozenset[str]]) -> None:
        """`codes`: the lists of the rule that checks codes, where it does nothing else."""
        self._questions = questions
        self._reads: dict[str, list[Read]] = {head: [] for head in HEADS}
        self._places: dict[Read, int] = {}
        self._seen: dict[tuple[str, Any], Numbers] = {}
        self._decisions: dict[Any, int] = {}
        self._kept: list[Part] = []
        self._known: Known | None = None
        reads = sorted({r for rule in questions.rules for r in questions.plan(rule).reads} | _keys(
            questions
        ))  # fmt: skip
        if all(read.path and read.path[0] in HEADS for read in reads):
            for head in HEADS:
                for read in reads:
                    if read.path[0] == head:
                        self._places[read] = len(self._places)
                        self._reads[head].append(read)
            self._known = _Writer(questions, self._places, codes, {}).written()

    def numbers(self, documents: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the number of the decision on each; their parts are kept and known again."""
        seen = [self._of_parts(one) for one in documents]
        told = [self._number(one) for one in seen]
        missing = [place for place, number in enumerate(told) if number is None]
        for start in range(0, len(missing), TOGETHER):
            some = missing[start : start + TOGETHER]
            sheet = self._questions.sheet([dict(documents[place]) for place in some])
            for place, number in zip(some, sheet.column(DECISION), strict=True):
                told[place] = number
                follows = None if self._known is None else self._known(seen[place])
                if follows is not None:
                    self._decisions[follows] = number
        return [number for number in told if number is not None]

    def _number(self, seen: Numbers) -> int | None:
        follows = None if self._known is None else self._known(seen)
        return self._decisions.get(follows)

    def _of_parts(self, document: Mapping[str, Any]) -> Numbers:
        found: Numbers = ()
        for head in HEADS:
            part = document[head]
            name = head, part if type(part) is str else id(part)
            numbers = self._seen.get(name)
            if numbers is None:
                numbers = self._seen[name] = self._look(head, part)
                self._kept.append(part)  # known by its identity, so it must stay
            found += numbers
        return found

    def _look(self, head: str, part: Part) -> Numbers:
        number, whole = self._questions.values.number, {head: part}
        return tuple(number(look(read, whole)) for read in self._reads[head])


def _keys(questions: Questions) -> set[Read]:
    return {
        key
        for rule in questions.rules
        for choice in questions.plan(rule).choices
        for key in choice.keys
        if isinstance(key, Read)
    }


class _Writer:
    """Writes the function that looks up what a decision follows from."""

    def __init__(
        self,
        questions: Questions,
        places: Mapping[Read, int],
        codes: Mapping[Steps, frozenset[str]],
        done: Mapping[Rule, int],
    ) -> None:
        """`done`: the rules whose values are at hand, in variables of these numbers."""
        self._questions, self._places, self._codes = questions, places, codes
        self._names: dict[str, Any] = {}
        self._lines: list[str] = []
        self._done: dict[Rule, int] = dict(done)

    def written(self) -> Known:
        """Return the function."""
        key = self._key(DECISION)
        body = "\n".join(f"    {line}" for line in [*self._lines, f"return {key}"])
        exec(f"def known(R):\n{body}\n", self._names)  # noqa: S102 - written here, of numbers alone
        known: Known = self._names["known"]
        return known

    def _rule(self, rule: Rule) -> int:
        """Write what looks up a rule, after what it needs; return the number of its variable."""
        if rule not in self._done:
            key = self._key(rule)
            place = self._done[rule] = len(self._done)
            memo = self._name("m", self._memo(rule))
            self._lines += [f"v{place} = {memo}({key})", f"if v{place} is None: return None"]
        return self._done[rule]

    def _memo(self, rule: Rule) -> Callable[[Any], int | None]:
        """Return what knows the values of a rule by what it sees."""
        memo, plan = self._questions._memo[rule], self._questions.plan(rule)
        if rule != HAS_CODES or not self._codes or plan.calls or plan.choices:
            return memo.get
        lists = [self._codes.get(read.path) for read in plan.reads]
        if None in lists:
            return memo.get
        return _Codes(memo, self._questions, [one for one in lists if one is not None]).get

    def _key(self, rule: Rule) -> str:
        plan = self._questions.plan(rule)
        told = [
            *(f"R[{self._places[read]}]" for read in plan.reads),
            *(self._call(call) for call in plan.calls),
            *(self._choice(choice) for choice in plan.choices),
        ]
        return f"({', '.join(told)},)" if told else "()"

    def _call(self, call: Call) -> str:
        place = self._rule(call.rule)
        if call.part is None:
            return f"v{place}"
        part, name = call.part, f"p{len(self._names)}_{place}"
        known = self._questions._parts.setdefault(part, {})
        self._names[name + "_of"] = known.get
        self._lines += [f"{name} = {name}_of(v{place})", f"if {name} is None: return None"]
        return name

    def _choice(self, choice: Choice) -> str:
        """Write what chooses a rule by words, and looks up that rule only."""
        keys = ", ".join(self._word(key) for key in choice.keys)
        variables = ", ".join(f"v{place}" for place in self._done.values())
        targets = {rule.keys: self._lookup(rule, variables) for rule in choice.among}
        name = f"t{len(self._names)}"
        self._names[name] = targets.get
        self._names["nothing"] = lambda *_: UNDEFINED
        self._lines += [
            f"{name}_v = {name}(({keys},), nothing)(R, {variables})",
            f"if {name}_v is None: return None",
        ]
        return f"{name}_v"

    def _lookup(self, rule: Rule, variables: str) -> Callable[..., int | None]:
        """Return the function that looks up one of several rules, and what only that one calls."""
        writer = _Writer(self._questions, self._places, self._codes, self._done)
        key = writer._key(rule)
        writer._names["m"] = self._questions._memo[rule].get
        body = "\n".join(f"    {line}" for line in [*writer._lines, f"return m({key})"])
        exec(f"def lookup(R, {variables}):\n{body}\n", writer._names)  # noqa: S102 - as above
        made: Callable[..., int | None] = writer._names["lookup"]
        return made

    def _word(self, key: str | Read | Call) -> str:
        if isinstance(key, str):
            return repr(key)
        name = f"w{len(self._names)}"
        if isinstance(key, Read):
            held = self._questions.values.held
            self._names[name] = _Words(lambda number: held[number]).get
            return f"{name}(R[{self._places[key]}])"
        value, part = self._questions.value, key.part

        def member(number: int) -> Any:
            told = value(number)
            return told.get(part) if part and isinstance(told, dict) else told

        self._names[name] = _Words(member).get
        return f"{name}(v{self._rule(key.rule)})"

    def _name(self, prefix: str, memo: Callable[[Any], int | None]) -> str:
        name = f"{prefix}{len(self._names)}"
        self._names[name] = memo
        return name


class _Codes:
    """The rule that checks codes: where each is of its list, it says what it said of one such."""

    def __init__(
        self, memo: Mapping[Any, int], questions: Questions, lists: Sequence[frozenset[str]]
    ) -> None:
        self._memo, self._questions = memo, questions
        self._known: list[dict[int, bool]] = [{} for _ in lists]
        self._lists = lists
        self._said: int | None = None

    def get(self, key: Numbers) -> int | None:
        """Return the value for the numbers of these codes, None where it is not known."""
        if not self._valid(key):
            return self._memo.get(key)
        if self._said is None:
            self._said = next((said for one, said in self._memo.items() if self._valid(one)), None)
        return self._said

    def _valid(self, key: Numbers) -> bool:
        for number, known, codes in zip(key, self._known, self._lists, strict=True):
            valid = known.get(number)
            if valid is None:
                held = self._questions.values.held[number]
                valid = known[number] = isinstance(held, str) and held in codes
            if not valid:
                return False
        return True


class _Words:
    """The words that numbers stand for; None for what is no word."""

    def __init__(self, value: Callable[[int], Any]) -> None:
        self._value, self._known = value, dict[int, str | None]()

    def get(self, number: int) -> str | None:
        """Return the word of a number."""
        try:
            return self._known[number]
        except KeyError:
            told = self._value(number)
            word = self._known[number] = told if isinstance(told, str) else None
            return word
