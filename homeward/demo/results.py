"""What a demo found, in a shape that a page, a terminal and a program can each read."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

Verdict = Literal["allow", "allow_redacted", "defer", "deny"]


class ClockFound(BaseModel):
    """One clock as scheduling shows it."""

    episode: str
    """Name of the episode in the story, e.g. E1."""
    clock: str
    started_at: datetime
    due_at: datetime
    met_at: datetime | None = None
    state: str
    """`met`, `late`, `missed` or `running`."""


class Moment(BaseModel):
    """Something that happened in the story."""

    at: datetime
    text: str
    kind: Literal["child", "clock", "talk", "judged", "told", "page"] = "child"


class ItemFound(BaseModel):
    """One thing that could be told."""

    item: str
    episode: str
    category: str
    label: str


class RecipientFound(BaseModel):
    """One person or agency that could be told."""

    recipient: str
    type: str
    label: str
    by: Literal["feed", "worker"] = "worker"


class DecisionFound(BaseModel):
    """What policy answered, last of all, for one item and one recipient."""

    recipient: str
    item: str
    category: str
    episode: str
    decision: Verdict
    rule_ids: list[str]
    reasons: list[str]
    transforms: list[str] = []
    obligations: list[str] = []
    defer_to: dict[str, Any] | None = None
    at: datetime
    policy_version: str = ""


class ReleaseFound(BaseModel):
    """What left, or waits for a worker to tell it."""

    recipient: str
    release_id: str
    item: str
    category: str
    state: str
    fields: dict[str, Any]


class CheckFound(BaseModel):
    """A sentence of the worked case, and whether it held."""

    sentence: str
    held: bool
    found: str = ""


class CaseFound(BaseModel):
    """Everything one case showed."""

    case: str
    title: str
    story: str
    children: list[str]
    moments: list[Moment] = []
    clocks: list[ClockFound] = []
    items: list[ItemFound] = []
    recipients: list[RecipientFound] = []
    decisions: list[DecisionFound] = []
    """The last one for each item and recipient."""
    history: list[DecisionFound] = []
    """All of them, in order of time."""
    releases: list[ReleaseFound] = []
    readable: dict[str, list[dict[str, Any]]] = {}
    """What each recipient could decrypt from their feed, or was told by a worker."""
    tasks: list[dict[str, Any]] = []
    checks: list[CheckFound] = []


class DemoFound(BaseModel):
    """All cases and what holds for all of them."""

    played_at: datetime
    took_s: float = 0.0
    policy_version: str = ""
    engine: str = ""
    ledger: str = ""
    ledger_holds: bool = False
    ledger_entries: int = 0
    cases: dict[str, CaseFound] = {}

    @property
    def failed(self) -> list[CheckFound]:
        """Return the checks that did not hold, over all cases."""
        return [check for case in self.cases.values() for check in case.checks if not check.held]
