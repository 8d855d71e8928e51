"""Which function takes which event: `@events.on(ThingDone, by="here.do_next")`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from contracts.event import Event
from messaging.topology import Topology

if TYPE_CHECKING:
    from messaging.app import App

E = TypeVar("E", bound=Event)
Handler = Callable[[E, "App"], Awaitable[None]]


class UnknownSubscriptionError(Exception):
    """A service listens to a fact that the topology does not give it."""


@dataclass(frozen=True)
class Subscription:
    """One handler of one kind of event."""

    kind: type[Event]
    by: str
    handler: Callable[[Any, "App"], Awaitable[None]]


class Subscriptions:
    """The handlers of one service, by subject."""

    def __init__(self) -> None:
        self._by_subject: dict[str, list[Subscription]] = {}

    def on(self, kind: type[E], *, by: str) -> Callable[[Handler[E]], Handler[E]]:
        """Register a handler; `by` is its name in the inbox and is never changed."""

        def registered(handler: Handler[E]) -> Handler[E]:
            self._by_subject.setdefault(kind.subject, []).append(Subscription(kind, by, handler))
            return handler

        return registered

    def of(self, subject: str) -> tuple[Subscription, ...]:
        """Return the handlers of a subject."""
        return tuple(self._by_subject.get(subject, ()))

    @property
    def handlers(self) -> tuple[str, ...]:
        """Return the names of all handlers."""
        return tuple(one.by for several in self._by_subject.values() for one in several)

    @property
    def subjects(self) -> frozenset[str]:
        """Return all subjects that have a handler."""
        return frozenset(self._by_subject)

    def fit(self, service: str, topology: Topology) -> "Subscriptions":
        """Return self, or raise UnknownSubscriptionError where the topology says otherwise."""
        heard = {s for durable in topology.durables_of(service) for s in durable.subjects}
        if unknown := self.subjects - heard:
            raise UnknownSubscriptionError(f"{service} hears nothing of {sorted(unknown)}")
        return self
