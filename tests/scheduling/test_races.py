"""Many hands on one child's case at once, on both databases: nothing twice, nobody stuck."""

import asyncio
from datetime import timedelta

from scheduling_builders import an_attempt, referred, talked, utc

RECEIVED = utc(2026, 11, 28, 9, 15)
NOON = utc(2026, 11, 28, 12)
EPISODES = [f"EP-{number}" for number in range(4)]


async def several(cases) -> None:
    for number, episode in enumerate(EPISODES):
        gone = utc(2026, 11, 27, 18) + timedelta(minutes=number)
        await cases.take(referred(episode, missing_from=gone))
    await cases.at(NOON)


async def test_one_event_delivered_many_times_at_once_makes_one_offer(cases):
    events = [referred(), referred(), referred(id="EV-other"), referred(id="EV-third")]

    await asyncio.gather(*map(cases.take, events))

    assert len(await cases.told("offer_made")) == 1


async def test_answers_talks_and_timers_on_one_childs_episodes_do_not_wait_for_each_other(cases):
    await several(cases)
    seen = {"outcome": "not_ready", "by": "child", "occurred_at": "2026-11-28T11:00:00Z"}
    talk = talked(*EPISODES, started_at=utc(2026, 11, 28, 11, 30), ended_at=NOON)

    async with asyncio.timeout(20):
        await asyncio.gather(
            *(cases.call("POST", f"/episodes/{one}/outcome", seen) for one in EPISODES),
            *(cases.do("attempts", one, an_attempt(NOON)) for one in reversed(EPISODES)),
            cases.take(talk),
            cases.take(talk),
            cases.at(NOON + timedelta(minutes=1)),
            cases.take(referred("EP-9", received_at=NOON - timedelta(hours=2))),
        )

    met = [(e["episode_id"], e["clock"]) for e in await cases.told("deadline_met")]
    assert len(met) == len(set(met))
    assert {episode for episode, clock in met if clock == "rhi"} == set(EPISODES)
    versions = [
        (e["episode_id"], e["version"]) for e in await cases.told("outcome_reported")
    ]  # fmt: skip
    assert len(versions) == len(set(versions))


async def test_one_attempt_sent_many_times_at_once_is_one(cases):
    await cases.take(referred())
    await cases.at(NOON)

    await asyncio.gather(*(cases.do("attempts", "EP-1", an_attempt(NOON)) for _ in range(6)))

    assert len(await cases.told("attempt_made")) == 1


async def test_two_timers_at_once_tell_a_missed_deadline_once(cases):
    from services.scheduling.clocks import announce_due

    await several(cases)
    cases.app.clock.set(RECEIVED + timedelta(hours=24, seconds=1))

    await asyncio.gather(*(announce_due(cases.app) for _ in range(3)))

    assert len(await cases.told("deadline_missed")) == len(EPISODES)
