"""Compare what services told each other with what each holds; wherever they run.

Everything is asked through `Services`, so it does not matter whether these run in a home on this
machine or elsewhere.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from typing import Any

from homeward.asking import RefusedError, Services
from messaging.topology import Topology

PAGE = 1000
AGAIN_MAX = 100
_LOOK_S = 0.5


@dataclass
class Edge:
    """How one consumer stands with what one publisher told it; lists hold ids of events."""

    consumer: str
    publisher: str
    told: int = 0
    missing: list[str] = field(default_factory=list)
    under_way: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    told_again: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        """Tell whether something is missing or double; what was put aside is named elsewhere."""
        return bool(self.missing or self.double)


@dataclass
class Feed:
    """How one partner's feed stands; lists hold releases as `{"release_id", "number"}`."""

    partner: str
    unread: int
    """Sent and not acknowledged."""
    waiting: int
    """Permitted or numbered, and not on the feed yet."""
    lost: list[dict[str, Any]]
    gaps: list[int]
    """Numbers that no release has."""
    sent_again: list[dict[str, Any]] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        """Tell whether the partner lacks something that it should be able to read."""
        return bool(self.lost or self.gaps)


@dataclass
class Cases:
    """Episodes and offers: each episode has one. Lists hold ids of episodes."""

    episodes: int = 0
    offers: int = 0
    without_offer: list[str] = field(default_factory=list)
    without_episode: list[str] = field(default_factory=list)
    offered_twice: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        """Tell whether an episode has not exactly one offer."""
        return bool(self.without_offer or self.without_episode or self.offered_twice)


def edges(services: Services, topology: Topology, until: float, *, repair: bool) -> list[Edge]:
    """Compare along each edge over which events travel; wait for what is on its way."""
    pairs = [
        Edge(consumer, durable.publisher)
        for consumer in sorted(topology.services)
        for durable in topology.durables_of(consumer)
    ]
    return [_compared(services, edge, until, repair=repair) for edge in pairs]


def _compared(services: Services, edge: Edge, until: float, *, repair: bool) -> Edge:
    open_: dict[str, Any] = {}
    told = services.all(edge.publisher, "/told", consumer=edge.consumer, limit=PAGE)
    for events in _batched(told, PAGE):
        edge.told += len(events)
        open_ |= _stand(services, edge, events)
    open_ = _settle(services, edge, open_, until)
    if repair and open_:
        for some in _batched(sorted(open_), AGAIN_MAX):
            asked = {"consumer": edge.consumer, "event_ids": list(some)}
            edge.told_again += services.post(edge.publisher, "/told/again", asked)["told"]
        _settle(services, edge, open_, until, missing_too=True)
    return edge


def _stand(services: Services, edge: Edge, events: Sequence[Any]) -> dict[str, Any]:
    """Ask how the consumer stands with some events; return those that it has not taken yet."""
    asked = {
        "publisher": edge.publisher,
        "events": [{key: one[key] for key in ("event_id", "subject", "sent_at")} for one in events],
    }
    answer = services.post(edge.consumer, "/handled", asked)
    for kind in ("missing", "under_way", "aside", "double"):
        setattr(edge, kind, getattr(edge, kind) + answer[kind])
    not_taken = {*answer["missing"], *answer["under_way"]}
    return {one["event_id"]: one for one in events if one["event_id"] in not_taken}


def _settle(
    services: Services,
    edge: Edge,
    open_: dict[str, Any],
    until: float,
    *,
    missing_too: bool = False,
) -> dict[str, Any]:
    """Look again at what is open until nothing is on its way or time is up; return what is left."""
    while open_ and (edge.under_way or (missing_too and edge.missing)):
        if time.monotonic() > until:
            break
        time.sleep(_LOOK_S)
        edge.missing, edge.under_way = [], []
        edge.aside = [event_id for event_id in edge.aside if event_id not in open_]
        left: dict[str, Any] = {}
        for events in _batched(open_.values(), PAGE):
            left |= _stand(services, edge, events)
        open_ = left
    return open_


def feeds(services: Services, feeder: str, until: float, *, repair: bool) -> list[Feed]:
    """Compare what was sent to each partner with what its feed holds."""
    found = list(_feeds(services, feeder))
    if not repair:
        return found
    lost = {feed.partner: feed.lost for feed in found if feed.lost}
    for partner in lost:
        services.post(feeder, f"/feeds/{partner}/again")
    while any(feed.lost or feed.waiting for feed in found) and time.monotonic() < until:
        time.sleep(_LOOK_S)
        found = list(_feeds(services, feeder))
    for feed in found:
        feed.sent_again = [one for one in lost.get(feed.partner, []) if one not in feed.lost]
    return found


def _feeds(services: Services, feeder: str) -> Iterator[Feed]:
    for one in services.get(feeder, "/feeds")["items"]:
        yield Feed(**one)


def cases(services: Services, until: float) -> Cases:
    """Compare episodes with offers; what was made between the two lists is asked for by name."""
    episodes = {one["id"] for one in services.all("referral", "/episodes", "manager")}
    offers = [one["episode_id"] for one in services.all("scheduling", "/offers", "manager")]
    seen = Counter(offers)
    return Cases(
        episodes=len(episodes),
        offers=len(offers),
        without_offer=_unknown(services, "scheduling", episodes - set(seen), until),
        without_episode=_unknown(services, "referral", set(seen) - episodes, until),
        offered_twice=sorted(episode for episode, times in seen.items() if times > 1),
    )


def _unknown(services: Services, service: str, episodes: set[str], until: float) -> list[str]:
    """Return which episodes a service does not know; it waits a little for each itself."""
    found = []
    for episode in sorted(episodes):
        if time.monotonic() > until or not _knows(services, service, episode):
            found.append(episode)
    return found


def _knows(services: Services, service: str, episode: str) -> bool:
    try:
        services.get(service, f"/episodes/{episode}", "manager")
    except RefusedError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return False
        raise
    return True


def _batched(items: Iterable[Any], size: int) -> Iterator[tuple[Any, ...]]:
    """Yield items in pieces; the library has this from Python 3.12 on."""
    left = iter(items)
    while piece := tuple(islice(left, size)):
        yield piece
