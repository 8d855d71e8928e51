"""A demo that was played, and how to look at its results."""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from homeward.home import Home


@dataclass(frozen=True)
class Played:
    """A demo that was played."""

    home: Home
    """Still up."""
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


def homeward(*words: str, timeout: float = 400) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "homeward", *words],
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
