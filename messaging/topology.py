"""The topology file, read: who publishes and consumes what, and who may call whom."""

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

FILE = Path(__file__).with_name("topology.yaml")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Node(_Strict):
    """One service."""

    publishes: tuple[str, ...] = ()
    consumes: dict[str, tuple[str, ...]] = {}
    calls: tuple[str, ...] = ()
    feeds: bool = False
    mails: bool = False


class Streams(_Strict):
    """What all streams have in common."""

    max_age_days: int
    duplicate_window_s: int
    max_bytes: int


class Durables(_Strict):
    """What all durable consumers have in common."""

    ack_wait_s: int
    handle_within_s: int
    max_ack_pending: int
    batch: int


class Durable(_Strict):
    """One durable consumer: what `consumer` hears of `publisher`."""

    consumer: str
    publisher: str
    subjects: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return `<consumer>-<publisher>`."""
        return f"{self.consumer}-{self.publisher}"

    @property
    def stream(self) -> str:
        """Return the publisher's stream."""
        return event_stream(self.publisher)


class Topology(_Strict):
    """The whole file; a name in it that leads nowhere is refused."""

    services: dict[str, Node]
    streams: Streams
    durables: Durables

    @model_validator(mode="after")
    def _leads_somewhere(self) -> "Topology":
        for name, node in self.services.items():
            for publisher, facts in node.consumes.items():
                if publisher not in self.services:
                    raise ValueError(f"{name} consumes of {publisher}, which is no service")
                unknown = set(facts) - set(self.services[publisher].publishes)
                if unknown:
                    raise ValueError(f"{name}: {publisher} does not publish {sorted(unknown)}")
            if missing := set(node.calls) - set(self.services):
                raise ValueError(f"{name} calls {sorted(missing)}, which are no services")
        if sum(node.feeds for node in self.services.values()) > 1:
            raise ValueError("one service alone publishes to feeds")
        return self

    def durables_of(self, service: str) -> tuple[Durable, ...]:
        """Return what `service` hears, one durable per publisher."""
        return tuple(
            Durable(
                consumer=service,
                publisher=publisher,
                subjects=tuple(subject_of(publisher, fact) for fact in facts),
            )
            for publisher, facts in sorted(self.services[service].consumes.items())
        )

    def consumers_of(self, publisher: str) -> tuple[Durable, ...]:
        """Return the durables on the stream of `publisher`."""
        return tuple(
            durable
            for name in sorted(self.services)
            for durable in self.durables_of(name)
            if durable.publisher == publisher
        )

    def may_call(self, caller: str, target: str) -> bool:
        """Tell whether there is an edge `caller` -> `target`."""
        return caller in self.services and target in self.services[caller].calls

    def may_compare(self, consumer: str, publisher: str) -> bool:
        """Tell whether `consumer` may ask `publisher` what it told (comparing.py)."""
        return consumer in self.services and publisher in self.services[consumer].consumes

    def targets_of(self, service: str) -> tuple[str, ...]:
        """Return whom `service` asks over HTTP: those it calls, and those it compares with."""
        node = self.services[service]
        return tuple(sorted({*node.calls, *node.consumes}))

    def http_edges(self) -> list[tuple[str, str]]:
        """Return each pair of services where the first asks the second: tokens, network rules."""
        return [(name, to) for name in sorted(self.services) for to in self.targets_of(name)]

    @property
    def feeder(self) -> str | None:
        """Return the service that publishes to partners' feeds."""
        return next((name for name, node in self.services.items() if node.feeds), None)


def subject_of(publisher: str, fact: str) -> str:
    """Return the subject of a fact, e.g. `evt.a.thing_done.v1`."""
    return f"evt.{publisher}.{fact}"


def event_stream(service: str) -> str:
    """Return the stream that holds what `service` publishes."""
    return f"EVT_{service.upper()}"


def dead_stream(service: str) -> str:
    """Return the stream that holds what `service` could not handle."""
    return f"DLQ_{service.upper()}"


def feed_stream(partner: str) -> str:
    """Return the stream that holds one partner's feed."""
    return f"FEED_{partner}"


def stream_of(subject: str) -> str:
    """Return the stream that captures a subject of ours."""
    kind, owner, *_ = subject.split(".")
    return {"evt": event_stream, "dlq": dead_stream, "feed": feed_stream}[kind](owner)


@cache
def load(path: Path = FILE) -> Topology:
    """Read and check the topology file."""
    return Topology.model_validate(yaml.safe_load(path.read_text()))
