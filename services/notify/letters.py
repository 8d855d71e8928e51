"""Makes a message ready to leave: asks who is to get it now, by which way, and writes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from messaging.app import App
from messaging.edge import NotFoundThereError
from messaging.errors import AwayError
from services.notify import domain
from services.notify.channels import Channel, Outgoing
from services.notify.domain import Appointment, ChildChannel, Next, State
from services.notify.settings import Locality, localities
from services.notify.tables import Message
from services.notify.templates import render
from services.notify.wording import day_and_time, one_line, time_only


@dataclass(frozen=True)
class Ready:
    """A message that may leave now, to each of these."""

    kind: domain.ChannelKind
    channel: Channel
    outgoing: tuple[Outgoing, ...]


_PAGES: Final = {
    "urgent_hold": "Something about harm waits for your judgement.",
    "child_not_told": "Something is ready to be passed on, but the child has not been told yet.",
    "policy_lockdown": "All sharing is stopped, except where somebody is in immediate danger.",
    "hold_overdue": "A judgement is overdue. Nothing has been passed on meanwhile.",
}
_CLOCKS: Final = {
    "contact": "first contact with the child",
    "rhi": "the return home interview",
    "follow_up_child": "the follow-up with the child",
    "follow_up_professional": "the follow-up with the professional",
}
_DEADLINES: Final = {
    "near": ("A deadline is near", "The time for {} is nearly up."),
    "missed": ("A deadline was missed", "The time for {} is up and it has not happened."),
}


async def ready(app: App, message: Message) -> Ready | Next:
    """Return the message as it may leave now, or what becomes of it instead.

    Raises AwayError where that cannot be known; nothing has been sent then.
    """
    channels: Mapping[domain.ChannelKind, Channel] = app.state["channels"]
    if message.kind == "appointment":
        return await _to_child(app, message, channels)
    return await _to_staff(app, message, channels)


async def _to_child(
    app: App, message: Message, channels: Mapping[domain.ChannelKind, Channel]
) -> Ready | Next:
    """The channel is asked last: it may have become unsafe a moment ago (S9)."""
    booking = await _ask(app, "scheduling", f"/bookings/{message.cause_id}")
    planned = Appointment(message.cause_id, message.child_id, message.at)
    if (instead := domain.still_true(planned, _booked(booking), app.clock.now())) is not None:
        return instead
    child = await _ask(app, "referral", f"/children/{message.child_id}")
    if child is None:
        return Next(State.BLOCKED, code="child_unknown", task=True)
    known = [ChildChannel(**_only(c, ChildChannel.__match_args__)) for c in child["channels"]]
    picked = domain.pick(known, channels.keys(), had_one=message.channel is not None)
    if isinstance(picked, str):
        return Next(State.BLOCKED, code=picked, task=True)
    kind = next(kind for kind in domain.WRITTEN if kind == picked.kind)
    values = {
        "service": app.settings.service_name,
        "worker": one_line(booking.get("worker_name") or "One of our workers"),
        "when": day_and_time(message.at),
        "venue": one_line(booking["venue"]),
    }
    return Ready(kind, channels[kind], (_outgoing(app, message, kind, picked.address, values),))


async def _to_staff(
    app: App, message: Message, channels: Mapping[domain.ChannelKind, Channel]
) -> Ready | Next:
    if "email" not in channels:
        raise AwayError("smtp", "not_set")
    code = message.locality
    if code is None:
        child = await _ask(app, "referral", f"/children/{message.child_id}")
        code = child["locality"] if child else None
    told = _who(localities(app.settings.localities), code)
    outgoing = tuple(
        _outgoing(app, message, "email", getattr(one, message.to_role), _values(message, one))
        for one in told
    )
    return Ready("email", channels["email"], outgoing)


def _who(known: dict[str, Locality], code: str | None) -> list[Locality]:
    """Return whose people are told; of a locality that nobody knows, all localities are.

    Such a message names only ids, and telling nobody is the worse mistake.
    """
    if code in known:
        return [known[code]]
    if known:
        return list(known.values())
    raise AwayError("localities", "none")


def _values(message: Message, locality: Locality) -> dict[str, str]:
    about = {
        "child": message.child_id,
        "due": day_and_time(message.at, locality.time_zone),
    }
    if message.kind == "page":
        return about | {
            "what": _PAGES[str(message.code)],
            "due_time": time_only(message.at, locality.time_zone),
            "page": message.cause_id,
        }
    clock, _, how = str(message.code).rpartition(".")
    heading, what = _DEADLINES[how]
    return about | {
        "heading": heading,
        "what": what.format(_CLOCKS[clock]),
        "episode": str(message.episode_id),
    }


def _outgoing(
    app: App, message: Message, kind: domain.ChannelKind, to: str, values: dict[str, str]
) -> Outgoing:
    text = render(message.template, message.template_version, message.language, kind, values)
    return Outgoing(message.message_id, to, text.subject, text.body, app.clock.now())


def _booked(booking: Any) -> Appointment | None:
    if booking is None:
        return None
    starts_at = datetime.fromisoformat(booking["starts_at"])
    stands = booking.get("stands", True) is True
    return Appointment(booking["booking_id"], booking["child_id"], starts_at, stands)


async def _ask(app: App, service: str, path: str) -> Any:
    """Return the answer, or None where there is no such thing."""
    try:
        return await app.edges[service].get(path)
    except NotFoundThereError:
        return None


def _only(given: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    return {name: str(given[name]) for name in names}
