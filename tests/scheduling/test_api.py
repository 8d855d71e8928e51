"""Rules of practice, bad input, repeats and reordering over HTTP, on both databases."""

import asyncio
from datetime import timedelta

import pytest
from scheduling_builders import an_attempt, referred, talked, utc
from sqlalchemy import inspect
from support.tokens import bearer

from messaging.errors import NotYetError
from services.scheduling.handlers import OtherChildError
from services.scheduling.tables import Base

RECEIVED = utc(2026, 11, 28, 9, 15)
SAT = utc(2026, 11, 28, 11)
TALK = {"worker": "W-1", "venue": "library", "starts_at": "2026-11-30T16:30:00Z"}
DECLINE = {
    "outcome": "declined_by_child", "by": "child", "occurred_at": SAT.isoformat(),
    "helpline_given_to": ["child"],
}  # fmt: skip


@pytest.fixture
async def case(cases):
    """EP-1 of CH-1 is on offer, and it is noon of that Saturday."""
    await cases.take(referred())
    await cases.at(utc(2026, 11, 28, 12))
    return cases


async def test_the_migration_makes_the_tables_that_the_code_has(cases):
    def difference(sync) -> set:
        made = inspect(sync)
        there = {
            (table, column["name"])
            for table in made.get_table_names()
            for column in made.get_columns(table)
        }
        wanted = {(t.name, c.name) for t in Base.metadata.sorted_tables for c in t.columns}
        return wanted ^ {pair for pair in there if pair[0] != "alembic_version"}

    async with cases.app.db.reading() as session:
        assert await (await session.connection()).run_sync(difference) == set()


# Offers


async def test_an_episode_has_one_offer_however_often_it_is_told(case):
    await case.take(referred())
    await case.take(referred(id="EV-sent-again-under-another-id"))

    assert len(await case.told("offer_made")) == 1
    assert len((await case.get("/offers"))["items"]) == 1


async def test_every_episode_is_offered_whatever_was_said_before(case):
    await case.do("outcome", "EP-1", DECLINE)

    await case.take(referred("EP-2", missing_from=SAT, returned_at=SAT, received_at=SAT))

    (offer,) = (await case.get("/offers", params={"state": "open"}))["items"]
    assert offer["episode_id"] == "EP-2"


async def test_offers_come_in_pages_the_most_pressing_first(cases):
    for number in range(5):
        received = RECEIVED + timedelta(hours=number * 7 % 5)
        await cases.take(referred(f"EP-{number}", f"CH-{number}", received_at=received))

    seen: list[str] = []
    params: dict = {"state": "open", "limit": 2}
    while True:
        page = await cases.get("/offers", params=params)
        seen += [offer["contact_due_at"] for offer in page["items"]]
        if page["next"] is None:
            break
        params["after"] = page["next"]

    assert len(seen) == 5
    assert seen == sorted(seen)


async def test_an_offer_is_found_by_its_id(case):
    (listed,) = (await case.get("/offers"))["items"]

    found = await case.get(f"/offers/{listed['id']}")

    assert found == listed
    assert found["state"] == "open"
    assert found["stage"] == "waiting"


async def test_an_episode_that_is_under_way_is_waited_for(cases):
    async def later() -> None:
        await asyncio.sleep(0.2)
        await cases.take(referred())

    answer, _ = await asyncio.gather(cases.call("GET", "/episodes/EP-1"), later())

    assert answer.status_code == 200
    assert (await cases.call("GET", "/episodes/EP-NONE")).status_code == 404


# Attempts


async def test_an_attempt_is_no_contact_and_the_workers_name_is_the_tokens(case):
    await case.do("attempts", "EP-1", an_attempt(SAT), sub="W-7")

    (event,) = await case.told("attempt_made")
    assert (event["worker"], event["method"], event["outcome"]) == ("W-7", "phone", "no_answer")
    assert (await case.get("/episodes/EP-1"))["contact_at"] is None


async def test_one_attempt_written_down_twice_is_one(case):
    first = await case.call("POST", "/episodes/EP-1/attempts", an_attempt(SAT))
    again = await case.call("POST", "/episodes/EP-1/attempts", an_attempt(SAT))

    assert first.json() == again.json()
    assert len(await case.told("attempt_made")) == 1


async def test_an_idempotency_key_gives_the_first_answer_again(case):
    headers = {"Idempotency-Key": "k-1"}
    path = "/episodes/EP-1/attempts"

    first = await case.call("POST", path, an_attempt(SAT), headers=headers)
    again = await case.call("POST", path, an_attempt(SAT), headers=headers)
    other = await case.call("POST", path, an_attempt(SAT, method="text"), headers=headers)

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json() == again.json()
    assert other.json()["code"] == "idempotency_key.reused"


async def test_the_eight_points_told_at_contact_are_kept(case):
    told = ["who_we_are", "voluntary"]
    await case.do("attempts", "EP-1", an_attempt(SAT, outcome="contact", points_told=told))

    shown = await case.get("/episodes/EP-1")

    assert shown["attempts"][0]["points_told"] == told
    assert len(shown["points_missing"]) == 6


async def test_a_contact_written_down_late_is_met_after_missed_was_told(case):
    await case.at(RECEIVED + timedelta(hours=25))
    assert [e["clock"] for e in await case.told("deadline_missed")] == ["contact"]
    assert (await case.clock("EP-1", "contact"))["state"] == "missed"

    contact = an_attempt(RECEIVED + timedelta(hours=23), outcome="contact")
    await case.do("attempts", "EP-1", contact)

    assert (await case.clock("EP-1", "contact"))["state"] == "met"
    assert [e["clock"] for e in await case.told("deadline_met")] == ["contact"]
    assert len(await case.told("deadline_missed")) == 1


async def test_an_earlier_contact_that_is_written_down_later_counts(case):
    late, early = RECEIVED + timedelta(hours=30), RECEIVED + timedelta(hours=3)
    await case.at(RECEIVED + timedelta(hours=31))
    await case.do("attempts", "EP-1", an_attempt(late, outcome="contact"))
    assert (await case.clock("EP-1", "contact"))["state"] == "late"

    await case.do("attempts", "EP-1", an_attempt(early, outcome="contact"))

    assert (await case.clock("EP-1", "contact"))["state"] == "met"
    assert (await case.get("/episodes/EP-1"))["contact_at"] == "2026-11-28T12:15:00Z"


async def test_near_and_missed_are_told_once_each_whatever_the_timer_does(case):
    for hours in (19, 20, 20, 22, 24, 25, 26, 61, 73, 90):
        await case.at(RECEIVED + timedelta(hours=hours))
        await case.at(RECEIVED + timedelta(hours=hours))

    near = [e["clock"] for e in await case.told("deadline_near")]
    missed = [e["clock"] for e in await case.told("deadline_missed")]
    assert (near, missed) == (["contact", "rhi"], ["contact", "rhi"])


async def test_many_clocks_that_end_together_are_all_told(cases):
    for number in range(52):
        await cases.take(referred(f"EP-{number}", f"CH-{number}"))

    await cases.at(RECEIVED + timedelta(hours=24, seconds=1))

    assert len(await cases.told("deadline_missed")) == 52


# Answers


async def test_no_contact_waits_for_enough_attempts(case):
    early = {"outcome": "no_contact", "occurred_at": "2026-11-28T12:00:00Z"}
    assert await case.refused("outcome", "EP-1", early) == (409, "no_contact.too_soon")

    await case.at(utc(2026, 11, 29, 12))
    for hours, method in ((0, "phone"), (1, "text"), (2, "phone"), (24, "letter")):
        at = utc(2026, 11, 28, 11) + timedelta(hours=hours % 12, days=hours // 24)
        await case.do("attempts", "EP-1", an_attempt(min(at, utc(2026, 11, 29, 12)), method=method))
    answer = await case.do("outcome", "EP-1", {"outcome": "no_contact"})

    assert (answer["final"], answer["state"]) == (True, "ended")
    await case.at(utc(2026, 12, 5))
    assert [e["clock"] for e in await case.told("deadline_missed")] == ["contact"]

    await case.do("attempts", "EP-1", an_attempt(utc(2026, 12, 4), outcome="contact"))
    assert (await case.get("/episodes/EP-1"))["state"] == "open"


async def test_what_no_contact_lacks_is_named(case):
    answer = await case.call("POST", "/episodes/EP-1/outcome", {"outcome": "no_contact"})

    assert answer.json()["errors"] == [
        {"field": "body.attempts", "code": "at_least_4"},
        {"field": "body.methods", "code": "at_least_2"},
        {"field": "body.days", "code": "at_least_2"},
    ]


async def test_a_decline_is_contact_ends_the_offer_and_stops_the_clocks(case):
    answer = await case.do("outcome", "EP-1", DECLINE)

    assert answer["state"] == "ended"
    await case.at(utc(2026, 12, 5))
    assert await case.told("deadline_missed") == []
    assert [e["clock"] for e in await case.told("deadline_met")] == ["contact"]
    assert (await case.clock("EP-1", "rhi"))["state"] == "stopped"


async def test_the_child_reopens_a_decline_even_after_it_was_closed(case):
    await case.do("outcome", "EP-1", DECLINE)
    await case.do("close", "EP-1")
    back = {"outcome": "accepted", "by": "child", "occurred_at": "2026-11-28T12:00:00Z"}

    assert await case.refused("outcome", "EP-1", back | {"by": "carer"}) == (409, "offer.ended")
    answer = await case.do("outcome", "EP-1", back)

    assert (answer["state"], answer["final"]) == ("open", False)
    reports = await case.told("outcome_reported")
    assert [(r["outcome"], r["final"], r["version"]) for r in reports] == [
        ("declined_by_child", True, 1),
        ("accepted", False, 2),
    ]
    await case.do("attempts", "EP-1", an_attempt(SAT + timedelta(minutes=30)))
    await case.at(utc(2026, 12, 5))
    assert [e["clock"] for e in await case.told("deadline_missed")] == ["rhi"]


async def test_the_same_decline_sent_twice_is_reported_once(case):
    await case.do("outcome", "EP-1", DECLINE)
    await case.do("outcome", "EP-1", DECLINE)

    assert len(await case.told("outcome_reported")) == 1


async def test_a_carers_no_keeps_the_offer_open(case):
    answer = await case.do(
        "outcome", "EP-1", {"outcome": "declined_by_carer", "helpline_given_to": "carer"}
    )

    assert (answer["final"], answer["state"]) == (False, "open")
    assert (await case.get("/episodes/EP-1"))["contact_at"] is None
    assert await case.refused("close", "EP-1") == (409, "offer.open")
    await case.do("attempts", "EP-1", an_attempt(SAT))


async def test_only_a_manager_says_that_nothing_is_offered(case):
    body = {"outcome": "not_offered", "reason": "died"}

    assert await case.refused("outcome", "EP-1", body) == (403, "not_offered.needs_manager")
    assert await case.refused("outcome", "EP-1", body | {"reason": None}, role="manager") == (
        422, "reason.missing",
    )  # fmt: skip
    assert (await case.do("outcome", "EP-1", body, role="manager"))["final"] is True


# Booking


async def test_a_booking_is_told_without_its_place_and_read_along_the_edge(case):
    await case.worker("W-1")
    booked = await case.do("booking", "EP-1", TALK)

    (event,) = await case.told("appointment_booked")
    assert "library" not in str(event)
    path = f"/bookings/{booked['booking_id']}"
    shown = await case.get(path, role="service", sub="notify")
    assert (shown["venue"], shown["worker_name"]) == ("library", "Name of W-1")
    assert shown["ends_at"] == "2026-11-30T17:30:00Z"
    assert (await case.call("GET", path, role="service", sub="sharing")).status_code == 403
    assert (await case.call("GET", "/bookings/BK-NONE")).status_code == 404


async def test_booking_the_same_again_changes_nothing_and_another_replaces_it(case):
    await case.worker("W-1")
    first = await case.do("booking", "EP-1", TALK)
    assert await case.do("booking", "EP-1", TALK) == first

    moved = await case.do("booking", "EP-1", TALK | {"starts_at": "2026-11-30T18:00:00Z"})

    assert moved["booking_id"] != first["booking_id"]
    assert (await case.get(f"/bookings/{first['booking_id']}"))["stands"] is False
    assert (await case.get(f"/bookings/{moved['booking_id']}"))["stands"] is True
    await case.do("outcome", "EP-1", DECLINE)
    assert (await case.get(f"/bookings/{moved['booking_id']}"))["stands"] is False
    assert len(await case.told("appointment_booked")) == 2
    assert (await case.get("/offers"))["items"][0]["stage"] == "booked"


async def test_who_may_not_go_is_not_booked(case):
    await case.worker("W-1", conflicts=["CH-1"])
    await case.worker("W-2", trained_until="2026-11-29")

    assert await case.refused("booking", "EP-1", TALK | {"worker": "W-9"}) == (
        422, "worker.unknown",
    )  # fmt: skip
    assert await case.refused("booking", "EP-1", TALK) == (409, "worker.conflicted")
    assert await case.refused("booking", "EP-1", TALK | {"worker": "W-2"}) == (
        409, "worker.training_lapsed",
    )  # fmt: skip
    await case.do("booking", "EP-1", TALK | {"asked_for_by_child": True})


async def test_nobody_vouches_for_themselves(case):
    body = {"name": "Name", "trained_until": "2030-01-01"}

    own = await case.call("PUT", "/workers/W-1", body, sub="W-1")
    other = await case.call("PUT", "/workers/W-2", body, sub="W-1")

    assert (own.status_code, own.json()["code"]) == (403, "worker.own_record")
    assert other.status_code == 200


async def test_a_preference_holds_until_the_child_takes_it_back(case):
    await case.worker("W-1", "male")
    wants = {"preference": {"worker_gender": "female"}}
    waives = {"preference": {"worker_gender": "any"}}
    await case.do("attempts", "EP-1", an_attempt(SAT, outcome="contact", **wants))
    refused = (409, "worker.not_as_the_child_prefers")
    assert await case.refused("booking", "EP-1", TALK) == refused

    later = SAT + timedelta(minutes=10)
    assert await case.refused("attempts", "EP-1", an_attempt(later, **waives)) == (
        422, "preference.only_the_child_waives",
    )  # fmt: skip
    assert await case.refused("booking", "EP-1", TALK) == refused
    await case.do("attempts", "EP-1", an_attempt(later, outcome="contact", **waives))

    await case.do("booking", "EP-1", TALK)


async def test_a_preference_said_after_the_booking_shows_on_it(case):
    await case.worker("W-1", "male")
    await case.do("booking", "EP-1", TALK)

    wants = an_attempt(SAT, outcome="contact", preference={"worker_gender": "female"})
    await case.do("attempts", "EP-1", wants)

    (booking,) = (await case.get("/episodes/EP-1"))["bookings"]
    assert booking["unfit"] == ["worker.not_as_the_child_prefers"]


async def test_a_known_worker_who_is_not_preferred_is_not_proposed(case):
    await case.worker("W-1", "male")
    await case.worker("W-2", "female")
    await case.at(utc(2026, 11, 30, 18))
    await case.take(talked())
    wants = an_attempt(utc(2026, 11, 30, 17, 30), outcome="contact",
                       preference={"worker_gender": "female"})  # fmt: skip
    await case.do("attempts", "EP-1", wants)

    again = utc(2026, 11, 30, 17, 55)
    await case.take(referred("EP-2", missing_from=again, returned_at=again, received_at=again))

    (offer,) = [o for o in (await case.get("/offers"))["items"] if o["episode_id"] == "EP-2"]
    assert offer["worker"] is None
    talk = TALK | {"worker": "W-2", "starts_at": "2026-12-01T10:00:00Z"}
    await case.do("booking", "EP-2", talk)
    (booking,) = (await case.get("/episodes/EP-2"))["bookings"]
    assert booking["change_reason"] == "known_worker_unfit"


async def test_nothing_is_booked_after_a_decline(case):
    await case.worker("W-1")
    await case.do("outcome", "EP-1", DECLINE)

    assert await case.refused("booking", "EP-1", TALK) == (409, "offer.ended")


# Talks


async def test_a_talk_told_before_its_referral_waits_for_it(cases):
    with pytest.raises(NotYetError):
        await cases.take(talked())

    await cases.take(referred())
    await cases.at(utc(2026, 11, 30, 18))
    await cases.take(talked())
    await cases.take(talked())

    assert len(await cases.told("outcome_reported")) == 1
    assert (await cases.clock("EP-1", "contact"))["met_at"] == "2026-11-30T16:30:00Z"


async def test_a_talk_with_one_episode_unknown_counts_for_none_yet(case):
    with pytest.raises(NotYetError):
        await case.take(talked("EP-1", "EP-9"))

    assert (await case.get("/episodes/EP-1"))["interviewed_at"] is None


async def test_a_talk_that_names_another_childs_episode_is_refused(case):
    with pytest.raises(OtherChildError):
        await case.take(talked(child="CH-2"))


async def test_a_carers_account_is_no_talk_with_the_child(case):
    await case.take(talked(kind="carer_account", outcome=None, service_outcome=None))

    shown = await case.get("/episodes/EP-1")
    assert shown["contact_at"] is None
    assert shown["talks"] == []


async def test_a_cancelled_interview_meets_nothing(case):
    await case.at(utc(2026, 11, 30, 18))
    await case.take(talked(outcome="cancelled", service_outcome=None))

    assert (await case.get("/episodes/EP-1"))["interviewed_at"] is None
    (report,) = await case.told("outcome_reported")
    assert (report["rhi_outcome"], report["final"]) == ("cancelled", False)


async def test_two_visits_count_by_the_first_start_and_the_last_outcome_in_any_order(cases):
    first = talked(outcome="partial")
    second = talked(
        id="EV-IN-2", interview_id="IN-2", started_at=utc(2026, 12, 1, 10),
        ended_at=utc(2026, 12, 1, 11),
    )  # fmt: skip
    await cases.at(utc(2026, 12, 1, 12))
    for child, visits in (("CH-1", (first, second)), ("CH-2", (second, first))):
        episode = f"EP-{child}"
        await cases.take(referred(episode, child))
        for visit in visits:
            changes = {"child_id": child, "episode_ids": (episode,), "id": f"{visit.id}{child}"}
            await cases.take(visit.model_copy(update=changes))

        shown = await cases.get(f"/episodes/{episode}")
        assert shown["interviewed_at"] == "2026-11-30T16:30:00Z"
        assert shown["rhi_outcome"] == "completed_engaged"
        assert (await cases.clock(episode, "rhi"))["state"] == "met"


async def test_an_interview_after_a_decline_counts_and_owes_follow_ups(case):
    await case.do("outcome", "EP-1", DECLINE)
    await case.do("close", "EP-1")
    await case.at(utc(2026, 11, 30, 18))

    await case.take(talked())

    shown = await case.get("/episodes/EP-1")
    assert (shown["state"], shown["outcome"]) == ("open", "accepted")
    assert await case.refused("close", "EP-1") == (409, "follow_up.open")


async def test_a_follow_up_needs_an_interview(case):
    body = {"with": "child", "occurred_at": SAT.isoformat()}

    assert await case.refused("follow-ups", "EP-1", body) == (409, "interview.none")


async def test_a_late_interview_closes_only_with_a_reason(case):
    started = utc(2026, 12, 2, 10)
    await case.at(utc(2026, 12, 2, 12))
    await case.take(talked(started_at=started, ended_at=started + timedelta(hours=1)))
    for whom in ("child", "professional"):
        done = {"with": whom, "occurred_at": "2026-12-02T11:30:00Z"}
        await case.do("follow-ups", "EP-1", done)
    assert await case.refused("close", "EP-1") == (409, "lateness.reason_missing")

    said = await case.call("PUT", "/episodes/EP-1/lateness", {"reason": "child_needs"})

    assert said.status_code == 200
    await case.do("close", "EP-1")
    await case.do("close", "EP-1")
    assert len(await case.told("episode_closed")) == 1


# Bad input, and who may

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what is refused before any database is asked."""

BAD = [
    ("attempts", an_attempt(SAT, method="SECRET street"), "body.method"),
    ("attempts", an_attempt(SAT, outcome="SECRET"), "body.outcome"),
    ("attempts", an_attempt(SAT, occurred_at="SECRET"), "body.occurred_at"),
    ("attempts", an_attempt(SAT, occurred_at="2026-11-28T11:00:00"), "body.occurred_at"),
    ("attempts", an_attempt(SAT, occurred_at=1764324000), "body.occurred_at"),
    ("attempts", an_attempt(SAT, occurred_at="9999-12-31T23:00:00-23:00"), "body.occurred_at"),
    ("attempts", an_attempt(SAT + timedelta(days=9)), "body.occurred_at"),
    ("attempts", an_attempt(SAT - timedelta(days=9)), "body.occurred_at"),
    ("attempts", an_attempt(SAT, points_told=["SECRET words"]), "body.points_told.0"),
    ("attempts", an_attempt(SAT, preference={"worker_gender": "SECRET"}),
     "body.preference.worker_gender"),
    ("attempts", {}, "body.method"),
    ("outcome", {"outcome": "SECRET"}, "body.outcome"),
    ("outcome", DECLINE | {"occurred_at": "2026-11-20T00:00:00Z"}, "body.occurred_at"),
    ("outcome", DECLINE | {"helpline_given_to": []}, "body.helpline_given_to"),
    ("outcome", DECLINE | {"by": "carer"}, "body.by"),
    ("booking", TALK | {"starts_at": "2026-11-01T00:00:00Z"}, "body.starts_at"),
    ("booking", TALK | {"venue": "SEC\x00RET"}, "body.venue"),
    ("booking", TALK | {"venue": ""}, "body.venue"),
    ("follow-ups", {"with": "SECRET", "occurred_at": SAT.isoformat()}, "body.with"),
]  # fmt: skip


@ONE_DATABASE
async def test_bad_input_names_the_field_and_echoes_nothing(case, subtests):
    for what, body, field in BAD:
        with subtests.test(what=what, field=field):
            answer = await case.call("POST", f"/episodes/EP-1/{what}", body)

            assert answer.status_code == 422
            assert answer.headers["content-type"] == "application/problem+json"
            assert field in [error["field"] for error in answer.json()["errors"]]
            assert "SECRET" not in answer.text

    assert await case.told("attempt_made") == []


WORKERS = {"practitioner", "manager"}
MAY = {
    ("POST", "/episodes/EP-1/attempts"): {"practitioner"},
    ("POST", "/episodes/EP-1/outcome"): WORKERS,
    ("POST", "/episodes/EP-1/booking"): WORKERS,
    ("POST", "/episodes/EP-1/follow-ups"): WORKERS,
    ("POST", "/episodes/EP-1/close"): WORKERS,
    ("PUT", "/episodes/EP-1/lateness"): WORKERS,
    ("GET", "/episodes/EP-1"): WORKERS,
    ("GET", "/offers"): WORKERS,
    ("GET", "/bookings/BK-1"): WORKERS,
    ("GET", "/workers"): WORKERS,
    ("GET", "/workers/W-1"): WORKERS,
    ("PUT", "/workers/W-1"): {"practitioner", "manager", "ops"},
}
ROLES = ("practitioner", "manager", "dsl", "dpo", "ig_lead", "ops", "partner", "service")


@ONE_DATABASE
async def test_only_the_roles_that_may_get_in(case, subtests):
    for (method, path), roles in MAY.items():
        for role in ROLES:
            with subtests.test(path=path, role=role):
                status = (await case.call(method, path, {}, role=role)).status_code
                assert (status == 403) == (role not in roles)


@ONE_DATABASE
async def test_nobody_gets_in_without_a_token_for_this_service(case, subtests):
    foreign = case.issuer.token("manager", audience="referral")
    for method, path in MAY:
        for headers in ({}, bearer(foreign)):
            with subtests.test(path=path):
                answer = await case.client.request(method, path, headers=headers)
                assert answer.status_code == 401
