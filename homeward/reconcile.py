"""`homeward reconcile`: name what is missing or double between services, and have it told again."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from homeward import comparing
from homeward.asking import NotThereError, Services
from homeward.home import Home
from messaging import topology

DONE, WRONG, AWAY = 0, 1, 75


@dataclass
class Report:
    """What was found; after a repair, what is left of it."""

    edges: list[comparing.Edge]
    feeds: list[comparing.Feed]
    cases: comparing.Cases

    @property
    def complete(self) -> bool:
        """Tell whether nothing is missing and nothing is double."""
        edges, feeds = (one.wrong for one in self.edges), (one.wrong for one in self.feeds)
        return not (any(edges) or any(feeds) or self.cases.wrong)

    def document(self) -> dict[str, Any]:
        """Return it for programs.

        `{"complete": true,
          "edges": [{"consumer", "publisher", "told": 7, "missing": [event ids], "under_way",
                     "aside", "double", "told_again"}, …],
          "feeds": [{"partner", "unread": 3, "waiting": 0, "lost": [{"release_id", "number"}],
                     "gaps": [numbers], "sent_again"}, …],
          "cases": {"episodes": 9, "offers": 9, "without_offer": [episode ids],
                    "without_episode", "offered_twice"}}`

        `aside` is in the consumer's dead letters (`homeward dlq`), and `under_way` waits at its
        durable: neither is missing.
        """
        return {
            "complete": self.complete,
            "edges": [asdict(one) for one in self.edges],
            "feeds": [asdict(one) for one in self.feeds],
            "cases": asdict(self.cases),
        }


def reconcile(home: Home, *, as_json: bool, repair: bool, within_s: float) -> int:
    """Compare everything, print what was found; return 0 only where all is complete."""
    try:
        with Services(home) as services:
            report = compare(services, topology.load(), within_s, repair=repair)
    except NotThereError as error:
        print(f"homeward: {error}", file=sys.stderr)
        return AWAY
    if as_json:
        print(json.dumps(report.document(), indent=2))
    else:
        print("\n".join(lines(report, repair=repair)))
    return DONE if report.complete else WRONG


def compare(
    services: Services, services_of: topology.Topology, within_s: float, *, repair: bool
) -> Report:
    """Compare all edges, all feeds, and episodes with offers; wait `within_s` in all at most."""
    until = time.monotonic() + within_s
    edges = comparing.edges(services, services_of, until, repair=repair)
    feeder = services_of.feeder
    feeds = comparing.feeds(services, feeder, until, repair=repair) if feeder else []
    return Report(edges, feeds, comparing.cases(services, until))


def lines(report: Report, *, repair: bool) -> Iterator[str]:
    """Yield what a person reads: one line per edge and feed, then each thing that is wrong."""
    for edge in report.edges:
        yield f"{edge.consumer} of {edge.publisher}: {edge.told} told{_counted(asdict(edge))}"
        yield from _named(asdict(edge), ("missing", "double", "aside", "under_way"))
    for feed in report.feeds:
        yield f"feed {feed.partner}: {feed.unread} unread{_counted(asdict(feed))}"
        yield from (f"  lost {one['number']} {one['release_id']}" for one in feed.lost)
        yield from (f"  no release has number {number}" for number in feed.gaps)
    yield f"cases: {report.cases.episodes} episodes, {report.cases.offers} offers"
    yield from _named(asdict(report.cases), ("without_offer", "without_episode", "offered_twice"))
    if report.complete:
        yield "nothing is missing or double"
    elif repair:
        yield "not everything could be repaired: the lines above are left"
    else:
        yield "`homeward reconcile --repair` has what is missing told again"


def _counted(one: dict[str, Any]) -> str:
    found = [
        f"{len(ids)} {kind.replace('_', ' ')}"
        for kind, ids in one.items()
        if isinstance(ids, list) and ids
    ]
    return "".join(f", {text}" for text in found)


def _named(one: dict[str, Any], kinds: tuple[str, ...]) -> Iterator[str]:
    for kind in kinds:
        yield from (f"  {kind.replace('_', ' ')} {event_id}" for event_id in one[kind])
