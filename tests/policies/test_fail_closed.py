"""No field deleted, renamed, nulled, retyped or given an unknown code turns a refusal into a release."""

# ruff: noqa: E501 - seeded on purpose, so that a failure can be seen again
import copy
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from homeward.engine.fit import checker
from tests.policies import reference
from tests.policies.conftest import POLICIES, Decide, decide_all
from tests.policies.documents import a_document, a_random_document

Doc = dict[str, Any]
RELEASES = ("allow", "allow_redacted")
OTHER_VALUES: tuple[Any, ...] = (None, "unheard_of", "", 7, True, [], {}, ["x"])


def bases(count: int, seed: int) -> list[Doc]:
    """Documents of every row and every kind of answer, in equal shares."""
    rng = random.Random(seed)
    found: dict[tuple[str, str], list[Doc]] = defaultdict(list)
    for _ in range(6_000):
        document = a_random_document(rng)
        answer = reference.decide(document)
        found[answer["rule_ids"][-1], answer["decision"]].append(document)
    chosen = [documents[0] for _, documents in sorted(found.items())]
    rng.shuffle(chosen)
    return [a_document(), *chosen[: count - 1]]


def places(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in node.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from places(value, (*path, name))


def changed(document: Doc, path: tuple[str, ...], rng: random.Random) -> Iterator[Doc]:
    """Delete, rename, null, retype, unknown code: some of each for every field."""
    for how in ("delete", "rename", *rng.sample(OTHER_VALUES, 2)):
        other = copy.deepcopy(document)
        holder = other
        for name in path[:-1]:
            holder = holder[name]
        value = holder.pop(path[-1])
        if how == "rename":
            holder[path[-1] + "_"] = value
        elif how != "delete":
            holder[path[-1]] = how
            if json.dumps(how) == json.dumps(value):
                continue
        yield other


def mutants(documents: list[Doc], seed: int) -> Iterator[tuple[Doc, tuple[str, ...], Doc]]:
    rng = random.Random(seed)
    for document in documents:
        for path in places(document):
            for other in changed(document, path, rng):
                yield document, path, other


def says_something_else(path: tuple[str, ...], other: Doc) -> bool:
    """The field now holds another value that is valid there: other facts, not a broken document."""
    holder: Any = other
    for name in path:
        if not isinstance(holder, dict) or name not in holder:
            return False
        holder = holder[name]
    if path[0] == "gates" or path[:2] == ("item", "facts"):
        return holder in (True, 7, [], "") or isinstance(holder, (str, list))
    return holder is True or path[-1] in ("instrument", "third_parties", "as_of", "host_la")


def test_a_refusal_never_becomes_a_release(decide: Decide) -> None:
    documents = bases(32, seed=7)
    before = {id(document): reference.decide(document) for document in documents}
    tried = list(mutants(documents, seed=8))

    answers = decide(other for _, _, other in tried)

    assert len(tried) > 8_000
    leaks = [
        (path, before[id(document)]["rule_ids"], answer["rule_ids"])
        for (document, path, other), answer in zip(tried, answers, strict=True)
        if answer["decision"] in RELEASES
        and not says_something_else(path, other)
        and (
            before[id(document)]["decision"] not in RELEASES
            or len(answer["transforms"]) < len(before[id(document)]["transforms"])
        )
    ]
    assert leaks == []


def test_what_the_schema_refuses_the_policy_holds_and_nothing_else(decide: Decide) -> None:
    tried = [other for _, _, other in mutants(bases(6, seed=17), seed=18)]
    fault_of = checker(POLICIES)

    answers = decide(tried)

    for other, answer in zip(tried, answers, strict=True):
        held = answer["rule_ids"] == ["INCOMPLETE"]
        assert held == (fault_of(other) is not None), (fault_of(other), answer)
        if held:
            assert answer["decision"] == "defer"


def test_both_engines_hold_what_is_no_document(engine_kind: str) -> None:
    answers = decide_all([{}, [], None, 7, "", True, {"gates": None}, {"item": []}])

    assert {answer["decision"] for answer in answers} == {"defer"}
    assert all(answer["rule_ids"] == ["INCOMPLETE"] for answer in answers)
