"""What is sealed for whom: each recipient learns who the child is only as far as it has to."""

import json
from datetime import UTC, datetime

import pytest
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OKPKey

from contracts import feed
from services.sharing.sealing import (
    CHILD_PARTS,
    PSEUDONYMOUS,
    Keys,
    UnsealableError,
    body,
    encryption_key,
    needs_names,
    pseudonym,
    seal,
    sign_void,
)

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
SIGNING = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "Ed25519"}, auto_kid=True)
OURS = Keys(SIGNING, b"p" * 32)
THEIRS = OKPKey.generate_key("X25519", auto_kid=True)
FIONA = {
    "id": "C-FIONA",
    "given_name": "Fiona",
    "family_name": "Marked",
    "date_of_birth": "2012-05-03",
    "identity_status": "verified",
    "address": "1 Mill Street",
}
CONTENT = {
    "item": {"category": "push_pull", "fields": {"push": "school"}, "provenance": "child_said"},
    "purpose": "prevent_harm",
    "basis": ["LO"],
    "transforms": ["codes_only"],
    "obligations": ["log_reason_share_or_not"],
    "policy_version": "2026.11.1",
}


def told(recipient_type="police", partner="northshire-police", child=FIONA, content=CONTENT):
    return body(
        OURS,
        content,
        partner=partner,
        recipient_type=recipient_type,
        child_id="C-FIONA",
        episode_id="EP-1",
        item_id="IT-1",
        child=child,
    )


def sealed(claims=None, jwk=None):
    return seal(
        OURS,
        claims or told(),
        partner="northshire-police",
        jwk=jwk or THEIRS.as_dict(private=False),
        release_id="R-1",
        number=7,
        at=NOON,
    )


def opened(data, key=THEIRS):
    inner = jwe.decrypt_compact(data, key, algorithms=["ECDH-ES+A256KW", "A256GCM"])
    outer = jws.deserialize_compact(inner.plaintext, SIGNING, algorithms=["Ed25519"])
    return inner.protected, outer.protected, json.loads(outer.payload)


def test_exactly_what_the_design_names_is_signed():
    _, _, claims = opened(sealed())

    assert claims == {
        "iss": "homeward",
        "aud": "northshire-police",
        "jti": "R-1",
        "number": 7,
        "iat": int(NOON.timestamp()),
        "episode_id": "EP-1",
        "child": {
            "id": "C-FIONA",
            "given_name": "Fiona",
            "family_name": "Marked",
            "date_of_birth": "2012-05-03",
        },
        "item": {
            "id": "IT-1",
            "category": "push_pull",
            "fields": {"push": "school"},
            "provenance": "child_said",
        },
        "purpose": "prevent_harm",
        "basis": ["LO"],
        "transforms": ["codes_only"],
        "obligations": ["log_reason_share_or_not"],
        "policy_version": "2026.11.1",
    }


def test_headers_say_what_is_inside():
    outer, inner, _ = opened(sealed())

    assert (outer["alg"], outer["enc"], outer["cty"]) == ("ECDH-ES+A256KW", "A256GCM", "JWT")
    assert (inner["alg"], inner["typ"], inner["kid"]) == ("Ed25519", feed.RELEASE_TYP, SIGNING.kid)


def test_a_p256_key_does_as_well():
    key = ECKey.generate_key("P-256")

    assert opened(sealed(jwk=key.as_dict(private=False)), key)[2]["jti"] == "R-1"


@pytest.mark.parametrize("recipient_type", sorted(CHILD_PARTS))
def test_each_type_learns_its_parts_of_the_child_and_no_more(recipient_type):
    child = told(recipient_type)["child"]

    assert set(child) == set(CHILD_PARTS[recipient_type])
    assert "Mill" not in json.dumps(told(recipient_type))


def test_a_school_learns_the_name_alone():
    assert told("school_dsl")["child"] == {"given_name": "Fiona", "family_name": "Marked"}


def test_an_identity_that_is_not_verified_is_marked_as_such():
    for status in ("unverified", None, "odd"):
        child = told(child={**FIONA, "identity_status": status})["child"]

        assert child["identity_status"] == "unverified"


@pytest.mark.parametrize("recipient_type", sorted(PSEUDONYMOUS))
def test_who_counts_children_gets_pseudonyms_even_where_names_are_at_hand(recipient_type):
    claims = told(recipient_type, partner="northshire-commissioning")
    text = json.dumps(claims)

    for real in ("C-FIONA", "EP-1", "IT-1", "Fiona", "Marked", "2012"):
        assert real not in text
    assert not needs_names(recipient_type)


def test_a_pseudonym_is_always_the_same_for_one_recipient_and_another_for_each_other():
    mine = pseudonym(b"k" * 32, "northshire-commissioning", "child", "C-1")

    assert mine == pseudonym(b"k" * 32, "northshire-commissioning", "child", "C-1")
    others = {
        pseudonym(b"k" * 32, "eastvale-commissioning", "child", "C-1"),
        pseudonym(b"k" * 32, "northshire-commissioning", "item", "C-1"),
        pseudonym(b"j" * 32, "northshire-commissioning", "child", "C-1"),
        pseudonym(b"k" * 32, "northshire-commissioning", "child", "C-2"),
    }
    assert len(others | {mine}) == 5


@pytest.mark.parametrize("real", ["C-FIONA", "EP-1", "IT-1"])
def test_an_id_inside_the_fields_that_would_undo_a_pseudonym_is_refused(real):
    item = {"category": "basic_outcome", "fields": {"about": [f"see {real}"]}}

    with pytest.raises(UnsealableError):
        told("commissioner", content={**CONTENT, "item": item})


@pytest.mark.parametrize(
    "recipient_type", ["carer_parent", "carer_professional", "young_person", "", "unknown"]
)
def test_a_type_without_a_feed_is_never_sealed_for(recipient_type):
    with pytest.raises(UnsealableError):
        told(recipient_type)


def test_without_an_answer_about_the_child_nothing_is_sealed():
    with pytest.raises(UnsealableError):
        told(child=None)


@pytest.mark.parametrize("missing", ["basis", "transforms", "obligations", "policy_version"])
def test_content_that_is_not_whole_is_not_sealed(missing):
    content = {name: value for name, value in CONTENT.items() if name != missing}

    with pytest.raises(UnsealableError):
        sealed(told(content=content))


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        {"kty": "RSA", "n": "AA", "e": "AQAB"},
        {"kty": "oct", "k": "AA"},
        {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"},
        THEIRS.as_dict(private=True),
    ],
)
def test_a_key_of_another_kind_or_a_private_one_is_refused(jwk):
    with pytest.raises(ValueError, match="public X25519 or P-256"):
        encryption_key(jwk)


def test_a_void_names_its_number_and_is_of_a_type_of_its_own():
    data = sign_void(OURS, partner="northshire-police", release_id="R-1", number=7, at=NOON)
    signed = jws.deserialize_compact(data, SIGNING, algorithms=["Ed25519"])

    assert signed.protected["typ"] == feed.VOID_TYP
    assert json.loads(signed.payload)["number"] == 7


def test_keys_are_read_from_files_and_a_public_signing_key_is_refused(tmp_path):
    private, public, ids = tmp_path / "private", tmp_path / "public", tmp_path / "ids"
    private.write_text(json.dumps(SIGNING.as_dict(private=True)))
    public.write_text(json.dumps(SIGNING.as_dict(private=False)))
    ids.write_bytes(bytes(32))

    assert Keys.read(private, ids).signing.kid == SIGNING.kid
    assert Keys.read(private, ids).pseudonym != bytes(32)
    with pytest.raises(ValueError, match="private Ed25519"):
        Keys.read(public, ids)


def test_what_partners_rely_on_is_published_as_a_schema():
    assert set(feed.schema()) == {"FeedEvent", "Release", "Void"}
