"""Try mutants, in the order in which it is cheapest to notice them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tests.policies.mutants import rows, rules
from tests.policies.mutants.judge import (
    Data,
    Engine,
    Judge,
    StillbornError,
    aimed_at,
    noticed,
    of_all_kinds,
    that_do_not_fit,
)

FEW, MANY = 60, 600
READING, TESTS, SURVIVED, STILLBORN = "reading", "tests", "survived", "stillborn"


class Fate(NamedTuple):
    """What became of a mutant: who noticed it first."""

    name: str
    by: str


def of_rows(judge: Judge, mutants: Iterable[rows.RowMutant]) -> Iterator[Fate]:
    """Try the k-th mutant of every row in one engine; what survives again, alone, with more."""
    waiting: dict[str, list[rows.RowMutant]] = defaultdict(list)
    for one in mutants:
        waiting[one.row].append(one)
    while waiting:
        together = {row: some.pop() for row, some in waiting.items()}
        waiting = defaultdict(list, {row: some for row, some in waiting.items() if some})
        table = {**judge.data["table"], **{m.row: m.text for m in together.values()}}
        engine = judge.engine(data={**judge.data, "table": table}, tests=False)
        for one in together.values():
            if noticed(engine, aimed_at(one.row, FEW)) or noticed(engine, aimed_at(one.row, MANY)):
                yield Fate(one.name, READING)
            else:
                yield Fate(one.name, _by_tests(judge, lambda t=one: _with_row(judge, t)))


def of_data(judge: Judge, mutants: Iterable[tuple[str, Data]]) -> Iterator[Fate]:
    """Try data that is changed elsewhere than in a row."""
    for name, data in mutants:
        yield Fate(name, _of_engine(judge, lambda d=data: judge.engine(data=d)))


def of_rules(judge: Judge, mutants: Iterable[rules.RuleMutant]) -> Iterator[Fate]:
    """Try changed rules."""
    for one in mutants:
        yield Fate(one.name, _of_engine(judge, lambda m=one: judge.engine({m.file: m.text})))


def _of_engine(judge: Judge, made: Callable[[], Engine]) -> str:
    try:
        engine = made()
    except StillbornError:
        return STILLBORN
    if judge.fails_a_test(engine):
        return TESTS
    for documents in (of_all_kinds(300), that_do_not_fit(300), of_all_kinds(4_000),
                      that_do_not_fit(3_000)):  # fmt: skip
        if noticed(engine, documents):
            return READING
    return SURVIVED


def _by_tests(judge: Judge, made: Callable[[], Engine]) -> str:
    return TESTS if judge.fails_a_test(made()) else SURVIVED


def _with_row(judge: Judge, one: rows.RowMutant) -> Engine:
    table = {**judge.data["table"], one.row: one.text}
    return judge.engine(data={**judge.data, "table": table})
