"""What every rule says of what it found."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Violation:
    """A promise that was broken; the ids say where."""

    code: str
    """`topic.reason`."""
    ids: tuple[str, ...] = ()

    @classmethod
    def of(cls, code: str, *ids: object) -> "Violation":
        """Return a violation; what is no text is written as it prints."""
        return cls(code, tuple(str(one) for one in ids))
