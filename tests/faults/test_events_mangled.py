"""Events that come twice, late, in another order, broken or too large, on the real bus."""

import asyncio
import json
import random

import nats
import pytest
import pytest_asyncio
from faults.defects.house import COUNCIL, POLICE, SERVICES, House, messages
from faults.oracle import violations
from sharing.conftest import engine  # noqa: F401 - a fixture
from support.running import eventually

from contracts.interview import InterviewRecorded
from contracts.referral import EpisodeReferred

pytestmark = pytest.mark.asyncio(loop_scope="module")

POISON = {
    "no JSON": b'{"id": "EV-1", "child": "\xff',
    "a list": b"[]",
    "nothing": b"",
    "no id": b'{"occurred_at": "2026-11-24T12:00:00Z"}',
    "a number for an id": b'{"id": 7}',
    "a time that is none": b'{"id": "EV-2", "occurred_at": "yesterday"}',
    "deep": b'{"id":' * 5_000,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory, issuer, engine):  # noqa: F811 - the fixture of that name
    """All services, on one bus that is about to misbehave."""
    made = await House(tmp_path_factory.mktemp("house"), issuer, engine).open()
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def bus(house):
    """The bus as the provisioner sees it: it may put anything anywhere."""
    client = await house.broker.connect("provisioner")
    yield client.jetstream(timeout=5)
    await client.close()


async def _told(bus) -> list:
    return [one for name in SERVICES for one in await messages(bus, f"EVT_{name.upper()}")]


async def test_events_again_in_another_order_and_late_have_one_effect_each(house, bus):
    case, _ = await house.told("push_pull", "harm")
    await house.no_harm(case)
    await house.rest()
    before = await house.look()
    decided = [(one["id"], one["current"]) for one in before.decisions]
    released = [(one["id"], one["number"]) for one in before.releases]
    chance = random.Random(5)
    again = (await _told(bus)) * 2
    chance.shuffle(again)
    for n, message in enumerate(again):
        await bus.publish(message.subject, message.data)
        if n % 20 == 0:
            await asyncio.sleep(0.05)
    after = await house.look()

    assert violations(after) == []
    assert [(one["id"], one["current"]) for one in after.decisions] == decided
    assert [(one["id"], one["number"]) for one in after.releases] == released
    assert len(after.offers) == len(after.episodes) == 1


async def test_what_is_said_before_its_child_is_known_waits_and_is_then_taken(house):
    """The referral's event comes last: interview and outcome have to wait for it."""
    house.broker.stop(hard=True)
    case = await house.refer()
    house.broker.start()
    items = {}

    async def interviewed() -> bool:
        answer = await house.running["referral"].call(
            "GET", f"/episodes/{case.episode_id}", role="manager"
        )
        return answer.is_success

    await eventually(interviewed)
    items |= await house.talk(case, "push_pull")
    seen = await house.look()

    assert violations(seen) == []
    assert (items["push_pull"], COUNCIL) in {(o["item_id"], o["recipient"]) for o in seen.decisions}


async def test_poison_is_put_aside_and_the_rest_goes_on(house, bus):
    subjects = (EpisodeReferred.subject, InterviewRecorded.subject)
    for subject in subjects:
        for body in POISON.values():
            await bus.publish(subject, body)
    case, items = await house.told("push_pull")
    heard = {EpisodeReferred.subject: 3, InterviewRecorded.subject: 2}  # by so many services
    house.seen.poison |= {f"dlq.{name}.{subject}" for name in SERVICES for subject in subjects}
    house.seen.poison |= {"7", "None", "EV-2"}  # ids of those that are JSON
    seen = await house.look()

    assert violations(seen) == []
    assert len(seen.dead_letters) == len(POISON) * sum(heard.values())
    put_aside = {told.raw for told in seen.told if told.subject.startswith("dlq.")}
    assert put_aside == set(POISON.values())
    assert {(items["push_pull"], one) for one in (POLICE, COUNCIL)} <= {
        (one["item_id"], one["recipient"]) for one in seen.decisions
    }
    assert case.episode_id in {one["episode_id"] for one in seen.offers}


async def test_a_message_that_is_as_large_as_the_bus_takes_is_put_aside(house, bus):
    large = json.dumps({"id": "EV-large", "occurred_at": "x" * 1_000_000}).encode()
    count = len(house.seen.dead_letters)
    await bus.publish(EpisodeReferred.subject, large)
    house.seen.poison |= {f"dlq.{name}.{EpisodeReferred.subject}" for name in SERVICES}
    house.seen.poison |= {"EV-large"}
    case = await house.refer()
    seen = await house.look()

    assert violations(seen) == []
    assert len(seen.dead_letters) == count + 3
    assert case.episode_id in {one["episode_id"] for one in seen.offers}


async def test_a_message_that_is_larger_still_never_gets_onto_the_bus(house, bus):
    state = (await bus.stream_info("EVT_REFERRAL")).state.last_seq
    with pytest.raises(nats.errors.MaxPayloadError):
        await bus.publish(EpisodeReferred.subject, b"x" * 2_000_000)

    assert (await bus.stream_info("EVT_REFERRAL")).state.last_seq == state
