"""What journeys share: one demo of all cases, played once, and its results."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from homeward.home import Home


@dataclass(frozen=True)
class Played:
    """A demo that was played."""

    home: Home
    results: dict[str, Any]
    said: str

    def decision(self, case: str, row: str, recipient: str, nth: int = 0) -> dict[str, Any]:
        """Return the `nth` decision by `row` for `recipient`."""
        found = [
            one
            for one in self.results[case]["decisions"]
            if one["recipient"] == recipient and one["rule_ids"][-1] == row
        ]
        return found[nth]

    def verdicts(self, case: str, recipient: str) -> dict[str, set[str]]:
        """Return for each row what was decided about this recipient."""
        found: dict[str, set[str]] = {}
        for one in self.results[case]["decisions"]:
            if one["recipient"] == recipient:
                found.setdefault(one["rule_ids"][-1], set()).add(one["decision"])
        return found

    def clock(self, case: str, episode: str, clock: str) -> dict[str, Any]:
        """Return one clock of an episode."""
        (found,) = [
            one
            for one in self.results[case]["clocks"]
            if (one["episode"], one["clock"]) == (episode, clock)
        ]
        return found


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """All cases, played through `homeward demo --json`."""
    folder = tmp_path_factory.mktemp("demo")
    home, results = Home.at(folder / "home"), folder / "results.json"
    ended = subprocess.run(
        [
            sys.executable, "-m", "homeward", "demo",
            "--home", str(home.path), "--json", str(results),
        ],
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, f"{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
    return Played(home, json.loads(Path(results).read_text()), ended.stdout)
