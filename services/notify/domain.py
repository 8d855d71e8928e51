"""Which channel is safe, and what follows from an attempt to send. No I/O, no clock."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

Kind = Literal["appointment", "page", "deadline"]
ChannelKind = Literal["email", "text", "letter"]
WRITTEN: Final[tuple[ChannelKind, ...]] = ("email", "text", "letter")
"""A telephone call is made by a worker, not by this service."""

STEP_WITHIN_S: Final = 5
"""How long one step of a conversation with another machine may take."""
CLAIM_ENDS_AFTER: Final = timedelta(seconds=90)
"""A message that is still being sent after this belongs to a process that died: longer than the
dozen steps of the longest attempt can take."""

_FIRST_RETRY_S: Final = 1
_RETRY_S_MAX: Final[dict[Kind, int]] = {"page": 30, "deadline": 300, "appointment": 300}


class State(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    BLOCKED = "blocked"
    UNSURE = "unsure"
    """It may have gone out or not; it is not sent again by itself."""
    SUPERSEDED = "superseded"
    """The appointment has moved: another message tells of it."""


BlockedCode = Literal[
    "no_safe_channel",
    "channel_changed",
    "child_unknown",
    "booking_unknown",
    "no_provider",
    "address_refused",
    "too_late",
    "unsure",
]


@dataclass(frozen=True)
class ChildChannel:
    """A way to reach a child or a carer, as referral holds it."""

    kind: str
    address: str
    safe: str
    whose: str


@dataclass(frozen=True)
class Appointment:
    """A booking, as scheduling holds it now."""

    booking_id: str
    child_id: str
    starts_at: datetime
    stands: bool = True
    """False once another one has replaced it, or the offer has ended."""


class Outcome(StrEnum):
    """What an attempt came to."""

    ACCEPTED = "accepted"
    AWAY = "away"
    """Certainly not sent: the other side could not be reached or asked to wait."""
    REFUSED = "refused"
    """Certainly not sent: this address or message is not taken."""
    UNSURE = "unsure"
    """The connection broke after the message was handed over and before it was confirmed."""


@dataclass(frozen=True)
class Next:
    """What becomes of a message after an attempt."""

    state: State
    again_at: datetime | None = None
    code: BlockedCode | None = None
    task: bool = False


def pick(
    channels: Sequence[ChildChannel], provided: Collection[str], had_one: bool
) -> ChildChannel | BlockedCode:
    """Return the first channel that is the child's own, known to be safe, and that we can use.

    Everything else is unsafe: `unknown`, any other word, and whatever is a carer's (R14, S9).
    `had_one`: a safe channel was there at an earlier attempt, so that its loss is told as a change.
    """
    safe = [c for c in channels if c.whose == "child" and c.safe == "safe" and c.kind in WRITTEN]
    if not safe:
        return "channel_changed" if had_one else "no_safe_channel"
    return next((channel for channel in safe if channel.kind in provided), "no_provider")


def still_true(planned: Appointment, booked: Appointment | None, now: datetime) -> Next | None:
    """Return why the message about `planned` must not go out any more, or None when it may.

    A booking of another child is taken as unknown: it must not reach this one.
    """
    if booked is None or booked.child_id != planned.child_id:
        return Next(State.BLOCKED, code="booking_unknown", task=True)
    if booked.starts_at != planned.starts_at or not booked.stands:
        return Next(State.SUPERSEDED)
    if booked.starts_at <= now:
        return Next(State.BLOCKED, code="too_late", task=True)
    return None


def after(kind: Kind, outcome: Outcome, attempts: int, now: datetime) -> Next:
    """Return what follows an attempt; `attempts` counts it.

    What goes to staff is sent at least once: a page that comes twice costs a glance, one that
    does not come can cost a child. What goes to a child is sent at most once: a second message
    can be seen by the wrong person, so when unsure a worker asks.
    """
    staff = kind != "appointment"
    match outcome:
        case Outcome.ACCEPTED:
            return Next(State.SENT)
        case Outcome.UNSURE if not staff:
            return Next(State.UNSURE, code="unsure", task=True)
        case Outcome.REFUSED if not staff:
            return Next(State.BLOCKED, code="address_refused", task=True)
        case Outcome.REFUSED:
            again = now + timedelta(seconds=_RETRY_S_MAX[kind])
            return Next(State.WAITING, again, "address_refused", task=True)
        case _:
            return Next(State.WAITING, now + retry_after(kind, attempts))


def abandoned(kind: Kind, now: datetime) -> Next:
    """Return what becomes of a message whose sender died: it may be out, nobody can say."""
    return after(kind, Outcome.UNSURE, 1, now)


def retry_after(kind: Kind, attempts: int) -> timedelta:
    """Return how long to wait: doubling from a second up to a maximum, never giving up."""
    growing = _FIRST_RETRY_S * 2 ** min(attempts - 1, 16)
    return timedelta(seconds=min(_RETRY_S_MAX[kind], growing))


TASK_TEXTS: Final[Mapping[str, str]] = {
    "no_safe_channel": "There is no safe way to write to this child. Nothing was sent. "
    "Tell them of the talk another way.",
    "channel_changed": "The way to write to this child is no longer safe. Nothing was sent. "
    "Tell them of the talk another way.",
    "child_unknown": "This child is not known to referral. Nothing was sent. "
    "Check the case, then tell them of the talk.",
    "booking_unknown": "This booking is not known to scheduling. Nothing was sent. "
    "Check the booking, then tell them of the talk.",
    "no_provider": "The safe ways to write to this child are ones we cannot send by. "
    "Nothing was sent. Write or tell them yourself.",
    "address_refused": "The address was not accepted. Nothing was sent. Check it.",
    "too_late": "The talk began before the message could be sent. Nothing was sent. "
    "Check that the child knew.",
    "unsure": "It is not certain whether the message went out. It was not sent again. "
    "Ask the child by a safe way.",
}
