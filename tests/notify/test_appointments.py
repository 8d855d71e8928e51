"""A young person hears of their appointment by a safe channel of their own, once, or not at all."""

from datetime import timedelta

import pytest

from .conftest import NOW, STARTS, a_booking, a_child, booked


async def test_the_child_is_told_when_and_where(notify, mail):
    await notify.hear(booked())

    assert mail.to == ["child@example.org"]
    assert mail.mails[0]["Subject"] == "A time to talk"
    text = mail.text()
    assert "Monday 30 November, 4:30 pm" in text
    assert "Central Library" in text
    assert "Ada" in text
    assert "116 000" in text
    assert "missing" not in text.lower()
    assert "Zebra" not in text
    assert await notify.states() == ["sent"]


async def test_that_it_was_sent_is_told_without_address_or_words(notify):
    await notify.hear(booked())

    ((fact, body),) = await notify.told()
    assert fact == "message_sent"
    assert '"channel":"email"' in body
    assert '"cause_id":"BK-1"' in body
    assert "example.org" not in body
    assert "Library" not in body


async def test_the_same_event_again_or_a_twin_of_it_sends_nothing_more(notify, mail):
    await notify.hear(booked())
    await notify.hear(booked())
    await notify.hear(booked(id="EV-9"))

    assert len(mail.mails) == 1


async def test_channel_and_booking_are_asked_again_just_before_each_send(notify, mail):
    mail.stop()
    await notify.hear(booked())
    before = len(notify.peers.asked)
    notify.peers.children["C-1"] = a_child(safe="unsafe")
    mail.start()
    await notify.later(seconds=2)

    assert notify.peers.asked[before:] == ["/bookings/BK-1", "/children/C-1"]
    assert mail.mails == []
    assert await notify.states() == ["blocked"]
    assert [task["code"] for task in await notify.tasks()] == ["channel_changed"]


@pytest.mark.parametrize(
    "child",
    [
        a_child(safe="unknown"),
        a_child(safe="unsafe"),
        a_child(whose="carer"),
        a_child(kind="phone"),
        a_child() | {"channels": []},
    ],
)
async def test_without_a_safe_channel_nothing_is_sent_and_a_worker_gets_a_task(notify, mail, child):
    notify.peers.children["C-1"] = child
    await notify.hear(booked())

    assert mail.mails == []
    (task,) = await notify.tasks()
    assert (task["code"], task["owner"], task["child_id"]) == (
        "no_safe_channel",
        "practitioner",
        "C-1",
    )
    assert task["due_at"] == "2026-11-30T16:30:00Z"
    ((fact, body),) = await notify.told()
    assert fact == "message_blocked"
    assert '"code":"no_safe_channel"' in body


async def test_a_carers_channel_is_never_used_even_beside_the_childs(notify, mail):
    carers = a_child(whose="carer", address="carer@example.org")["channels"]
    notify.peers.children["C-1"] = a_child() | {"channels": carers + a_child()["channels"]}
    await notify.hear(booked())

    assert mail.to == ["child@example.org"]


async def test_a_text_has_no_provider_and_is_left_to_a_worker(notify, mail):
    notify.peers.children["C-1"] = a_child(kind="text", address="07700900000")
    await notify.hear(booked())

    assert [task["code"] for task in await notify.tasks()] == ["no_provider"]
    assert mail.mails == []


async def test_a_text_goes_to_its_folder_where_there_is_one(running, tmp_path):
    async with running(text_url=f"file://{tmp_path}/texts") as notify:
        notify.peers.children["C-1"] = a_child(kind="text", address="07700900000")
        await notify.hear(booked())

        (file,) = (tmp_path / "texts").iterdir()
        assert file.read_text().startswith("To: 07700900000\n\nHi, we are Homeward.")
        assert await notify.states() == ["sent"]


async def test_while_the_mail_server_is_away_it_waits_and_then_is_sent_once(notify, mail):
    mail.stop()
    await notify.hear(booked())
    await notify.later(minutes=10)
    assert await notify.states() == ["waiting"]

    mail.start()
    await notify.later(minutes=10)
    assert len(mail.mails) == 1
    assert await notify.states() == ["sent"]


@pytest.mark.parametrize("peer", ["referral", "scheduling"])
async def test_while_a_peer_is_away_it_waits_and_nothing_is_guessed(notify, mail, peer):
    kind = {"referral": "children", "scheduling": "bookings"}[peer]
    notify.peers.away = {kind}
    await notify.hear(booked())
    assert (mail.mails, await notify.states()) == ([], ["waiting"])

    notify.peers.away = set()
    await notify.later(seconds=2)
    assert await notify.states() == ["sent"]


async def test_an_answer_nobody_foresaw_is_no_reason_to_send(notify, mail):
    notify.peers.children["C-1"] = {"id": "C-1", "channels": "email"}
    await notify.hear(booked())

    assert (mail.mails, await notify.states()) == ([], ["waiting"])


async def test_a_talk_that_has_begun_is_not_told_of_any_more(notify, mail):
    mail.stop()
    await notify.hear(booked())
    mail.start()
    await notify.app.timers.run(STARTS)

    assert mail.mails == []
    assert [task["code"] for task in await notify.tasks()] == ["too_late"]


async def test_a_talk_that_was_moved_is_told_of_as_it_is_now(notify, mail):
    mail.stop()
    await notify.hear(booked())
    moved = STARTS + timedelta(hours=1)
    notify.peers.bookings["BK-1"] = a_booking(starts_at=moved.isoformat())
    mail.start()
    await notify.hear(booked(id="EV-8", starts_at=moved))
    await notify.later(seconds=5)

    assert sorted(await notify.states()) == ["sent", "superseded"]
    assert "5:30 pm" in mail.text()


async def test_the_news_of_the_move_may_come_first(notify, mail):
    moved = STARTS + timedelta(hours=1)
    notify.peers.bookings["BK-1"] = a_booking(starts_at=moved.isoformat())
    await notify.hear(booked(id="EV-8", starts_at=moved))
    await notify.hear(booked())

    assert len(mail.mails) == 1
    assert sorted(await notify.states()) == ["sent", "superseded"]


async def test_a_booking_that_another_one_replaced_is_not_told(notify, mail):
    notify.peers.bookings["BK-1"] = a_booking(stands=False)
    await notify.hear(booked())

    assert (mail.mails, await notify.states()) == ([], ["superseded"])


@pytest.mark.parametrize("booking", [None, a_booking(child_id="C-2")])
async def test_a_booking_that_is_not_this_childs_is_not_told(notify, mail, booking):
    notify.peers.bookings["BK-1"] = booking
    await notify.hear(booked())

    assert mail.mails == []
    assert [task["code"] for task in await notify.tasks()] == ["booking_unknown"]


async def test_a_child_nobody_knows_is_not_written_to(notify, mail):
    notify.peers.children.clear()
    await notify.hear(booked())

    assert [task["code"] for task in await notify.tasks()] == ["child_unknown"]


async def test_an_address_that_is_refused_is_for_a_worker(notify, mail):
    mail.reply = "550 no such user"
    await notify.hear(booked())

    assert await notify.states() == ["blocked"]
    assert [task["code"] for task in await notify.tasks()] == ["address_refused"]


async def test_two_addresses_in_one_are_none(notify, mail):
    notify.peers.children["C-1"] = a_child(address="child@example.org, carer@example.org")
    await notify.hear(booked())

    assert mail.mails == []
    assert [task["code"] for task in await notify.tasks()] == ["address_refused"]


async def test_what_may_have_left_is_not_sent_to_a_child_again(notify, mail):
    mail.breaks = True
    await notify.hear(booked())
    mail.breaks = False
    await notify.later(hours=1)

    assert len(mail.mails) == 1
    assert await notify.states() == ["unsure"]
    assert [task["code"] for task in await notify.tasks()] == ["unsure"]


async def test_a_worker_may_have_it_tried_again_once_a_safe_channel_is_found(notify, mail):
    notify.peers.children["C-1"] = a_child(safe="unknown")
    await notify.hear(booked())
    (message,) = (await notify.call("GET", "/messages")).json()["items"]
    notify.peers.children["C-1"] = a_child()
    answer = await notify.call("POST", f"/messages/{message['id']}/again", "practitioner", "W-1")
    await notify.app.timers.run()

    assert answer.status_code == 200
    assert mail.to == ["child@example.org"]
    again = await notify.call("POST", f"/messages/{message['id']}/again")
    assert (again.status_code, again.json()["code"]) == (409, "message.not_blocked")


async def test_a_process_that_died_while_sending_leaves_it_to_a_worker(running, mail):
    async with running() as notify:
        await _die_while_sending(notify, booked())
    async with running() as notify:
        notify.app.clock.set(NOW + timedelta(minutes=5))
        await notify.app.timers.run()

        assert mail.mails == []
        assert await notify.states() == ["unsure"]
        assert [task["code"] for task in await notify.tasks()] == ["unsure"]


async def _die_while_sending(notify, event) -> None:
    """Claim the message and never come back."""
    from services.notify import sending

    notify.app.timers._functions = []
    await notify.hear(event)
    assert len(await sending._claim(notify.app)) == 1
