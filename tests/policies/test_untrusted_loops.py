"""A policy that loops is cut off: it has given no decision, and what stands beside it goes on."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from homeward.engine import rego_tests
from homeward.engine.batch import decide_lines
from homeward.engine.checks import faults_of
from homeward.engine.patience import Patience
from homeward.engine.rego_tests import run_tests
from tests.policies.conftest import POLICIES
from tests.policies.documents import a_document

Doc = dict[str, Any]

NO_DECISION = {"error": {"field": "", "code": "no_decision"}}
HASTY = Patience(question_s=0.3, document_s=0.01, lost_s=1.0)
PAIRS = """count([1 |
		some a in numbers.range(1, 100000)
		some b in numbers.range(1, 100000)
		a + b == 0
	]) == 0"""
LONG_LIST = "count(numbers.range(1, 1000000000)) > 0"


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder)
    return folder


def spins(draft: Path, work: str, when: str) -> None:
    """Make the decision of `draft` wait for `work` where `when` holds."""
    about = "\n# METADATA\n# title: Never ends\n# custom:\n#   source: none\n"
    with (draft / "reasons.rego").open("a") as file:
        file.write(f"{about}spins if {{\n\t{when}\n\t{work}\n}}\n")
    decision = draft / "decision.rego"
    text = decision.read_text()
    decision.write_text(
        text.replace("decision := judged if {\n", "decision := judged if {\n\tnot spins\n", 1)
    )
    assert decision.read_text() != text


def decided(draft: Path, documents: list[Doc], patience: Patience = HASTY) -> list[Doc]:
    lines = [json.dumps(one).encode() for one in documents]
    chunks = [lines[at : at + 50] for at in range(0, len(lines), 50)]
    answers = b"".join(decide_lines(chunks, draft, cores=1, patience=patience))
    return [json.loads(line) for line in answers.splitlines()]


def test_one_question_that_loops_has_no_decision_and_the_others_have_theirs(
    engine_kind: str, draft: Path
) -> None:
    work = PAIRS if engine_kind == "command" else LONG_LIST
    spins(draft, work, when='input.child.id == "C-loops"')
    asked = [a_document(), a_document(child__id="C-loops"), a_document()]

    one, loops, other = decided(draft, asked)

    assert loops == NO_DECISION
    assert one["decision"] == other["decision"] == "deny"


def test_policies_that_always_loop_are_soon_not_asked_any_more(draft: Path) -> None:
    spins(draft, PAIRS, when="input.child.age == 15")

    answers = decided(draft, [a_document()] * 500)

    assert answers == [NO_DECISION] * 500


def test_a_check_says_that_they_loop(
    engine_kind: str, draft: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeward.engine.checks.DECIDING_S", 3.0)
    spins(draft, PAIRS, when="not input.child")

    assert any("loop" in fault for fault in faults_of(draft))


def test_a_rego_test_that_loops_has_failed_and_the_others_are_run(
    engine_kind: str, draft: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rego_tests, "SOME_S", 2.0)
    monkeypatch.setattr(rego_tests, "EACH_S", 0.0)
    monkeypatch.setattr(rego_tests, "ONE_WITHIN_S", 1)
    for file in draft.glob("*_test.rego"):
        file.unlink()
    (draft / "few_test.rego").write_text(
        f"package homeward.few_test\n\ntest_b if 1 + 1 == 2\n\ntest_a_loops if {PAIRS}\n\n"
        "test_c if data.policy_version != null\n"
    )

    passed, failed = run_tests(draft)

    assert (sorted(passed), failed) == (["test_b", "test_c"], ["test_a_loops"])
