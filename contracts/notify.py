"""Events of `notify`: what was sent to people, and what could not be sent safely."""

from typing import Literal

from contracts.event import Event


class MessageSent(Event, subject="evt.notify.message_sent.v1"):
    """A message went out by a channel that is known to be safe, or to a member of staff."""

    message_id: str
    cause_id: str
    """What it was about: a booking or a page."""
    template: str
    template_version: int
    channel: Literal["email", "text", "letter"]


class MessageBlocked(Event, subject="evt.notify.message_blocked.v1"):
    """A message did not go out, or may not have: a worker has to find another way (R14)."""

    message_id: str
    cause_id: str
    child_id: str
    code: Literal[
        "no_safe_channel",
        "channel_changed",
        "child_unknown",
        "booking_unknown",
        "no_provider",
        "address_refused",
        "too_late",
        "unsure",
    ]
    """`unsure`: it may have gone out, and is not sent again by itself."""
