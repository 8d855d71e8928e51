"""What the README and the runbooks name exists, and what it shows is so."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/runbooks/*.md")])
COMMANDS = sorted(
    {
        " ".join(found.split())
        for page in PAGES
        for found in re.findall(
            r"homeward ((?:policy|ledger|partner|feed) [a-z]+)\b", page.read_text()
        )
    }
)


def homeward(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "homeward", *words],
        input=given, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_a_page_names_exists(command: str):
    assert homeward(*command.split(), "--help").returncode == 0


def test_the_readme_fits_on_a_screen_or_two():
    assert len(README.splitlines()) <= 80


def test_every_target_that_the_readme_names_is_in_the_makefile():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE)) <= targets
    assert len(targets) <= 12


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_the_example_is_decided_as_the_design_says():
    given = (ROOT / "docs/example-input.json").read_text()

    said = json.loads(homeward("policy", "eval", given=given).stdout)

    assert (said["decision"], said["rule_ids"]) == ("deny", ["POL-03"])


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs/architecture.md"])
def test_it_is_said_that_the_law_is_illustrative(page: Path):
    said = page.read_text().lower()

    assert "illustrative" in said
    assert "data protection officer" in said
    assert "legal advice" in said
