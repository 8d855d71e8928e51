"""Decide chunks of lines: `python -m homeward.engine.worker POLICIES checked|raw BUNDLE|SOCKET`.

A chunk is a line with the number of its lines, then those lines; as many lines come back. It reads,
checks and prints as well as asks, so that all of the work is spread over the cores.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from homeward.engine.faults import NoAnswerError
from homeward.engine.fit import reader
from homeward.engine.private import BATCH, Asker, ServerAsker, in_order

_REMEMBERED_MAX = 10_000
NO_DECISION = {"error": {"field": "", "code": "no_decision"}}


class LibraryAsker:
    """The library in this very process."""

    def __init__(self, bundle: Path) -> None:
        from homeward.engine.loaded import Loaded, OpaError  # noqa: PLC0415 - may not be installed

        self._loaded = Loaded(bundle, more=(BATCH,))
        self._error = OpaError

    def ask(self, documents: Sequence[str]) -> list[object]:
        """See Asker."""
        given = [json.loads(text) for text in documents]
        try:
            answers = self._loaded.document("homeward_batch.decisions", given)
        except self._error as error:
            raise NoAnswerError("the engine failed") from error
        return in_order(answers, len(documents))


def ask_each(asker: Asker, documents: Sequence[str]) -> list[object]:
    """Ask for all at once; one that breaks the engine must not take the others along."""
    if not documents:
        return []
    try:
        answers = asker.ask(documents)
    except NoAnswerError:
        if len(documents) == 1:
            return [NO_DECISION]
        half = len(documents) // 2
        return ask_each(asker, documents[:half]) + ask_each(asker, documents[half:])
    return [NO_DECISION if answer is None else answer for answer in answers]


class Remembered:
    """Answers that were given: a policy reads nothing but the document, so the same is the same."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._answers: dict[str, object] = {}

    def each(self, documents: Sequence[str]) -> list[object]:
        """Return the answer to each document, asking for those that are new."""
        new = [text for text in dict.fromkeys(documents) if text not in self._answers]
        if len(self._answers) + len(new) > _REMEMBERED_MAX:
            self._answers.clear()
            new = list(dict.fromkeys(documents))
        self._answers.update(zip(new, ask_each(self._asker, new), strict=True))
        return [self._answers[text] for text in documents]


def main() -> None:
    """Answer chunks until the other side closes."""
    policies, how, place = sys.argv[1:]
    read = reader(Path(policies), raw=how == "raw")
    asker: Asker = LibraryAsker(Path(place)) if Path(place).is_dir() else ServerAsker(Path(place))
    asked = Remembered(asker)
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while count := source.readline():
        told = [read(source.readline()) for _ in range(int(count))]
        answers = iter(asked.each([text for text, _ in told if text is not None]))
        for text, instead in told:
            answer = next(answers) if text is not None else instead
            target.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
        target.flush()


if __name__ == "__main__":
    main()
