"""The policy guide's own three walks: each edit made, each command run, each answer as printed."""

import re
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from homeward.policy import app

TREE = Path(__file__).parents[2]
GUIDE = TREE / "docs" / "policy-guide.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """One command with what it prints, or one edit of one file."""

    kind: str
    file_or_command: str
    text: str


def walks() -> dict[str, list[Step]]:
    """Return the steps of each walk by its heading."""
    parts = re.split(r"^### (\d\. .+)$", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        title: [step for kind, text in _BLOCK.findall(body) for step in steps(kind, text)]
        for title, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def steps(kind: str, text: str) -> Iterator[Step]:
    """Yield the steps of one block: a console of commands, an edit, a whole new file."""
    if kind == "console":
        for one in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, printed = one.partition("\n")
            yield Step(kind, command, printed)
    elif kind in ("diff", "yaml"):
        head, _, rest = text.partition("\n")
        yield Step(kind, head.removeprefix("# "), rest)


def edit(file: Path, lines: str) -> None:
    """Make an edit that is written as lines taken out (-), put in (+) and kept."""
    told = lines.splitlines()
    before = "".join(f"{line[1:]}\n" for line in told if line[:1] != "+")
    after = "".join(f"{line[1:]}\n" for line in told if line[:1] != "-")
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{file.name} holds this {text.count(before)} times:\n{before}"
    file.write_text(text.replace(before, after), encoding="utf-8")


def run(command: str) -> str:
    """Run a command of the guide as a reader would; return what it prints."""
    name, *words = command.split()
    if name == "cp":
        shutil.copytree(words[1], words[2])
        return ""
    assert (name, words[0]) == ("homeward", "policy"), f"not a command of this guide: {command}"
    return CliRunner().invoke(app, words[1:]).output


def is_like(printed: str, expected: str) -> bool:
    """Tell whether it is printed as the guide says; `…` stands for anything, alone for lines."""
    lines = [re.escape(line.rstrip()) for line in expected.strip().splitlines()]
    pattern = "\n".join(r"[^\0]*?" if one == "…" else one.replace("…", ".*?") for one in lines)
    told = "\n".join(line.rstrip() for line in printed.strip().splitlines())
    return re.fullmatch(pattern, told) is not None


def make(step: Step) -> str | None:
    """Make an edit, or run a command and return what it printed."""
    if step.kind == "console":
        return run(step.file_or_command)
    if step.kind == "diff":
        edit(Path(step.file_or_command), step.text)
    else:
        Path(step.file_or_command).write_text(step.text, encoding="utf-8")
    return None


@pytest.mark.parametrize("title", list(walks()))
def test_each_command_of_a_walk_prints_what_the_guide_says(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(TREE / "policies", "policies")
    Path("docs").symlink_to(TREE / "docs")

    for step in walks()[title]:
        printed = make(step)
        assert printed is None or is_like(printed, step.text), textwrap.dedent(
            f"`{step.file_or_command}` prints\n{printed}\nand the guide says\n{step.text}"
        )


def test_there_are_three_walks_and_each_compares_and_checks() -> None:
    found = walks()

    assert len(found) == 3
    for some in found.values():
        commands = [one.file_or_command for one in some if one.kind == "console"]
        assert any(one.startswith("homeward policy diff") for one in commands)
        assert any(one.startswith("homeward policy check") for one in commands)
        assert any(one.startswith("homeward policy test") for one in commands)


def test_the_row_that_the_guide_reads_aloud_stands_in_the_table() -> None:
    (shown,) = re.findall(r"^```yaml\n(POL-03:\n.*?)^```$", GUIDE.read_text(), re.M | re.S)
    told = [line for line in shown.splitlines() if line]
    table = (TREE / "policies" / "table" / "police.yaml").read_text()

    assert all(line in table for line in told)
