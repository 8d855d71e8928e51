"""What must be true of any run, whatever was broken meanwhile: judged from outputs alone."""

from faults.rules import bus, cases, decisions, feeds, releases, rest, withdrawals
from faults.rules.violation import Violation
from faults.seen import Seen

__all__ = ["Violation", "violations"]

RULES = (
    *cases.RULES,
    *decisions.RULES,
    *releases.RULES,
    *feeds.RULES,
    *withdrawals.RULES,
    *bus.RULES,
    *rest.RULES,
)


def violations(seen: Seen) -> list[Violation]:
    """Return every broken promise, in a fixed order; none is what a run has to show."""
    return sorted({one for rule in RULES for one in rule(seen)})
