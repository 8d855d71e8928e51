"""Who may ask what of `notify`, and that its answers and settings give nothing away."""

import pytest
from pydantic import ValidationError

from messaging.settings import UnsafeSettingError
from services.notify.settings import NotifySettings

from .conftest import a_child, a_page, booked

ROLES = ("practitioner", "manager", "dsl", "dpo", "ig_lead", "ops", "partner", "service")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/pages", set()),
        ("GET", "/messages", {"manager", "ops"}),
        ("POST", "/messages/MS-9/again", {"practitioner", "manager"}),
        ("GET", "/tasks", {"practitioner", "manager"}),
        ("POST", "/tasks/TK-9/done", {"practitioner", "manager"}),
    ],
)
async def test_each_route_lets_in_its_roles_and_no_other(notify, method, path, allowed):
    body = a_page().model_dump(mode="json") if path == "/pages" else None

    passed = {
        role
        for role in ROLES
        if (await notify.call(method, path, role, json=body)).status_code != 403
    }
    assert passed == allowed
    assert (await notify.call(method, path, None, json=body)).status_code == 401


@pytest.mark.parametrize("service", ["referral", "scheduling", "interview", "notify", "M-1"])
async def test_only_sharing_may_page(notify, mail, service):
    assert (await notify.page(a_page(), sub=service)).status_code == 403
    assert mail.mails == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page_id", ""),
        ("page_id", "x" * 201),
        ("child_id", "zebra canary"),
        ("locality", None),
        ("to", "zebra@example.org"),
        ("code", "zebra"),
        ("due_at", "2026-11-30T12:42:00"),
        ("due_at", "0001-01-01T00:00:00+14:00"),
    ],
)
async def test_a_page_that_is_none_names_the_field_and_never_says_the_value(notify, name, value):
    body = a_page().model_dump(mode="json") | {name: value}
    answer = await notify.call("POST", "/pages", "service", "sharing", json=body)

    assert answer.status_code == 422
    assert name in answer.text
    assert "zebra" not in answer.text


async def test_messages_are_listed_without_address_or_text(notify):
    await notify.hear(booked())
    await notify.page(a_page())
    answer = await notify.call("GET", "/messages", "ops")

    assert {item["kind"] for item in answer.json()["items"]} == {"appointment", "page"}
    for secret in ("@", "Library", "Ada", "Zebra"):
        assert secret not in answer.text
    waiting = await notify.call("GET", "/messages?state=waiting", "ops")
    assert waiting.json()["items"] == []


async def test_no_address_and_no_name_is_in_the_database_or_the_logs(notify, tmp_path, capsys):
    await notify.hear(booked())
    notify.peers.children["C-1"] = a_child(safe="unsafe")
    await notify.hear(booked(id="EV-5", booking_id="BK-5"))
    await notify.page(a_page())

    kept = b"".join(file.read_bytes() for file in tmp_path.glob("notify.sqlite*"))
    kept += capsys.readouterr().out.encode()
    for secret in (b"child@example.org", b"dsl@northshire", b"Zebra", b"Central Library"):
        assert secret not in kept


async def test_a_task_is_done_once_and_leaves_the_list(notify):
    notify.peers.children["C-1"] = a_child(safe="unsafe")
    await notify.hear(booked())
    (task,) = await notify.tasks()
    path = f"/tasks/{task['id']}/done"

    assert (await notify.call("POST", path, "practitioner", "W-1")).status_code == 200
    assert (await notify.call("POST", path, "practitioner", "W-2")).status_code == 200
    assert await notify.tasks() == []
    assert (await notify.call("POST", "/tasks/TK-9/done")).status_code == 404


async def test_a_message_nobody_owes_is_not_found(notify):
    assert (await notify.call("POST", "/messages/MS-9/again")).status_code == 404


def settings(tmp_path, **changes):
    key = tmp_path / "ids.key"
    key.write_bytes(bytes(range(32)))
    given = {
        "database_url": "sqlite:///x",
        "nats_url": "tls://nats",
        "nats_nkey": key,
        "issuer": "https://issuer.example",
        "jwks": "https://issuer.example/jwks",
        "tokens": tmp_path,
        "id_key": key,
        "tls_certificate": key,
        "tls_key": key,
        "localities": key,
        "production": True,
        "smtp_url": "smtps://mail.example",
        "mail_from": "hello@homeward.example",
    }
    return NotifySettings(**given | changes)


def test_a_production_that_sends_mail_over_tls_starts(tmp_path):
    assert settings(tmp_path).channels().keys() == {"email"}
    assert settings(tmp_path, smtp_url="smtp://mail.example:587", smtp_starttls=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"smtp_url": None},
        {"smtp_url": "smtp://mail.example"},
        {"smtp_url": "file:///var/mail"},
        {"localities": None},
    ],
)
def test_a_production_that_could_not_page_or_would_in_clear_does_not_start(tmp_path, changes):
    with pytest.raises((UnsafeSettingError, ValidationError)):
        settings(tmp_path, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"smtp_url": "http://mail.example"},
        {"smtp_url": "file://host/mail"},
        {"text_url": "smtp://mail.example"},
        {"mail_from": "nobody"},
    ],
)
def test_an_address_that_is_none_is_refused_at_the_start(tmp_path, changes):
    with pytest.raises(ValidationError):
        settings(tmp_path, production=False, **changes)
