"""What policy answered, once it has been checked, and which answers let something out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Verdict = Literal["allow", "allow_redacted", "defer", "deny"]

NO_DECISION = "NO_DECISION"
NO_CONTENT = "NO_CONTENT"
TELL_CHILD_FIRST = "tell_child_first"


@dataclass(frozen=True)
class DeferTo:
    """Who has to judge, and within how many hours."""

    owner: str
    due_h: float


@dataclass(frozen=True)
class Answer:
    """One decision as policy gave it."""

    decision: Verdict
    rule_ids: tuple[str, ...]
    policy_version: str
    gates_used: tuple[str, ...] = ()
    basis: tuple[str, ...] = ()
    transforms: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    defer_to: DeferTo | None = None

    @property
    def releases(self) -> bool:
        """Tell whether this answer, and no other kind, lets something out."""
        return self.decision in ("allow", "allow_redacted")


def faults(answer: Answer) -> list[str]:
    """Return why an answer cannot be what policy means; such an answer is a hold."""
    found = []
    if not answer.rule_ids:
        found.append("no_rule")  # nobody could later say why
    if (answer.decision == "allow_redacted") is not bool(answer.transforms):
        found.append("transforms")
    if (answer.decision == "defer") is not (answer.defer_to is not None):
        found.append("defer_to")
    if answer.defer_to is not None and not 0 < answer.defer_to.due_h <= 24:
        found.append("due_h")
    return found


def no_decision(harm: bool) -> Answer:
    """Return the hold that is recorded while policy gives no usable answer."""
    return Answer(
        decision="defer",
        rule_ids=(NO_DECISION,),
        policy_version="none",
        obligations=("log_reason_share_or_not",),
        reasons=("The rules could not be asked, so nothing is told until they have been.",),
        defer_to=DeferTo("dsl", 1 if harm else 4),
    )


def without_content(answer: Answer) -> Answer:
    """Return the hold for a release of which nothing would be left to read."""
    return replace(
        answer,
        decision="defer",
        rule_ids=(NO_CONTENT, answer.rule_ids[-1]),
        gates_used=(),
        basis=(),
        transforms=(),
        obligations=("log_reason_share_or_not",),
        reasons=("There is nothing in it yet that these people may read.",),
        defer_to=DeferTo("practitioner", 4),
    )


def told_first(obligations: Sequence[str]) -> bool:
    """Tell whether the child is told before the recipient is."""
    return TELL_CHILD_FIRST in obligations
