"""`interview` on both databases, and hearing and telling over a real broker."""

import asyncio
import json

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contracts.referral import EpisodeReferred

from .conftest import NOON, an_episode
from .test_recording import CANARY, a_talk, an_item


class TestOnBothDatabases:
    """The same story on SQLite and on Postgres."""

    @pytest.fixture
    def url(self, database_url: str) -> str:
        return database_url

    async def test_a_talk_is_written_once_amended_read_and_announced(self, interviews):
        answers = await asyncio.gather(*(interviews.record(a_talk()) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
        recorded = answers[0].json()
        path = f"/interviews/{recorded['interview_id']}"
        item = f"{path}/items/{recorded['item_ids'][0]}"

        amended = await asyncio.gather(
            *(interviews.call("PUT", item, json=an_item(text=f"words {n}")) for n in range(3))
        )
        added = await asyncio.gather(
            *(interviews.call("POST", f"{path}/items", json=an_item()) for _ in range(3))
        )
        read = (await interviews.call("GET", path)).json()
        versions = (await interviews.call("GET", item)).json()["items"]

        assert sorted(answer.json()["version"] for answer in amended) == [2, 3, 4]
        assert len({answer.json()["item_id"] for answer in added}) == 3
        assert len(read["items"]) == 4
        assert read["started_at"] == "2026-12-07T10:00:00Z"
        assert [version["version"] for version in versions] == [1, 2, 3, 4]
        assert versions[0]["text"] == CANARY
        assert len(await interviews.told()) == 1 + 3 + 3

    async def test_the_database_itself_refuses_to_change_a_version(self, interviews):
        await interviews.record(a_talk())
        for statement in ("UPDATE item_version SET text = 'x'", "DELETE FROM item_version"):
            with pytest.raises(DBAPIError):
                async with interviews.app.db.writing() as session:
                    await session.execute(text(statement))

    async def test_episodes_heard_twice_and_in_any_order_are_known_once(self, interviews):
        heard = [an_episode(number) for number in (3, 2, 3, 1, 2)]
        await asyncio.gather(*(interviews.hear(event) for event in heard))

        answer = await interviews.record(a_talk(episode_ids=["EP-1", "EP-2", "EP-3"]))
        assert answer.status_code == 201

    async def test_lists_go_on_where_the_page_before_ended(self, interviews):
        for number in range(5):
            await interviews.record(a_talk(), key=f"k{number}")
        seen, after = [], ""
        while after is not None:
            path = f"/interviews?limit=2{after}"
            page = (await interviews.call("GET", path)).json()
            seen += [talk["id"] for talk in page["items"]]
            after = f"&after={page['next']}" if page["next"] else None

        assert len(seen) == len(set(seen)) == 5


async def test_a_talk_about_an_episode_from_the_bus_is_told_on_the_bus(a_service, nats):
    interview = await a_service("interview")
    await interview.call("PUT", "/clock", {"now": NOON.isoformat()})
    client = await nats.connect("provisioner")
    stream = client.jetstream()
    event = an_episode().model_dump_json().encode()
    await stream.publish(EpisodeReferred.subject, event)
    answer = await interview.call("POST", "/interviews", a_talk(), role="practitioner")
    await interview.at_rest()

    told = await stream.get_msg("EVT_INTERVIEW", 1)
    await client.close()
    assert answer.status_code == 201
    assert told.subject == "evt.interview.interview_recorded.v1"
    assert json.loads(told.data)["interview_id"] == answer.json()["interview_id"]
    assert b"zebra" not in told.data
