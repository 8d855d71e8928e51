"""The whole life of a version by the commands, on one home with one child's real history.

The runbooks are walked as they are written: what stands in them after `$` is what is typed. The
proof over a million inputs is a test of its own; here a version is proved by the fifty known cases.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from homeward import policy
from homeward.asking import Services
from homeward.governance import life
from homeward.governance.client import Access
from homeward.governance.life_reports import Ours
from homeward.home import Home

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
AUTHOR, SECOND = ("--sub", "IG-1"), ("--sub", "IG-2")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home in which police and others were told of an assault on a child."""
    made = Home.at(tmp_path_factory.mktemp("life") / "home")
    try:
        done = homeward("demo", "S5", "--keep", "--home", str(made.path))
        assert done.returncode == 0, done.stderr
        yield made
    finally:
        homeward("down", "--home", str(made.path))


def homeward(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "homeward", *words],
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip


@pytest.fixture
def desk(home: Home, tmp_path_factory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the people of these tests work: beside a copy of the policies."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "policies", folder / "policies")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOMEWARD_HOME", str(home.path))
    monkeypatch.setattr(Ours, "prove", short_proof)
    return folder


def typed(*words: str) -> Result:
    """Run `homeward policy …` here; nothing may end in a traceback."""
    done = CliRunner().invoke(policy.app, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def short_proof(self: Ours, folder: Path) -> dict[str, Any]:
    """Stand in for the proof: a real report, of little."""
    return {**life.checked(folder), "kind": "prove", "findings": []}


def reported(kind: str, folder: str, access: Access) -> None:
    """Do what `homeward policy whatif|prove FOLDER --record` does, with the short proof."""
    if kind == "prove":
        report = Ours().prove(Path(folder))
    else:
        until = life.drafted_at(Path(folder), access)
        report = Ours().whatif(Path(folder), access, None, until)
    life.recorded(report, access)


def walked(runbook: str) -> Iterator[tuple[str, Result]]:
    """Type what the runbook says, line by line, and give what each command answered."""
    for block in re.findall(r"```console\n(.*?)```", (RUNBOOKS / runbook).read_text(), re.DOTALL):
        for line in re.findall(r"(?m)^ *\$ (.*)$", block):
            words = shlex.split(line)
            if words[0] != "homeward":
                subprocess.run(["bash", "-ec", line], check=True)
            elif words[2] in ("whatif", "prove"):
                reported(words[2], words[3], Access.of(None, "ig_lead", words[-1]))
            else:
                yield line, typed(*words[2:])


def versions() -> dict[str, dict]:
    told = json.loads(typed("history", "--json").stdout)
    return {one["version"]: one for one in told["versions"]}


def active() -> str:
    return json.loads(typed("history", "--json").stdout)["active"]["version"]


def a_draft(label: str, desk: Path) -> Path:
    folder = desk / label
    shutil.copytree(desk / "policies", folder)
    codes = (folder / "codes.yaml").read_text()
    (folder / "codes.yaml").write_text(
        re.sub(r"(?m)^policy_version: .*$", f'policy_version: "{label}"', codes)
    )
    return folder


def without_a_warning(folder: Path) -> None:
    """Take from a draft that police learn of a significant harm where the child said no."""
    police = folder / "table" / "police.yaml"
    head, rows = police.read_text().split("\n", 1)[0], yaml.safe_load(police.read_text())
    rows["POL-06"]["paths"] = [p for p in rows["POL-06"]["paths"] if "agreed" in p["when"]]
    police.write_text(head + "\n" + yaml.safe_dump(rows, sort_keys=False, allow_unicode=True))


def drafted_and_shown(folder: Path) -> None:
    assert typed("draft", str(folder), *AUTHOR).exit_code == 0
    assert typed("check", str(folder), "--record", *AUTHOR).exit_code in (0, 1)
    for kind in ("whatif", "prove"):
        reported(kind, str(folder), Access.of(None, "ig_lead", "IG-1"))


def children_of(home: Home) -> set[str]:
    with Services(home) as services:
        return {one["child_id"] for one in services.all("sharing", "/decisions", role="ig_lead")}


def test_a_change_goes_live_as_the_runbook_says(desk: Path) -> None:
    before = active()
    for line, done in walked("policy-change.md"):
        assert done.exit_code == 0, (line, done.output)

    assert (before, active()) == ("2026.11.1", "2026.12.1")
    steps = [step["kind"] for step in versions()["2026.12.1"]["steps"]]
    assert steps[:5] == ["drafted", "checked", "compared", "proved", "approved"]
    assert versions()["2026.11.1"]["state"] == "superseded"


def test_the_rules_are_stopped_by_one_and_brought_back_by_two_as_the_runbook_says(
    desk: Path,
) -> None:
    said = {}
    for line, done in walked("policy-rollback.md"):
        assert done.exit_code == 0, (line, done.output)
        said[line.split()[2]] = done.stdout

    assert "LOCKED DOWN (2026.12.1-lockdown)" in said["lockdown"]
    assert "LOCKED DOWN by DSL-1 (dsl), exercise" in said["history"]
    assert active() == "2026.12.1-r2"


def test_a_draft_that_would_stop_a_harm_report_needs_two_named_people(
    home: Home, desk: Path
) -> None:
    draft = a_draft("2026.12.3", desk)
    without_a_warning(draft)
    drafted_and_shown(draft)

    alone = typed("approve", "2026.12.3", *AUTHOR)
    assert (alone.exit_code, versions()["2026.12.3"]["state"]) == (1, "draft")
    assert "Its author may not take this step" in alone.stderr
    early = typed("activate", "2026.12.3", *SECOND)
    assert early.exit_code == 1
    assert "approved: nobody has done this yet" in early.stderr

    assert typed("approve", "2026.12.3", *SECOND).exit_code == 0
    refused = typed("activate", "2026.12.3", *SECOND)
    assert refused.exit_code == 1
    named = re.findall(r"children: (.*)", refused.stderr)
    assert {child for line in named for child in line.split(", ")} == children_of(home)
    assert active() == "2026.12.1-r2"

    blocking = re.findall(r"--finding (\S+)", refused.stderr)
    assert blocking == ["KNOWN-02", "KNOWN-03", "safety_stop.police.harm"]
    answered = [word for one in blocking for word in ("--finding", one)]
    answered += ["--reason", "risk_weighed"]
    by_dpo = typed("override", "2026.12.3", *answered, "--role", "dpo", "--sub", "DPO-1")
    assert by_dpo.exit_code == 0, by_dpo.output
    assert typed("activate", "2026.12.3", *SECOND).exit_code == 1
    assert active() == "2026.12.1-r2"

    typed("override", "2026.12.3", *answered, "--role", "dsl", "--sub", "DSL-1")
    done = typed("activate", "2026.12.3", *SECOND)
    assert done.exit_code == 0, done.output
    assert active() == "2026.12.3"
    history = typed("history").stdout
    assert "answered for by DPO-1 (dpo), risk_weighed" in history
    assert "answered for by DSL-1 (dsl), risk_weighed" in history

    listed = re.search(r"(\d+) releases had been sent .*: (\S+)", done.stdout)
    assert listed, done.stdout
    recalls = json.loads(Path(listed[2]).read_text())
    assert len(recalls) == int(listed[1]) > 0
    assert {one["child"] for one in recalls} == children_of(home)
