"""What the rules cannot tell apart gets one decision: the same as deciding one by one."""

import random
import shutil
from pathlib import Path

import pytest

from homeward.governance.questions import Questions
from homeward.governance.questions_edits import Edit
from homeward.governance.questions_reads import Read
from homeward.governance.questions_sheets import DECISION
from tests.policies.conftest import POLICIES, decide_all
from tests.policies.documents import a_document, a_gate, a_random_document

ODD_READINGS = {
    "an id": 'hd4 := 2 if input.child.id == "C-1"',
    "a time": 'hd4 := 2 if input.now < "2026-11-30T17:25:00+00:01"',
    "a whole object": "hd4 := 2 if count([v | some v in input.recipient; v == true]) > 3",
    "a field by a name that is worked out": 'hd4 := 2 if input.item[concat("", ["verb", "atim"])]',
    "a rule under another input": (
        'hd4 := 2 if g4 == 2 with input as object.union(input, {"gates": {"G4": input.gates.G5}})'
    ),
    "a set": 'hd4 := 2 if {x | some x in input.item.third_parties} == {"P-1"}',
    "a local name for a place": "hd4 := 2 if {\n\tabout := input.child\n\tabout.age < 10\n}",
}


def a_draft(folder: Path, more: str) -> Path:
    """The tree's policies, with HD4 true in one more case."""
    draft = shutil.copytree(POLICIES, folder / "draft")
    rego = draft / "safeguarding.rego"
    text = rego.read_text()
    assert text.count("hd4 := 2 if {\n") == 1
    more = (
        more
        if more.endswith("}") and "\n" in more
        else more.replace(" if ", " if {\n\t", 1) + "\n}"
    )
    rego.write_text(text.replace("hd4 := 2 if {\n", f"{more} else := 2 if {{\n"))
    return draft


def some(count: int, seed: int) -> list[object]:
    rng = random.Random(seed)
    return [a_random_document(rng) for _ in range(count)]


def test_the_same_decisions_as_one_by_one(engine_kind: str) -> None:
    documents = [*some(250, seed=41), {}, None, 7, {"item": []}, {"gates": None}]

    with Questions(POLICIES) as questions:
        assert list(questions.decide(documents)) == decide_all(documents)


@pytest.mark.parametrize("what", ODD_READINGS)
def test_a_draft_that_reads_more_is_asked_more(tmp_path: Path, what: str) -> None:
    draft = a_draft(tmp_path, ODD_READINGS[what])
    documents = [
        *some(60, seed=42),
        a_document(),
        a_document(child__id="C-2", now="2027-01-01T00:00:00+00:00"),
    ]

    with Questions(draft) as questions:
        answers = list(questions.decide(documents))

    assert answers == decide_all(documents, draft)
    assert any("HD4" in answer["rule_ids"] for answer in answers)
    assert any("HD4" not in answer["rule_ids"] for answer in answers)


def test_what_no_rule_reads_makes_no_other_question() -> None:
    with Questions(POLICIES) as questions:
        one, other = (
            a_document(),
            a_document(item__facts={"unheard_of": 1, "police_purpose": "prevention"}),
        )

        assert questions.key(one) == questions.key(other)
        assert questions.key(one) != questions.key(a_document(agreement__status="agreed"))


def test_changed_documents_are_decided_as_if_they_were_written_so() -> None:
    documents = some(20, seed=43)
    ways = [
        [Edit(("agreement", "status"), "set", "agreed")],
        [Edit(("gates", "G4"), "set", a_gate())],
        [Edit(("gates", "G4"), "remove")],
        [Edit(("child", "age"), "rename")],
        [Edit(("item", "facts"), "set", None)],
        [Edit(("recipient", "type"), "set", "health"), Edit(("item", "category"), "set", "harm")],
    ]
    written = [document for way in ways for document in (edited(d, way) for d in documents)]

    with Questions(POLICIES) as questions:
        sheet = questions.sheet(documents).spread(ways)
        answers = [questions.value(number) for number in sheet.column(DECISION)]

    assert answers == decide_all(written)


def edited(document: object, way: list[Edit]) -> object:
    for edit in way:
        document = edit.of(document)
    return document


def test_the_fields_that_are_read_are_taken_from_the_policies(tmp_path: Path) -> None:
    draft = a_draft(tmp_path, "hd4 := 2 if input.episode.carer_is_out == true")

    with Questions(POLICIES) as before, Questions(draft) as after:
        assert set(after.reads) - set(before.reads) == {Read(("episode", "carer_is_out"))}
