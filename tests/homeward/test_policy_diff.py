"""Two versions compared: each change in words, and none left out."""

import json
import random
import re
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from contracts.policies import digest, is_loaded
from homeward.governance.differ import Difference, difference
from homeward.governance.drafts import files_of
from homeward.governance.pages import diff_page
from homeward.governance.reading_command import app
from homeward.governance.saying import POLICIES

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def tree() -> Files:
    """The policies of the tree."""
    return files_of(POLICIES)


def edited(tree: Files, file: str, before: str, after: str) -> Difference:
    """Return what is told of one edit."""
    text = tree[file].decode()
    assert before in text
    return difference(tree, {**tree, file: text.replace(before, after, 1).encode()})


def told(found: Difference) -> str:
    return "\n".join(line for one in found.sections for line in one.lines)


POLICE, SCHOOL = "table/police.yaml", "table/school.yaml"


@pytest.mark.parametrize(
    ("file", "before", "after", "sentence"),
    [
        (
            POLICE,
            "    - when: [G2, {police_purpose: [prevention, trigger_plan]}]\n",
            "    - when: [G5]\n      transforms: [codes_only]\n"
            "    - when: [G2, {police_purpose: [prevention, trigger_plan]}]\n",
            "Police now also receive push and pull factors when G5 (serious crime or protection of "
            "others): only codes from a list, no free text.",
        ),
        (
            POLICE,
            "    - when: [G2, {police_purpose: [prevention, trigger_plan]}]\n"
            "      transforms: [codes_only]\n",
            "",
            "Police no longer receive push and pull factors when G2 (risk of harm) and police need "
            "it for prevention or the trigger plan (only codes from a list, no free text).",
        ),
        (
            POLICE,
            "when: [G4]\n      transforms: [safety_critical_only]",
            "when: [G3]\n      transforms: [safety_critical_only]",
            "Police now receive health matters when G3 (significant harm): only what keeps the "
            "child safe; before when G4 (immediate danger).",
        ),
        (
            POLICE,
            "when: [agreed]\n      transforms: [codes_only]",
            "when: [agreed]\n      transforms: []",
            "Police now receive push and pull factors when the child agreed: the whole of it; "
            "before: only codes from a list, no free text.",
        ),
        (
            SCHOOL,
            "at_most: 1000",
            "at_most: 1500",
            "Every path of it now needs that it is at most 1500 m from school; before that it is "
            "at most 1000 m from school.",
        ),
        (SCHOOL, "  every_path_needs: [school_related]\n", "", "No path of it needs any longer"),
        (
            POLICE,
            "basis: [PT, LO]",
            "basis: [PT]",
            "A release no longer names the basis LO, legal obligation, section 16LA.",
        ),
        (
            POLICE,
            '  valid_from: "2014-01-01"',
            '  valid_from: "2027-01-01"',
            "This text applies from 2027-01-01; before it was from 2014-01-01.",
        ),
        (
            POLICE,
            '  valid_from: "2014-01-01"',
            '  valid_from: "2027-01-01"\n  earlier:\n'
            "    - {paths: [{when: [agreed], transforms: []}, {when: [G1], transforms: []}],"
            ' basis: [PT, LO], valid_from: "2014-01-01"}',
            "Decisions about days from 2014-01-01 are still made with the text of before.",
        ),
        (POLICE, "why: \"Codes are", "why: \"The codes are", "The reason for the row now reads"),
        (POLICE, "sharing-rules.md 3.3 R1", "our DSA of 2026", "The source now reads"),
        (POLICE, "Reasons for declining.", "Why not.", "What never goes now reads “Why not.”"),
        (POLICE, "owner: dpo_and_dsl\n", "owner: dpo\n", "now go to the data protection officer;"),
        (POLICE, "category: push_pull", "category: harm", "It is now about harm, no longer about"),
        (
            SCHOOL, "recipient: [school_dsl]", "recipient: [school_dsl, health]",
            "The row is now also for health.",
        ),
        ("codes.yaml", "tonight, routine", "tonight, week, routine", "urgency now also has week."),
        ("codes.yaml", "tonight, routine", "tonight", "urgency no longer has routine."),
        ("codes.yaml", "  la_lead: truth\n", "", "The fact la lead (true or false) is gone"),
        ("codes.yaml", "usual: 4", "usual: 8", "A hold is now due within 8 h, was within 4 h."),
        ("codes.yaml", '"2026.11.1"', '"2027.1"', "The label of the version is now 2027.1, was"),
        ("law.yaml", "2026-09-30", "2026-10-30", "in force from 2026-10-30, before 2026-09-30."),
        (
            "judging.yaml", "G2: {roles: [dsl]", "G2: {roles: [dsl, manager]",
            "G2 may now also be judged by the manager.",
        ),
        (
            "judging.yaml", "G7: {roles: [dpo, dsl]", "G7: {roles: [dsl]",
            "G7 may no longer be judged by the data protection officer.",
        ),
        ("recipients.yaml", "urgent: true", "urgent: false", "Police is now one whose urgent"),
        (
            "recipients.yaml", "[mother, father, parent, relative]", "[mother, father, parent]",
            "its list of roles no longer has relative.",
        ),
        (
            "transforms.yaml", "fields: [codes, plain_words]", "fields: [codes, plain_words, name]",
            "plain codes lets of the fields pass: the list now also has name.",
        ),
        (
            "transforms.yaml", "police: [plan_actions_for_police]", "police: [plan]",
            "for police: the list now also has plan.",
        ),
        ("reasons.yaml", "This person may", "They may", "The sentence for HD1 is now “They may"),
        (
            "everywhere.yaml", "when: [G4]", "when: [G3]",
            "now receive any item when G3 (significant harm)",
        ),
        ("lockdown.yaml", "lockdown: false", "lockdown: true", "Lockdown is ON"),
    ],
)  # fmt: skip
def test_one_edit_is_told_in_one_sentence(
    tree: Files, file: str, before: str, after: str, sentence: str
) -> None:
    found = edited(tree, file, before, after)

    assert sentence in told(found)
    assert [one.kind for one in found.sections if one.kind in ("plain", "rego")] == []


def test_a_new_row_is_told_whole_and_one_that_is_gone_too(tree: Files) -> None:
    text = tree[POLICE].decode()
    row = re.search(r"(?ms)^POL-10:.*?^POL-11:", text)
    assert row
    less = {**tree, POLICE: text.replace(row[0], "POL-11:").encode()}

    gone, new = told(difference(tree, less)), told(difference(less, tree))

    assert "This row is gone: nobody is told anything by it." in gone
    assert "No longer: Police receive the child's wishes when the child agreed" in gone
    assert "This row is new: How a child wants to be approached keeps contact safe." in new
    assert "how the child wants to be approached." in new
    assert "Never: Private wishes. Basis: PT." in new


def test_a_row_that_moves_to_another_file_is_told(tree: Files) -> None:
    text = tree["table/young_person.yaml"]
    moved = {**tree, "table/others.yaml": text}
    del moved["table/young_person.yaml"]

    assert "It is now written in table/others.yaml" in told(difference(tree, moved))


def test_a_rule_in_rego_is_shown_as_rego_under_its_title(tree: Files) -> None:
    found = edited(
        tree, "gates.rego", "adult := input.child.age >= 18", "adult := input.child.age >= 21"
    )

    (section,) = found.sections
    assert section.kind == "rego"
    assert section.lines == ("Rules touched: The child is 18 or over.",)
    assert "-adult := input.child.age >= 18\n+adult := input.child.age >= 21" in section.diff


def test_a_data_file_that_is_not_understood_is_shown_as_it_is_written(tree: Files) -> None:
    for name, text in (
        ("table/police.yaml", "POL-01: [\n"),
        ("more.yaml", "surprise: {a: 1}\n"),
        ("table/more.yaml", "POL-13: just words\n"),
        ("codes.yaml", "codes: [no, names]\n"),
        ("deep/more.yaml", "codes: {x: [y]}\n"),
        ("law.yaml", "law: {day: 2026-01-01}\n"),
    ):
        shown = difference(tree, {**tree, name: text.encode()}).sections
        plain = [one for one in shown if one.kind == "plain"]
        assert [one.files for one in plain] == [(name,)], name
        assert f"+{text.splitlines()[0]}" in plain[0].diff


def test_layout_comments_and_what_cannot_be_seen_are_told_too(tree: Files) -> None:
    layout = edited(tree, "law.yaml", "law:\n", "law:\n\n")
    comment = edited(tree, "law.yaml", "# Dates of law.", "# Days of law.")
    ending = difference(tree, {**tree, "law.yaml": tree["law.yaml"].replace(b"\n", b"\r\n")})

    assert [one.kind for one in layout.sections] == ["plain"]
    assert "The layout changed, not what it says" in told(layout)
    assert "No longer: Dates of law." in told(comment)
    assert "\\r" in ending.sections[0].diff


def test_a_number_that_becomes_true_is_a_change(tree: Files) -> None:
    ones = {**tree, "codes.yaml": tree["codes.yaml"].replace(b"harm: 1}", b"harm: true}")}

    assert "A hold in a matter of harm is now due within true h" in told(difference(tree, ones))


def test_nothing_that_differs_says_so(tree: Files) -> None:
    found = difference(tree, dict(tree))

    assert found.sections == ()
    assert "Nothing differs." in found.as_text()


def test_every_byte_that_alters_the_digest_is_told_of_in_its_own_file(tree: Files) -> None:
    rng = random.Random(20261127)
    loaded = sorted(path for path in tree if is_loaded(path))
    for _ in range(80):
        path = rng.choice(loaded)
        content = bytearray(tree[path])
        place = rng.randrange(len(content))
        how = rng.choice(["other", "gone", "more"])
        if how == "other":
            content[place] = rng.choice([c for c in b"aZ0 :#\"'\n\t\x80[{" if c != content[place]])
        elif how == "gone":
            del content[place]
        else:
            content.insert(place, rng.choice(b"aZ0 :#\"'\n\t\xff[{"))
        after = {**tree, path: bytes(content)}
        found = difference(tree, after)

        assert digest({p: c for p, c in after.items() if is_loaded(p)}) == found.after
        assert found.before != found.after
        assert [
            one
            for one in found.sections
            if path in one.files and (any(one.lines) or one.diff.strip())
        ], (path, place, how)


def test_a_file_that_is_new_or_gone_is_told_of(tree: Files) -> None:
    for path in (one for one in tree if is_loaded(one)):
        less = {p: c for p, c in tree.items() if p != path}
        for found in (difference(tree, less), difference(less, tree)):
            assert any(path in one.files and (one.lines or one.diff) for one in found.sections)


def test_the_command_says_it_in_words_as_data_and_as_a_page(tree: Files, tmp_path: Path) -> None:
    draft = tmp_path / "draft"
    for path, content in tree.items():
        (draft / path).parent.mkdir(parents=True, exist_ok=True)
        (draft / path).write_bytes(content.replace(b"at_most: 1000", b"at_most: 1500"))

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, ["diff", str(POLICIES), *words])

    said, data = run(str(draft)), json.loads(run(str(draft), "--json").stdout)
    page = run(str(draft), "--html", str(tmp_path / "page.html"))

    assert said.exit_code == page.exit_code == 0
    assert "SCH-04: School (DSL), where the child was" in said.stdout
    assert [one["kind"] for one in data["sections"]] == ["row"]
    assert data["policy"] != data["against"]
    html = (tmp_path / "page.html").read_text()
    assert "at most 1500 m from school" in html
    assert "<script" not in html
    assert "://" not in html
    assert run("no-such-draft").exit_code == 2


def test_what_a_draft_says_cannot_become_markup_in_the_page(tree: Files) -> None:
    html = diff_page(edited(tree, POLICE, "Reasons for declining.", "<img src=x>"))

    assert "<img" not in html
