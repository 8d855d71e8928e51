"""The shape that every event shares.

An event is thin: ids, codes and times. Whoever is entitled to more asks the owner for it, so
streams, dead letters and logs hold nothing that can hurt a child (design: thin CloudEvents 1.0).
"""

from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Event(BaseModel):
    """A fact, published under `subject`; unknown fields are ignored so that readers stay tolerant.

    A field is never removed, renamed or given another meaning: that is a new class `…V2` under a
    subject that ends in `.v2`, published beside the old one until nobody reads it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    subject: ClassVar[str] = ""
    """`evt.<publisher>.<fact>.v<n>`, also the CloudEvents `type`."""

    id: str
    """Derived from its cause, so that a retry makes the same one; `Nats-Msg-Id` and inbox key."""
    occurred_at: AwareDatetime
    """When it happened in the world, UTC; not when it was written down."""

    def __init_subclass__(cls, *, subject: str) -> None:
        super().__init_subclass__()
        cls.subject = subject

    @classmethod
    def publisher(cls) -> str:
        """Return the service that alone may publish this event."""
        return cls.subject.split(".")[1]
