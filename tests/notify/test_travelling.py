"""`notify` on both databases, and hearing and telling over a real broker."""

import asyncio

import pytest
from support.running import eventually

from contracts.sharing import UrgentHoldRaised

from .conftest import LOCALITIES, NOW, STARTS, a_child, a_page, booked


class TestOnBothDatabases:
    """The same story on SQLite and on Postgres."""

    @pytest.fixture
    def url(self, database_url: str) -> str:
        return database_url

    async def test_pages_by_two_roads_at_once_and_a_childs_message(self, notify, mail):
        await asyncio.gather(
            *(notify.page(a_page()) for _ in range(3)), notify.hear(a_page()), notify.hear(booked())
        )

        assert sorted(mail.to) == ["child@example.org", "dsl@northshire.example"]
        assert await notify.states() == ["sent", "sent"]

    async def test_away_then_back_and_a_task_for_what_was_blocked(self, notify, mail):
        notify.peers.children["C-1"] = a_child(safe="unknown")
        mail.stop()
        await notify.hear(booked())
        await notify.page(a_page())
        mail.start()
        await notify.later(minutes=1)

        assert mail.to == ["dsl@northshire.example"]
        (task,) = await notify.tasks()
        assert (await notify.call("POST", f"/tasks/{task['id']}/done")).status_code == 200
        assert await notify.tasks() == []

    async def test_two_processes_send_each_message_once(self, running, mail):
        async with running() as one, running() as other:
            for number in range(20):
                await one.hear(a_page(id=f"EV-{number}", page_id=f"PG-{number}"))
            mail.stop()
            for number in range(20, 40):
                await one.hear(a_page(id=f"EV-{number}", page_id=f"PG-{number}"))
            mail.start()
            await asyncio.gather(one.later(minutes=1), other.later(minutes=1))

            ids = [mail["Message-ID"] for mail in mail.mails]
            assert len(ids) == len(set(ids)) == 40


async def test_a_page_on_the_bus_reaches_a_person_and_that_is_told(a_service, nats, mail, tmp_path):
    (tmp_path / "localities.yaml").write_text(LOCALITIES)
    notify = await a_service(
        "notify",
        smtp_url=f"smtp://127.0.0.1:{mail.port}",
        mail_from="hello@homeward.example",
        localities=tmp_path / "localities.yaml",
    )
    await notify.call("PUT", "/clock", {"now": NOW.isoformat()})
    client = await nats.connect("provisioner")
    stream = client.jetstream()
    for _ in range(2):
        await stream.publish(UrgentHoldRaised.subject, a_page().model_dump_json().encode())
    await eventually(lambda: mail.mails)
    await notify.at_rest()

    told = await stream.get_msg("EVT_NOTIFY", 1)
    await client.close()
    assert told.subject == "evt.notify.message_sent.v1"
    assert mail.to == ["dsl@northshire.example"]


async def test_killed_after_the_mail_was_taken_a_page_comes_twice_as_the_same_mail(
    a_service, nats, mail, tmp_path
):
    (tmp_path / "localities.yaml").write_text(LOCALITIES)
    settings = {
        "smtp_url": f"smtp://127.0.0.1:{mail.port}",
        "mail_from": "hello@homeward.example",
        "localities": tmp_path / "localities.yaml",
    }
    notify = await a_service("notify", process=True, **settings)
    mail.on_mail = notify.process.kill
    client = await nats.connect("provisioner")
    await client.jetstream().publish(UrgentHoldRaised.subject, a_page().model_dump_json().encode())
    await client.close()
    await eventually(lambda: mail.mails)
    await asyncio.to_thread(notify.process.wait, 10)
    mail.on_mail = lambda: None
    notify = await a_service("notify", process=True, **settings)
    await notify.at_rest()

    assert len(mail.mails) == 2
    assert len({mail["Message-ID"] for mail in mail.mails}) == 1


async def test_a_child_who_is_referred_and_booked_is_told(a_service, mail, tmp_path):
    (tmp_path / "localities.yaml").write_text(LOCALITIES)
    files = {"localities": tmp_path / "localities.yaml"}
    referral = await a_service("referral", **files)
    scheduling = await a_service("scheduling", **files)
    notify = await a_service(
        "notify",
        smtp_url=f"smtp://127.0.0.1:{mail.port}",
        mail_from="hello@homeward.example",
        **files,
    )
    for service in (referral, scheduling, notify):
        await service.call("PUT", "/clock", {"now": NOW.isoformat()})
    child = {"given_name": "Zebra", "family_name": "Canary", "date_of_birth": "2011-01-02"}
    channels = [
        {"kind": "email", "address": "carer@example.org", "safe": "safe", "whose": "carer"},
        {"kind": "email", "address": "child@example.org", "safe": "safe", "whose": "child"},
    ]
    referred = await referral.call(
        "POST",
        "/referrals",
        {
            "source": "council",
            "locality": "northshire",
            "child": child | {"channels": channels},
            "episode": {
                "missing_from": "2026-11-29T20:00:00+00:00",
                "returned_at": "2026-11-30T02:00:00+00:00",
            },
        },
        role="practitioner",
    )
    worker = {"name": "Ada", "training_until": "2027-12-31", "dbs_until": "2027-12-31"}
    await scheduling.call("PUT", "/workers/W-1", worker, role="manager")
    booking = await scheduling.call(
        "POST",
        f"/episodes/{referred.json()['episode_id']}/booking",
        {"worker": "W-1", "venue": "Central Library", "starts_at": STARTS.isoformat()},
        role="practitioner",
    )
    assert booking.status_code == 201, booking.text

    await eventually(lambda: mail.mails)
    await notify.at_rest()
    assert mail.to == ["child@example.org"]
    assert "Monday 30 November, 4:30 pm" in mail.text()
    assert "Ada" in mail.text()
