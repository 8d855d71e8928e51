"""Decide each distinct question once: what the rules cannot tell apart gets one decision.

A rule's value follows from what it sees: fields of the document, and values of the rules that it
calls. So OPA is asked for a rule once for each combination of what it sees, and every document that
shows it the same has the same value; the decision is the last of these rules. Nothing is decided
here but by OPA. What a rule sees is taken from the policies (`questions_reads`).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from homeward.engine.bundle import build_bundle
from homeward.engine.found import find_engine, query
from homeward.governance.questions_asked import MODULE, asker, module
from homeward.governance.questions_edits import Cut, Edit, cut_of
from homeward.governance.questions_reads import Call, Read, Rule, Sights
from homeward.governance.questions_sheets import (
    DECISION,
    FAILED,
    UNDEFINED,
    Column,
    Plan,
    Sheet,
    Values,
)
from homeward.governance.questions_tree import Steps

TOGETHER = 2_000
"""Documents that are looked at together."""


@dataclass(frozen=True)
class Built:
    """Policies made ready once, for as many as will ask them."""

    digest: str
    bundle: Path
    modules: Path
    """OPA's syntax tree of the bundle, as JSON."""


_PARSE = "{name: rego.parse_module(name, source) | some name, source in input}"
_PARSED: dict[tuple[str, str], Any] = {}
"""OPA's syntax tree of each file that was met, by name and content: two drafts share most."""
_PARSED_MAX = 200


def build(policies: Path, into: Path) -> Built:
    """Make the policies of a folder ready in the new folder `into`. Raises BrokenPoliciesError."""
    built = Built(build_bundle(policies, into / "bundle"), into / "bundle", into / "modules.json")
    (built.bundle / "authz.rego").unlink()  # whose door this is; it decides nothing
    files = sorted(built.bundle.rglob("*.rego"))
    sources = [
        (file.relative_to(built.bundle).as_posix(), file.read_text("utf-8")) for file in files
    ]
    built.modules.write_text(json.dumps(_parsed(sources)), encoding="utf-8")
    return built


def _parsed(sources: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the syntax tree of files that were checked when the bundle was built."""
    if len(_PARSED) > _PARSED_MAX:
        _PARSED.clear()
    new = [source for source in sources if source not in _PARSED]
    if new:
        told = query(find_engine(), _PARSE, dict(new))
        _PARSED.update({source: told[source[0]] for source in new})
    return {source[0]: _PARSED[source] for source in sources}


class Questions:
    """The policies of a folder, asked as little as possible.

    Raises BrokenPoliciesError for policies that may not be loaded, CutOffError when a rule does not
    end. One engine runs until `close`.
    """

    def __init__(self, policies: Path | Built, beside: Questions | None = None) -> None:
        """`beside`: of other policies, whose answers count where nothing that differs is seen."""
        self._opened = ExitStack()
        folder = Path(self._opened.enter_context(tempfile.TemporaryDirectory(prefix="homeward-")))
        try:
            built = policies if isinstance(policies, Built) else build(policies, folder / "built")
            self._open(built, folder / "bundle", beside)
        except BaseException:
            self._opened.close()
            raise

    def _open(self, built: Built, bundle: Path, beside: Questions | None) -> None:
        self.digest = built.digest
        self.data: dict[str, Any] = json.loads((built.bundle / "data.json").read_bytes())
        self._modules = built.modules.read_bytes()
        self.sights = Sights(json.loads(self._modules))
        self._ones: dict[Any, Any] = {}
        self.rules = [self._one(rule) for rule in _called(self.sights)]
        self._names = {rule: f"r{place}" for place, rule in enumerate(self.rules)}
        self._memo: dict[Rule, dict[Any, int]] = {rule: {} for rule in self.rules}
        self.values, self._parts = Values(), dict[str, dict[int, int]]()
        if beside is not None and beside._modules == self._modules:
            self.values, self._parts = beside.values, beside._parts
            self._memo |= {rule: beside._memo[rule] for rule in self._alike(beside)}
        self._plans = {rule: Plan(self.sights.of(rule), self._one) for rule in self.rules}
        self._related: dict[tuple[Rule, frozenset[Read]], bool] = {}
        self._touched: dict[Steps, frozenset[Read]] = {}
        guarded = self.sights.guarded(DECISION)
        self.unless = None if guarded is None else (guarded.guard, Plan(guarded.rest, self._one))
        """The rule without which a decision does not look at most others, and what it then sees."""
        self._holding = None if guarded is None else Plan(guarded.own, self._one)
        self.handed_on = None if guarded is None else guarded.handed_on
        """The rule whose value is the decision where that guard holds."""
        self._handed: dict[int, int] = {}
        self.reads = sorted(self.sights.all_reads(DECISION))
        self._places = frozenset(self.reads)
        self._cuts: dict[Rule, Cut | None] = {
            rule: cut_of(self.sights.all_reads(rule)) for rule in self.rules
        }
        self._cuts[DECISION] = None  # a decision is asked for with all that there is
        self._edited: dict[tuple[Edit, Read], dict[int, int]] = {}
        parts: dict[Rule, set[str]] = {rule: set() for rule in self.rules}
        for plan in self._plans.values():
            for call in plan.parts_read():
                parts[call.rule].add(call.part or "")
        asked = ((self._names[r], r.rego, sorted(parts[r])) for r in self.rules)
        shutil.copytree(built.bundle, bundle)
        (bundle / MODULE).write_text(module(asked), encoding="utf-8")
        self._asker = self._opened.enter_context(asker(find_engine(), bundle))
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

    def _alike(self, other: Questions) -> list[Rule]:
        """The rules that see nothing in which the data of two versions differ."""
        differing = {
            name
            for name in self.data.keys() | other.data
            if json.dumps(self.data.get(name)) != json.dumps(other.data.get(name))
        }
        return [
            rule
            for rule in self.rules
            if all(path and path[0] not in differing for path in self.sights.all_data(rule))
        ]

    def _one(self, equal: Any) -> Any:
        return self._ones.setdefault(equal, equal)

    # for sheets

    def holding(self) -> Plan | None:
        """Return what the decision sees where its guard holds and what it then says is there."""
        plan = self._holding
        return plan if plan and plan.calls and not plan.reads and not plan.choices else None

    def decided(self, column: Column) -> Column:
        """Return the decisions that hand on these values of `handed_on`."""
        for number in set(column).difference(self._handed):
            held = self.values.held[number]
            self._handed[number] = self.values.number(held, key=(DECISION, held[0]))
        return list(map(self._handed.__getitem__, column))

    def plan(self, rule: Rule) -> Plan:
        """Return what `rule` sees, in an order."""
        return self._plans[rule]

    def touched(self, path: Steps) -> frozenset[Read]:
        """Return the places at which a change of `path` could be seen."""
        if path not in self._touched:
            edit = Edit(path)
            self._touched[path] = frozenset(read for read in self.reads if edit.touches(read))
        return self._touched[path]

    def is_known(self, read: Read) -> bool:
        """Tell whether a rule reads this place."""
        return read in self._places

    def edited(self, edit: Edit, read: Read, number: int) -> int:
        """Return what stands at `read` after an edit that touches it, where `number` stood."""
        known = self._edited.setdefault((edit, read), {})
        found = known.get(number)
        if found is None:
            found = self.values.number(edit.seen(read, self.values.held[number]))
            known[number] = found
        return found

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
        for number in set(column).difference(known):
            known[number] = self._part(number, part)
        return list(map(known.__getitem__, column))

    def _part(self, number: int, part: str) -> int:
        if number in (UNDEFINED, FAILED):
            return number
        _, kind, parts, _ = self.values.held[number]
        if kind != "object":
            return number
        told = parts[part]
        key = ("part", told[0]) if told else ("no such part",)  # which is not: no value at all
        return self.values.number(told, key=key)

    def answers(self, rule: Rule, sheet: Sheet, keys: Sequence[Any]) -> Column:
        """Return the value of `rule` for each of `keys`, after asking for what is new in them.

        The documents of `sheet` have these keys, one after the other.
        """
        memo = self._memo[rule]
        known = list(map(memo.get, keys))
        if None in known:
            new: dict[Any, int] = {}
            for place, number in enumerate(known):
                if number is None:
                    new.setdefault(keys[place], place)
            self._ask(rule, sheet, new)
            known = list(map(memo.get, keys))
        return cast(Column, known)

    def _ask(self, rule: Rule, sheet: Sheet, new: Mapping[Any, int]) -> None:
        memo, cut, keys = self._memo[rule], self._cuts[rule], list(new)
        for start in range(0, len(keys), TOGETHER):
            some = keys[start : start + TOGETHER]
            documents = [sheet.document(new[key]) for key in some]
            told = self._asker.ask(self._names[rule], documents, cut)
            memo.update(zip(some, (self._number(rule, one) for one in told), strict=True))
        self.asked += len(new)

    def _number(self, rule: Rule, answer: Any) -> int:
        if not answer:
            return FAILED if answer is None else UNDEFINED
        return self.values.number(answer[0], key=(rule, answer[0][0]))


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
