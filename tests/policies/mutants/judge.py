"""Who notices a mutant: the policies' own tests, or the second reading on a fixed set of documents.

All in one process with OPA's library: an engine per changed rule, and as many rows in one engine as
there are, since a document is decided by one row alone.
"""

import random
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from homeward.engine.bundle import policy_files, read_data
from homeward.engine.fit import checker
from homeward.engine.private import BATCH
from homeward.engine.rows import compiled
from tests.policies import reference
from tests.policies.conftest import POLICIES
from tests.policies.documents import a_random_document
from tests.policies.test_fail_closed import changed, places

Doc = dict[str, Any]
Data = dict[str, Any]
COMPARED = ("decision", "rule_ids", "gates_used", "basis", "transforms", "obligations", "defer_to")
HOLD = {"decision": "defer", "rule_ids": ["INCOMPLETE"]}


class StillbornError(Exception):
    """No engine loads it."""


class Judge:
    """The policies as they are, and what each document is to be answered."""

    def __init__(self) -> None:
        files = policy_files(POLICIES, tests=True)
        rego = {f.name: f.read_text("utf-8") for f in files if f.suffix == ".rego"}
        self.rules = {n: t for n, t in rego.items() if not n.endswith("_test.rego")}
        self.tests = {n: t for n, t in rego.items() if n.endswith("_test.rego")}
        self.data = read_data(POLICIES)
        self.names = {
            word.split()[0]
            for text in self.tests.values()
            for word in text.splitlines()
            if word.startswith("test_")
        }

    def engine(
        self, rules: dict[str, str] | None = None, data: Data | None = None, tests: bool = True
    ) -> "Engine":
        """Load them, with other rules or other data. Raises StillbornError."""
        return Engine(
            {**self.rules, **(rules or {}), **(self.tests if tests else {})}, data or self.data
        )

    def fails_a_test(self, engine: "Engine") -> bool:
        """Tell whether a Rego test fails."""
        found = engine.document("homeward.sharing_test", {})
        return not isinstance(found, dict) or any(found.get(n) is not True for n in self.names)


class Engine:
    """The library with one set of policies."""

    def __init__(self, rules: dict[str, str], data: Data) -> None:
        from opa_bindings import OpaEngine, OpaError  # type: ignore[import-untyped]

        cells, rows = compiled(data)
        self._error = OpaError
        self._engine = OpaEngine()
        try:
            self._engine.add_data({**data, "cells": cells})
            for name, text in {**rules, "rows.rego": rows, BATCH.name: BATCH.read_text()}.items():
                self._engine.add_policy(name, text)
            self._engine.eval_document("homeward_batch.decisions", [])
        except OpaError as error:
            raise StillbornError(str(error)) from error

    def document(self, path: str, given: Any) -> Any:
        """Return a document, None where there is none."""
        try:
            return self._engine.eval_document(path, given)
        except self._error:
            return None

    def wrong(self, documents: list[tuple[Doc, Doc]]) -> Iterator[Doc]:
        """Yield the documents that are not answered as they are to be."""
        for at in range(0, len(documents), 200):
            part = documents[at : at + 200]
            answers = self.document("homeward_batch.decisions", [one for one, _ in part])
            answers = answers if isinstance(answers, dict) else {}
            for place, (document, wanted) in enumerate(part):
                answer = answers.get(str(place))
                if not isinstance(answer, dict) or any(answer[k] != v for k, v in wanted.items()):
                    yield document


@cache
def aimed_at(row: str, count: int, seed: int = 0) -> list[tuple[Doc, Doc]]:
    """Return documents that this row decides, and the answers; most are stopped by nothing else."""
    rng = random.Random(f"{row} {seed}")
    prefix = row.split("-", maxsplit=1)[0]
    kinds = [kind for kind, of in reference.PREFIX.items() if of == prefix]
    found: list[tuple[Doc, Doc]] = []
    while len(found) < count:
        document = a_random_document(rng)
        kind = rng.choice(kinds)
        document["recipient"]["type"] = kind
        document["recipient"]["role"] = rng.choice(reference.ROLES[kind].split())
        if row == "POL-12":
            document["request"]["kind"] = "pull"
        elif row != "YP-01":
            document["item"]["category"] = reference.CATEGORIES[int(row[-2:]) - 1]
        if reference.Case(document).row != row:
            continue
        answer = _wanted(document)
        if answer["rule_ids"][0].startswith(("HD", "REQ")) and rng.random() < 0.8:
            continue
        found.append((document, answer))
    return found


@cache
def of_all_kinds(count: int, seed: int = 1) -> list[tuple[Doc, Doc]]:
    """Return documents of as many kinds of answers as there are, and some that do not fit."""
    rng = random.Random(seed)
    found: dict[str, list[tuple[Doc, Doc]]] = {}
    for _ in range(count * 8):
        document = a_random_document(rng)
        answer = _wanted(document)
        kind = repr((answer["decision"], answer["rule_ids"][:-1], answer["obligations"],
                     answer["defer_to"], answer["transforms"][1:]))  # fmt: skip
        found.setdefault(kind, []).append((document, answer))
    chosen: list[tuple[Doc, Doc]] = []
    while len(chosen) < count:
        chosen += [some.pop() for some in found.values() if some]
    return chosen[:count]


@cache
def that_do_not_fit(count: int, seed: int = 2) -> list[tuple[Doc, Doc]]:
    """Return documents with one field that does not fit, each to be held as incomplete."""
    rng = random.Random(seed)
    fault_of = checker(POLICIES)
    found = []
    for document, _ in of_all_kinds(40):
        for path in places(document):
            found += [(one, HOLD) for one in changed(document, path, rng) if fault_of(one)]
    rng.shuffle(found)
    return found[:count]


def _wanted(document: Doc) -> Doc:
    answer = reference.decide(document)
    return {name: answer[name] for name in COMPARED}


def noticed(engine: Engine, documents: Iterable[tuple[Doc, Doc]]) -> bool:
    """Tell whether one of them is answered otherwise."""
    return next(engine.wrong(list(documents)), None) is not None


SURVIVORS = Path(__file__).with_name("survivors.yaml")
