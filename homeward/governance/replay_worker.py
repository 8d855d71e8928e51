"""Decide units of children again: `python -m homeward.governance.replay_worker`.

The first line on standard input says what of which history and under which draft; then each line is
a list of children, and a line with their sums comes back. It ends with its input.
"""

import gc
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from homeward.engine.faults import BrokenPoliciesError, NoAnswerError
from homeward.governance import history
from homeward.governance.history import Span
from homeward.governance.replay import EXAMPLES, Replay
from homeward.governance.replay_answers import Answers
from homeward.home import HomeError
from messaging.ids import Ids
from services.sharing.policy_data import load


@dataclass(frozen=True)
class Work:
    """What a worker is told first."""

    url: str
    draft: str
    versions: Mapping[str, str]
    """Folders of earlier policies by digest, the one in force first."""
    id_key: str | None
    """File of the key of the site's ids, where it is at hand."""
    since: str | None
    until: str
    examples: int = EXAMPLES

    @property
    def span(self) -> Span:
        """The decisions that are looked at."""
        since = None if self.since is None else datetime.fromisoformat(self.since)
        return Span(since, datetime.fromisoformat(self.until))

    def plain(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def main() -> None:
    """Answer until the other side closes; a fault is told on the line instead of sums."""
    work = Work(**json.loads(sys.stdin.readline()))
    gc.disable()  # facts and documents hold no cycles
    try:
        answers = Answers(Path(work.draft))
        try:
            _answer(work, answers)
        finally:
            answers.close()
    except (BrokenPoliciesError, NoAnswerError, HomeError) as error:
        _tell({"fault": type(error).__name__, "text": str(error)})


def _answer(work: Work, answers: Answers) -> None:
    versions = {digest: load(Path(folder)) for digest, folder in work.versions.items()}
    ids = None if work.id_key is None else Ids.of(Path(work.id_key))
    with history.opened(work.url) as opened:
        replay = Replay(opened, answers, load(Path(work.draft)), versions, ids)
        for line in sys.stdin:
            _tell(replay.children(json.loads(line), work.span, work.examples))


def _tell(told: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
