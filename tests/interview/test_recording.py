"""Talks are written down once, whole, and announced without a word of what was said."""

import asyncio
import json
from typing import Any

import pytest

from .conftest import an_episode

CANARY = "zebra-canary Mary Smith of Mill Street"


def an_item(**changes: Any) -> dict[str, Any]:
    item = {
        "category": "push_pull",
        "text": CANARY,
        "fields": {"push": ["family_conflict"], "note": CANARY},
        "extracts": [CANARY],
        "summary": CANARY,
        "event_at": "2026-12-05T21:00:00+00:00",
        "provenance": "child_said",
        "verbatim": True,
        "subject": "child",
        "third_parties": [CANARY],
        "counselling": False,
        "offence_data": False,
        "special": ["health"],
        "facts": {"factor_about_carer": False, "place_type": "public_place"},
    }
    return item | changes


def a_talk(**changes: Any) -> dict[str, Any]:
    talk = {
        "kind": "interview",
        "episode_ids": ["EP-1"],
        "started_at": "2026-12-07T10:00:00+00:00",
        "ended_at": "2026-12-07T11:00:00+00:00",
        "outcome": "completed_engaged",
        "service_outcome": "accepted",
        "confidentiality_explained_at": "2026-12-07T10:02:00+00:00",
        "first_content_at": "2026-12-07T10:20:00+00:00",
        "spoken_alone": True,
        "items": [an_item()],
    }
    return talk | changes


async def test_a_talk_is_recorded_and_its_items_are_numbered(interviews):
    answer = await interviews.record(a_talk(items=[an_item(), an_item(category="harm")]))

    assert answer.status_code == 201
    assert answer.json()["interview_id"].startswith("IV-")
    assert len(set(answer.json()["item_ids"])) == 2
    assert answer.json()["reviews"] == []


async def test_it_is_announced_without_a_word_of_what_was_said(interviews):
    answer = (await interviews.record(a_talk())).json()

    ((subject, body),) = await interviews.told()
    event = json.loads(body)
    assert subject == "evt.interview.interview_recorded.v1"
    assert "zebra" not in body
    assert event["worker"] == "W-1"
    assert event["child_id"] == "C-1"
    assert event["items"] == [
        {"item_id": answer["item_ids"][0], "version": 1, "category": "push_pull"}
    ]


async def test_the_same_command_again_gets_the_first_answer_and_tells_nothing_new(interviews):
    first = await interviews.record(a_talk())
    again = await interviews.record(a_talk())

    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await interviews.told()) == 1


async def test_the_same_command_at_the_same_time_is_one_talk(interviews):
    answers = await asyncio.gather(*(interviews.record(a_talk()) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["interview_id"] for answer in answers}) == 1
    assert len(await interviews.told()) == 1


async def test_the_same_key_for_another_talk_is_refused(interviews):
    await interviews.record(a_talk())
    answer = await interviews.record(a_talk(spoken_alone=False))

    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key.reused")


async def test_two_workers_may_use_the_same_key(interviews):
    first = await interviews.record(a_talk())
    second = await interviews.record(a_talk(), sub="W-2")

    assert second.status_code == 201
    assert first.json()["interview_id"] != second.json()["interview_id"]


async def test_without_a_key_the_same_content_is_the_same_talk(interviews):
    first = await interviews.call("POST", "/interviews", json=a_talk())
    again = await interviews.call("POST", "/interviews", json=a_talk())

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


async def test_an_episode_whose_event_is_under_way_is_waited_for(interviews):
    async def later() -> None:
        await asyncio.sleep(0.2)
        await interviews.hear(an_episode(2))

    answer, _ = await asyncio.gather(interviews.record(a_talk(episode_ids=["EP-2"])), later())

    assert answer.status_code == 201


async def test_an_episode_nobody_referred_is_named_in_the_404(interviews):
    answer = await interviews.record(a_talk(episode_ids=["EP-1", "EP-9"]))

    assert answer.status_code == 404
    assert answer.json()["errors"] == [{"field": "body.episode_ids.1", "code": "episode.unknown"}]


async def test_one_talk_is_with_one_child(interviews):
    await interviews.hear(an_episode(2, child="C-2"))
    answer = await interviews.record(a_talk(episode_ids=["EP-1", "EP-2"]))

    assert (answer.status_code, answer.json()["code"]) == (422, "child.differs")


async def test_one_talk_may_cover_three_episodes_and_an_item_is_about_the_latest(interviews):
    await interviews.hear(an_episode(2, day=4))
    await interviews.hear(an_episode(3, day=5))
    items = [an_item(), an_item(episode_id="EP-2")]
    answer = await interviews.record(a_talk(episode_ids=["EP-2", "EP-1", "EP-3"], items=items))

    path = f"/interviews/{answer.json()['interview_id']}"
    read = (await interviews.call("GET", path)).json()
    assert read["episode_ids"] == ["EP-2", "EP-1", "EP-3"]
    assert [item["episode_id"] for item in read["items"]] == ["EP-1", "EP-2"]


async def test_an_event_heard_twice_is_one_episode(interviews):
    await interviews.hear(an_episode())

    assert (await interviews.record(a_talk())).status_code == 201


async def test_limits_explained_late_and_not_alone_are_flagged_not_refused(interviews):
    late = a_talk(confidentiality_explained_at=None, spoken_alone=False, others_present="Mum")
    answer = await interviews.record(late)

    assert answer.status_code == 201
    assert answer.json()["reviews"] == ["confidentiality_late", "not_alone"]


async def test_a_carers_account_is_announced_without_items(interviews):
    answer = await interviews.record(
        a_talk(kind="carer_account", items=[an_item(provenance="carer_said")])
    )

    ((_, body),) = await interviews.told()
    assert len(answer.json()["item_ids"]) == 1
    assert json.loads(body)["items"] == []
    assert json.loads(body)["outcome"] is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": CANARY}, "kind"),
        ({"started_at": "2026-12-07T10:00:00"}, "started_at"),
        ({"started_at": "2026-12-07T11:30:00+00:00"}, "ended_at"),
        ({"ended_at": "2026-12-08T11:30:00+00:00"}, "ended_at"),
        ({"started_at": "0001-01-01T00:00:00+14:00"}, "started_at"),
        ({"started_at": 1796637600}, "started_at"),
        ({"outcome": None}, "outcome"),
        ({"outcome": "refused"}, "outcome"),
        ({"episode_ids": []}, "episode_ids"),
        ({"episode_ids": ["EP-1", "EP-1"]}, "episode_ids"),
        ({"spoken_alone": "yes"}, "spoken_alone"),
        ({"others_present": CANARY + "\x00"}, "others_present"),
        ({"items": [an_item(category="gossip")]}, "items.0.category"),
        ({"items": [an_item(category="basic_outcome")]}, "items.0.category"),
        ({"items": [an_item(), an_item(category="aggregates")]}, "items.1.category"),
        ({"items": [an_item(provenance=CANARY)]}, "items.0.provenance"),
        ({"items": [an_item(subject="dog")]}, "items.0.subject"),
        ({"items": [an_item(verbatim=1)]}, "items.0.verbatim"),
        ({"items": [an_item(event_at="yesterday")]}, "items.0.event_at"),
        ({"items": [an_item(event_at="9999-12-31T23:59:59-14:00")]}, "items.0.event_at"),
        ({"items": [an_item(special=[CANARY])]}, "items.0.special.0"),
        ({"items": [an_item(text=CANARY + "\x00")]}, "items.0.text"),
        ({"items": [an_item(fields={CANARY: 1})]}, "items.0.fields.*"),
        ({"items": [an_item(extracts=CANARY)]}, "items.0.extracts"),
        ({"items": [an_item(episode_id="EP-2")]}, "items.0.episode_id"),
        ({"items": [an_item(facts={"vir": {}})]}, "items.0.facts.vir"),
        ({"items": [an_item(facts={"open_case": True})]}, "items.0.facts.open_case"),
        ({"items": [an_item(facts={"place_type": CANARY})]}, "items.0.facts.place_type"),
        ({"items": [an_item(facts={CANARY: True})]}, "items.0.facts.*"),
        ({"items": [an_item(txt=CANARY)]}, "items.0.*"),
        ({"items": [an_item() | {"text": CANARY, "provenance": None}]}, "items.0.provenance"),
        ({"worker": "W-2"}, "worker"),
    ],
)
async def test_bad_input_names_the_field_and_never_says_the_value(interviews, changes, field):
    answer = await interviews.record(a_talk(**changes))

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert f"body.{field}" in {fault["field"] for fault in answer.json()["errors"]}
    assert "zebra" not in answer.text
    assert await interviews.told() == []


async def test_a_judged_fact_says_that_it_is_judged_elsewhere(interviews):
    answer = await interviews.record(a_talk(items=[an_item(facts={"dsl_signoff": True})]))

    assert answer.json()["errors"] == [
        {"field": "body.items.0.facts.dsl_signoff", "code": "fact.judged_elsewhere"}
    ]


async def test_half_a_surrogate_is_refused_like_any_text_that_cannot_be_kept(interviews):
    body = json.dumps(a_talk(items=[an_item(text="\ud800")]))
    answer = await interviews.call(
        "POST", "/interviews", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 422


async def test_a_new_version_is_kept_beside_the_old_one_and_announced(interviews):
    recorded = (await interviews.record(a_talk())).json()
    path = f"/interviews/{recorded['interview_id']}/items/{recorded['item_ids'][0]}"
    answer = await interviews.call("PUT", path, json=an_item(text="other words"))

    assert answer.json() == {"item_id": recorded["item_ids"][0], "version": 2}
    versions = (await interviews.call("GET", path)).json()["items"]
    assert [(v["version"], v["text"]) for v in versions] == [(1, CANARY), (2, "other words")]
    subject, body = (await interviews.told())[-1]
    assert subject == "evt.interview.item_amended.v1"
    assert json.loads(body)["item"]["version"] == 2
    assert json.loads(body)["episode_id"] == "EP-1"
    assert "other words" not in body


async def test_what_says_the_same_makes_no_new_version(interviews):
    recorded = (await interviews.record(a_talk())).json()
    path = f"/interviews/{recorded['interview_id']}/items/{recorded['item_ids'][0]}"
    answer = await interviews.call("PUT", path, json=an_item())

    assert answer.json()["version"] == 1
    assert len(await interviews.told()) == 1


async def test_writing_over_a_version_that_is_no_longer_the_newest_is_refused(interviews):
    recorded = (await interviews.record(a_talk())).json()
    path = f"/interviews/{recorded['interview_id']}/items/{recorded['item_ids'][0]}"
    await interviews.call("PUT", path, json=an_item(text="two", replaces=1))
    answer = await interviews.call("PUT", path, json=an_item(text="three", replaces=1))

    assert (answer.status_code, answer.json()["code"]) == (409, "item.version_changed")


async def test_writers_at_the_same_time_each_get_a_version_of_their_own(interviews):
    recorded = (await interviews.record(a_talk())).json()
    path = f"/interviews/{recorded['interview_id']}/items/{recorded['item_ids'][0]}"
    answers = await asyncio.gather(
        *(interviews.call("PUT", path, json=an_item(text=f"words {n}")) for n in range(4))
    )

    assert sorted(answer.json()["version"] for answer in answers) == [2, 3, 4, 5]


async def test_what_is_told_later_is_added_and_announced(interviews):
    recorded = (await interviews.record(a_talk())).json()
    path = f"/interviews/{recorded['interview_id']}/items"
    headers = {"Idempotency-Key": "later"}
    first = await interviews.call("POST", path, json=an_item(category="harm"), headers=headers)
    again = await interviews.call("POST", path, json=an_item(category="harm"), headers=headers)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert [subject for subject, _ in await interviews.told()] == [
        "evt.interview.interview_recorded.v1",
        "evt.interview.item_amended.v1",
    ]


async def test_of_a_carers_account_no_later_word_is_announced(interviews):
    recorded = (await interviews.record(a_talk(kind="carer_account"))).json()
    path = f"/interviews/{recorded['interview_id']}/items"
    await interviews.call("POST", path, json=an_item())
    await interviews.call("PUT", f"{path}/{recorded['item_ids'][0]}", json=an_item(text="two"))

    assert len(await interviews.told()) == 1


async def test_only_who_recorded_it_or_a_manager_may_amend(interviews):
    recorded = (await interviews.record(a_talk())).json()
    path = f"/interviews/{recorded['interview_id']}/items/{recorded['item_ids'][0]}"
    body = an_item(text="other words")

    assert (await interviews.call("PUT", path, sub="W-2", json=body)).status_code == 403
    assert (await interviews.call("PUT", path, "dsl", sub="W-1", json=body)).status_code == 403
    assert (await interviews.call("PUT", path, "manager", sub="M-1", json=body)).status_code == 200


@pytest.mark.parametrize("path", ["/interviews/IV-9/items/IT-9", "/interviews/IV-9/items/%00"])
async def test_an_item_nobody_recorded_is_not_found(interviews, path):
    answer = await interviews.call("PUT", path, json=an_item())

    assert answer.status_code in {404, 422}
