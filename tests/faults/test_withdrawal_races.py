"""Children take their yes back while it is decided, delivered and read: nothing goes unnamed.

Every withdrawal goes through the API of a running `sharing` with the real engine, the partner reads
its feed with its own credentials, and both databases are tried. `HOMEWARD_RACES` says how many; a
long run takes longer than a test may (`HOMEWARD_RACES=2000 pytest -n 0 -s -o faulthandler_timeout=0
tests/faults/test_withdrawal_races.py`); its figures are in docs/reliability.md.
"""

import asyncio
import json
import os
import random
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from faults.defects.seeded import a_release_without_a_lock
from faults.rules import feeds, withdrawals
from faults.seen import Read, Seen, Withdrawal
from sharing.conftest import a_gate, engine, peers  # noqa: F401 - fixtures
from support_gate import NOON, Case, judged

from contracts import feed

pytestmark = pytest.mark.long

RACES = int(os.environ.get("HOMEWARD_RACES", "60"))
AT_ONCE = 6
TRIES = 5
PARTNER = "northshire-council"
RULES = (*withdrawals.RULES, feeds.one_number_each, feeds.no_gap)


async def a_race(case: Case, child_id: str, chance: random.Random) -> Withdrawal:
    """A child agrees, and takes it back at some moment of the way to the feed and of reading."""
    case.child_id = child_id
    episode_id = f"EP-{child_id}"
    await case.referred(episode_id, id=child_id)
    competent = {"judgements": [judged("competence", "competent")]}
    await _asked(case, "PUT", "+/judgements", competent)
    about = {"id": f"EV-{child_id}", "episode_id": episode_id, "offer_id": f"OF-{child_id}"}
    await case.outcome(**about)
    one = {"recipient": PARTNER, "status": "agreed", "consequences_explained": True}
    await _asked(case, "PUT", "+/agreement", {"by": "child", "items": [one]})
    await _goes_its_way(case, child_id, chance)
    asked_at = time.monotonic()
    answer = await _asked(case, "POST", "+/withdrawals", {"recipients": "all"})
    return Withdrawal.of(child_id, "all", asked_at, time.monotonic(), answer.json())


async def _asked(case: Case, method: str, path: str, *body, **who) -> httpx.Response:
    """Ask until there is an answer: on a busy machine a connection is given up now and then."""
    for _ in range(TRIES):
        with suppress(httpx.TransportError):
            answer = await case.do(method, path, *body, **who)
            if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                assert answer.is_success, answer.text
                return answer
    raise AssertionError(f"{method} {path} has no answer")


async def _goes_its_way(case: Case, child_id: str, chance: random.Random) -> None:
    """Wait for one of the places on the way, and then a random moment."""
    wanted = chance.choice(("", "queued", "queued", "claimed", "sent", "sent"))
    ways = {"": 0, "queued": 1, "claimed": 2, "sent": 3, "delivered": 3}
    until = time.monotonic() + 10
    while wanted and time.monotonic() < until:
        path = f"/releases?child_id={child_id}"
        found = await _asked(case, "GET", path, role="manager")
        states = [ways.get(one["state"], 0) for one in found.json()["items"] if one["partner"]]
        if max(states, default=0) >= ways[wanted]:
            break
        await asyncio.sleep(0.02)
    await asyncio.sleep(chance.random() * 0.03)


@asynccontextmanager
async def a_reader(broker, seen: Seen, chance: random.Random):
    """A partner that pulls its feed all the time, now a little and now more."""
    client = await broker.connect(PARTNER)
    js = client.jetstream(prefix="JSC.API", timeout=5)
    subscription = await js.pull_subscribe_bind(PARTNER, f"FEED_{PARTNER}")
    over = asyncio.Event()

    async def read() -> None:
        empty = 0
        while not over.is_set() or empty < 3:
            await asyncio.sleep(chance.random() * chance.choice((0.05, 1.5)))
            empty += 1
            with suppress(TimeoutError):
                for message in await subscription.fetch(chance.choice((1, 3, 9)), timeout=0.05):
                    empty = 0
                    seq = message.metadata.sequence.stream
                    seen.reads.append(Read(PARTNER, message.data, time.monotonic(), seq))
                    await message.ack_sync()

    reading = asyncio.create_task(read())
    try:
        yield
        over.set()
        await reading
    finally:
        reading.cancel()
        await client.close()


async def races(case: Case, count: int, seed: int) -> Seen:
    """Run so many races, several at a time; return what was seen."""
    chance = random.Random(seed)
    await case.clock(NOON)
    await case.partner(PARTNER, "childrens_services")

    async def a_moment(place: str, _release_id: str) -> None:
        # longest where a gate without a lock would go on to send what it had looked at
        await asyncio.sleep(chance.random() * (0.3 if place == "decided" else 0.006))

    case.app.state["outlet"].pause = a_moment
    seen = Seen(drained=frozenset({PARTNER}))
    numbers = iter(range(count))

    async def some() -> None:
        for n in numbers:
            mine = Case(case.service, case.peers, case.nats)
            seen.withdrawals.append(await a_race(mine, f"CH-{n:05}", chance))

    async with a_reader(case.nats, seen, chance):
        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        await case.service.at_rest(60)
    seen.releases = await _all(case, "/releases")
    return seen


async def _all(case: Case, path: str) -> list[dict]:
    found, after = [], ""
    while True:
        more = f"&after={after}" if after else ""
        page = (await _asked(case, "GET", f"{path}?limit=200{more}", role="manager")).json()
        found += page["items"]
        after = page["next"]
        if not after:
            return found


def ends(seen: Seen) -> Counter:
    """Return how the races ended, and how many releases were read."""
    found = Counter(
        read=len({r.event["subject"] for r in seen.reads if r.event["type"] == feed.RELEASE})
    )
    on_feed = {row["id"] for row in seen.releases if row["partner"]}
    for one in seen.withdrawals:
        for kind in ("cancelled", "erased", "left"):
            found[kind] += len(getattr(one, kind) & on_feed)
        found["before"] += not (one.cancelled | one.erased | one.left) & on_feed
    return found


def verdict(seen: Seen) -> list:
    """Return what the oracle has to say about it."""
    return sorted({one for rule in RULES for one in rule(seen)})


async def test_whatever_a_partner_can_read_is_named_by_the_withdrawal(a_gate, database_url):  # noqa: F811
    case = await a_gate()
    began = time.monotonic()
    seen = await races(case, RACES, seed=RACES)
    counted = ends(seen)
    report = {"database": database_url.split(":")[0], "races": RACES, **counted}
    print(json.dumps(report | {"s": round(time.monotonic() - began)}))

    assert verdict(seen) == []
    assert len(seen.withdrawals) == RACES
    assert min(counted["read"], counted["left"], counted["cancelled"] + counted["erased"]) > 0


async def test_a_naive_gate_that_checks_and_then_sends_is_caught(a_gate, monkeypatch):  # noqa: F811
    case = await a_gate()
    a_release_without_a_lock(monkeypatch, None)
    seen = await races(case, min(RACES, 60), seed=1)

    assert "withdrawal.unnamed" in {one.code for one in verdict(seen)}
