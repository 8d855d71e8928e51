"""One decision told: what was true, what was missing, and what would have changed it."""

import copy
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from homeward.engine.batch import decide_lines
from homeward.governance.explain import as_text, explain
from homeward.governance.explain_asked import asking
from homeward.governance.explain_fields import changes
from homeward.governance.reading_command import app
from homeward.governance.saying import POLICIES
from tests.policies.documents import a_document, a_gate

Doc = dict[str, Any]
NO_HARM = {name: a_gate(value=False) for name in ("G1", "G2", "G3", "G4", "G5", "G6")}


def decided(*documents: Doc) -> list[Doc]:
    """Ask the engine as every other command does."""
    lines = [json.dumps(one).encode() for one in documents]
    told = b"".join(decide_lines([lines], POLICIES, raw=True, cores=1))
    return [json.loads(line) for line in told.splitlines()]


@pytest.fixture(scope="module")
def refused() -> Doc:
    """What is told of a child who said no, where no gate is met: police, push and pull factors."""
    return explain(POLICIES, a_document())


@pytest.fixture(scope="module")
def told() -> Doc:
    """What is told of harm that goes to police over the child's no."""
    gates = {name: a_gate() for name in ("G2", "G3", "G5", "G6")}
    return explain(
        POLICIES,
        a_document(item__category="harm", item__facts={"consensual_peer": False}, gates=gates),
    )


def test_the_decision_is_the_engines_own(refused: Doc, told: Doc) -> None:
    assert [refused["decision"]] == decided(a_document())
    assert refused["answer"] == "It is not told."
    assert told["answer"].startswith("It is told: what, when, where and who")
    assert "Basis in law: LO (legal obligation, section 16LA), CR (crime) and VI" in told["answer"]


def test_every_path_says_which_of_its_conditions_held(refused: Doc) -> None:
    agreed, gate, danger, order = refused["paths"]

    assert (agreed["is"], agreed["false"]) == ("closed", ["the child agreed"])
    assert gate["true"] == ["police need it for prevention or the trigger plan"]
    assert gate["false"] == ["G2 (risk of harm)"]
    assert danger["false"] == ["G4 (immediate danger)"]
    assert order["false"] == ["an order or a statute is named"]
    assert "(nobody has judged G7)" in order["unknown"][0]


def test_the_path_that_opened_is_named_and_no_other(refused: Doc, told: Doc) -> None:
    assert [one["opened"] for one in told["paths"]] == [False, True, False, False]
    assert not any(one["opened"] for one in refused["paths"])


def test_what_must_be_done_is_told_in_words(told: Doc) -> None:
    assert "tell the child first" in told["obligations"]
    assert "it goes the same day" in told["obligations"]


def test_a_refusal_says_what_would_have_opened_it(refused: Doc) -> None:
    (way,) = [one for one in refused["otherwise"] if one["goal"] == "told"]

    assert way["changes"][0]["says"] == (
        "If the child had agreed, it would be told: only codes from a list, no free text."
    )
    assert any("G2 (risk of harm) had been judged to be so" in c["says"] for c in way["changes"])


def test_a_release_says_what_would_have_kept_it_in_and_what_would_have_told_more(told: Doc) -> None:
    by_goal = {one["goal"]: one["changes"] for one in told["otherwise"]}

    assert (
        by_goal["more"][0]["says"] == "If the child had agreed, it would be told: the whole of it."
    )
    assert any("(HD1)" in one["says"] for one in by_goal["refused"])
    assert by_goal["held"]


def test_where_no_single_change_is_enough_two_are_named() -> None:
    found = explain(
        POLICIES,
        a_document(
            recipient__type="school_dsl", recipient__role="dsl", item__category="whereabouts",
            item__facts={"distance_to_school_m": 1200}, gates=NO_HARM,
        ),
    )  # fmt: skip
    (way,) = [one for one in found["otherwise"] if one["goal"] == "told"]

    assert way["changes"][0]["says"] == (
        "If the child had agreed and it had been 1000 m from school, it would be told: "
        "the whole of it."
    )
    assert found["asked"] < 600


def test_a_hold_says_what_is_missing_and_who_decides() -> None:
    found = explain(POLICIES, a_document(gates={"G2": a_gate(by="")}))

    gate = found["paths"][1]
    assert gate["is"] == "not known"
    assert "the judgement of G2 does not say who judged" in gate["unknown"][0]
    assert "nobody has judged G3" in gate["unknown"][0]
    assert found["answer"] == "It is held for the safeguarding lead (DSL), within 4 h."
    assert {one["goal"] for one in found["otherwise"]} == {"told", "refused"}


def test_rules_before_the_row_have_a_line_where_they_are_not_plainly_out_of_the_way(
    refused: Doc,
) -> None:
    mother = a_document(
        recipient__type="carer_parent", recipient__role="mother", item__category="narrative",
        recipient__connected_to_perpetrator="unassessed", alleged_perpetrator="familial",
        agreement__status="agreed", gates={"G2": a_gate(), "G3": a_gate()},
    )  # fmt: skip

    lines = explain(POLICIES, mother)["before_the_row"]

    assert [line.split(":")[0] for line in lines] == ["HD1 is not known", "H1 holds"]
    assert refused["before_the_row"] == []


def test_each_change_that_is_named_is_what_the_engine_answers(refused: Doc) -> None:
    """Every change is made anew and decided by the command that everybody uses."""
    document = a_document()
    with asking(POLICIES) as asked:
        by_phrase = {one.phrase: one for one in changes(asked.data, document)}
    named = [c for way in refused["otherwise"] for c in way["changes"]]
    made = []
    for one in named:
        changed = copy.deepcopy(document)
        for phrase in one["if"]:
            changed = by_phrase[phrase].made(changed)
        made.append(changed)

    assert [one["decision"] for one in decided(*made)] == [one["then"] for one in named]


def test_no_two_changes_have_the_same_words() -> None:
    with asking(POLICIES) as asked:
        data = asked.data
    for kind in ("police", "carer_parent", "school_dsl", "health", "lscp_panel"):
        phrases = [one.phrase for one in changes(data, a_document(recipient__type=kind))]
        assert len(phrases) == len(set(phrases))


def test_the_command_tells_it_and_refuses_what_does_not_fit(refused: Doc) -> None:
    run = CliRunner().invoke
    given = json.dumps(a_document())

    data = run(app, ["explain", "-", "--json"], input=given)
    wrong = run(app, ["explain", "-"], input=json.dumps(a_document(child__age="Marked Name")))

    assert (data.exit_code, wrong.exit_code) == (0, 2)
    assert json.loads(data.stdout) == refused
    assert as_text(refused).startswith("POL-03: push and pull factors, to police")
    assert "child.age: wrong type" in wrong.output
    assert "Marked" not in wrong.output
    assert run(app, ["explain", "/no/such/file"]).exit_code == 2
