"""Walking the runbooks: the condition is caused, the alert's question finds it, the page ends it.

Without the alerts' `for`: time passes by the test clock here, and promtool tests the rest.
"""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from seeing_home import RULES, Watched

from homeward import probe
from homeward.demo import partners
from homeward.demo.world import World
from homeward.home import SERVICES

PAGES = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
}
ELSEWHERE = {
    "PolicyRefuses": "needs ten minutes of real time; PolicyEngineAway is walked for the same page",
    "PolicySlow": "needs ten minutes of real time; PolicyEngineAway is walked for the same page",
    "EventsWait": "needs ten minutes of real time; EventsFail is walked for the same page",
    "MessagesWait": "the same as PageNotSent for other messages",
    "NotTold": "the same as TasksOverdue",
    "BackgroundFails": "the same as RequestsFail",
    "DeadlinesNotAnnounced": "a look finds it (test_looks.py); its cause would be a fault of ours",
    "FeedStuck": "test_looks.py finds it; BrokerAway is walked for the same cause",
    "PageNotTaken": "needs broker and notify away together; test_looks.py finds it",
    "ChildNotTold": "the demo's S5 walks it; test_looks.py finds it",
    "MemoryHigh": "no fault that fills memory is known",
    "ComparisonFinds": "walked with `homeward reconcile`",
    "Quarantine": "walked with `homeward restore`",
}


class Walk:
    """Somebody on call, with the commands of the pages."""

    def __init__(self, watched: Watched) -> None:
        self.watched, self.home = watched, watched.home
        self.walked: set[str] = set()
        self.now = datetime.now(UTC)

    def begins(self, alert: str, within_s: float = 60) -> None:
        self.watched.eventually(PAGES[alert]["expr"], within_s=within_s)
        self.walked.add(alert)

    def ends(self, alert: str, within_s: float = 60) -> None:
        self.watched.eventually(PAGES[alert]["expr"], true=False, within_s=within_s)

    def says(self, *wanted: str) -> None:
        """See that `homeward status` says it on its one screen."""
        said = self.run("status")
        for words in wanted:
            assert words in said, said

    def run(self, *words: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "homeward", *words, "--home", str(self.home.path)],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        return ended.stdout + ended.stderr

    def signal(self, part: str, number: int) -> int:
        pid = self.home.state()["parts"][part]["pid"]
        os.kill(pid, number)
        return pid

    def call(self, who: str, method: str, service: str, path: str, body=None, **more):
        async def calling():
            world = World(self.home)
            try:
                return await world.call(who, method, service, path, body, **more)
            finally:
                await world.close()

        return asyncio.run(calling())

    def later(self, failing: str = "", **by: float) -> None:
        """Let time pass on every service; the timers of `failing` cannot all run."""
        self.now += timedelta(**by)
        for name in SERVICES:
            expect = (503,) if name == failing else (200,)
            body = {"now": self.now.isoformat()}
            self.call("ops", "PUT", name, "/clock", body, expect=expect)

    def rest(self) -> None:
        """Wait until all services are ready and at rest after what was done to them."""
        eventually(self.ready, within_s=90)

        async def resting():
            world = World(self.home)
            try:
                await world.rest()
            finally:
                await world.close()

        asyncio.run(resting())

    def ready(self) -> bool:
        return all(probe.is_ready(self.home.url(name)) for name in SERVICES)

    @contextmanager
    def without(self, service: str, table: str):
        """Take away a table, as a fault in a migration would."""
        self._sql(service, f"ALTER TABLE {table} RENAME TO {table}_away")
        try:
            yield
        finally:
            self._sql(service, f"ALTER TABLE {table}_away RENAME TO {table}")

    @contextmanager
    def tampered(self):
        """Change the ledger's newest entry, as somebody could who writes to the database."""
        with closing(sqlite3.connect(self.home.db("sharing"), timeout=20)) as db:
            named = "SELECT sql FROM sqlite_master WHERE name = 'ledger_entry_no_update'"
            (trigger,) = db.execute(named).fetchone()
            newest = "SELECT seq, kind FROM ledger_entry ORDER BY seq DESC LIMIT 1"
            seq, kind = db.execute(newest).fetchone()
            change = "UPDATE ledger_entry SET kind = ? WHERE seq = ?"
            db.execute("DROP TRIGGER ledger_entry_no_update")
            db.execute(change, ("nothing", seq))
            db.commit()
            try:
                yield
            finally:
                db.execute(change, (kind, seq))
                db.execute(trigger)
                db.commit()

    def _sql(self, service: str, statement: str) -> None:
        with closing(sqlite3.connect(self.home.db(service), timeout=20)) as db:
            db.execute(statement)
            db.commit()

    def refer(self, number: int) -> tuple[str, str]:
        """Refer a child; return the child and the episode."""
        back = self.now - timedelta(hours=1)
        body = {
            "source": "parent", "locality": "northshire",
            "child": {"given_name": f"Walk{number}", "family_name": "Example",
                      "date_of_birth": "2012-05-06", "responsible_la": "northshire"},
            "episode": {"missing_from": (back - timedelta(hours=9)).isoformat(),
                        "returned_at": back.isoformat()},
            "received_at": self.now.isoformat(),
        }  # fmt: skip
        made = self.call("worker", "POST", "referral", "/referrals", body, key=f"walk-{number}")
        return made["child_id"], made["episode_id"]


def eventually(holds: Callable[[], object], within_s: float = 60) -> None:
    """Wait until something holds."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def walk(watched: Watched) -> Walk:
    return Walk(watched)


@pytest.fixture(autouse=True)
def afterwards(walk: Walk):
    """Each walk leaves a system at rest to the next."""
    yield
    walk.rest()


def test_the_test_clock_is_a_wrong_clock_until_it_is_set_right(walk: Walk):
    walk.begins("ClockWrong")
    walk.says("the test clock is on")
    walk.later()
    walk.ends("ClockWrong")


def test_a_clock_is_near_then_missed_until_contact_is_recorded(walk: Walk):
    _, episode = walk.refer(1)
    walk.later(hours=20, minutes=30)
    walk.begins("ClockNear")
    walk.later(hours=4)
    walk.begins("ClockMissed")
    walk.says("! clocks", "1 missed")
    from homeward.demo.actions import R16_POINTS

    contact = {"method": "phone", "occurred_at": walk.now.isoformat(), "outcome": "contact",
               "points_told": list(R16_POINTS)}  # fmt: skip
    walk.call("worker", "POST", "scheduling", f"/episodes/{episode}/attempts", contact)
    walk.ends("ClockMissed")


def test_an_urgent_hold_pages_then_calls_out_then_ends_when_the_lead_judges(walk: Walk):
    child, episode = walk.refer(2)
    began = walk.now - timedelta(minutes=50)
    said = {
        "kind": "interview", "episode_ids": [episode], "started_at": began.isoformat(),
        "ended_at": (walk.now - timedelta(minutes=1)).isoformat(), "outcome": "completed_engaged",
        "confidentiality_explained_at": began.isoformat(),
        "first_content_at": (began + timedelta(minutes=5)).isoformat(), "spoken_alone": True,
        "items": [{"category": "harm", "text": "He hurt me.", "subject": "child",
                   "provenance": "child_said", "facts": {}}],
    }  # fmt: skip
    mail = walk.home.mail
    mail.rename(mail.with_name("mail-away"))
    mail.touch()  # no folder to put a letter in: the mail server is away
    walk.call("worker", "POST", "interview", "/interviews", said, key="walk-talk")
    walk.watched.eventually("sum(homeward_urgent_holds) > 0")
    walk.later(minutes=2)
    walk.begins("PageNotSent")
    mail.unlink()
    mail.with_name("mail-away").rename(mail)
    walk.later(minutes=1)
    walk.ends("PageNotSent")
    walk.later(minutes=20)
    walk.begins("UrgentHoldWaits")
    walk.says("! urgent holds 1 open")
    walk.later(hours=1)
    walk.begins("UrgentHoldNotActedOn")
    walk.later(hours=24)
    walk.begins("TasksOverdue")
    judged = [{"name": name, "value": False, "reason": "Looked into."} for name in
              ("G2", "G3", "G4", "G5", "G6")]  # fmt: skip
    judged.append({"name": "child_alleged_perpetrator", "value": "none", "reason": "None."})
    body = {"judgements": judged, "occurred_at": walk.now.isoformat()}
    walk.call("dsl", "PUT", "sharing", f"/children/{child}/judgements", body)
    walk.ends("UrgentHoldNotActedOn")
    walk.ends("UrgentHoldWaits")


def test_a_feed_is_behind_until_its_partner_reads_it(walk: Walk):
    walk.begins("FeedBehind")
    behind = {one["metric"]["partner"] for one in walk.watched.ask(PAGES["FeedBehind"]["expr"])}
    for key in behind:
        creds = str(walk.home.partner(key))
        read = subprocess.run(
            [sys.executable, "-m", "homeward", "feed", "get", key, "--creds", creds, "--count",
             "200"], capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert read.returncode == 0, read.stderr
    walk.later(seconds=11)
    walk.ends("FeedBehind")
    assert set(partners.PARTNERS) >= behind


def test_an_engine_that_hangs_is_killed_and_comes_back(walk: Walk):
    walk.signal("opa", signal.SIGSTOP)
    try:
        walk.begins("PolicyEngineAway")
        walk.says("! policy       gives no answer")
    finally:
        walk.signal("opa", signal.SIGKILL)
    walk.ends("PolicyEngineAway")


def test_a_broker_that_hangs_lets_outboxes_grow_until_it_goes_on(walk: Walk):
    walk.signal("nats", signal.SIGSTOP)
    walk.begins("BrokerAway")
    walk.refer(3)
    walk.watched.eventually("max(homeward_outbox_oldest_seconds) > 3")
    walk.walked.add("OutboxGrowing")
    walk.says("outbox       1 waiting")
    walk.signal("nats", signal.SIGCONT)
    walk.ends("BrokerAway")
    walk.watched.eventually("max(homeward_outbox_oldest_seconds) > 0", true=False)


def test_a_service_that_hangs_is_ended_and_started_again(walk: Walk):
    walk.signal("interview", signal.SIGSTOP)
    walk.begins("ServiceAway", within_s=90)
    walk.signal("interview", signal.SIGABRT)
    walk.signal("interview", signal.SIGCONT)
    walk.ends("ServiceAway", within_s=90)
    assert "interview ended (killed by SIGABRT)" in (walk.home.logs / "supervisor.log").read_text()


def test_a_database_that_cannot_be_read_is_said_by_every_gauge_of_it(walk: Walk):
    with walk.without("referral", "inbox"), walk.without("referral", "tasks"):
        walk.begins("DatabaseAway")
        walk.begins("CannotSee")
        for _ in range(5):
            walk.call("worker", "GET", "referral", "/tasks", expect=(500,))
        walk.watched.eventually('sum(homeward_http_failures_total{route="/tasks"}) > 3')
        walk.walked.add("RequestsFail")
        assert "request.failed" in (walk.home.logs / "referral.log").read_text()
    walk.ends("DatabaseAway")
    walk.ends("CannotSee")


def test_a_ledger_that_was_changed_is_not_signed_over_until_it_is_as_it_was(walk: Walk):
    child, _ = walk.refer(4)
    mother = {"type": "carer_parent", "role": "mother", "pr": True}
    walk.call("worker", "PUT", "sharing", f"/children/{child}/recipients/mother", mother)
    walk.watched.eventually("max(homeward_ledger_unsigned_entries) > 0")
    with walk.tampered():
        walk.later(minutes=25, failing="sharing")
        walk.begins("CheckpointLate")
        walk.says("! ledger")
        log = (walk.home.logs / "sharing.log").read_text()
        assert '"name": "checkpoint_due"' in log
        assert "LedgerBrokenError" in log
    walk.ends("CheckpointLate")
    walk.says("0 not signed yet")


def test_a_handler_that_fails_is_named_and_takes_its_event_once_it_can(walk: Walk):
    with walk.without("scheduling", "offers"):
        _, episode = walk.refer(5)
        walk.begins("EventsFail")
        assert "event.failed" in (walk.home.logs / "scheduling.log").read_text()
    eventually(
        lambda: (
            walk.call("worker", "GET", "scheduling", f"/episodes/{episode}", expect=(200, 404))
            and probe.get(f"{walk.home.url('scheduling')}/ready")[0] == 200
        )
    )


def test_an_event_that_cannot_be_taken_is_put_aside_and_seen(walk: Walk):
    import nats

    from messaging.nats_config import API_PREFIX, inbox_of

    async def poison() -> None:
        client = await nats.connect(
            walk.home.nats_url, nkeys_seed=str(walk.home.nkey("referral")),
            inbox_prefix=inbox_of("referral"),
        )  # fmt: skip
        js = client.jetstream(prefix=API_PREFIX)
        await js.publish(
            "evt.referral.episode_referred.v1", b"{}", headers={"Nats-Msg-Id": "walk-poison"}
        )
        await client.close()

    asyncio.run(poison())
    walk.begins("DeadLetters")
    walk.says("! put aside")
    assert "event.put_aside" in (walk.home.logs / "sharing.log").read_text()


def test_every_page_was_walked_or_it_is_said_why_not(walk: Walk):
    assert set(PAGES) - walk.walked == set(ELSEWHERE)
