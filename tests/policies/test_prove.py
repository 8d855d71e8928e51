"""The safety envelope finds a bad edit of the rules, and says so in a few facts."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from contracts.policies import report_digest
from homeward.governance.prove import REDUCED, report
from tests.policies.conftest import POLICIES

pytestmark = pytest.mark.long

FACTS_MAX = 6
CELLS = ("police health push", "commissioner basic_outcome push")

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


@pytest.fixture(params=sorted(EDITS))
def planted(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str, Path]:
    """A draft with one bad edit, the invariant that it breaks, and a cell where it shows."""
    cell, name, before, after = EDITS[request.param]
    draft = shutil.copytree(POLICIES, tmp_path / "draft")
    text = (draft / name).read_text()
    assert before in text
    (draft / name).write_text(text.replace(before, after))
    return request.param, cell, draft


def of(told: dict[str, Any], invariant: str) -> list[dict[str, Any]]:
    return [one for one in told["findings"] if one["id"].startswith(f"{invariant}:")]


def test_a_planted_bad_edit_is_found_in_at_most_six_facts(planted: tuple[str, str, Path]) -> None:
    invariant, cell, draft = planted

    found = of(report(draft, REDUCED, cores=1, cells=[cell]), invariant)

    assert found
    assert min(len(one["facts"]) + len(one["change"]) for one in found) <= FACTS_MAX
    assert all(one["kind"] == "invariant" for one in found)


def test_the_rules_of_the_tree_are_within_the_envelope_and_every_run_says_the_same() -> None:
    first, again = (report(POLICIES, REDUCED, cores=n, cells=CELLS) for n in (1, 2))

    assert first["findings"] == []
    assert first["inputs"] > 10_000
    assert report_digest(first) == report_digest(again)


def test_a_field_that_nothing_describes_is_a_finding_and_not_passed_over(tmp_path: Path) -> None:
    draft = shutil.copytree(POLICIES, tmp_path / "draft")
    rego = draft / "data_protection.rego"
    text = rego.read_text()
    rego.write_text(
        text.replace(
            "hd6 := 0 if {\n", "hd6 := 2 if {\n\tinput.episode.ward == 1\n} else := 0 if {\n", 1
        )
    )

    found = of(report(draft, REDUCED, cores=1, cells=CELLS[:1]), "fields_known")

    assert [one["id"] for one in found] == ["fields_known:episode.ward"]
