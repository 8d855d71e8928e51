"""Decide chunks of lines: `python -m homeward.engine.worker POLICIES checked|raw BUNDLE [SOCKET]`.

It says `ready` when the engine has loaded the policies. A chunk is a line with the number of its
lines, then those lines; as many lines come back. It reads, checks and prints as well as asks, so
that all of the work is spread over the cores. It ends where its engine ends.
"""

import gc
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from homeward.engine.faults import NoAnswerError
from homeward.engine.fit import reader
from homeward.engine.private import BATCH, Asker, ServerAsker, in_order
from homeward.engine.reads import cutter

READY = b"ready\n"
NO_DECISION = {"error": {"field": "", "code": "no_decision"}}


class LibraryAsker:
    """The library in this very process."""

    def __init__(self, bundle: Path) -> None:
        from homeward.engine.loaded import Loaded, OpaError  # noqa: PLC0415 - may not be installed

        self._loaded = Loaded(bundle, more=(BATCH,))
        self._error = OpaError

    def ask(self, documents: Sequence[Any]) -> list[object]:
        """See Asker."""
        try:
            answers = self._loaded.document("homeward_batch.decisions", documents)
        except (self._error, RecursionError) as error:
            raise NoAnswerError("the engine failed") from error
        return in_order(answers, len(documents))


def ask_each(asker: Asker, documents: Sequence[Any]) -> list[object]:
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


def main() -> None:
    """Answer chunks until the other side closes."""
    policies, how, bundle, *place = sys.argv[1:]
    read, cut = reader(Path(policies), raw=how == "raw"), cutter(Path(bundle))
    asker: Asker = ServerAsker(Path(place[0])) if place else LibraryAsker(Path(bundle))
    asker.ask([])  # the library compiles when it is first asked
    gc.disable()  # documents and answers hold no cycles
    source, target = sys.stdin.buffer, sys.stdout.buffer
    target.write(READY)
    target.flush()
    while count := source.readline():
        told = [read(source.readline()) for _ in range(int(count))]
        asked = [cut(document) for document, error in told if error is None]
        answers = iter(ask_each(asker, asked))
        lines = [next(answers) if error is None else {"error": error} for _, error in told]
        written = [json.dumps(line, ensure_ascii=False) for line in lines]
        target.write(("\n".join(written) + "\n").encode())
        target.flush()


if __name__ == "__main__":
    main()
