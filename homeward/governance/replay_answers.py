"""What a policy answers to each distinct question, each asked once."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from homeward.engine.batch import CHUNK, decide_lines
from homeward.engine.bundle import build_bundle
from homeward.engine.faults import NoAnswerError
from homeward.governance.replay_shape import Shape

Answer = Mapping[str, Any]

_HELD: Answer = {
    "decision": "defer", "gates_used": [], "basis": [], "transforms": [],
    "obligations": ["log_reason_share_or_not"], "defer_to": {"owner": "dsl", "due_h": 4},
}  # fmt: skip
NO_DECISION: Answer = {**_HELD, "rule_ids": ["NO_DECISION"], "reasons": []}
"""What becomes of a question to which the engine has no answer."""
NOT_PROPOSED: Answer = {
    **_HELD, "decision": "deny", "rule_ids": ["NOT_PROPOSED"], "reasons": [], "defer_to": None,
}  # fmt: skip
"""What becomes of a pair that would not even be asked about."""
NO_DECISION_PLACE, NOT_PROPOSED_PLACE = 0, 1


class Answers:
    """The answers of the policies in one folder; an engine runs until `close`.

    Raises BrokenPoliciesError for policies that may not be loaded.
    """

    def __init__(self, policies: Path, cores: int | None = None) -> None:
        with tempfile.TemporaryDirectory(prefix="homeward-") as folder:
            bundle = Path(folder) / "bundle"
            self.digest = build_bundle(policies, bundle)
            data = json.loads((bundle / "data.json").read_bytes())
        self.shape = Shape(policies, data)
        self._chunks: SimpleQueue[list[bytes] | None] = SimpleQueue()
        self._told = decide_lines(iter(self._chunks.get, None), policies, raw=True, cores=cores)
        self._known: dict[bytes, int] = {}
        self._answers: list[Answer] = [NO_DECISION, NOT_PROPOSED]
        self._places: dict[bytes, int] = {}

    @property
    def known(self) -> int:
        """How many distinct questions were answered."""
        return len(self._known)

    def close(self) -> None:
        """End the engine."""
        self._chunks.put(None)
        for _ in self._told:
            pass

    def knows(self, question: bytes) -> bool:
        """Tell whether a question was answered before."""
        return question in self._known

    def ask(self, documents: Mapping[bytes, Any]) -> None:
        """Ask one document of each new question."""
        questions = iter(documents)
        for line in self._lines(list(documents.values())):
            self._known[next(questions)] = self._place(line)

    def _lines(self, documents: Sequence[Any]) -> Iterator[bytes]:
        lines = [_encode(self.shape.stand_in(one)).encode() for one in documents]
        starts = range(0, len(lines), CHUNK)
        for start in starts:
            self._chunks.put(lines[start : start + CHUNK])
        for _ in starts:
            block = next(self._told, None)
            if block is None:
                raise NoAnswerError("the engine ended")
            yield from block.splitlines()

    def _place(self, line: bytes) -> int:
        place = self._places.get(line)
        if place is None:
            answer = json.loads(line)
            place = NO_DECISION_PLACE
            if "error" not in answer:
                place = len(self._answers)
                self._answers.append(answer)
            self._places[line] = place
        return place

    def place(self, question: bytes) -> int:
        """Return the number of the answer to a question; one number is one answer."""
        return self._known[question]

    def answer(self, place: int) -> Answer:
        """Return an answer by its number."""
        return self._answers[place]

    def of(self, documents: Sequence[Any]) -> list[Answer]:
        """Return the answer to each of some documents."""
        seen = self.shape.seen()
        asked = [seen.question(one) for one in documents]
        new = {
            question: one
            for question, one in zip(asked, documents, strict=True)
            if question not in self._known
        }
        self.ask(new)
        return [self.answer(self.place(question)) for question in asked]


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
