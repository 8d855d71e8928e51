"""The policies say what section 3.4 says: compared with a second reading of it."""

import random
from typing import Any

from tests.policies import reference
from tests.policies.conftest import Decide, decide_all
from tests.policies.documents import a_random_document

Doc = dict[str, Any]

NEVER_RELEASED = {"CAR-08", "COM-02", "COM-05", "COM-08", "LSC-08", "SCH-08"}


def random_documents(count: int, seed: int) -> list[Doc]:
    rng = random.Random(seed)
    return [a_random_document(rng) for _ in range(count)]


def differences(documents: list[Doc], answers: list[Doc]) -> list[tuple[Doc, Doc, Doc]]:
    found = []
    for document, answer in zip(documents, answers, strict=True):
        wanted = reference.decide(document)
        got = {name: value for name, value in answer.items() if name != "reasons"}
        if wanted != got or not answer.get("reasons"):
            found.append((document, wanted, got))
    return found


def test_twenty_thousand_documents_are_decided_as_section_3_4_reads(decide: Decide) -> None:
    documents = random_documents(20_000, seed=341)

    assert differences(documents, decide(documents)) == []


def test_both_engines_decide_alike(engine_kind: str) -> None:
    documents = random_documents(1_500, seed=342)

    assert differences(documents, decide_all(documents)) == []


def test_every_row_releases_in_some_case_and_refuses_in_another(decide: Decide) -> None:
    documents = random_documents(60_000, seed=343)
    wanted: dict[tuple[str, bool], Doc] = {}
    for document in documents:
        answer = reference.decide(document)
        released = answer["decision"].startswith("allow")
        wanted.setdefault((answer["rule_ids"][-1], released), document)
    rows = {row for row, _ in wanted}

    answers = decide(wanted.values())

    assert len(rows) == 79
    assert rows - {row for row, released in wanted if released} == NEVER_RELEASED
    assert rows - {row for row, released in wanted if not released} == set()
    for (row, released), answer in zip(wanted, answers, strict=True):
        assert answer["rule_ids"][-1] == row
        assert answer["decision"].startswith("allow") == released
