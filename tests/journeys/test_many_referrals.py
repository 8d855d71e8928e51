"""A busy hour: the same referrals again and again still make one episode and one offer each."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from support.demo import Played

pytestmark = pytest.mark.long

COUNT = 500
AT_ONCE = 4
WITHIN_S = 120


async def test_500_referrals_twice_four_at_a_time_make_500_episodes_and_500_offers(played: Played):
    home = played.home
    token = home.token("manager", "manager-northshire")
    limit = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(
        headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
    ) as http:
        before = await count(http, f"{home.url('scheduling')}/offers")
        episodes_before = await count(http, f"{home.url('referral')}/episodes")

        async def send(number: int) -> tuple[int, str]:
            async with limit:
                answer = await http.post(f"{home.url('referral')}/referrals", json=body(number))
            return answer.status_code, answer.json()["episode_id"]

        sent = await asyncio.gather(*(send(n // 2) for n in range(2 * COUNT)))

        assert sorted(status for status, _ in sent) == [200] * COUNT + [201] * COUNT
        assert len({episode for _, episode in sent}) == COUNT
        assert await count(http, f"{home.url('referral')}/episodes") == episodes_before + COUNT
        end = asyncio.get_running_loop().time() + WITHIN_S
        while (found := await count(http, f"{home.url('scheduling')}/offers")) < before + COUNT:
            assert asyncio.get_running_loop().time() < end, f"{found - before} of {COUNT} offers"
            await asyncio.sleep(0.5)
        await asyncio.sleep(1)
        assert await count(http, f"{home.url('scheduling')}/offers") == before + COUNT


def body(number: int) -> dict:
    """Return a referral; each number is another child."""
    returned = datetime(2026, 12, 1, 8, tzinfo=UTC) - timedelta(minutes=number)
    return {
        "source": "police",
        "police_reference": f"NP/26/9{number:04}",
        "locality": "northshire",
        "child": {
            "external_ids": {"northshire_police": f"NP-C-9{number:04}"},
            "given_name": f"Child{number}",
            "family_name": "Example",
            "date_of_birth": "2011-01-01",
        },
        "episode": {
            "missing_from": (returned - timedelta(hours=6)).isoformat(),
            "returned_at": returned.isoformat(),
        },
    }


async def count(http: httpx.AsyncClient, url: str) -> int:
    """Return how many there are, over all pages."""
    total, after = 0, None
    while True:
        answer = await http.get(url, params={"limit": 200, **({"after": after} if after else {})})
        page = answer.raise_for_status().json()
        total += len(page["items"])
        after = page.get("next")
        if not after:
            return total
