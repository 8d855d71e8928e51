"""The safety envelope finds a bad edit of the rules, and says so in a few facts."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from contracts.policies import report_digest
from homeward.governance.envelope import read_envelope
from homeward.governance.prove import REDUCED, report
from homeward.governance.prove_cell import CellProof
from homeward.governance.prove_found import found_in
from homeward.governance.prove_share import fields_of
from homeward.governance.questions import Questions
from homeward.governance.space import TWIN, Sizes
from tests.policies.conftest import POLICIES

FACTS_MAX = 6
CELL = "police health push"

EDITS = {
    "perpetrator": (
        "carer_parent narrative push",
        "safeguarding.rego",
        'hd1 := 2 if {\n\tinput.recipient.alleged_perpetrator == "yes"\n} else := 2 if {\n'
        '\tinput.recipient.connected_to_perpetrator == "yes"\n}',
        'hd1 := 2 if {\n\tinput.recipient.alleged_perpetrator == "yes"\n} else := 0 if {\n'
        '\tinput.recipient.connected_to_perpetrator == "yes"\n}',
    ),
    "agreement_beats_no_hard_deny": (
        "police push_pull push",
        "data_protection.rego",
        "} else := 2 if {\n\tinput.recipient.channel_verified == false\n}",
        '} else := 0 if {\n\tinput.agreement.status == "agreed"\n} else := 2 if {\n'
        "\tinput.recipient.channel_verified == false\n}",
    ),
    "withdrawal": (
        "police push_pull push",
        "consent.rego",
        "agreed := 0 if {\n\tprovisional\n}",
        "agreed := 0 if {\n\tprovisional\n} else := 2 if {\n"
        '\tinput.agreement.status == "withdrawn"\n}',
    ),
    "harm_never_narrows": (
        "police basic_outcome push",
        "consent.rego",
        "agreed := 0 if {\n\tprovisional\n}",
        "agreed := 0 if {\n\tprovisional\n} else := 0 if {\n\tg3 == 2\n}",
    ),
    "fails_closed": (
        "police push_pull push",
        "gates.rego",
        'g4 := object.get(recorded, "G4", 1)',
        'g4 := object.get(recorded, "G4", 2)',
    ),
    "duty_to_share": (
        "school_dsl health push",
        "safeguarding.rego",
        "sweep if {\n\tg1 == 2\n\tcell.uses_g1 == false\n",
        'sweep if {\n\tg1 == 2\n\tcell.uses_g1 == false\n\tinput.item.category != "health"\n',
    ),
}


AFTER_ANOTHER_CHANGE = {"agreement_beats_no_hard_deny", "withdrawal"}
"""These show only where one field is unusual before the invariant changes another."""
IN_A_LOCKDOWN = ('; "G4" in cell.paths[i].gates][0]]', "][0]]")
"""What lets a path without G4 open as soon as G4 is true."""


def a_draft(folder: Path, name: str, before: str, after: str) -> Path:
    draft = shutil.copytree(POLICIES, folder / "draft")
    text = (draft / name).read_text()
    assert before in text
    (draft / name).write_text(text.replace(before, after))
    return draft


def found_in_a_cell(draft: Path, cell: str, sizes: Sizes) -> list[dict[str, Any]]:
    with Questions(draft) as questions:
        fields, _ = fields_of(questions, draft)
        invariants, _ = read_envelope(questions.data)
        looked = CellProof(questions, fields, invariants).look(cell, sizes)
        return list(found_in(looked, questions.data, invariants, (), ""))


def of(findings: list[dict[str, Any]], invariant: str) -> list[dict[str, Any]]:
    return [one for one in findings if one["id"].startswith(f"{invariant}:")]


@pytest.mark.parametrize("invariant", EDITS)
def test_a_planted_bad_edit_is_found_in_at_most_six_facts(invariant: str, tmp_path: Path) -> None:
    cell, *edit = EDITS[invariant]
    sizes = REDUCED if invariant in AFTER_ANOTHER_CHANGE else TWIN

    found = of(found_in_a_cell(a_draft(tmp_path, *edit), cell, sizes), invariant)

    assert found
    assert min(len(one["facts"]) + len(one["change"]) for one in found) <= FACTS_MAX
    assert all(one["kind"] == "invariant" for one in found)


def test_what_would_leave_in_a_lockdown_is_found_though_it_is_not_on(tmp_path: Path) -> None:
    draft = a_draft(tmp_path, "paths.rego", *IN_A_LOCKDOWN)

    told = report(draft, REDUCED, cores=1, cells=[CELL])

    (one,) = told["findings"]
    assert one["id"] == "lockdown.danger_alone:POL-07"
    assert len(one["facts"]) <= FACTS_MAX
    assert [i["id"] for i in told["lockdown"]["invariants"] if not i["held"]] == ["danger_alone"]
    assert all(i["held"] for i in told["invariants"])


def test_the_rules_of_the_tree_are_within_the_envelope_and_every_run_says_the_same() -> None:
    cells = ["commissioner basic_outcome push"]

    first, again = (report(POLICIES, REDUCED, cores=n, cells=cells) for n in (1, 2))

    assert first["findings"] == []
    assert first["inputs"] > 8_000
    assert first["lockdown"]["inputs"] > 2_500
    assert report_digest(first) == report_digest(again)


def test_what_cannot_be_proved_is_a_finding_and_not_passed_over(tmp_path: Path) -> None:
    draft = a_draft(
        tmp_path,
        "data_protection.rego",
        "hd6 := 0 if {\n",
        "hd6 := 2 if {\n\tinput.episode.ward == 1\n} else := 0 if {\n",
    )
    (draft / "lockdown.yaml").write_text("{lockdown: false}\n")

    found = report(draft, TWIN, cores=1, cells=[CELL])["findings"]

    assert [one["id"] for one in found] == ["fields_known:episode.ward", "lockdown:twin"]
