"""Words are given to those entitled, after a record of it; parts to `sharing`, by name."""

import pytest

from .test_recording import CANARY, a_talk, an_item

ROLES = ("practitioner", "manager", "dsl", "dpo", "ig_lead", "ops", "partner", "service")


@pytest.fixture
async def recorded(interviews):
    return (await interviews.record(a_talk())).json()


def calls(recorded: dict) -> list[tuple[str, str, dict | None, set[str]]]:
    """Return each route with a valid body and the roles that may call it."""
    talk, item = recorded["interview_id"], recorded["item_ids"][0]
    parts = {"version": 1, "parts": ["text"]}
    return [
        ("POST", "/interviews", a_talk(), {"practitioner"}),
        ("POST", f"/interviews/{talk}/items", an_item(), {"practitioner", "manager"}),
        ("PUT", f"/interviews/{talk}/items/{item}", an_item(), {"practitioner", "manager"}),
        ("GET", "/interviews", None, {"practitioner", "manager", "dsl"}),
        ("GET", f"/interviews/{talk}", None, {"practitioner", "manager", "dsl"}),
        ("GET", f"/interviews/{talk}/items/{item}", None, {"practitioner", "manager", "dsl"}),
        ("GET", f"/interviews/{talk}/items", None, set()),
        ("POST", f"/items/{item}/fields", parts, set()),
        ("POST", "/items/fields", {"items": [parts | {"item_id": item}]}, set()),
    ]


@pytest.mark.parametrize("number", range(9))
async def test_each_route_lets_in_its_roles_and_no_other(interviews, recorded, number):
    method, path, body, allowed = calls(recorded)[number]

    passed = {
        role
        for role in ROLES
        if (await interviews.call(method, path, role, json=body)).status_code != 403
    }
    assert passed == allowed
    assert (await interviews.call(method, path, None, json=body)).status_code == 401


async def test_the_worker_reads_the_words_and_that_is_recorded(interviews, recorded):
    answer = await interviews.call("GET", f"/interviews/{recorded['interview_id']}")

    item = answer.json()["items"][0]
    assert item["text"] == CANARY
    assert item["fields"] == {"push": ["family_conflict"], "note": CANARY}
    assert item["event_at"] == "2026-12-05T21:00:00Z"
    assert answer.headers["cache-control"] == "no-store"
    assert await interviews.accesses() == [("W-1", recorded["interview_id"], "interview.words")]


@pytest.mark.parametrize("role", ["manager", "dsl"])
async def test_managers_and_the_dsl_read_them_too_and_that_is_recorded(interviews, recorded, role):
    answer = await interviews.call("GET", f"/interviews/{recorded['interview_id']}", role, "P-9")

    assert CANARY in answer.text
    assert [who for who, _, _ in await interviews.accesses()] == ["P-9"]


async def test_another_worker_reads_nothing_and_nothing_is_recorded(interviews, recorded):
    answer = await interviews.call("GET", f"/interviews/{recorded['interview_id']}", sub="W-2")

    assert (answer.status_code, answer.json()["code"]) == (403, "interview.of_another_worker")
    assert "zebra" not in answer.text
    assert await interviews.accesses() == []


async def test_lists_hold_no_words_and_a_worker_sees_their_own(interviews, recorded):
    await interviews.record(a_talk(), sub="W-2")
    own = await interviews.call("GET", "/interviews")
    all_of_them = await interviews.call("GET", "/interviews", "manager")

    assert [talk["id"] for talk in own.json()["items"]] == [recorded["interview_id"]]
    assert len(all_of_them.json()["items"]) == 2
    assert "zebra" not in own.text + all_of_them.text


async def test_a_list_comes_in_pages(interviews, recorded):
    await interviews.record(a_talk(), key="k2")
    first = (await interviews.call("GET", "/interviews?limit=1")).json()
    second = (await interviews.call("GET", f"/interviews?limit=1&after={first['next']}")).json()

    assert len({page["items"][0]["id"] for page in (first, second)}) == 2
    assert second["next"] is None


async def test_a_talk_nobody_recorded_is_not_found(interviews):
    assert (await interviews.call("GET", "/interviews/IV-9")).status_code == 404


async def test_sharing_is_given_what_a_decision_reads_and_no_words(interviews, recorded):
    answer = await interviews.call(
        "GET", f"/interviews/{recorded['interview_id']}/items", "service", "sharing"
    )

    told = answer.json()
    assert told["items"][0].pop("recorded_at").startswith("2026-12-07T12:00")
    assert told == {
        "interview_id": recorded["interview_id"],
        "kind": "interview",
        "episode_ids": ["EP-1"],
        "child_id": "C-1",
        "items": [
            {
                "item_id": recorded["item_ids"][0],
                "version": 1,
                "episode_id": "EP-1",
                "category": "push_pull",
                "subject": "child",
                "provenance": "child_said",
                "verbatim": True,
                "third_parties": ["given"],
                "counselling": False,
                "offence_data": False,
                "special": ["health"],
                "facts": {"factor_about_carer": False, "place_type": "public_place"},
                "event_at": "2026-12-05T21:00:00Z",
            }
        ],
    }


@pytest.mark.parametrize("service", ["referral", "scheduling", "notify", "interview", "W-1"])
async def test_no_other_service_is_given_anything(interviews, recorded, service):
    for method, path, body, _ in calls(recorded)[6:]:
        answer = await interviews.call(method, path, "service", service, json=body)
        assert answer.status_code == 403


async def test_parts_are_given_by_name_and_only_those_after_a_record_of_it(interviews, recorded):
    path = f"/items/{recorded['item_ids'][0]}/fields"
    body = {"version": 1, "parts": ["summary", "event_at"]}
    answer = await interviews.call("POST", path, "service", "sharing", json=body)

    assert answer.json() == {"parts": {"summary": CANARY, "event_at": "2026-12-05T21:00:00Z"}}
    assert await interviews.accesses() == [
        ("sharing", recorded["item_ids"][0], "item.event_at+summary")
    ]


async def test_parts_are_of_the_version_that_was_decided_on(interviews, recorded):
    item = recorded["item_ids"][0]
    path = f"/interviews/{recorded['interview_id']}/items/{item}"
    await interviews.call("PUT", path, json=an_item(text="other words"))
    texts = [
        (
            await interviews.call(
                "POST",
                f"/items/{item}/fields",
                "service",
                "sharing",
                json={"version": version, "parts": ["text"]},
            )
        ).json()["parts"]["text"]
        for version in (1, 2)
    ]

    assert texts == [CANARY, "other words"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"version": 2, "parts": ["text"]}, 404),
        ({"version": 1, "parts": []}, 422),
        ({"version": 1, "parts": ["written_by"]}, 422),
        ({"version": 1, "parts": ["facts"]}, 422),
        ({"version": 2**40, "parts": ["text"]}, 422),
        ({"version": 1}, 422),
    ],
)
async def test_parts_that_there_are_not_are_refused(interviews, recorded, body, status):
    path = f"/items/{recorded['item_ids'][0]}/fields"
    answer = await interviews.call("POST", path, "service", "sharing", json=body)

    assert answer.status_code == status
    assert await interviews.accesses() == []


async def test_a_carers_account_is_kept_from_sharing(interviews):
    made = (await interviews.record(a_talk(kind="carer_account"))).json()
    listed = await interviews.call(
        "GET", f"/interviews/{made['interview_id']}/items", "service", "sharing"
    )
    parts = await interviews.call(
        "POST",
        f"/items/{made['item_ids'][0]}/fields",
        "service",
        "sharing",
        json={"version": 1, "parts": ["text"]},
    )

    assert listed.json()["items"] == []
    assert (parts.status_code, parts.json()["code"]) == (403, "item.kept_apart")


async def test_parts_of_several_items_come_at_once_each_with_a_record_of_its_own(interviews):
    two = [an_item(), an_item(category="wishes", text="other words")]
    first, second = (await interviews.record(a_talk(items=two))).json()["item_ids"]
    asked = [
        {"item_id": first, "version": 1, "parts": ["summary"]},
        {"item_id": second, "version": 1, "parts": ["text", "summary"]},
        {"item_id": second, "version": 7, "parts": ["text"]},
        {"item_id": "IT-nobody", "version": 1, "parts": ["text"]},
    ]
    answer = await interviews.call(
        "POST", "/items/fields", "service", "sharing", json={"items": asked}
    )

    assert answer.json()["items"] == [
        {"item_id": first, "parts": {"summary": CANARY}},
        {"item_id": second, "parts": {"summary": CANARY, "text": "other words"}},
    ]
    assert await interviews.accesses() == [
        ("sharing", first, "item.summary"),
        ("sharing", second, "item.summary+text"),
    ]


async def test_a_carers_account_is_left_out_of_several_items_too(interviews):
    made = (await interviews.record(a_talk(kind="carer_account"))).json()
    asked = {"item_id": made["item_ids"][0], "version": 1, "parts": ["text"]}
    answer = await interviews.call(
        "POST", "/items/fields", "service", "sharing", json={"items": [asked]}
    )

    assert answer.json() == {"items": []}
    assert await interviews.accesses() == []
