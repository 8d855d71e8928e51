"""What is missing between the services of a home is named and repaired; dead letters go back."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pytest

from contracts.referral import EpisodeReferred
from homeward import comparing, reconcile
from homeward.asking import RefusedError
from homeward.home import Home
from messaging import topology


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with one child in it, whose services compare at the start and then not for an hour."""
    made = Home.at(tmp_path_factory.mktemp("home") / "home")
    try:
        up = homeward("up", "--detach", home=made, HOMEWARD_COMPARE_EVERY_S="3600")
        assert up.returncode == 0, up.stderr
        refer(made)
        until_compared(made, "scheduling")
        yield made
    finally:
        homeward("down", home=made)


def homeward(*words: str, home: Home, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command for one home."""
    return subprocess.run(
        [sys.executable, "-m", "homeward", *words, "--home", str(home.path)],
        capture_output=True, text=True, timeout=180, check=False, env={**os.environ, **env},
    )  # fmt: skip


def refer(home: Home) -> None:
    """Refer one child."""
    body = {
        "source": "council",
        "locality": "northshire",
        "child": {"given_name": "Sam", "family_name": "X", "date_of_birth": "2012-01-01"},
        "episode": {
            "missing_from": "2026-11-20T18:00:00Z",
            "returned_at": "2026-11-21T08:00:00Z",
        },
    }
    headers = {
        "Authorization": f"Bearer {home.token('practitioner')}",
        "Content-Type": "application/json",
    }
    request = urllib.request.Request(  # noqa: S310 - our own service
        f"{home.url('referral')}/referrals", json.dumps(body).encode(), headers
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own service
        assert answer.status == 201


def until_compared(home: Home, service: str) -> None:
    """Wait until a service has compared by itself, as it does once at its start."""
    until = time.monotonic() + 60
    with sqlite3.connect(home.db(service), timeout=10) as db:
        while not db.execute(
            "select count(*) from compared where publisher = 'referral'"
        ).fetchone()[0]:
            assert time.monotonic() < until, f"{service} does not compare"
            time.sleep(0.1)


def forget(home: Home, service: str) -> int:
    """Take the claims on events of `referral` out of a service's inbox, as if it lacked them."""
    with sqlite3.connect(home.db(service), timeout=10) as db:
        return db.execute("delete from inbox where handler like '%make_offer'").rowcount


def test_what_is_missing_is_named_then_repaired(home: Home):
    before = homeward("reconcile", home=home)
    assert before.returncode == 0, before.stdout
    assert forget(home, "scheduling") == 1

    found = homeward("reconcile", "--json", home=home)
    repaired = homeward("reconcile", "--json", "--repair", home=home)
    after = homeward("reconcile", home=home)

    assert "nothing is missing or double" in before.stdout
    assert found.returncode == 1
    (edge,) = [one for one in json.loads(found.stdout)["edges"] if one["missing"]]
    assert (edge["consumer"], edge["publisher"]) == ("scheduling", "referral")
    document = json.loads(repaired.stdout)
    assert repaired.returncode == 0
    assert [e["told_again"] for e in document["edges"] if e["told_again"]] == [edge["missing"]]
    assert document["complete"]
    assert document["cases"] == {
        "episodes": 1, "offers": 1, "without_offer": [], "without_episode": [], "offered_twice": [],
    }  # fmt: skip
    assert after.returncode == 0


def test_dead_letters_are_listed_shown_and_tried_again(home: Home):
    asyncio.run(publish(home, b"no event"))
    end = time.monotonic() + 30
    while len(found := listed(home)) < 3:
        assert time.monotonic() < end, found
        time.sleep(0.2)

    one = next(letter for letter in found if letter["service"] == "scheduling")
    shown = homeward("dlq", "show", "scheduling", str(one["id"]), home=home)
    again = homeward("dlq", "retry", "scheduling", "--all", home=home)
    nothing = homeward("dlq", "retry", "notify", "--all", home=home)
    unclear = homeward("dlq", "retry", "scheduling", home=home)
    nobody = homeward("dlq", "show", "console", "1", home=home)

    assert {letter["service"] for letter in found} == {"scheduling", "interview", "sharing"}
    assert (one["reason"], one["subject"]) == ("unparseable", EpisodeReferred.subject)
    assert json.loads(shown.stdout)["body"] == "no event"
    assert again.returncode == 1
    assert f"scheduling {one['id']}: unparseable" in again.stdout
    assert (nothing.returncode, unclear.returncode, nobody.returncode) == (0, 2, 2)
    assert homeward("reconcile", home=home).returncode == 0  # what nobody told, nobody lacks


def listed(home: Home) -> list[dict[str, Any]]:
    """Return what `homeward dlq ls --json` prints."""
    found: list[dict[str, Any]] = json.loads(homeward("dlq", "ls", "--json", home=home).stdout)
    return found


async def publish(home: Home, body: bytes) -> None:
    """Put bytes on the bus that no service of ours would."""
    client = await nats.connect(home.nats_url, nkeys_seed=str(home.nkey("provisioner")))
    await client.jetstream().publish(EpisodeReferred.subject, body)
    await client.close()


def test_where_nothing_runs_it_says_so_and_means_later(tmp_path: Path):
    home = Home.at(tmp_path / "home").make()

    for words in (["reconcile"], ["dlq", "ls"]):
        ended = homeward(*words, home=home)
        assert ended.returncode == 75
        assert "homeward up" in ended.stderr


# Wherever the services run: answers that were made up


class Answers:
    """Services that answer from a table."""

    def __init__(self, **answers: Any) -> None:
        self.offers = ["EP-1", "EP-1", "EP-3", "EP-5"]
        self.episodes = ["EP-1", "EP-2", "EP-4"]
        self.known = {("scheduling", "/episodes/EP-4"), ("referral", "/episodes/EP-5")}
        self.lost = [{"release_id": "R-1", "number": 1}]
        self.posted: list[tuple[str, str, Any]] = []

    def all(self, service: str, path: str, role: str = "ops", **_: Any) -> Iterator[Any]:
        if path == "/offers":
            yield from ({"id": f"OF-{n}", "episode_id": e} for n, e in enumerate(self.offers))
        elif path == "/episodes":
            yield from ({"id": episode} for episode in self.episodes)

    def get(self, service: str, path: str, role: str = "ops", **_: Any) -> Any:
        if path == "/feeds":
            feed = {"partner": "p", "unread": 2, "waiting": 0, "lost": self.lost, "gaps": [2]}
            return {"items": [feed]}
        if (service, path) not in self.known:
            raise RefusedError(service, 404, "episode.unknown")
        return {}

    def post(self, service: str, path: str, body: Any = None, role: str = "ops") -> Any:
        self.posted.append((service, path, body))
        self.lost = []
        return {"again": 1}


def test_each_episode_has_one_offer_and_the_other_way_round():
    found = comparing.cases(Answers(), time.monotonic() + 5)

    assert found.without_offer == ["EP-2"]  # EP-4 has got one since it was listed
    assert found.without_episode == ["EP-3"]
    assert found.offered_twice == ["EP-1"]


def test_a_release_that_a_feed_lost_is_sent_again_and_a_gap_cannot_be():
    answers = Answers()

    before = reconcile.compare(answers, topology.load(), 1, repair=False)
    after = reconcile.compare(answers, topology.load(), 1, repair=True)

    assert before.feeds[0].lost
    assert answers.posted == [("sharing", "/feeds/p/again", None)]
    assert (after.feeds[0].lost, after.feeds[0].gaps) == ([], [2])
    assert after.feeds[0].sent_again == [{"release_id": "R-1", "number": 1}]
    assert not after.complete
    assert "  no release has number 2" in list(reconcile.lines(after, repair=True))
