"""The search finds a leak, in whatever writing: a canary that cannot sing proves nothing."""

import base64
from hashlib import sha256

import pytest
from canary_marks import BIRTH, Marks

from messaging import telemetry


@pytest.fixture
def marks():
    made = Marks()
    made.word("referral.child.given_name")
    return made


WRITINGS = {
    "as it is": lambda text: text.encode(),
    "in a sentence": lambda text: f"could not store {text}!".encode(),
    "in capitals": lambda text: text.upper().encode(),
    "in JSON": lambda text: f'{{"given_name": "{text}"}}'.encode(),
    "in base64": lambda text: base64.b64encode(text.encode()),
    "in base64, shifted by one": lambda text: base64.b64encode(b"x" + text.encode()),
    "in base64, shifted by two": lambda text: base64.b64encode(b"xy" + text.encode()),
    "in hex": lambda text: text.encode().hex().encode(),
    "in UTF-16": lambda text: text.encode("utf-16"),
    "as a plain digest": lambda text: sha256(text.encode()).hexdigest().encode(),
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_a_mark_is_found_however_it_is_written(marks, writing):
    text = marks.word("referral.child.given_name")

    assert marks.found_in(b"\x00 before " + WRITINGS[writing](text) + b" after")


def test_a_mark_names_the_field_it_was_put_into(marks):
    text = marks.word("referral.child.given_name")

    assert list(marks.found_in(text.encode()).values()) == ["referral.child.given_name"]


def test_a_birth_date_and_a_number_are_found_in_other_forms(marks):
    phone = marks.phone("referral.child.channels.address")

    assert marks.found_in(f"born {BIRTH}".encode())
    assert marks.found_in(b"born 29/02/2012")
    assert marks.found_in(phone.encode())
    assert marks.found_in(phone.replace(" ", "").replace("07700", "+447700").encode())
    assert not marks.found_in(b"nothing about anybody, 2026-10-14, 07700 900005")


async def test_one_log_call_with_a_name_is_caught(a_service, capfd, monkeypatch, marks):
    """Seeded: one word fits the pattern of values, so the allow-list alone would let it out."""
    name = marks.word("referral.child.given_name")
    referral = await a_service("referral")
    telemetry.configure("referral")
    before = referral.app.ids.after

    def leaky(kind, *cause):
        telemetry.get_logger().info("referral.taken", name=name)
        return before(kind, *cause)

    monkeypatch.setattr(type(referral.app.ids), "after", lambda _self, *words: leaky(*words))
    body = {
        "source": "parent", "locality": "northshire",
        "child": {"given_name": name, "family_name": "Example", "date_of_birth": "2012-05-06"},
        "episode": {"missing_from": "2026-10-10T18:00:00+00:00",
                    "returned_at": "2026-10-11T08:00:00+00:00"},
    }  # fmt: skip
    answer = await referral.call("POST", "/referrals", body, role="practitioner")
    said = capfd.readouterr()

    assert answer.status_code == 201, answer.text
    assert marks.found_in(said.out.encode()) == {name.lower(): "referral.child.given_name"}
