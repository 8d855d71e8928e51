"""What must be true of any run, whatever was broken meanwhile: judged from outputs alone."""

from dataclasses import dataclass

from faults.seen import Seen


@dataclass(frozen=True, order=True)
class Violation:
    """A promise that was broken; the ids say where."""

    code: str
    """`topic.reason`."""
    ids: tuple[str, ...] = ()


def violations(seen: Seen) -> list[Violation]:
    """Return every broken promise, in a fixed order; none is what a run has to show."""
    found: set[Violation] = set()
    return sorted(found)
