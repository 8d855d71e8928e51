"""Holding: no usable answer holds, what is urgent calls somebody, what was told first goes on."""

import asyncio
import json
from datetime import timedelta

import pytest
from support.running import eventually
from support_gate import NOON, Case, an_item, judged

from messaging.kept import Reply

# the statements are the same on Postgres, where test_gate.py runs; starting twice is slow
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def pages(case: Case) -> list[dict]:
    """Every page told so far, as the bus would carry it."""
    from sqlalchemy import select

    from messaging.schema import outbox

    async with case.app.db.reading() as session:
        rows = await session.execute(
            select(outbox.c.body).where(outbox.c.subject.like("%urgent_hold_raised%"))
        )
        return [json.loads(row.body) for row in rows]


class NoResult:
    """A way to an engine that answers without a result."""

    async def ask(self, *_question, most: int) -> Reply:
        return Reply(200, b"{}")

    async def close(self) -> None:
        """Nothing is open."""


class OtherPolicies(NoResult):
    """A way to an engine that has loaded other policies than those that decide."""

    async def ask(self, *_question, most: int) -> Reply:
        bundles = {"homeward": {"revision": "sha256:of-other-policies"}}
        return Reply(200, json.dumps({"result": {}, "provenance": {"bundles": bundles}}).encode())


async def test_without_an_answer_everything_is_held_once_and_asked_again(a_gate, engine):
    case = await a_gate()
    await case.clock(NOON)
    await case.partner("northshire-council", "childrens_services")
    await case.partner("northshire-police", "police", role="missing_unit")
    policy = case.app.state["gate"].policy
    real, policy.way = policy.way, NoResult()
    await case.referred()
    await case.interviewed(an_item("IT-h", "harm"))
    await case.outcome()

    async def held() -> list[dict]:
        found = (await case.do("GET", "/decisions?limit=200", role="manager")).json()["items"]
        return found if len(found) == 6 else []

    found = await eventually(held)
    assert {tuple(d["rule_ids"]) for d in found} == {("NO_DECISION",)}
    assert {d["decision"] for d in found} == {"defer"}
    assert all(d["defer_to"]["owner"] == "dsl" for d in found)
    assert len(await pages(case)) == 1
    await asyncio.sleep(1.5)
    assert len((await case.do("GET", "/decisions?limit=200", role="manager")).json()["items"]) == 6
    assert (await case.do("GET", "/releases", role="manager")).json()["items"] == []
    assert (await case.service.pending())["undecided"] == 1

    policy.way = real
    decided = await case.decisions()
    assert decided["northshire-council", case.outcome_id()]["rule_ids"] == ["CSC-01"]
    assert len(await pages(case)) == 1


async def test_while_other_policies_are_loaded_everything_is_held_and_nothing_leaves(a_gate):
    case = await a_gate()
    await case.clock(NOON)
    await case.partner("northshire-council", "childrens_services")
    policy = case.app.state["gate"].policy
    real, policy.way = policy.way, OtherPolicies()
    await case.referred()
    await case.outcome()

    async def held() -> list[dict]:
        return (await case.do("GET", "/decisions", role="manager")).json()["items"]

    assert {tuple(d["rule_ids"]) for d in await eventually(held)} == {("NO_DECISION",)}
    assert (await case.do("GET", "/releases", role="manager")).json()["items"] == []
    assert (await case.do("GET", "/ready")).status_code == 503

    policy.way = real
    decided = await case.decisions()
    assert decided["northshire-council", case.outcome_id()]["rule_ids"] == ["CSC-01"]


async def test_an_urgent_hold_calls_the_dsl_once_and_then_the_manager_on_call(a_gate):
    case = await a_gate()
    await case.clock(NOON)
    await case.partner("northshire-police", "police", role="missing_unit")
    await case.partner("northshire-council", "childrens_services")
    await case.referred()
    await case.interviewed(an_item("IT-h", "harm"), an_item("IT-n", "narrative"))
    await case.settled()
    await case.judges("practitioner", judged("competence", "competent"))
    await case.settled()

    (page,) = await pages(case)
    assert (page["to"], page["code"], page["locality"]) == ("dsl", "urgent_hold", "northshire")

    await case.clock(NOON + timedelta(minutes=59))
    assert len(await pages(case)) == 1
    await case.clock(NOON + timedelta(minutes=61))
    found = await pages(case)
    assert [(p["to"], p["code"]) for p in found][1:] == [("on_call", "hold_overdue")]


async def test_a_dsl_who_acts_in_time_is_not_called_over(a_gate):
    case = await a_gate()
    await case.clock(NOON)
    await case.partner("northshire-police", "police", role="missing_unit")
    await case.referred()
    await case.interviewed(an_item("IT-h", "harm", facts={"consensual_peer": False}))
    await case.settled()
    await case.judges("dsl", *(judged(g, True) for g in ("G2", "G3", "G5", "G6")))
    await case.settled()
    await case.clock(NOON + timedelta(hours=2))

    assert [(p["to"], p["code"]) for p in await pages(case) if p["code"] != "child_not_told"] == [
        ("dsl", "urgent_hold")
    ]


async def test_when_the_bus_is_away_notify_is_called_directly(a_gate):
    case = await a_gate()
    await case.clock(NOON)
    await case.partner("northshire-police", "police", role="missing_unit")
    await case.referred()
    case.nats.stop()
    await case.interviewed(an_item("IT-h", "harm"))

    await eventually(lambda: case.peers.pages, 20, "nobody was called")
    (told,) = await pages(case)
    assert case.peers.pages[0] == told


async def test_what_the_child_has_to_hear_first_waits_and_then_calls(a_gate):
    case = await a_gate()
    await case.clock(NOON)
    await case.partner("northshire-council", "childrens_services")
    await case.referred()
    await case.interviewed(an_item("IT-h", "harm"))
    await case.judges("dsl", *(judged(g, True) for g in ("G2", "G3", "G6")), judged("G4", False))

    waiting = (await case.releases())["northshire-council", "IT-h"]
    assert waiting["state"] == "waiting_child_told"
    (task,) = [t for t in await case.tasks("practitioner") if t["kind"] == "hold"]
    assert "child_told" in task["missing"]
    assert waiting["id"] in task["release_ids"]
    await case.clock(NOON + timedelta(minutes=61))
    assert [p["code"] for p in await pages(case)][-1] == "child_not_told"

    answer = await case.do(
        "PUT", "+/judgements", {"judgements": [{"name": "child_told", "value": False}]}
    )
    assert answer.status_code == 422
    await case.judges("practitioner", judged("child_told", True))
    went = (await case.releases())["northshire-council", "IT-h"]
    assert (went["id"], went["state"] in {"queued", "claimed", "sent"}) == (waiting["id"], True)


async def test_the_words_are_asked_only_after_a_release_and_only_by_permitted_part(a_gate):
    case = await a_gate()
    await case.clock(NOON)
    await case.partner("northshire-police", "police", role="missing_unit")
    await case.referred()
    await case.interviewed(an_item("IT-p", "push_pull"), an_item("IT-n", "narrative"))
    await case.settled()
    asked = [item for item, _ in case.peers.asked]
    assert asked == []

    await case.judges("practitioner", judged("competence", "competent"))
    await case.agrees(("push_pull", "northshire-police", "agreed"))
    await case.settled()

    assert case.peers.asked == [("IT-p", ["fields"])]


async def test_where_nothing_may_be_read_it_is_held_for_the_worker(a_gate):
    case = await a_gate()
    await case.clock(NOON)
    await case.partner("northshire-police", "police", role="missing_unit")
    await case.referred()
    await case.interviewed(an_item("IT-p", "push_pull"), parts={"text": "Zarquon-only words"})
    await case.judges("practitioner", judged("competence", "competent"))
    await case.no_harm()
    await case.agrees(("push_pull", "northshire-police", "agreed"))

    decided = (await case.decisions())["northshire-police", "IT-p"]
    assert (decided["decision"], decided["rule_ids"]) == ("defer", ["NO_CONTENT", "POL-03"])
    (task,) = [t for t in await case.tasks("practitioner") if t["kind"] == "hold"]
    assert "NO_CONTENT" in task["missing"]


async def test_an_unverified_channel_is_refused_with_a_task_to_verify_it(a_gate):
    case = await a_gate()
    await case.clock(NOON)
    await case.referred()
    await case.add("school", "school_dsl", channel_verified=False)
    await case.outcome()
    await case.agrees((None, "school", "agreed"), (None, "nobody-knows", "agreed"))

    decided = (await case.decisions())["school", case.outcome_id()]
    assert decided["decision"] == "deny"
    assert "HD2" in decided["rule_ids"]
    verify = [t["recipient"] for t in await case.tasks("practitioner") if t["kind"] == "verify"]
    assert sorted(verify) == ["nobody-knows", "school"]

    await case.add("school", "school_dsl")
    await case.add("nobody-knows", "health")
    verify = [t["recipient"] for t in await case.tasks("practitioner") if t["kind"] == "verify"]
    assert verify == []
