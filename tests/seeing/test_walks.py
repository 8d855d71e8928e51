"""Walking the runbooks: the condition is caused, the alert's question finds it, the page ends it.

Without the alerts' `for`: time passes by the test clock here, and promtool tests the rest. Where a
window or a threshold is a site's, the same expression is asked with a shorter one: it is written
beside the walk.
"""

import asyncio
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from seeing_home import Watched
from walking import PAGES, Walk, eventually

from homeward import probe
from homeward.demo import partners
from homeward.demo.actions import R16_POINTS
from homeward.demo.cases.fiona_said import ITEMS as OF_HARM
from homeward.demo.cases.laura_said import THIRD as OF_NONE

pytestmark = pytest.mark.long

ELSEWHERE = {
    "PolicyLockdown": "tests/sharing/test_lockdown.py locks a running `sharing` down and ends it",
    "PolicyOtherVersion": "needs an engine that is started on other policies than those in force",
}
"""Alerts that are not caused here, and why."""
GATES = ("G2", "G3", "G4", "G5", "G6")
NO_HARM = dict.fromkeys(GATES, False)


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
    with walk.no_mail():
        walk.later(hours=20, minutes=30)
        walk.begins("ClockNear")
        walk.later(minutes=16)
        walk.begins("MessagesWait")
        waiting = walk.call("ops", "GET", "notify", "/messages", state="waiting")["items"]
        assert "deadline" in {one["kind"] for one in waiting}
        assert "channel.away" in walk.types("MessagesWait", "tail logs/notify.log")
    walk.later(hours=4)
    walk.ends("MessagesWait")
    walk.begins("ClockMissed")
    walk.says("! clocks", "1 missed")
    contact = {"method": "phone", "occurred_at": walk.now.isoformat(), "outcome": "contact",
               "points_told": list(R16_POINTS)}  # fmt: skip
    walk.call("worker", "POST", "scheduling", f"/episodes/{episode}/attempts", contact)
    walk.ends("ClockMissed")


def test_deadlines_that_nobody_can_be_told_of_are_told_once_they_can(walk: Walk):
    walk.refer(6)
    walk.rest()
    with walk.without("scheduling", "outbox"):
        walk.later(failing="scheduling", hours=20, minutes=30)
        walk.later(failing="scheduling", minutes=3)
        walk.begins("DeadlinesNotAnnounced")
        said = walk.types("DeadlinesNotAnnounced", "tail logs/scheduling.log")
        assert '"name": "announce_due"' in said, said
        state = walk.types(
            "DeadlinesNotAnnounced", "ps -o stat,pcpu -p PID", PID=walk.pid("scheduling")
        )
        assert "STAT" in state
    walk.later(seconds=30)
    walk.ends("DeadlinesNotAnnounced")


def test_an_urgent_hold_pages_then_calls_out_then_ends_when_the_lead_judges(walk: Walk):
    child, episode = walk.refer(2)
    with walk.no_mail():
        walk.talk(2, episode)
        walk.watched.eventually("sum(homeward_urgent_holds) > 0")
        walk.later(minutes=2)
        walk.begins("PageNotSent")
    walk.later(minutes=1)
    walk.ends("PageNotSent")
    walk.later(minutes=20)
    walk.begins("UrgentHoldWaits")
    walk.says("! urgent holds 1 open")
    walk.later(hours=1)
    walk.begins("UrgentHoldNotActedOn")
    walk.later(hours=24)
    walk.begins("TasksOverdue")
    walk.judge("dsl", child, **NO_HARM, child_alleged_perpetrator="none")
    walk.ends("UrgentHoldNotActedOn")
    walk.ends("UrgentHoldWaits")


def test_a_page_that_neither_bus_nor_notify_takes_is_taken_by_whichever_comes_back(walk: Walk):
    child, episode = walk.refer(7)
    walk.rest()
    walk.judge("dsl", child, G3=True, child_alleged_perpetrator="none")
    walk.talk(7, episode, OF_HARM["assault"])
    walk.rest()
    soon = ("> 60", "> 5")
    with walk.stopped("nats"):
        with walk.stopped("notify"):
            walk.judge("dsl", child, G3=False)  # all else about harm is not judged yet
            walk.begins("PageNotTaken", soon)
            walk.says("wait   ", "nats")
            assert "page.not_taken" in walk.log("sharing")
        walk.ends("PageNotTaken", soon)  # by a direct call, without the bus
    walk.judge("dsl", child, **NO_HARM)


def test_a_release_waits_for_the_child_to_be_told_first(walk: Walk):
    child, episode = walk.refer(8)
    walk.rest()
    walk.judge("dsl", child, **NO_HARM | {"G3": True}, child_alleged_perpetrator="other")
    declined = [{"recipient": partners.POLICE, "status": "declined",
                 "consequences_explained": True}]  # fmt: skip
    contact = {"method": "phone", "occurred_at": walk.now.isoformat(), "outcome": "contact",
               "points_told": list(R16_POINTS)}  # fmt: skip
    walk.call("worker", "POST", "scheduling", f"/episodes/{episode}/attempts", contact)
    walk.talk(8, episode, OF_HARM["assault"])
    walk.rest()
    walk.judge("worker", child, competence="competent")
    body = {"by": "child", "items": declined, "occurred_at": walk.now.isoformat()}
    walk.call("worker", "PUT", "sharing", f"/children/{child}/agreement", body)
    walk.rest()
    walk.later(hours=1, minutes=2)
    walk.begins("ChildNotTold")
    tasks = walk.call("worker", "GET", "sharing", "/tasks")
    for one in {row["child_id"] for row in releases(walk, state="waiting_child_told")}:
        walk.judge("worker", one, child_told=True)
    walk.ends("ChildNotTold")
    assert any("child_told" in str(task) for task in tasks["items"])


def releases(walk: Walk, **wanted: str) -> list[dict]:
    """Return the releases there are of some kind."""
    found = walk.call("manager", "GET", "sharing", "/releases", limit=200, **wanted)
    return found["items"]


def test_who_has_no_feed_is_not_told_until_a_worker_tells_them(walk: Walk):
    child, episode = walk.refer(9)
    walk.rest()
    mother = {"type": "carer_parent", "role": "mother", "pr": True, "channel_verified": True}
    walk.call("worker", "PUT", "sharing", f"/children/{child}/recipients/mother", mother)
    walk.judge("dsl", child, **NO_HARM, child_alleged_perpetrator="none")
    walk.talk(9, episode, OF_NONE["party"])
    eventually(lambda: releases(walk, state="tell", child_id=child))
    walk.later(hours=49)
    walk.begins("NotTold")
    told = releases(walk, state="tell")
    for one in told:
        body = {"occurred_at": walk.now.isoformat(), "how": "telephone"}
        path = f"/releases/{one['release_id']}/delivered"
        walk.call("worker", "POST", "sharing", path, body)
    walk.ends("NotTold")


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


def test_what_may_leave_is_stuck_while_its_number_cannot_be_written(walk: Walk):
    child, episode = walk.refer(10)
    walk.rest()
    walk.judge("dsl", child, **NO_HARM, child_alleged_perpetrator="none")
    walk.talk(10, episode, OF_NONE["party"])
    walk.rest()
    with walk.refusing("sharing", "partner", "next_number"):
        walk.judge("worker", child, child_told=True)
        walk.later(minutes=6)
        walk.begins("FeedStuck")
        walk.begins("BackgroundFails")
        said = walk.types("BackgroundFails", "tail logs/SERVICE.log", SERVICE="sharing")
        assert '"delivery.failed"' in said
        assert '"error": "IntegrityError"' in said
    walk.ends("FeedStuck")
    walk.ends("BackgroundFails", ("[10m]", "[5s]"))


def test_an_engine_that_hangs_is_killed_and_comes_back(walk: Walk):
    recently = ("[10m]", "[15s]")
    walk.signal("opa", signal.SIGSTOP)
    try:
        walk.begins("PolicyEngineAway")
        walk.says("! policy       gives no answer")
        _, episode = walk.refer(11)
        walk.talk(11, episode, OF_NONE["party"])
        walk.begins("PolicyRefuses", recently)
        assert 'code="time_out"} ' in walk.types("PolicyRefuses", "curl -s $(homeward status")
    finally:
        walk.types("PolicyEngineAway", "kill -KILL PID", PID=walk.pid("opa"))
    walk.ends("PolicyEngineAway")
    walk.ends("PolicyRefuses", recently)


def test_an_engine_that_gets_too_little_of_the_processor_is_slow(walk: Walk):
    child, episode = walk.refer(12)
    walk.talk(12, episode, OF_NONE["party"])
    walk.rest()
    recently = ("[10m]", "[20s]")
    with walk.starved("opa", for_s=0.25):
        end = time.monotonic() + 60
        while not walk.watched.ask(walk.asks("PolicySlow", recently)):
            assert time.monotonic() < end, "it is not slow"
            walk.judge("dsl", child, G2=bool(int(end - time.monotonic()) % 2))
        walk.begins("PolicySlow", recently)
    walk.judge("dsl", child, **NO_HARM)
    walk.ends("PolicySlow", recently, within_s=120)


def test_a_broker_that_hangs_lets_outboxes_grow_until_it_goes_on(walk: Walk):
    walk.signal("nats", signal.SIGSTOP)
    walk.begins("BrokerAway")
    walk.refer(3)
    walk.begins("OutboxGrowing", ("> 60", "> 3"))
    walk.says("outbox       1 waiting")
    walk.signal("nats", signal.SIGCONT)
    walk.ends("BrokerAway")
    walk.watched.eventually("max(homeward_outbox_oldest_seconds) > 0", true=False)


def test_what_a_broker_lost_with_its_disk_is_found_by_comparing_and_told_again(walk: Walk):
    with walk.down("scheduling"):
        walk.refer(13)
        walk.watched.eventually('homeward_pending{service="referral",kind="outbox"} == 0')
        with walk.down("nats"):
            for path in walk.home.nats_data.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    walk.begins("ComparisonFinds")
    walk.ends("ComparisonFinds")
    walk.rest()
    assert "compare.told_again" in walk.log("scheduling")
    complete = "nothing is missing or double"
    eventually(lambda: complete in walk.types("ComparisonFinds", "homeward reconcile --repair"))


def test_a_service_that_hangs_is_ended_and_started_again(walk: Walk):
    with walk.stopped("interview"):
        walk.begins("ServiceAway", within_s=90)
        walk.types("ServiceAway", "kill -ABRT PID", PID=walk.pid("interview"))
    walk.ends("ServiceAway", within_s=90)
    said = walk.types("ServiceAway", "tail logs/supervisor.log")
    assert "interview ended (killed by SIGABRT)" in said


def test_a_service_that_holds_much_memory_is_ended_and_started_again(walk: Walk):
    """No fault of ours is known that fills memory: a twentieth of it counts as much here."""
    much = ("2.5e8", "1.25e7")
    walk.begins("MemoryHigh", much)
    walk.ends("MemoryHigh")
    before = walk.pid("notify")
    walk.types("MemoryHigh", "kill PID", PID=before)
    eventually(lambda: walk.pid("notify") != before)
    walk.rest()


def test_a_database_that_cannot_be_read_is_said_by_every_gauge_of_it(walk: Walk):
    with walk.without("referral", "inbox"), walk.without("referral", "tasks"):
        walk.begins("DatabaseAway")
        walk.begins("CannotSee")
        said = walk.types("CannotSee", "curl -s URL/metrics", URL=walk.home.url("referral"))
        assert "homeward_tasks" in said
        for _ in range(5):
            walk.call("worker", "GET", "referral", "/tasks", expect=(500,))
        walk.begins("RequestsFail")
        said = walk.types("RequestsFail", "tail logs/SERVICE.log", SERVICE="referral")
        assert "request.failed" in said
    walk.ends("DatabaseAway")
    walk.ends("CannotSee")


def test_a_ledger_that_was_changed_is_not_signed_over_until_it_is_as_it_was(walk: Walk):
    child, _ = walk.refer(4)
    walk.rest()
    eventually(lambda: something_to_sign(walk, child))
    with walk.tampered():
        walk.later(minutes=25, failing="sharing")
        walk.begins("CheckpointLate")
        walk.says("! ledger")
        log = walk.types("CheckpointLate", "tail logs/sharing.log")
        assert '"name": "checkpoint_due"' in log
        assert "LedgerBrokenError" in log
    asked = walk.types("CheckpointLate", "homeward token ops", URL=walk.home.url("sharing"))
    assert '"checkpoint"' in asked, asked
    walk.ends("CheckpointLate")
    walk.says("0 not signed yet")
    for begins in ("homeward ledger export", "homeward ledger verify"):
        walk.types("CheckpointLate", begins, FILE="ledger.jsonl")


def something_to_sign(walk: Walk, child: str) -> bool:
    """Have something written into the ledger; what leaves just then would have it signed."""
    mother = {"type": "carer_parent", "role": "mother", "pr": True}
    path = f"/children/{child}/recipients/mother-{time.monotonic_ns()}"
    walk.call("worker", "PUT", "sharing", path, mother)
    time.sleep(3)
    return bool(walk.watched.ask("max(homeward_ledger_unsigned_entries) > 0"))


def test_a_handler_that_fails_is_named_and_takes_its_event_once_it_can(walk: Walk):
    for_long = ("[10m]", "[5s]")
    with walk.without("scheduling", "offers"):
        _, episode = walk.refer(5)
        walk.begins("EventsFail")
        walk.begins("EventsWait", for_long)
        said = walk.types("EventsFail", "tail logs/SERVICE.log", SERVICE="scheduling")
        assert "event.failed" in said
        url = walk.home.url("scheduling")
        said = walk.types("EventsFail", "curl -s URL/metrics", URL=url)
        assert 'result="failed"} ' in said
    eventually(
        lambda: (
            walk.call("worker", "GET", "scheduling", f"/episodes/{episode}", expect=(200, 404))
            and probe.get(f"{walk.home.url('scheduling')}/ready")[0] == 200
        )
    )
    walk.ends("EventsWait", for_long)


def test_a_restored_system_lets_nothing_out_until_two_people_end_its_quarantine(walk: Walk):
    from services.sharing import quarantine

    asyncio.run(
        quarantine.begin_restored(
            walk.home.database_url("sharing"), datetime.now(UTC), datetime.now(UTC)
        )
    )  # as `homeward restore` leaves it
    walk.begins("Quarantine")
    walk.says("! quarantine   nothing leaves until two people end it")
    assert "QUARANTINE" in walk.types("Quarantine", "homeward quarantine show")
    asked = [f"--highest={key}={read_up_to(walk, key)}" for key in partners.PARTNERS]
    walk.run("quarantine", "outside", *asked)
    manager = ("--role", "manager", "--sub", "M-1")
    walk.run("quarantine", "withdrawals", *manager)
    first = walk.types("Quarantine", "homeward quarantine end")
    assert "a second person has to ask" in first, first
    second = walk.run("quarantine", "end", *manager)
    assert "it has ended" in second, second
    walk.ends("Quarantine")


def read_up_to(walk: Walk, partner: str) -> int:
    """Return the highest number that a partner has read, as it would tell us."""
    given = releases(walk, recipient=partner)
    return max((one["number"] or 0 for one in given), default=0)


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
    assert "event.put_aside" in walk.log("sharing")
    assert "unparseable" in walk.types("DeadLetters", "homeward dlq ls")


def test_every_page_was_walked_or_it_is_said_why_not(walk: Walk):
    assert set(PAGES) - walk.walked == set(ELSEWHERE)
