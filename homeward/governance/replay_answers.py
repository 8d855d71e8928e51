"""What a policy answers to each distinct question, each asked once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from homeward.engine.patience import CutOffError
from homeward.governance.questions import Questions
from homeward.governance.replay_rules import Rules
from homeward.governance.replay_shape import Document, Shape

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
_WORN = 5_000
"""Questions after which an engine that ends is one that is worn out."""
NO_DECISION_PLACE, NOT_PROPOSED_PLACE = 0, 1


class Answers:
    """The answers of the policies in one folder; an engine runs until `close`.

    Raises BrokenPoliciesError for policies that may not be loaded, CutOffError (a NoAnswerError)
    where rules do not end.
    """

    def __init__(self, policies: Path) -> None:
        self._policies = policies
        self._questions = Questions(policies)
        self.digest = self._questions.digest
        self.shape = Shape(policies, self._questions.data)
        self._rules = Rules(self._questions, self.shape.codes)
        self._known: dict[bytes, int] = {}
        self._answers: list[Answer] = [NO_DECISION, NOT_PROPOSED]
        self._places: dict[int, int] = {}

    @property
    def known(self) -> int:
        """How many distinct questions were answered."""
        return len(self._known)

    def close(self) -> None:
        """End the engine."""
        self._questions.close()

    def knows(self, question: bytes) -> bool:
        """Tell whether a question was answered before."""
        return question in self._known

    def ask(self, documents: Mapping[bytes, Document]) -> None:
        """Ask one document, a stand-in, of each new question."""
        numbers = self._numbers(list(documents.values()))
        for question, number in zip(documents, numbers, strict=True):
            self._known[question] = self._place(number)

    def _numbers(self, documents: Sequence[Document]) -> list[int]:
        try:
            return self._rules.numbers(documents)
        except CutOffError:
            if self._questions.asked < _WORN:
                raise  # it is these rules
        # an engine that answered so often has used up the memory that it may have
        self._questions.close()
        self._questions = Questions(self._policies)
        self._rules = Rules(self._questions, self.shape.codes)
        self._places = {}
        return self._rules.numbers(documents)

    def _place(self, number: int) -> int:
        place = self._places.get(number)
        if place is None:
            answer = self._questions.value(number)
            place = NO_DECISION_PLACE
            if answer is not None:
                place = len(self._answers)
                self._answers.append(answer)
            self._places[number] = place
        return place

    def place(self, question: bytes) -> int:
        """Return the number of the answer to a question; one number is one answer."""
        return self._known[question]

    def answer(self, place: int) -> Answer:
        """Return an answer by its number."""
        return self._answers[place]

    def of(self, documents: Sequence[Any]) -> list[Answer]:
        """Return the answer to each of some documents."""
        seen, asked, new = self.shape.seen(), [], {}
        for one in documents:
            question = seen.question(one)
            asked.append(question)
            if question not in self._known and question not in new:
                new[question] = seen.stand_in()
        self.ask(new)
        return [self.answer(self.place(question)) for question in asked]
