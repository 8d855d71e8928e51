"""What editors complete a row from says the same as the lists that decide."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from homeward.engine.bundle import read_data
from homeward.engine.checks import faults_of
from homeward.engine.rows import NAMES
from homeward.engine.table_schema import PUBLISHED, as_text, filled
from homeward.governance.saying import POLICIES

TABLE = sorted((POLICIES / "table").glob("*.yaml"))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    told: dict[str, Any] = json.loads((POLICIES / PUBLISHED).read_bytes())
    return told


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """The policies of the tree in a folder of their own."""
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


def change(draft: Path, file: str, before: str, after: str) -> None:
    """Edit one place of one file, as a person would."""
    path = draft / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def test_an_editor_offers_exactly_the_conditions_transforms_and_codes_that_decide(
    schema: dict[str, Any],
) -> None:
    codes = yaml.safe_load((POLICIES / "codes.yaml").read_text())
    transforms = yaml.safe_load((POLICIES / "transforms.yaml").read_text())["transforms"]
    recipients = yaml.safe_load((POLICIES / "recipients.yaml").read_text())["recipients"]
    parts = schema["$defs"]
    bare = {name for name, kind in codes["facts"].items() if kind in ("truth", "text", "list")}
    facts = parts["condition"]["anyOf"][1]["properties"]
    coded = {
        name: one["items"]["enum"] for name, one in facts.items() if "enum" in one.get("items", {})
    }

    assert set(parts["condition_name"]["enum"]) == set(NAMES) | bare
    assert set(parts["transform"]["enum"]) == set(transforms)
    assert parts["category"]["enum"] == [*codes["codes"]["category"], "any"]
    assert set(parts["recipient_type"]["enum"]) == set(recipients)
    assert set(parts["seat"]["enum"]) == set(recipients) - {"childrens_services"} | {
        "responsible_la", "host_la",
    }  # fmt: skip
    assert coded == {
        name: codes["codes"][name] for name, kind in codes["facts"].items() if kind == "code"
    }
    numbers = {name for name, kind in codes["facts"].items() if kind == "number"}
    assert {name for name, one in facts.items() if one == {"$ref": "#/$defs/limit"}} == numbers


def test_every_choice_that_an_editor_offers_has_its_words(schema: dict[str, Any]) -> None:
    for name in ("condition_name", "transform", "recipient_type", "owner"):
        part = schema["$defs"][name]
        assert len(part["enumDescriptions"]) == len(part["enum"])
        assert all(part["enumDescriptions"])


@pytest.mark.parametrize("file", [*TABLE, POLICIES / "everywhere.yaml"], ids=lambda f: f.name)
def test_each_file_of_the_table_names_its_schema_in_its_first_line_and_fits_it(
    file: Path, schema: dict[str, Any]
) -> None:
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", file.read_text())

    assert named
    assert (file.parent / named[1]).resolve() == (POLICIES / PUBLISHED).resolve()
    jsonschema_rs.Draft202012Validator(schema).validate(yaml.safe_load(file.read_text()))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("transforms: [codes_only]", "transforms: [code_only]"),
        ("when: [agreed]", "when: [agred]"),
        ("police_purpose: [prevention", "police_purpose: [preventing"),
        ("category: push_pull", "category: push"),
        ("recipient: [police]", "recipient: [pollice]"),
        ('valid_from: "2014-01-01"', "valid_from: soon"),
        ("basis: [PT, LO]", "basis: [PT, XX]"),
        ("  why:", "  wy:"),
    ],
)
def test_a_word_that_no_list_has_is_marked_while_it_is_typed(
    before: str, after: str, schema: dict[str, Any]
) -> None:
    text = (POLICIES / "table" / "police.yaml").read_text()
    assert before in text

    rows = yaml.safe_load(text.replace(before, after))

    assert not jsonschema_rs.Draft202012Validator(schema).is_valid(rows)


def test_a_new_code_that_the_schema_does_not_offer_yet_is_named_by_check(draft: Path) -> None:
    change(draft, "codes.yaml", "urgency: [tonight, routine]", "urgency: [tonight, week, routine]")

    (fault,) = faults_of(draft)
    assert fault.startswith("schema/table.schema.json: does not follow from the data")

    (draft / PUBLISHED).write_text(as_text(filled(read_data(draft))))
    assert faults_of(draft) == []


def test_a_draft_cannot_loosen_the_form_of_a_row(draft: Path) -> None:
    (draft / PUBLISHED).write_text("{}")
    change(draft, "table/police.yaml", "  why:", "  allow_everything: yes\n  why:")

    faults = faults_of(draft)

    assert any("POL-01" in one and "allow_everything" in one for one in faults)


def test_a_row_of_the_79_may_not_vanish_even_with_its_type(draft: Path) -> None:
    (draft / "table" / "young_person.yaml").unlink()

    assert "table: row YP-01 is missing" in faults_of(draft)


def test_a_row_stands_under_the_number_of_its_category_and_for_all_of_its_types(
    draft: Path,
) -> None:
    change(draft, "table/police.yaml", "category: push_pull", "category: harm")
    change(
        draft,
        "table/lscp.yaml",
        "recipient: [lscp_panel, lscp_strategic]",
        "recipient: [lscp_panel]",
    )

    faults = faults_of(draft)

    assert "table: POL-03 is the row for push_pull and says harm" in faults
    assert "table: LSC-01 leaves out lscp_strategic" in faults


def test_a_row_that_nobody_would_look_up_is_named(draft: Path) -> None:
    change(draft, "table/police.yaml", "POL-12:", "POL-13:")

    faults = faults_of(draft)

    assert "table: row POL-12 is missing" in faults
    assert "table: POL-13 is no row that is known" in faults


def test_data_without_the_form_is_a_fault_and_no_crash(draft: Path) -> None:
    (draft / "recipients.yaml").write_text("recipients: {police: {rows: POL}}\n")
    assert any("recipients.police" in one for one in faults_of(draft))

    (draft / "codes.yaml").unlink()
    assert any("codes" in one for one in faults_of(draft))


def test_a_version_needs_a_label_and_a_switch_that_is_off(draft: Path) -> None:
    change(draft, "lockdown.yaml", "lockdown: false", "lockdown: true")

    assert any(one.startswith("lockdown.yaml: lockdown has to stand") for one in faults_of(draft))
