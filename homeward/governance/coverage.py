"""How often each rule was true, and how often it decided: a rule that never decides is no rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from homeward.governance.envelope import RELEASES, Data
from homeward.governance.questions import Questions
from homeward.governance.questions_reads import Rule
from homeward.governance.questions_sheets import DECISION, Sheet

_OPEN = 2


@dataclass
class Coverage:
    """Counts of documents, by rule id, by row, and by path of a row for one seat."""

    matched: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)
    released: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    path_open: Counter[str] = field(default_factory=Counter)
    path_decided: Counter[str] = field(default_factory=Counter)

    def add(self, other: Coverage) -> None:
        """Count what another one counted too."""
        for name in self.__dataclass_fields__:
            getattr(self, name).update(getattr(other, name))

    def look(self, questions: Questions, sheet: Sheet, row: Rule | None) -> None:
        """Count the documents of a sheet; `row` is the rule of its paths, where it has one."""
        for number, count in Counter(sheet.column(DECISION)).items():
            self.answered(questions.value(number), count)
        for name, rule in watched(questions).items():
            for number, count in Counter(sheet.column(rule)).items():
                if _is_true(questions.value(number)):
                    self.matched[name] += count
        if row is not None:
            together = zip(sheet.column(row), sheet.column(DECISION), strict=True)
            for (paths, decision), count in Counter(together).items():
                self._paths(questions, row, paths, decision, count)

    def answered(self, answer: Mapping[str, Any] | None, count: int) -> None:
        """Count an answer that was given so many times."""
        if answer is None:
            return
        *others, row = answer["rule_ids"]
        for rule in (*others, row):
            self.decided[rule] += count
        told = self.released if answer["decision"] in RELEASES else self.refused
        told[row] += count

    def _paths(
        self, questions: Questions, row: Rule, paths: int, decision: int, count: int
    ) -> None:
        worth, answer = questions.value(paths) or [], questions.value(decision)
        name, text, seat = row.keys
        cell = questions.data["cells"][name][int(text)]["seats"][seat]
        for place, one in enumerate(worth):
            if one == _OPEN:
                self.path_open[f"{name} {seat} {place + 1}"] += count
        if answer and answer["decision"] in RELEASES:
            first = next((p for p in cell["fewest_first"] if worth[p] == _OPEN), None)
            if first is not None:
                self.path_decided[f"{name} {seat} {first + 1}"] += count


def watched(questions: Questions) -> dict[str, Rule]:
    """Return the rules of the policies whose value says that a rule id is true."""
    names = {f"HD{number}": f"hd{number}" for number in range(1, 11)}
    names |= {"H1": "h1", "SWEEP": "sweep", "REQ": "asked_for"}
    names |= {f"G{number}": f"g{number}" for number in (1, 2, 3, 4, 5, 7, 8)}
    rules = {shown: Rule(DECISION.package, name) for shown, name in names.items()}
    known = set(questions.rules)
    return {shown: rule for shown, rule in rules.items() if rule in known}


def may_release(row: Data, everywhere: bool) -> bool:
    """Tell whether a row has a path that could open; one that a person decides never does."""
    own = any("a_person_decides" not in path["when"] for path in row["paths"])
    return own or everywhere


def history(lines: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Return how often each rule decided in a history of `{"rule_ids": [...], "count": n}`."""
    told: Counter[str] = Counter()
    for line in lines:
        for rule in line["rule_ids"]:
            told[rule] += int(line.get("count", 1))
    return told


def _is_true(value: Any) -> bool:
    return value is True or value == _OPEN or value in ("deny", "defer")
