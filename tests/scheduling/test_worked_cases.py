"""The worked cases S1 to S4 and S6, as far as scheduling has a part in them, on both databases."""

from datetime import timedelta

from scheduling_builders import an_attempt, referred, talked, utc

POINTS = [
    "who_we_are", "what_we_do", "independent", "voluntary", "need_not_talk",
    "we_care_what_you_think", "want_to_know_what_is_going_on", "not_telling_off",
]  # fmt: skip


async def test_s1_a_weekend_two_clocks_a_preference_and_a_missed_follow_up(cases):
    await cases.worker("W-1", "female")
    await cases.worker("W-2", "male")
    await cases.take(referred())
    offer = (await cases.get("/offers", params={"state": "open"}))["items"][0]
    assert offer["contact_due_at"] == "2026-11-29T09:15:00Z"
    assert offer["rhi_due_at"] == "2026-11-30T22:40:00Z"

    await cases.at(utc(2026, 11, 28, 11, 6))
    await cases.do("attempts", "EP-1", an_attempt(utc(2026, 11, 28, 11)))
    text = an_attempt(utc(2026, 11, 28, 11, 5), method="text", outcome="left_message")
    await cases.do("attempts", "EP-1", text)
    assert (await cases.get("/episodes/EP-1"))["contact_at"] is None

    await cases.at(utc(2026, 11, 29, 8, 50))
    spoken = an_attempt(
        utc(2026, 11, 29, 8, 50), outcome="contact", points_told=POINTS,
        preference={"worker_gender": "female"},
    )  # fmt: skip
    await cases.do("attempts", "EP-1", spoken)
    (met,) = await cases.told("deadline_met")
    assert (met["clock"], met["met_at"]) == ("contact", "2026-11-29T08:50:00Z")
    fit = await cases.get("/workers", params={"episode_id": "EP-1"})
    assert [worker["id"] for worker in fit["items"]] == ["W-1"]
    talk = {"venue": "library", "starts_at": "2026-11-30T16:30:00Z"}
    assert await cases.refused("booking", "EP-1", {"worker": "W-2", **talk}) == (
        409, "worker.not_as_the_child_prefers",
    )  # fmt: skip
    booked = await cases.do("booking", "EP-1", {"worker": "W-1", **talk})
    assert (await cases.told("appointment_booked"))[0]["booking_id"] == booked["booking_id"]

    await cases.at(utc(2026, 11, 30, 17, 20))
    await cases.take(talked())
    assert (await cases.clock("EP-1", "rhi"))["state"] == "met"
    (report,) = await cases.told("outcome_reported")
    assert report["final"] is True
    assert (report["outcome"], report["rhi_outcome"]) == ("accepted", "completed_engaged")

    await cases.at(utc(2026, 12, 7, 16))
    done = {"with": "child", "occurred_at": "2026-12-07T16:00:00Z"}
    await cases.do("follow-ups", "EP-1", done)
    await cases.at(utc(2026, 12, 7, 17, 20))
    missed = await cases.told("deadline_missed")
    assert missed == []
    await cases.at(utc(2026, 12, 7, 17, 20, 1))
    (missed,) = await cases.told("deadline_missed")
    assert missed["clock"] == "follow_up_professional"
    assert missed["occurred_at"] == "2026-12-07T17:20:01Z"

    assert await cases.refused("close", "EP-1") == (409, "follow_up.open")
    late = {"with": "professional", "occurred_at": "2026-12-07T17:20:01Z"}
    await cases.do("follow-ups", "EP-1", late)
    assert (await cases.do("close", "EP-1"))["state"] == "closed"
    assert len(await cases.told("episode_closed")) == 1
    assert (await cases.clock("EP-1", "follow_up_professional"))["state"] == "late"


async def test_s2_the_change_to_summer_time_costs_nobody_an_hour(cases):
    await cases.take(referred(returned_at=utc(2027, 3, 26, 19), received_at=utc(2027, 3, 27, 10)))
    offer = (await cases.get("/offers"))["items"][0]
    assert offer["contact_due_at"] == "2027-03-28T10:00:00Z"  # 11:00 BST
    assert offer["rhi_due_at"] == "2027-03-29T19:00:00Z"  # 20:00 BST

    await cases.at(utc(2027, 3, 28, 9, 50))
    contact = an_attempt(utc(2027, 3, 28, 9, 50), outcome="contact")
    contact["occurred_at"] = "2027-03-28T10:50:00+01:00"
    await cases.do("attempts", "EP-1", contact)
    await cases.at(utc(2027, 3, 29, 19, 15))
    await cases.take(talked(started_at=utc(2027, 3, 29, 18, 30), ended_at=utc(2027, 3, 29, 19, 15)))

    clocks = {clock["clock"]: clock for clock in (await cases.get("/episodes/EP-1"))["clocks"]}
    assert clocks["contact"]["state"] == clocks["rhi"]["state"] == "met"
    assert clocks["follow_up_child"]["due_at"] == "2027-04-05T19:15:00Z"
    # Recorded after its due time, so `missed` had been announced; `met` follows and is the truth.
    assert [event["clock"] for event in await cases.told("deadline_missed")] == ["rhi"]
    assert [event["clock"] for event in await cases.told("deadline_met")] == ["contact", "rhi"]


async def test_s3_three_episodes_one_interview(cases):
    await cases.at(utc(2026, 12, 3, 8, 30))
    for number, missing, back, received in (
        ("1", (2, 18), (3, 1, 10), (3, 8, 30)),
        ("2", (4, 20), (5, 6, 30), (5, 9)),
        ("3", (5, 21), (6, 2), (6, 9, 30)),
    ):
        await cases.take(
            referred(
                f"EP-{number}", missing_from=utc(2026, 12, *missing),
                returned_at=utc(2026, 12, *back), received_at=utc(2026, 12, *received),
            )
        )  # fmt: skip
    assert len(await cases.told("offer_made")) == 3

    await cases.at(utc(2026, 12, 6, 10))
    for episode, at in (("EP-1", (4, 8, 10)), ("EP-3", (6, 10))):
        contact = an_attempt(utc(2026, 12, *at), outcome="contact")
        await cases.do("attempts", episode, contact)
    exhausted = {"outcome": "not_ready", "by": "child", "occurred_at": "2026-12-05T11:00:00Z"}
    answer = await cases.do("outcome", "EP-1", exhausted)
    assert (answer["final"], answer["state"]) == (False, "open")
    met = {event["episode_id"]: event["met_at"] for event in await cases.told("deadline_met")}
    assert met == {
        "EP-1": "2026-12-04T08:10:00Z",
        "EP-2": "2026-12-05T11:00:00Z",  # seen on E1's visit, two hours after E2's referral
        "EP-3": "2026-12-06T10:00:00Z",
    }

    await cases.at(utc(2026, 12, 7, 16, 10))
    await cases.take(
        talked(
            "EP-3", "EP-1", "EP-2",
            started_at=utc(2026, 12, 7, 15), ended_at=utc(2026, 12, 7, 16, 10),
        )
    )  # fmt: skip
    found = [await cases.get(f"/episodes/EP-{n}") for n in (1, 2, 3)]
    rhi = [next(c for c in one["clocks"] if c["clock"] == "rhi") for one in found]
    assert [clock["state"] for clock in rhi] == ["late", "met", "met"]
    assert rhi[0]["due_at"] == "2026-12-06T01:10:00Z"
    assert found[0]["lateness"] == "missing_again"
    assert {c["due_at"] for one in found for c in one["clocks"][2:]} == {"2026-12-14T16:10:00Z"}
    finals = [report for report in await cases.told("outcome_reported") if report["final"]]
    assert {report["episode_id"] for report in finals} == {"EP-1", "EP-2", "EP-3"}

    for whom in ("child", "professional"):
        done = {"with": whom, "occurred_at": "2026-12-07T16:10:00Z"}
        answer = await cases.do("follow-ups", "EP-2", done)
        assert answer["episode_ids"] == ["EP-1", "EP-2", "EP-3"]
    for number in (1, 2, 3):
        await cases.do("close", f"EP-{number}")


async def test_s4_a_decline_by_telephone_then_the_same_worker_again(cases):
    await cases.worker("W-1")
    await cases.worker("W-2")
    await cases.at(utc(2026, 11, 4, 17, 30))
    await cases.take(
        referred(
            "EP-2", missing_from=utc(2026, 11, 3, 18), returned_at=utc(2026, 11, 3, 23, 10),
            received_at=utc(2026, 11, 4, 11),
        )
    )  # fmt: skip
    by_phone = {
        "kind": "phone_discussion", "outcome": None, "service_outcome": None,
        "started_at": utc(2026, 11, 4, 17, 30), "ended_at": utc(2026, 11, 4, 17, 45),
    }  # fmt: skip
    await cases.take(talked("EP-2", id="EV-PH", interview_id="IN-PH", **by_phone))
    await cases.at(utc(2026, 11, 4, 18))
    no = {"outcome": "declined_by_child", "by": "child", "occurred_at": "2026-11-04T17:45:00Z"}
    assert await cases.refused("outcome", "EP-2", no) == (422, "helpline.missing")
    answer = await cases.do("outcome", "EP-2", no | {"helpline_given_to": ["child", "carer"]})
    assert (answer["final"], answer["state"]) == (True, "ended")
    case = await cases.get("/episodes/EP-2")
    assert case["phone_discussion"] is True
    assert case["contact_at"] == "2026-11-04T17:30:00Z"
    assert await cases.get("/offers", params={"state": "open"}) == {"items": [], "next": None}

    door = an_attempt(utc(2026, 11, 4, 17, 50), method="text", outcome="left_message")
    assert (await cases.do("attempts", "EP-2", door))["door_open"] is True
    more = an_attempt(utc(2026, 11, 4, 17, 55), method="text", outcome="left_message")
    assert await cases.refused("attempts", "EP-2", more) == (409, "offer.declined")
    await cases.at(utc(2026, 11, 8))
    missed = await cases.told("deadline_missed")
    assert missed == []
    assert (await cases.do("close", "EP-2"))["state"] == "closed"

    await cases.at(utc(2026, 12, 3, 10))
    await cases.take(
        referred(
            "EP-3", missing_from=utc(2026, 12, 1, 20), returned_at=utc(2026, 12, 2, 6),
            received_at=utc(2026, 12, 2, 12),
        )
    )  # fmt: skip
    (offer,) = (await cases.get("/offers", params={"state": "open"}))["items"]
    assert offer["worker"] == "W-1"
    await cases.do("attempts", "EP-3", an_attempt(utc(2026, 12, 3, 10), outcome="contact"))
    talk = {"venue": "school", "starts_at": "2026-12-04T15:30:00Z"}
    other = {"worker": "W-2", **talk}
    assert await cases.refused("booking", "EP-3", other) == (422, "change_reason.missing")
    await cases.do("booking", "EP-3", {"worker": "W-1", **talk})
    await cases.at(utc(2026, 12, 4, 16, 30))
    await cases.take(
        talked(
            "EP-3", id="EV-3", interview_id="IN-3",
            started_at=utc(2026, 12, 4, 15, 30), ended_at=utc(2026, 12, 4, 16, 30),
        )
    )  # fmt: skip
    reports = await cases.told("outcome_reported", "EP-3")
    assert reports[-1]["service_outcome"] == "accepted"
    assert (await cases.clock("EP-3", "rhi"))["state"] == "met"


async def test_s4_attended_but_not_engaged_is_held_and_in_time(cases):
    await cases.at(utc(2026, 10, 6, 16))
    await cases.take(
        referred(
            missing_from=utc(2026, 10, 3, 20), returned_at=utc(2026, 10, 4, 1, 30),
            received_at=utc(2026, 10, 5, 9),
        )
    )  # fmt: skip
    await cases.take(
        talked(
            started_at=utc(2026, 10, 6, 15), ended_at=utc(2026, 10, 6, 15, 20),
            outcome="attended_not_engaged", service_outcome="declined",
        )
    )  # fmt: skip

    assert (await cases.clock("EP-1", "rhi"))["state"] == "met"
    (report,) = await cases.told("outcome_reported")
    assert (report["rhi_outcome"], report["service_outcome"], report["final"]) == (
        "attended_not_engaged", "declined", True,
    )  # fmt: skip


async def test_s6_late_because_the_host_took_two_days(cases):
    await cases.at(utc(2027, 1, 11, 9))
    await cases.take(
        referred(
            missing_from=utc(2027, 1, 8, 20), returned_at=utc(2027, 1, 9, 3, 20),
            received_at=utc(2027, 1, 11, 9), hosted=True,
        )
    )  # fmt: skip
    rhi = await cases.clock("EP-1", "rhi")
    assert rhi["due_at"] == "2027-01-12T03:20:00Z"
    assert rhi["light"] == "amber"
    assert rhi["minutes_left"] in {18 * 60 + 20, 18 * 60 + 19}

    await cases.at(utc(2027, 1, 11, 15, 20))
    near = await cases.told("deadline_near")
    assert [event["clock"] for event in near] == ["rhi"]
    await cases.do("attempts", "EP-1", an_attempt(utc(2027, 1, 11, 15), outcome="contact"))
    await cases.at(utc(2027, 1, 12, 17))
    await cases.take(talked(started_at=utc(2027, 1, 12, 16), ended_at=utc(2027, 1, 12, 17)))

    case = await cases.get("/episodes/EP-1")
    assert case["lateness"] == "host_delay"
    assert (await cases.clock("EP-1", "rhi"))["state"] == "late"
    assert [event["clock"] for event in await cases.told("deadline_missed")] == ["rhi"]
    assert [event["clock"] for event in await cases.told("deadline_met")] == ["contact"]


async def test_exactly_on_the_deadline_is_met_and_a_second_later_is_not(cases):
    due = utc(2026, 11, 29, 9, 15)
    for episode, child, late in (("EP-1", "CH-1", 0), ("EP-2", "CH-2", 1)):
        await cases.take(referred(episode, child))
        await cases.at(due + timedelta(seconds=10))
        contact = an_attempt(due + timedelta(seconds=late), outcome="contact")
        await cases.do("attempts", episode, contact)

    assert (await cases.clock("EP-1", "contact"))["state"] == "met"
    assert (await cases.clock("EP-2", "contact"))["state"] == "late"
    assert [e["episode_id"] for e in await cases.told("deadline_met")] == ["EP-1"]
