"""While a quarantine lasts nothing leaves, people are called, withdrawals work, and it is seen."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from support.running import eventually
from support_gate import NOON, Case, an_item, judged

from contracts import feed
from messaging.schema import outbox
from services.sharing.quarantine import RESTORED, begin
from services.sharing.sealing import envelope
from services.sharing.tables import Release

# the statements are the same on Postgres, where test_restored.py runs; starting twice is slow
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

POLICE, COUNCIL = "northshire-police", "northshire-council"
ITEM = "IT-reasons"


@pytest.fixture
async def case(a_gate) -> Case:
    """A restored gate: a child agreed that police and mother hear her reasons for going."""
    made = await a_gate()
    await made.clock(NOON)
    await made.partner(COUNCIL, "childrens_services")
    await made.partner(POLICE, "police", role="missing_unit")
    async with made.app.db.writing() as session:
        await begin(session, RESTORED, NOON, NOON - timedelta(hours=1))
    await made.referred()
    await made.add("mother", "carer_parent", role="mother", pr=True)
    facts = {"police_purpose": "prevention", "factor_about_carer": False}
    await made.interviewed(an_item(ITEM, "push_pull", facts=facts))
    await made.outcome()
    await made.agrees(("push_pull", "mother", "agreed"), ("push_pull", POLICE, "agreed"))
    await made.no_harm()
    await made.judges(
        "dsl",
        judged("recipient_alleged_perpetrator", "no", recipients=["mother"]),
        judged("connected_to_perpetrator", "no", recipients=["mother"]),
    )
    await made.judges("practitioner", judged("competence", "competent"), judged("child_told", True))
    await made.settled()
    return made


async def states(case: Case) -> dict[tuple[str, str], str]:
    """Return how each release stands, by recipient and item."""
    async with case.app.db.reading() as session:
        rows = await session.execute(select(Release.recipient, Release.item_id, Release.state))
        return {(str(key), str(item)): str(state) for key, item, state in rows}


async def numbered(case: Case) -> int:
    async with case.app.db.reading() as session:
        rows = select(func.count()).where(Release.number.is_not(None))
        return int(await session.scalar(rows) or 0)


async def texts(case: Case) -> set[str | None]:
    """Return what the worker is given to tell."""
    return {one["text"] for one in await case.tasks("practitioner") if one["kind"] == "tell"}


async def step(case: Case, path: str, body=None, role="dpo") -> int:
    return (await case.do("POST", f"/quarantine/{path}", body or {}, role=role)).status_code


async def end(case: Case) -> None:
    """Take every step to its end."""
    for key in (COUNCIL, POLICE):
        assert await step(case, "outside", {"partner": key, "highest": 0}, role="ops") == 200
    assert await step(case, "withdrawals", role="manager") == 200
    assert await step(case, "end", role="dpo") == 200
    assert await step(case, "end", role="dsl") == 200


async def left(case: Case) -> set[str]:
    """Return to whom but the child herself the reasons have gone, or can go."""
    gone = {"sent", "delivered", "tell"}
    found = (await states(case)).items()
    return {key for (key, item), state in found if item == ITEM and state in gone} - {"self"}


async def test_nothing_is_numbered_published_or_told_until_it_has_ended(case: Case):
    from services.sharing.delivery import deliver_once

    await eventually(lambda: permitted(case))
    await deliver_once(case.app.state["outlet"])
    assert (await states(case))[POLICE, ITEM] == "queued"
    assert await numbered(case) == 0
    assert await texts(case) == {None}

    await end(case)
    await eventually(lambda: sent(case))
    assert all(await texts(case))


async def permitted(case: Case) -> bool:
    return {(POLICE, ITEM), ("mother", ITEM)} <= set(await states(case))


async def sent(case: Case) -> bool:
    return (await states(case))[POLICE, ITEM] in {"sent", "delivered"}


async def test_a_withdrawal_works_at_once_and_what_it_stopped_stays_stopped(case: Case):
    await eventually(lambda: permitted(case))
    answer = (await case.do("POST", "+/withdrawals", {"recipients": "all"})).json()
    assert {(one["recipient"]) for one in answer["cancelled"]} >= {POLICE, "mother"}

    await end(case)
    await case.settled()
    await eventually(lambda: council_has_the_outcome(case))
    assert await left(case) == set()


async def council_has_the_outcome(case: Case) -> bool:
    found = await states(case)
    return found.get((COUNCIL, case.outcome_id())) in {"sent", "delivered"}


async def test_somebody_is_still_called_about_harm(case: Case):
    later = NOON + timedelta(hours=1)  # nobody has judged what she says then
    await case.clock(later)
    harm = an_item("IT-h", "harm", recorded_at=later.isoformat())
    await case.interviewed(harm, interview_id="IN-2")
    await case.settled()

    async def called() -> bool:
        async with case.app.db.reading() as session:
            told = select(outbox.c.event_id).where(outbox.c.subject.like("%urgent_hold_raised%"))
            return (await session.execute(told)).first() is not None

    await eventually(called)


async def test_it_is_seen_from_outside_and_ends_in_order_alone(case: Case):
    found = (await case.do("GET", "/quarantine", role="ops")).json()
    assert (found["quarantined"], found["cause"]) == (True, "restored")
    assert {one["code"] for one in found["missing"]} == {
        "partner.not_asked",
        "withdrawals.not_confirmed",
    }

    async def measured() -> bool:
        return "homeward_quarantine 1.0" in (await case.service._client.get("/metrics")).text

    await eventually(measured)  # a scrape gives up on what a busy machine cannot tell in time
    for path in ("withdrawals", "end"):
        assert await step(case, path) == 409
    for role in ("practitioner", "ops", "ig_lead"):
        assert await step(case, "end", role=role) == 403

    await end(case)
    assert (await case.do("GET", "/quarantine", role="ops")).json()["quarantined"] is False
    assert await step(case, "end") == 404


async def test_a_feed_that_holds_what_was_never_heard_of_stops_everything(a_gate, nats):
    """An old database was put back under the running system, without a restore."""
    case = await a_gate()
    await case.clock(NOON)
    await case.partner(COUNCIL, "childrens_services")
    client = await nats.connect("sharing")
    unknown = envelope(
        feed.RELEASE, "sealed", event_id="RL-9", release_id="RL-9", number=9, at=NOON, source="us"
    )
    await client.jetstream(prefix="JSC.API").publish(
        f"feed.{COUNCIL}.release", unknown, stream=f"FEED_{COUNCIL}"
    )
    await client.close()
    await case.referred()
    await case.outcome()
    await case.judges("practitioner", judged("child_told", True))

    async def noticed() -> bool:
        return bool((await case.do("GET", "/quarantine", role="ops")).json()["quarantined"])

    await eventually(noticed)
    await case.settled()
    assert (await case.do("GET", "/quarantine", role="ops")).json()["cause"] == "behind"
    assert (await states(case))[COUNCIL, case.outcome_id()] == "queued"
    assert await numbered(case) == 0
