"""Counters and histograms of one service, light ones of our own; labels are codes, never ids.

The libraries' middlewares together made a service seven times slower. What is expected is there
from the start as 0, because an alert or a graph cannot tell "none" from "not measured".
"""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from messaging.gauges import Gauges, Look
from messaging.telemetry import dropped

disable_created_metrics()  # type: ignore[no-untyped-call]

RESULTS = ("done", "again", "waits", "failed")
"""What may become of a delivery at one handler."""
_EVENT_S = (0.005, 0.02, 0.1, 0.5, 2.0, 30.0)
_HTTP_S = (0.005, 0.02, 0.1, 0.5, 2.0, 5.0)
"""Few, because each is a line per route and a line costs seven microseconds of every scrape."""


class Metrics:
    """What one service counts and times, and what it looks up when it is asked."""

    def __init__(self, looks: Iterable[Look] = ()) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(dropped)
        ProcessCollector(registry=self.registry)
        self.gauges = Gauges(looks)
        self.registry.register(self.gauges)
        self.handled = Counter(
            "homeward_events_handled",
            "Deliveries of events by handler and result",
            ["handler", "result"],
            registry=self.registry,
        )
        self.handling = Histogram(
            "homeward_event_seconds",
            "Time from taking an event to its commit, by handler",
            ["handler"],
            buckets=_EVENT_S,
            registry=self.registry,
        )
        self.published = Counter(
            "homeward_events_published", "Events the broker stored", registry=self.registry
        )
        self.dead = Counter(
            "homeward_dead_letters", "Events put aside", ["reason"], registry=self.registry
        )
        self.requests = Counter(
            "homeward_http_requests",
            "Requests by route, method and status",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.request_failures = Counter(
            "homeward_http_failures",
            "Requests answered with 500 or more, by route",
            ["route"],
            registry=self.registry,
        )
        self.answering = Histogram(
            "homeward_http_seconds",
            "Time to answer a request, by route",
            ["route"],
            buckets=_HTTP_S,
            registry=self.registry,
        )
        self.failures = Counter(
            "homeward_background_failures",
            "Failures of background work",
            ["name"],
            registry=self.registry,
        )
        self.pending = Gauge(
            "homeward_pending",
            "Work that waits; all zero when the service is at rest, NaN where it cannot be known",
            ["kind"],
            registry=self.registry,
        )
        self.clock = Gauge(
            "homeward_clock_seconds",
            "The service's own time as seconds since 1970; another machine's time is not far off",
            registry=self.registry,
        )
        build = Gauge(
            "homeward_build_info",
            "1, with the version that runs",
            ["version"],
            registry=self.registry,
        )
        build.labels(_version()).set(1)

    def expect(
        self, *, handlers: Iterable[str], work: Iterable[str], routes: Iterable[str]
    ) -> None:
        """Have these read as 0 until something happens."""
        for reason in ("unparseable", "failed"):
            self.dead.labels(reason)
        for handler in handlers:
            self.handling.labels(handler)
            for result in RESULTS:
                self.handled.labels(handler, result)
        for name in work:
            self.failures.labels(name)
        for route in routes:
            self.answering.labels(route)
            self.request_failures.labels(route)


def _version() -> str:
    """Return the version as installed; a container holds the source alone."""
    try:
        return version("homeward")
    except PackageNotFoundError:
        return "unknown"
