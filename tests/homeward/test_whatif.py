"""What a draft of the policies would have changed: decided again, compared, counted, named."""

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from support import postgres
from typer.testing import CliRunner

from contracts.policies import digest as digest_of_files
from contracts.policies import report_digest
from homeward.engine.batch import decide_lines
from homeward.engine.bundle import parse, policy_files
from homeward.engine.found import find_engine
from homeward.governance import changes, history, replay_reads, whatif_command
from homeward.governance.changes import Comparison
from homeward.governance.history import Span
from homeward.governance.replay import Replay
from homeward.governance.replay_answers import Answers
from homeward.governance.replay_documents import Again
from homeward.governance.whatif_page import page
from homeward.governance.whatif_report import Whole, findings_of
from homeward.home import Home
from homeward.seed import command
from messaging.ids import Ids
from services.sharing.policy_data import load

POLICIES = command.POLICIES
DECISIONS = 900


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a made-up history."""
    here = Home(tmp_path_factory.mktemp("whatif") / "home").make()
    _seeded({name: here.database_url(name) for name in command.SERVICES}, here)
    return here


def _seeded(urls, here):
    ids = Ids.of(here.keys_dir / "ids.key")
    made = asyncio.run(command.fill(urls, 120, DECISIONS, ids=ids))
    assert made["decisions"] == DECISIONS


@pytest.fixture(scope="module")
def no_warning(tmp_path_factory):
    """A draft under which significant harm alone tells police neither of harm nor of places."""
    folder = a_draft(tmp_path_factory.mktemp("no-warning"))
    change(folder / "table" / "police.yaml", "[{any: [G3, G4, G5]}]", "[{any: [G4, G5]}]")
    return folder


@pytest.fixture(scope="module")
def answers(no_warning):
    """Answers of that draft."""
    made = Answers(no_warning)
    yield made
    made.close()


def a_draft(at: Path) -> Path:
    """Copy the policies under another label."""
    folder = at / "policies"
    shutil.copytree(POLICIES, folder)
    label = load(POLICIES).version
    change(folder / "codes.yaml", f'policy_version: "{label}"', 'policy_version: "draft"')
    return folder


def change(file: Path, old: str, new: str) -> None:
    """Change a text, which must be there."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def replayed(url, draft, answers, here):
    """Decide everything in a database again, in this process."""
    ids = Ids.of(here.keys_dir / "ids.key")
    with history.opened(url) as opened:
        names = [name for name, _ in opened.children(Span())]
        versions = {_digest(POLICIES): load(POLICIES)}
        found = Replay(opened, answers, load(draft), versions, ids)
        return found.children(names, Span())


def _digest(folder):
    files = {f.relative_to(folder).as_posix(): f.read_bytes() for f in policy_files(folder)}
    return digest_of_files(files)


def plainly(url, draft, here):
    """Decide one by one, without any of what makes it fast; return (recorded, new) by decision."""
    data, ids = load(draft), Ids.of(here.keys_dir / "ids.key")
    rows, lines = [], []
    with history.opened(url) as opened:
        names = [name for name, _ in opened.children(Span())]
        for child in opened.of(names, Span()):
            again = Again(child, {"": load(POLICIES)}, ids)
            for one in child.decisions:
                built = again.built(one)
                rows.append((one, built.recipient.type))
                lines.append(json.dumps(built.document(data)).encode())
    chunks = [lines[start : start + 200] for start in range(0, len(lines), 200)]
    told = b"".join(decide_lines(chunks, draft, raw=True)).splitlines()
    return [(one, type_, json.loads(line)) for (one, type_), line in zip(rows, told, strict=True)]


def test_it_says_the_same_as_deciding_each_one_plainly(home, no_warning, answers):
    url = home.database_url("sharing")
    comparison = Comparison(load(POLICIES), load(no_warning))
    expected: dict[str, int] = {}
    for one, type_, new in plainly(url, no_warning, home):
        decision, *lists, defer_to = one.answer
        names = ("rule_ids", "gates_used", "basis", "transforms", "obligations")
        old = dict(zip(names, map(json.loads, lists), strict=True)) | {
            "decision": decision, "defer_to": defer_to and json.loads(defer_to),
        }  # fmt: skip
        found = comparison.change(old, new, type_)
        for kind in () if found is None else found.kinds:
            expected[kind] = expected.get(kind, 0) + 1

    sums = replayed(url, no_warning, answers, home)

    assert sums["decisions"] == DECISIONS
    assert sums["uncertain"] == {}
    counted = {kind: found["decisions"] for kind, found in sums["kinds"].items()}
    assert {kind: counted.get(kind, 0) for kind in expected} == expected
    assert expected


def test_a_warning_that_would_stop_comes_first_with_the_children(home, no_warning, answers):
    sums = replayed(home.database_url("sharing"), no_warning, answers, home)

    first, *rest = findings_of(Whole(sums), {"police": "Police"})

    assert first["id"].startswith("safety_stop.police.")
    assert first["children"]
    assert "Police, " in first["text"]
    assert [one for one in rest if one["kind"] == "newly_does_not"]


def test_both_databases_give_the_same(home, no_warning, answers, postgres_url, tmp_path):
    names = [postgres.new_database(postgres_url) for _ in command.SERVICES]
    try:
        urls = dict(zip(command.SERVICES, names, strict=True))
        _seeded(urls, home)
        once = replayed(urls["sharing"], no_warning, answers, home)
        again = replayed(home.database_url("sharing"), no_warning, answers, home)
        for sums in (once, again):
            del sums["questions"]  # those that were new: in the second there were none

        assert once == again
    finally:
        for name in names:
            postgres.drop_database(name)


def test_a_rule_that_looks_at_who_the_child_is_is_obeyed(home, tmp_path):
    draft = a_draft(tmp_path)
    with closing(sqlite3.connect(home.db("sharing"))) as opened:
        (child,) = opened.execute(
            "SELECT child_id FROM decision WHERE decision = 'allow' LIMIT 1"
        ).fetchone()
    change(
        draft / "safeguarding.rego",
        "hd4 := 2 if {\n",
        f'hd4 := 2 if {{\n\tinput.child.id == "{child}"\n}} else := 2 if {{\n',
    )
    made = Answers(draft)
    try:
        sums = replayed(home.database_url("sharing"), draft, made, home)
    finally:
        made.close()

    named = {
        one["child"]
        for row in sums["cells"].values()
        for cell in row.values()
        for found in cell["kinds"].values()
        for one in found["examples"]
    }
    assert named == {child}


def test_facts_that_are_gone_are_said_aloud_and_counted_nowhere(home, no_warning, answers):
    broken = home.path / "broken.sqlite"
    shutil.copyfile(home.db("sharing"), broken)
    with closing(sqlite3.connect(broken)) as opened:
        (child,) = opened.execute("SELECT child_id FROM facts_snapshot LIMIT 1").fetchone()
        (count,) = opened.execute(
            "SELECT count(*) FROM decision WHERE child_id = ?", (child,)
        ).fetchone()
        opened.execute("DELETE FROM facts_snapshot WHERE child_id = ?", (child,))
        opened.execute(
            "UPDATE decision SET document = 'x' WHERE id = (SELECT id FROM decision "
            "WHERE child_id <> ? LIMIT 1)", (child,),
        )  # fmt: skip
        opened.commit()

    sums = replayed(f"sqlite:///{broken}", no_warning, answers, home)

    assert sums["uncertain"]["no_facts"]["decisions"] == count
    assert sums["uncertain"]["not_the_same"]["decisions"] == 1
    first = findings_of(Whole(sums), {})[0]
    assert first["kind"] == "not_decided_again"
    assert first["decisions"]


@pytest.fixture(scope="module")
def told(home, no_warning, tmp_path_factory):
    """What the command said, and the files that it wrote."""
    folder = tmp_path_factory.mktemp("told")
    files = {name: folder / name for name in ("report.json", "page.html", "recalls.jsonl")}
    said = CliRunner().invoke(
        whatif_command.app,
        [str(no_warning), "--home", str(home.path), "--json", str(files["report.json"]),
         "--html", str(files["page.html"]), "--recalls", str(files["recalls.jsonl"]),
         "--cores", "1"],
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    return said.output, {name: file.read_text() for name, file in files.items()}


KILLED = """
import sys
from pathlib import Path
from homeward.governance.whatif import Asked, whatif
from homeward.home import Home
asked = Asked(Home(Path(sys.argv[1])), cores=1, unit=100, state=Path(sys.argv[3]))
whatif(Path(sys.argv[2]), asked)
"""


def test_one_that_was_killed_goes_on_and_gives_the_same_report(home, no_warning, told, tmp_path):
    from homeward.governance.whatif import Asked, whatif

    state = tmp_path / "state.sqlite"
    process = subprocess.Popen([sys.executable, "-c", KILLED, home.path, no_warning, state])
    until = time.monotonic() + 120
    while _units(state) < 2 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = _units(state)

    ticks: list[int] = []
    asked = Asked(home, cores=1, unit=100, state=state, resume=True)
    resumed = whatif(no_warning, asked, ticks.append)
    whole = json.loads(told[1]["report.json"])  # made whole, and in other units

    assert done >= 2
    assert ticks[0] >= 200
    assert report_digest(resumed) == report_digest(whole)
    assert sum(ticks) == DECISIONS
    assert not state.exists()


def _units(state: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as opened:
            return opened.execute("SELECT count(*) FROM unit").fetchone()[0]
    except sqlite3.Error:
        return 0


def test_the_command_writes_a_report_a_page_and_what_to_recall(told):
    said, files = told

    report = json.loads(files["report.json"])
    assert report["decisions"] == DECISIONS
    assert report["findings"][0]["kind"] == "safety_stop"
    assert "STOP safety_stop.police." in said
    html = files["page.html"]
    assert "<script" not in html
    assert "http" not in html
    assert html.index("Warnings that would stop") < html.index("Who learns what")
    lines = files["recalls.jsonl"].splitlines()
    assert [json.loads(line) for line in lines] == report["recall"]
    assert all(one["state"] in ("sent", "delivered") for one in report["recall"])


def test_a_page_of_nothing_changed_says_so(home):
    report = {
        "version": "draft", "policy": "p", "against": "q", "against_version": "v", "since": None,
        "until": "u", "decisions": 1, "children": 1, "questions": 1, "unanswered": 0,
        "no_content": 0, "unchecked": 0, "recall": [], "findings": [],
        "cells": {"police": {"harm": {"decisions": 1, "kinds": {}}}},
    }  # fmt: skip

    html = page(report)

    assert "unchanged (1)" in html
    assert "would still go" in html


def test_every_rule_that_was_read_for_what_it_tells_apart_is_still_that_rule():
    """Where one was edited, whatif is slower until somebody has read it again and pinned it."""
    modules = parse(POLICIES, find_engine(), tests=False)

    assert replay_reads.digests(modules) == dict(replay_reads.KNOWN)
    assert replay_reads.free(modules) == frozenset(replay_reads.SEEN_BY)


def an_answer(decision="deny", **changed):
    """One answer of policy."""
    usual = {
        "decision": decision, "rule_ids": ["POL-06"], "gates_used": [], "basis": [],
        "transforms": [], "obligations": [], "defer_to": None,
    }  # fmt: skip
    return usual | changed


class TestChanges:
    @pytest.fixture
    def compared(self):
        data = load(POLICIES)
        return Comparison(data, data).change

    def test_a_refusal_that_becomes_a_release_is_learning(self, compared):
        found = compared(an_answer("deny"), an_answer("allow"), "police")

        assert (found.kinds, found.safety_stop) == ((changes.LEARN,), False)

    def test_fewer_transforms_are_learning_more(self, compared):
        old = an_answer("allow_redacted", transforms=["codes_only"])

        assert compared(old, an_answer("allow"), "police").kinds == (changes.LEARN,)
        assert compared(an_answer("allow"), old, "police").kinds == (changes.NOT_LEARN,)

    def test_other_content_is_both_told_and_not_told(self, compared):
        old = an_answer("allow_redacted", transforms=["summary_only"])
        new = an_answer("allow_redacted", transforms=["category_only"])

        assert compared(old, new, "lscp_panel").kinds == (changes.LEARN, changes.NOT_LEARN)

    def test_a_mark_alone_is_another_reason(self, compared):
        old = an_answer("allow_redacted", transforms=["extract_only"])
        new = an_answer("allow_redacted", transforms=["extract_only", "mark_verbatim"])

        assert compared(old, new, "police").kinds == (changes.OTHER,)

    @pytest.mark.parametrize("after", ["deny", "defer"])
    def test_what_a_harm_gate_opened_to_those_who_protect_is_a_stop(self, compared, after):
        warned = an_answer("allow", rule_ids=["G3", "POL-06"], gates_used=["G3"])
        wait = {"owner": "dsl", "due_h": 1} if after == "defer" else None

        assert compared(warned, an_answer(after, defer_to=wait), "police").safety_stop
        assert not compared(warned, an_answer(after, defer_to=wait), "school_dsl").safety_stop

    def test_what_agreement_opened_is_no_stop(self, compared):
        assert not compared(an_answer("allow"), an_answer("deny"), "police").safety_stop

    def test_a_hold_that_becomes_a_refusal_is_not_learning_and_no_recall(self, compared):
        held = an_answer("defer", defer_to={"owner": "dsl", "due_h": 4})
        found = compared(held, an_answer("deny"), "police")

        assert (found.kinds, found.recall) == ((changes.NOT_LEARN,), False)

    def test_the_same_in_all_is_no_change(self, compared):
        assert compared(an_answer("deny"), an_answer("deny"), "police") is None
