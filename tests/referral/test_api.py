"""Referrals, children, episodes and questions over HTTP, on both databases."""

import asyncio
from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import inspect
from support.tokens import bearer

from services.referral.tables import Base

MISSING_FROM = datetime(2026, 11, 27, 18, tzinfo=UTC)
NOW = datetime(2027, 1, 20, 12, tzinfo=UTC)


def a_referral(**changes) -> dict:
    """Return a valid referral; a change names its path, e.g. child__given_name="Ann"."""
    body = {
        "source": "police",
        "police_reference": "NP/26/0001",
        "locality": "northshire",
        "child": {"given_name": "Child", "family_name": "One", "date_of_birth": "2011-05-01"},
        "episode": {
            "setting": "home",
            "missing_from": "2026-11-27T18:00:00+00:00",
            "returned_at": "2026-11-27T22:40:00+00:00",
        },
        "received_at": "2026-11-28T09:15:00+00:00",
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = body
        for parent in parents:
            place = place[parent]
        if value is ...:
            place.pop(last, None)
        else:
            place[last] = deepcopy(value)
    return body


def back(start: datetime, hours: float = 5) -> dict:
    """Return the changes for an episode that began at `start`."""
    return {
        "police_reference": f"NP/{start.isoformat()}",
        "episode__missing_from": start.isoformat(),
        "episode__returned_at": (start + timedelta(hours=hours)).isoformat(),
        "received_at": (start + timedelta(hours=hours + 2)).isoformat(),
    }


def problem(answer, status: int) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


# Taking referrals


async def test_the_migration_makes_the_tables_that_the_code_has(referrals):
    def missing(sync) -> set[str]:
        made = inspect(sync)
        there = {
            (table, column["name"])
            for table in made.get_table_names()
            for column in made.get_columns(table)
        }
        wanted = {(t.name, c.name) for t in Base.metadata.sorted_tables for c in t.columns}
        return wanted ^ {pair for pair in there if pair[0] != "alembic_version"}

    async with referrals.app.db.reading() as session:
        assert await (await session.connection()).run_sync(missing) == set()


async def test_a_referral_opens_one_episode_and_tells_of_it_once(referrals):
    first = await referrals.refer(a_referral())
    again = await referrals.refer(a_referral())

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert set(first.json()) == {"referral_id", "child_id", "episode_id", "state"}
    (event,) = await referrals.told("episode_referred")
    assert event["episode_id"] == first.json()["episode_id"]
    assert event["received_at"] == "2026-11-28T09:15:00Z"
    assert event["hosted"] is False
    assert len(await referrals.episodes()) == 1


async def test_only_what_is_required_is_needed(referrals):
    body = {
        "source": "council",
        "locality": "northshire",
        "child": {"given_name": "Child", "family_name": "One", "date_of_birth": "2011-05-01"},
        "episode": {
            "missing_from": "2026-11-27T18:00:00Z", "returned_at": "2026-11-27T22:40:00Z",
        },
    }  # fmt: skip

    answer = await referrals.refer(body)

    assert answer.status_code == 201
    (event,) = await referrals.told("episode_referred")
    assert NOW <= datetime.fromisoformat(event["received_at"]) < NOW + timedelta(seconds=30)


async def test_an_idempotency_key_gives_the_first_answer_again(referrals):
    body = a_referral(source="parent", police_reference=...)

    first = await referrals.refer(body, key="k-1")
    again = await referrals.refer(body, key="k-1")
    other = await referrals.refer(body | {"locality": "eastvale"}, key="k-1")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert problem(other, 409)["code"] == "idempotency_key.reused"
    assert len(await referrals.episodes()) == 1


@pytest.mark.parametrize("key", [None, "k-1"])
async def test_duplicates_that_race_give_one_child_one_episode_and_one_event(referrals, key):
    answers = await asyncio.gather(*(referrals.refer(a_referral(), key=key) for _ in range(6)))

    assert sorted(a.status_code for a in answers) == [200] * 5 + [201]
    assert len({a.text for a in answers}) == 1
    assert len(await referrals.told("episode_referred")) == 1


async def test_new_children_with_one_external_id_that_race_become_one(referrals):
    bodies = [
        a_referral(
            police_reference=f"NP/26/{n}", child__external_ids={"lcs": "42"},
            episode__missing_from=(MISSING_FROM - timedelta(days=n)).isoformat(),
        )
        for n in range(4)
    ]  # fmt: skip

    answers = await asyncio.gather(*map(referrals.refer, bodies))

    assert [a.status_code for a in answers] == [201] * 4
    assert len({a.json()["child_id"] for a in answers}) == 1
    assert len({a.json()["episode_id"] for a in answers}) == 4


async def test_siblings_under_one_police_reference_stay_apart(referrals):
    one = await referrals.refer(a_referral())
    other = await referrals.refer(a_referral(child__given_name="Sister"))

    assert other.status_code == 201
    assert one.json()["episode_id"] != other.json()["episode_id"]
    assert await referrals.tasks() == []


async def test_a_repeat_under_a_new_key_with_the_same_report_is_the_same_referral(referrals):
    first = await referrals.refer(a_referral(), key="k-1")
    again = await referrals.refer(a_referral(child__given_name="CHILD"), key="k-2")

    assert again.status_code == 200
    assert first.json() == again.json()


async def test_a_repeat_that_gives_another_return_is_a_question_and_moves_no_clock(referrals):
    await referrals.refer(a_referral())
    later = a_referral(episode__returned_at="2026-11-27T23:40:00Z")

    answer = await referrals.refer(later)

    assert answer.status_code == 200
    (task,) = await referrals.tasks("practitioner")
    assert task["kind"] == "question"
    (episode,) = await referrals.episodes()
    assert episode["returned_at"] == "2026-11-27T22:40:00Z"


async def test_two_sources_of_one_episode_are_two_referrals_of_one_episode(referrals):
    police = (await referrals.refer(a_referral(child__external_ids={"lcs": "7"}))).json()

    council = await referrals.refer(
        a_referral(source="council", police_reference=..., child__external_ids={"lcs": "7"})
    )

    assert council.status_code == 201
    assert council.json()["episode_id"] == police["episode_id"]
    assert council.json()["referral_id"] != police["referral_id"]
    assert len(await referrals.told("episode_referred")) == 1


# Which child


async def test_a_known_child_is_joined_by_id(referrals):
    child = (await referrals.refer(a_referral())).json()["child_id"]
    later = MISSING_FROM + timedelta(days=40)

    answer = await referrals.refer(a_referral(child__id=child, **back(later)))

    assert answer.json()["child_id"] == child
    assert len(await referrals.episodes(child_id=child)) == 2
    assert await referrals.tasks() == []
    assert await referrals.told("child_changed") == []


async def test_an_id_that_names_nobody_is_refused_by_field_and_not_echoed(referrals):
    refused = problem(await referrals.refer(a_referral(child__id="CH-SECRET")), 422)

    assert refused["errors"] == [{"field": "body.child.id", "code": "child.unknown"}]
    assert "SECRET" not in str(refused)
    assert await referrals.episodes() == []


async def test_ids_that_name_two_children_are_refused(referrals):
    await referrals.refer(a_referral(child__external_ids={"lcs": "1"}))
    await referrals.refer(
        a_referral(child__external_ids={"school": "2"}, **back(MISSING_FROM - timedelta(days=9)))
    )

    both = await referrals.refer(
        a_referral(
            child__external_ids={"lcs": "1", "school": "2"},
            **back(MISSING_FROM - timedelta(days=20)),
        )
    )

    assert problem(both, 409)["code"] == "child.ids_disagree"


async def test_same_name_and_birth_date_ask_for_a_comparison_and_never_merge(referrals):
    one = (await referrals.refer(a_referral(child__given_name="Zoë"))).json()
    other = await referrals.refer(
        a_referral(child__given_name=" ZOE ", **back(MISSING_FROM - timedelta(days=9)))
    )

    assert other.json()["child_id"] != one["child_id"]
    (task,) = await referrals.tasks()
    assert (task["kind"], task["child_id"]) == ("compare", other.json()["child_id"])
    assert one["child_id"] in task["text"]
    assert set(task) == {
        "id", "kind", "child_id", "owner", "due_at", "missing", "release_ids", "text",
    }  # fmt: skip
    assert "Zo" not in task["text"]


async def test_alike_children_recorded_at_the_same_moment_are_compared(referrals):
    bodies = [a_referral(**back(MISSING_FROM - timedelta(days=day))) for day in range(4)]

    await asyncio.gather(*map(referrals.refer, bodies))

    assert len(await referrals.tasks()) == 3


async def test_a_common_name_costs_one_task_each(referrals):
    for day in range(8):
        await referrals.refer(a_referral(**back(MISSING_FROM - timedelta(days=day))))

    assert len(await referrals.tasks()) == 7


async def test_a_referral_with_another_name_for_a_known_child_renames_nobody(referrals):
    child = (await referrals.refer(a_referral())).json()["child_id"]

    await referrals.refer(
        a_referral(
            child__id=child, child__given_name="Other", **back(MISSING_FROM - timedelta(days=9))
        )
    )

    assert (await referrals.get(f"/children/{child}"))["given_name"] == "Child"
    (task,) = await referrals.tasks()
    assert task["kind"] == "compare"


# Facts and defaults


async def test_defaults_are_filled_in_and_never_overwrite_what_is_known(referrals):
    said = {
        "child__identity_status": "verified", "child__legal_status": "looked_after",
        "child__responsible_la": "la-a", "child__host_la": "la-b",
        "child__address_confidential": False, "child__external_ids": {"lcs": "1"},
        "child__channels": [{"kind": "text", "address": "07700 900001", "safe": "safe",
                             "whose": "child"}],
    }  # fmt: skip
    child = (await referrals.refer(a_referral(**said))).json()["child_id"]
    known = await referrals.get(f"/children/{child}")

    await referrals.refer(
        a_referral(child__external_ids={"lcs": "1"}, **back(MISSING_FROM - timedelta(days=9)))
    )

    assert await referrals.get(f"/children/{child}") == known
    assert known["host_la"] == "la-b"
    assert known["version"] == 1
    assert (await referrals.told("episode_referred"))[0]["hosted"] is True


async def test_a_new_child_is_home_unverified_and_confidential(referrals):
    child = (await referrals.refer(a_referral())).json()["child_id"]

    assert await referrals.get(f"/children/{child}") == {
        "id": child, "version": 1, "given_name": "Child", "family_name": "One",
        "date_of_birth": "2011-05-01", "identity_status": "unverified", "legal_status": "home",
        "locality": "northshire", "responsible_la": "northshire", "host_la": None,
        "address_confidential": True, "channels": [],
    }  # fmt: skip


async def test_a_later_referral_that_says_a_fact_changes_it_and_tells(referrals):
    child = (await referrals.refer(a_referral())).json()["child_id"]

    await referrals.refer(
        a_referral(
            child__id=child, child__legal_status="looked_after",
            **back(MISSING_FROM - timedelta(days=9)),
        )
    )  # fmt: skip

    assert (await referrals.get(f"/children/{child}"))["legal_status"] == "looked_after"
    (event,) = await referrals.told("child_changed")
    assert (event["child_id"], event["version"]) == (child, 2)


async def test_an_old_report_sent_again_undoes_no_correction(referrals):
    child = (await referrals.refer(a_referral(child__legal_status="home"))).json()["child_id"]
    await referrals.call("PATCH", f"/children/{child}", {"legal_status": "looked_after"})

    await referrals.refer(a_referral(child__legal_status="home"))

    assert (await referrals.get(f"/children/{child}"))["legal_status"] == "looked_after"


async def test_a_patch_changes_what_it_names_counts_up_and_tells_once(referrals):
    child = (await referrals.refer(a_referral())).json()["child_id"]
    change = {
        "identity_status": "verified", "date_of_birth": "2012-05-03",
        "channels": [{"kind": "phone", "address": "1", "safe": "safe", "whose": "child"}],
    }  # fmt: skip

    first = await referrals.call("PATCH", f"/children/{child}", change)
    again = await referrals.call("PATCH", f"/children/{child}", change)

    assert first.json() == again.json()
    assert (first.json()["version"], first.json()["date_of_birth"]) == (2, "2012-05-03")
    assert [event["version"] for event in await referrals.told("child_changed")] == [2]


async def test_a_patch_can_take_the_host_away_but_no_other_fact(referrals):
    child = (await referrals.refer(a_referral(child__host_la="la-b"))).json()["child_id"]

    gone = await referrals.call("PATCH", f"/children/{child}", {"host_la": None})

    assert gone.json()["host_la"] is None
    problem(await referrals.call("PATCH", f"/children/{child}", {"locality": None}), 422)
    problem(await referrals.call("PATCH", f"/children/{child}", {"legal_statuss": "home"}), 422)
    future = {"date_of_birth": "2030-01-01"}
    problem(await referrals.call("PATCH", f"/children/{child}", future), 422)
    problem(await referrals.call("PATCH", "/children/CH-NONE", future), 404)


async def test_a_patch_that_makes_two_children_alike_asks_for_a_comparison(referrals):
    await referrals.refer(a_referral())
    other = (await referrals.refer(a_referral(child__given_name="Alias"))).json()["child_id"]

    await referrals.call("PATCH", f"/children/{other}", {"given_name": "Child"})

    (task,) = await referrals.tasks()
    assert task["child_id"] == other


async def test_each_read_of_a_child_is_on_record(referrals):
    child = (await referrals.refer(a_referral())).json()["child_id"]

    await referrals.get(f"/children/{child}", role="dsl", sub="dsl-9")
    await referrals.get(f"/children/{child}", role="service", sub="notify")

    assert await referrals.reads() == [("dsl-9", child), ("notify", child)]


# Triage and questions


async def test_an_unknown_locality_is_kept_in_triage_with_its_episode_open(referrals):
    answer = await referrals.refer(a_referral(locality="nowhereshire"))

    assert (answer.status_code, answer.json()["state"]) == (201, "triage")
    (task,) = await referrals.tasks()
    assert task["kind"] == "triage"
    assert answer.json()["referral_id"] in task["text"]
    assert len(await referrals.told("episode_referred")) == 1
    child = await referrals.get(f"/children/{answer.json()['child_id']}")
    assert child["responsible_la"] == "unknown"


async def test_somebody_over_the_upper_age_is_kept_in_triage(referrals):
    answer = await referrals.refer(a_referral(child__date_of_birth="2008-11-27"))

    assert answer.json()["state"] == "triage"


async def test_an_ambiguous_return_is_the_first_is_flagged_and_asked_about(referrals):
    referrals.app.clock.set(datetime(2027, 11, 2, tzinfo=UTC))
    body = a_referral(
        episode__missing_from="2027-10-30T20:00", episode__returned_at="2027-10-31T01:30"
    )

    answer = await referrals.refer(body)

    (event,) = await referrals.told("episode_referred")
    assert event["missing_from"] == "2027-10-30T19:00:00Z"
    assert event["returned_at"] == "2027-10-31T00:30:00Z"
    assert event["return_time_ambiguous"] is True
    (task,) = await referrals.tasks("practitioner")
    assert answer.json()["episode_id"] in task["text"]


async def test_a_question_is_answered_by_its_owner_once(referrals):
    await referrals.refer(a_referral(locality="nowhereshire"))
    (task,) = await referrals.tasks()
    path = f"/tasks/{task['id']}/done"

    problem(await referrals.call("POST", path, {"result": "x"}, role="dsl"), 404)
    done = await referrals.call("POST", path, {"result": "northshire"}, role="manager")
    again = await referrals.call("POST", path, {"result": "northshire"}, role="manager")
    other = await referrals.call("POST", path, {"result": "eastvale"}, role="manager")

    assert done.status_code == again.status_code == 200
    assert problem(other, 409)["code"] == "task.done"
    assert await referrals.tasks() == []


async def test_overlapping_episodes_of_one_child_are_a_question(referrals):
    child = (await referrals.refer(a_referral())).json()["child_id"]

    await referrals.refer(a_referral(child__id=child, **back(MISSING_FROM + timedelta(minutes=20))))

    (task,) = await referrals.tasks("practitioner")
    assert "overlap" in task["text"]


# Bad input


ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what is refused before any database is asked."""

BAD = [
    ({"episode__returned_at": "2026-11-27T17:00:00Z"}, "body.episode.returned_at",
     "time.returned_before_missing"),
    ({"episode__returned_at": "2027-01-20T13:00:00Z"}, "body.episode.returned_at",
     "time.in_future"),
    ({"received_at": "2027-01-20T13:00:00Z"}, "body.received_at", "time.in_future"),
    ({"episode__reported_missing_at": "2027-02-01T00:00Z"}, "body.episode.reported_missing_at",
     "time.in_future"),
    ({"episode__returned_at": "2026-03-29T01:30"}, "body.episode.returned_at",
     "time.nonexistent"),
    ({"episode__missing_from": "SECRET"}, "body.episode.missing_from", "time.invalid"),
    ({"child__date_of_birth": "2027-01-01"}, "body.child.date_of_birth",
     "date.after_missing"),
    ({"child__date_of_birth": "SECRET"}, "body.child.date_of_birth", None),
    ({"child__date_of_birth": 1304208000}, "body.child.date_of_birth", None),
    ({"child__given_name": ...}, "body.child.given_name", "missing"),
    ({"child__family_name": " "}, "body.child.family_name", None),
    ({"child__given_name": "SEC\x00RET"}, "body.child.given_name", None),
    ({"child__given_name": "S" * 201}, "body.child.given_name", None),
    ({"child__legal_status": "SECRET"}, "body.child.legal_status", None),
    ({"episode__setting": "SECRET Street"}, "body.episode.setting", None),
    ({"episode__grading": "SECRET"}, "body.episode.grading", None),
    ({"locality": "SECRET"}, "body.locality", None),
    ({"locality": ...}, "body.locality", "missing"),
    ({"police_reference": ...}, "body", "police_reference_missing"),
    ({"source": "SECRET"}, "body.source", None),
    ({"child__channels": [{"kind": "SECRET", "address": "1"}]}, "body.child.channels.0.kind",
     None),
    ({"child__external_ids": {"lcs": ""}}, "body.child.external_ids.*", None),
]  # fmt: skip


@ONE_DATABASE
async def test_bad_input_names_the_field_and_echoes_nothing(referrals, subtests):
    for changes, field, code in BAD:
        with subtests.test(field=field, code=code):
            answer = await referrals.refer(a_referral(**changes))

            refused = problem(answer, 422)
            named = {error["field"]: error["code"] for error in refused["errors"]}
            assert field in named
            assert code in {None, named[field]}
            assert "SECRET" not in answer.text
            assert "RET" not in answer.text

    assert await referrals.told("episode_referred") == []


MAY = {
    ("POST", "/referrals"): {"practitioner", "manager", "service"},
    ("GET", "/children/CH-1"): {"practitioner", "manager", "dsl"},
    ("PATCH", "/children/CH-1"): {"practitioner", "manager"},
    ("GET", "/episodes"): {"practitioner", "manager"},
    ("GET", "/episodes/EP-1"): {"practitioner", "manager"},
    ("GET", "/tasks"): {"practitioner", "manager", "dsl", "dpo", "ig_lead", "ops"},
    ("POST", "/tasks/TK-1/done"): {"practitioner", "manager", "dsl", "dpo", "ig_lead", "ops"},
}
ROLES = ("practitioner", "manager", "dsl", "dpo", "ig_lead", "ops", "partner", "service")


@ONE_DATABASE
async def test_only_the_roles_that_may_get_in(referrals, subtests):
    for (method, path), roles in MAY.items():
        for role in ROLES:
            with subtests.test(path=path, role=role):
                status = (await referrals.call(method, path, {}, role=role)).status_code
                assert (status == 403) == (role not in roles)


@ONE_DATABASE
async def test_nobody_gets_in_without_a_token_for_this_service(referrals, subtests):
    foreign = referrals.issuer.token("manager", audience="scheduling")
    expired = referrals.issuer.token("manager", audience="referral", ttl=-60)
    for method, path in MAY:
        for headers in ({}, bearer(foreign), bearer(expired), bearer("SECRET")):
            with subtests.test(path=path):
                answer = await referrals.client.request(method, path, headers=headers)
                assert answer.status_code == 401
                assert "SECRET" not in answer.text


@pytest.mark.parametrize("sub", ["sharing", "notify"])
async def test_services_read_a_child_along_their_edge_only(referrals, sub):
    path = "/children/CH-NONE"

    assert (await referrals.call("GET", path, role="service", sub=sub)).status_code == 404
    assert (await referrals.call("GET", path, role="service", sub="interview")).status_code == 403
    assert (await referrals.call("GET", "/episodes", role="service", sub=sub)).status_code == 403


# Episodes and triggers


async def starts(referrals, *moments: datetime, **changes) -> list[dict]:
    """Refer one child's episodes that began at `moments`; return the answers."""
    answers: list[dict] = []
    for moment in moments:
        known = {"child__id": answers[0]["child_id"]} if answers else {}
        answer = await referrals.refer(a_referral(**back(moment), **known, **changes))
        answers.append(answer.json())
    return answers


async def test_s3_the_trigger_fires_once_on_the_third_and_the_fourth_joins(referrals):
    answers = await starts(
        referrals,
        datetime(2026, 12, 2, 18, tzinfo=UTC),
        datetime(2026, 12, 4, 20, tzinfo=UTC),
        datetime(2026, 12, 5, 21, tzinfo=UTC),
        datetime(2026, 12, 12, 18, tzinfo=UTC),
    )

    (fired,) = await referrals.told("trigger_fired")
    assert (fired["episode_id"], fired["window_days"]) == (answers[2]["episode_id"], 30)
    episodes = await referrals.episodes()
    assert [len(episode["triggers"]) for episode in episodes] == [1, 1, 1, 1]
    assert {t["fired_by"] for t in episodes[3]["triggers"]} == {answers[2]["episode_id"]}


async def test_s4_three_in_59_days_fire_for_90_days_only(referrals):
    answers = await starts(
        referrals,
        datetime(2026, 10, 3, 20, tzinfo=UTC),
        datetime(2026, 11, 3, 18, tzinfo=UTC),
        datetime(2026, 12, 1, 20, tzinfo=UTC),
    )

    (fired,) = await referrals.told("trigger_fired")
    assert (fired["count"], fired["window_days"], fired["action"]) == (3, 90, "strategy_meeting")
    assert fired["episode_id"] == answers[2]["episode_id"]


async def test_three_in_90_days_do_not_silence_three_in_30_that_follow(referrals):
    days = (0, 31, 59, 60, 61)
    start = datetime(2026, 10, 3, 20, tzinfo=UTC)
    answers = await starts(referrals, *(start + timedelta(days=day) for day in days))

    fired = await referrals.told("trigger_fired")

    assert [(f["episode_id"], f["window_days"]) for f in fired] == [
        (answers[2]["episode_id"], 90),
        (answers[3]["episode_id"], 30),
    ]


async def test_a_race_of_episodes_fires_a_trigger_once(referrals):
    child = (await referrals.refer(a_referral())).json()["child_id"]
    bodies = [
        a_referral(child__id=child, **back(MISSING_FROM + timedelta(days=day)))
        for day in range(1, 6)
    ]

    await asyncio.gather(*map(referrals.refer, bodies))

    assert len(await referrals.told("trigger_fired")) == 1


async def test_other_childrens_episodes_count_for_nobody_else(referrals):
    for day in range(4):
        await referrals.refer(
            a_referral(
                child__given_name=f"N{'abcd'[day]}", **back(MISSING_FROM - timedelta(days=day))
            )
        )

    assert await referrals.told("trigger_fired") == []


async def test_episodes_come_in_pages_by_time(referrals):
    await starts(referrals, *(MISSING_FROM + timedelta(days=day) for day in range(5)))

    seen: list[str] = []
    params: dict = {"limit": 2}
    while True:
        page = await referrals.get("/episodes", params=params)
        seen += [item["received_at"] for item in page["items"]]
        if page["next"] is None:
            break
        params["after"] = page["next"]

    assert len(seen) == 5
    assert seen == sorted(seen)


async def test_one_episode_is_found_by_its_id(referrals):
    taken = (await referrals.refer(a_referral(episode__grading="high"))).json()

    episode = await referrals.get(f"/episodes/{taken['episode_id']}")

    assert episode["grading"] == "high"
    assert episode["referral_id"] == taken["referral_id"]
    problem(await referrals.call("GET", "/episodes/EP-NONE"), 404)
