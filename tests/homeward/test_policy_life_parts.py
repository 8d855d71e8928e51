"""The parts of a version's life that need no service: known cases, labels, what is told."""

import shutil
from pathlib import Path

import pytest
import yaml

from contracts import policies as contract
from homeward.engine.fit import checker
from homeward.governance import known, life, life_force, life_words
from homeward.governance.client import Access, LifeError
from homeward.governance.drafts import files_of

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    folder = tmp_path / "draft"
    shutil.copytree(POLICIES, folder)
    return folder


# The known cases


def test_there_are_fifty_known_cases_and_those_that_can_hurt_a_child_come_first() -> None:
    cases = known.cases()
    careful = [one.must is not None for one in cases]

    assert contract.KNOWN_CASES == len(cases) == len({one.id for one in cases})
    assert sorted(careful, reverse=True) == careful
    assert {"be_told", "not_be_told", "be_asked", None} == {one.must for one in cases}


def test_every_known_case_fits_the_contract() -> None:
    fault_of = checker(POLICIES)

    assert not [one.id for one in known.cases() if fault_of(one.document)]


def test_the_tree_answers_every_known_case_as_is_known_to_be_right() -> None:
    cases = known.cases()
    answers = known.answers(POLICIES, cases)

    assert [one.decision for one in cases] == [answer["decision"] for answer in answers]
    assert not list(known.findings(cases, answers))


def test_no_known_case_is_answered_in_a_dangerous_way_unnoticed() -> None:
    for one in known.cases():
        worse = {decision for decision in known._WIDTH if one.is_worse(decision)}
        match one.must:
            case "be_told":
                assert {"deny", "defer"} <= worse
            case "not_be_told":
                assert worse == {"allow", "allow_redacted"}
            case "be_asked":
                assert "deny" in worse
            case None:
                assert not worse


def test_a_row_that_no_longer_tells_police_of_a_danger_is_found_by_its_case(draft: Path) -> None:
    everywhere = draft / "everywhere.yaml"
    told = yaml.safe_load(everywhere.read_text())
    told["everywhere"] = [p for p in told["everywhere"] if "G4" not in p["when"]]
    everywhere.write_text(yaml.safe_dump(told))
    police = draft / "table" / "police.yaml"
    rows = yaml.safe_load(police.read_text())
    rows["POL-06"]["paths"] = [p for p in rows["POL-06"]["paths"] if "agreed" in p["when"]]
    police.write_text(yaml.safe_dump(rows, sort_keys=False))

    cases = known.cases()
    found = {one["id"] for one in known.findings(cases, known.answers(draft, cases))}

    assert {"KNOWN-01", "KNOWN-02", "KNOWN-08"} <= found


# Labels


@pytest.mark.parametrize(
    ("label", "taken", "expected"),
    [
        ("2026.11.1", {"2026.11.1"}, "2026.11.1-r2"),
        ("2026.11.1", {"2026.11.1", "2026.11.1-r2"}, "2026.11.1-r3"),
        ("2026.11.1-r2", {"2026.11.1-r2"}, "2026.11.1-r3"),
    ],
)
def test_old_content_comes_back_under_a_label_of_its_own(
    label: str, taken: set[str], expected: str
) -> None:
    assert expected == life_force.next_label(label, taken)


def test_another_label_changes_nothing_else() -> None:
    files = life.loaded(files_of(POLICIES))
    again = life_force.relabelled(files, "2026.11.1-r2")

    assert contract.label(again) == "2026.11.1-r2"
    assert {path for path in files if files[path] != again[path]} == {contract.LABEL_FILE}
    assert contract.digest(files) != contract.digest(again)


# Which version is meant


VERSIONS = {
    "versions": [
        {"version": "2026.12.1", "digest": "aaaaaaaa11", "state": "draft", "steps": []},
        {"version": "2026.11.1", "digest": "bbbbbbbb22", "state": "active", "steps": []},
    ]
}


@pytest.mark.parametrize("name", ["2026.12.1", "aaaaaaaa", "aaaaaaaa11"])
def test_a_version_is_called_by_its_label_or_its_digest(name: str) -> None:
    assert life.chosen(VERSIONS, name)["version"] == "2026.12.1"


@pytest.mark.parametrize("name", ["2026.12", "aaaa", "", "cccccccc"])
def test_what_could_be_meant_otherwise_is_no_name(name: str) -> None:
    with pytest.raises(LifeError, match=r"2026.12.1, 2026.11.1") as raised:
        life.chosen(VERSIONS, name)
    assert raised.value.code == 2


# What is said


def test_a_refusal_names_the_children_and_what_to_do_next() -> None:
    findings = [
        {
            "id": "STOP-1",
            "kind": "safety_stop",
            "text": "POL-06 to police",
            "children": ["C-1", "C-2"],
        }
    ]
    said = "\n".join(life_words.refusal("policy.not_ready", [], findings))

    assert "children: C-1, C-2" in said
    assert "homeward policy override VERSION --finding STOP-1" in said


def test_many_children_are_counted_after_the_first_twenty() -> None:
    finding = {
        "id": "S",
        "kind": "safety_stop",
        "text": "t",
        "children": [f"C-{n}" for n in range(25)],
    }

    assert any("and 5 more" in line for line in life_words.refusal("x", [], [finding]))


def test_a_token_is_never_sent_in_clear(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOMEWARD_TOKEN", "very-secret")
    with pytest.raises(LifeError, match="https"):
        Access.of(tmp_path, "ig_lead", None, "http://sharing.example")

    assert "very-secret" not in repr(Access.of(tmp_path, "ig_lead", None, "https://s.example"))


def test_a_report_is_the_same_for_two_people(draft: Path) -> None:
    first, second = life.checked(POLICIES), life.checked(draft)

    assert contract.report_digest(first) == contract.report_digest(second)


def test_faults_are_told_without_the_folder_they_were_found_in(draft: Path) -> None:
    (draft / "more.rego").write_text("package homeward.sharing\n\nbroken if {\n")
    report = life.checked(draft)

    assert report["findings"]
    assert {one["kind"] for one in report["findings"]} == {"fault"}
    assert str(draft) not in str(report)
