"""Both services and the real bus: every referral that is sent ends as exactly one offer."""

import asyncio
import os
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from support.running import eventually

from services.scheduling.tables import Offer

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
REFERRALS = int(os.environ.get("HOMEWARD_TEST_REFERRALS", "60"))
"""The full measure is 500; the suite keeps to fewer, because each is a synced commit or two."""
AT_A_TIME = 4


def a_referral(number: int) -> dict:
    missing = NOW - timedelta(days=20) + timedelta(minutes=number)
    return {
        "source": "police",
        "police_reference": f"NP/26/{number:04}",
        "locality": "northshire",
        "child": {
            "given_name": f"Given{number}",
            "family_name": "Family",
            "date_of_birth": "2011-05-01",
        },
        "episode": {
            "missing_from": missing.isoformat(),
            "returned_at": (missing + timedelta(hours=5)).isoformat(),
        },
        "received_at": (missing + timedelta(hours=6)).isoformat(),
    }


@pytest.fixture
async def both(a_service, tmp_path):
    localities = tmp_path / "localities.yaml"
    localities.write_text("northshire: {authority: northshire}\n")
    referral = await a_service("referral", localities=localities)
    scheduling = await a_service("scheduling")
    for service in (referral, scheduling):
        await service.call("PUT", "/clock", {"now": NOW.isoformat()})
    return referral, scheduling


async def test_a_referral_is_an_offer_in_a_moment(both):
    referral, scheduling = both

    taken = (await referral.call("POST", "/referrals", a_referral(1), role="practitioner")).json()
    shown = await scheduling.call("GET", f"/episodes/{taken['episode_id']}", role="practitioner")

    assert shown.status_code == 200
    assert shown.json()["child_id"] == taken["child_id"]


async def test_referrals_sent_twice_four_at_a_time_are_one_episode_and_one_offer_each(both):
    referral, scheduling = both
    turns = iter([number for number in range(REFERRALS) for _ in range(2)])
    seen: dict[str, str] = {}

    async def send() -> None:
        for number in turns:
            body = a_referral(number)
            answer = await referral.call("POST", "/referrals", body, role="service", sub="police")
            assert answer.status_code in {200, 201}, answer.text
            first = seen.setdefault(str(number), answer.text)
            assert first == answer.text

    await asyncio.gather(*(send() for _ in range(AT_A_TIME)))
    episodes = set(seen.values())
    assert len(episodes) == REFERRALS

    async def offers() -> int:
        async with scheduling.app.db.reading() as session:
            return await session.scalar(select(func.count()).select_from(Offer))

    async def all_there() -> bool:
        return await offers() >= REFERRALS

    await eventually(all_there, 60, "not every referral became an offer")
    await scheduling.at_rest()
    assert await offers() == REFERRALS
