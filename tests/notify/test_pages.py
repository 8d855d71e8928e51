"""What is urgent reaches a person, once, however long the mail server is away; ids only."""

import asyncio
from datetime import timedelta

import pytest

from contracts.scheduling import DeadlineMissed, DeadlineNear
from services.notify import sending

from .conftest import NOW, a_page, booked
from .test_appointments import _die_while_sending


def a_deadline(kind=DeadlineMissed, **changes):
    event = {"id": "EV-3", "occurred_at": NOW, "clock": "contact", "episode_id": "EP-1"}
    return kind(**event | {"child_id": "C-1", "due_at": NOW} | changes)


async def test_the_safeguarding_lead_of_the_locality_is_paged(notify, mail):
    await notify.hear(a_page())

    assert mail.to == ["dsl@northshire.example"]
    text = mail.text()
    assert "Something about harm waits for your judgement." in text
    assert "C-1" in text
    assert "12:42 pm" in text
    assert "Zebra" not in text
    assert "://" not in text
    assert "harm" not in mail.mails[0]["Subject"]


async def test_who_is_on_call_is_paged_where_the_page_says_so(notify, mail):
    await notify.hear(a_page(to="on_call", code="hold_overdue"))

    assert mail.to == ["call@northshire.example"]


async def test_a_page_may_come_by_a_call(notify, mail):
    answer = await notify.page(a_page())

    assert answer.status_code == 202
    assert answer.json()["state"] == "waiting"
    assert mail.to == ["dsl@northshire.example"]


async def test_a_page_that_comes_by_both_roads_and_twice_is_one_page(notify, mail):
    await asyncio.gather(notify.page(a_page()), notify.hear(a_page()), notify.page(a_page()))
    answer = await notify.page(a_page(id="EV-77"))

    assert len(mail.mails) == 1
    assert answer.json()["state"] == "sent"


async def test_another_page_about_the_same_child_is_another_page(notify, mail):
    await notify.page(a_page())
    await notify.page(a_page(page_id="PG-2", to="on_call"))

    assert mail.to == ["dsl@northshire.example", "call@northshire.example"]


async def test_a_page_waits_while_the_mail_server_is_away_and_is_never_given_up(notify, mail):
    mail.stop()
    await notify.page(a_page())
    for _ in range(3):
        await notify.later(hours=8)
    assert await notify.states() == ["waiting"]

    mail.start()
    await notify.later(seconds=31)
    assert mail.to == ["dsl@northshire.example"]


async def test_a_page_does_not_wait_for_referral_or_scheduling(notify, mail):
    notify.peers.away = {"children", "bookings"}
    await notify.page(a_page())

    assert len(mail.mails) == 1


async def test_a_page_that_may_have_left_is_sent_again_under_the_same_message_id(notify, mail):
    mail.breaks = True
    await notify.page(a_page())
    mail.breaks = False
    await notify.later(seconds=2)

    assert len(mail.mails) == 2
    assert len({mail["Message-ID"] for mail in mail.mails}) == 1
    assert await notify.states() == ["sent"]


async def test_a_process_that_died_while_sending_a_page_sends_it_after_all(running, mail):
    async with running() as notify:
        await _die_while_sending(notify, a_page())
    async with running() as notify:
        await notify.later(seconds=2)

        assert len(mail.mails) == 1
        assert await notify.states() == ["sent"]


async def test_a_page_whose_address_is_refused_goes_on_and_tells_the_manager_once(notify, mail):
    mail.reply = "550 no such user"
    await notify.page(a_page())
    await notify.later(minutes=1)
    await notify.later(minutes=1)
    (task,) = await notify.tasks()
    assert (task["owner"], task["code"]) == ("manager", "address_refused")

    mail.reply = None
    await notify.later(minutes=1)
    assert await notify.states() == ["sent"]


async def test_a_locality_nobody_knows_pages_everybody_rather_than_nobody(notify, mail):
    await notify.page(a_page(locality="westfold"))

    assert sorted(mail.to) == ["dsl@eastvale.example", "dsl@northshire.example"]


async def test_the_file_of_localities_is_read_afresh(notify, mail, tmp_path):
    file = tmp_path / "localities.yaml"
    before = file.read_text()
    file.write_text("- not a map")
    await notify.page(a_page())
    assert await notify.states() == ["waiting"]

    file.write_text(before.replace("dsl@northshire", "new@northshire"))
    await notify.later(seconds=2)
    assert mail.to == ["new@northshire.example"]


async def test_a_mistake_in_one_locality_leaves_the_others_their_pages(notify, mail, tmp_path):
    file = tmp_path / "localities.yaml"
    file.write_text(file.read_text().replace("dsl: dsl@eastvale.example, ", ""))
    await notify.page(a_page())

    assert mail.to == ["dsl@northshire.example"]


async def test_the_file_may_name_the_localities_at_its_top(notify, mail, tmp_path):
    file = tmp_path / "localities.yaml"
    file.write_text(file.read_text().replace("localities:\n", ""))
    await notify.page(a_page())

    assert mail.to == ["dsl@northshire.example"]


async def test_without_a_mail_server_pages_wait_and_are_counted(running):
    async with running(smtp_url=None) as notify:
        await notify.page(a_page())

        assert await notify.states() == ["waiting"]
        assert 'homeward_pending{kind="unsent"} 1.0' in (await notify.client.get("/metrics")).text


async def test_a_page_goes_before_what_has_waited_longer(notify):
    notify.app.timers._functions = []
    for number in range(20):
        await notify.hear(booked(id=f"EV-{number}", booking_id=f"BK-{number}"))
    await notify.hear(a_page())

    assert (await sending._claim(notify.app))[0].kind == "page"


async def test_it_is_tried_after_growing_pauses_and_not_before(notify, mail):
    mail.stop()
    await notify.page(a_page())
    attempts = []
    for seconds in (60, 60, 60, 60, 60, 10, 25):  # by now it waits for 30 s between attempts
        await notify.later(seconds=seconds)
        await notify.page(a_page(page_id=f"PG-{seconds}"))  # what is due meanwhile is no reason
        message = (await notify.call("GET", "/messages")).json()["items"][0]
        attempts.append(message["attempts"])

    assert attempts == [2, 3, 4, 5, 6, 6, 7]


@pytest.mark.parametrize(
    ("kind", "subject"),
    [(DeadlineNear, "A deadline is near"), (DeadlineMissed, "A deadline was missed")],
)
async def test_the_manager_of_the_childs_locality_hears_of_a_deadline(notify, mail, kind, subject):
    await notify.hear(a_deadline(kind))

    assert mail.to == ["manager@northshire.example"]
    assert mail.mails[0]["Subject"] == subject
    assert "EP-1" in mail.text()
    assert "first contact" in mail.text()
    assert "Zebra" not in mail.text()


async def test_a_deadline_is_told_once_and_waits_while_referral_is_away(notify, mail):
    notify.peers.away = {"children"}
    await notify.hear(a_deadline())
    await notify.hear(a_deadline(id="EV-4"))
    notify.peers.away = set()
    await notify.later(minutes=1)

    assert len(mail.mails) == 1


async def test_every_clock_has_its_words(notify, mail):
    for at, clock in enumerate(("contact", "rhi", "follow_up_child", "follow_up_professional")):
        await notify.hear(a_deadline(id=f"EV-{at}", clock=clock, due_at=NOW + timedelta(hours=1)))

    assert await notify.states() == ["sent"] * 4
