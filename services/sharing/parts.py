"""What only `sharing` has beside the parts of every service, found again in handlers and routes."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from prometheus_client import Counter, Gauge, Histogram

from messaging.app import App
from services.sharing.policy import Policy
from services.sharing.policy_data import PolicyData

_KEY = "gate"
_DECISIONS = ("allow", "allow_redacted", "defer", "deny")
_NO_ANSWERS = (
    "away", "time_out", "status_4xx", "status_5xx", "too_large", "no_token", "not_json",
    "no_result", "digest", "malformed", "unknown_code",
)  # fmt: skip
_ANSWER_S = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3)
"""Up to the deadline, see policy.py."""


@dataclass
class Gate:
    """Policy's data and engine, who controls each locality, and counters without ids."""

    policy: Policy
    """Asks in the name of the version that decides; another takes its place while it runs."""
    controllers: dict[str, str]
    decisions: Counter
    no_answers: Counter
    info: Gauge
    serves: bool = True
    """The engine was last seen to decide by that version; until then nothing leaves here."""
    again: int = 0
    """How many children were asked again since that version decides here."""

    @property
    def data(self) -> PolicyData:
        """Return the data of the version that decides."""
        return self.policy.data

    def change_to(self, policy: Policy) -> None:
        """Decide by another version from now on; what was asked before keeps its own."""
        self.info.clear()
        self.info.labels(policy.data.version).set(1)
        self.policy, self.serves = policy, True

    def controller(self, locality: str) -> str:
        """Return la or charity; where it is not known, neither: policy then holds."""
        return self.controllers.get(locality, "unknown")


def gate(app: App) -> Gate:
    """Return the gate of a running service."""
    found = app.state[_KEY]
    assert isinstance(found, Gate)  # noqa: S101 - put there by `open_gate` alone
    return found


def open_gate(app: App, digest: str, data: PolicyData) -> Gate:
    """Make the gate for the version that decides; called once, at start."""
    settings = app.settings
    seconds = Histogram(
        "homeward_policy_seconds",
        "Time in which policy gave a usable answer, without waiting for its turn",
        buckets=_ANSWER_S,
        registry=app.metrics.registry,
    )
    info = Gauge(
        "homeward_policy_info",
        "1, with the version of the policies that decide",
        ["policy_version"],
        registry=app.metrics.registry,
    )
    info.labels(data.version).set(1)
    made = Gate(
        info=info,
        policy=Policy(
            settings.opa_url,
            digest,
            data,
            settings.opa_token,
            observe=seconds.observe,
        ),
        controllers=_controllers(settings.localities),
        decisions=Counter(
            "homeward_decisions",
            "Decisions recorded",
            ["decision"],
            registry=app.metrics.registry,
        ),
        no_answers=Counter(
            "homeward_policy_no_answers",
            "Questions to policy without a usable answer",
            ["code"],
            registry=app.metrics.registry,
        ),
    )
    for decision in _DECISIONS:
        made.decisions.labels(decision)
    for code in _NO_ANSWERS:
        made.no_answers.labels(code)
    app.state[_KEY] = made
    return made


def _controllers(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    read = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return {
        name: str(one.get("controller", "unknown"))
        for name, one in read.get("localities", {}).items()
    }
