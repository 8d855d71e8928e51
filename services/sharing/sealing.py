"""Seal what a decision permits, so that one partner alone can read it and knows who sent it."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from joserfc import jwe, jws
from joserfc.jwk import ECKey, OKPKey
from joserfc.util import to_bytes
from pydantic import ValidationError

from contracts import feed
from contracts.feed import FeedEvent

PSEUDONYMOUS = frozenset({"commissioner", "lscp_strategic"})
"""They count children and never learn who they are (design section 11; HD8)."""

CHILD_PARTS: Mapping[str, tuple[str, ...]] = {
    "police": ("id", "given_name", "family_name", "date_of_birth"),
    "childrens_services": ("id", "given_name", "family_name", "date_of_birth"),
    "lscp_panel": ("given_name", "family_name", "date_of_birth"),
    "health": ("given_name", "family_name", "date_of_birth"),
    "school_dsl": ("given_name", "family_name"),
}
"""What each type of recipient needs to know whom a release is about; no other type has a feed."""

PROVISIONAL = "identity_status"
"""Added where it is not `verified`: the reader must know that the name may be another child's."""

CURVES = {("OKP", "X25519"), ("EC", "P-256")}


class UnsealableError(Exception):
    """This content must not go to this recipient as it is; names the reason, never the content."""


@dataclass(frozen=True)
class Keys:
    """What `sharing` signs and makes pseudonyms with, and the name under which it does."""

    signing: OKPKey
    pseudonym: bytes
    issuer: str = "homeward"

    @classmethod
    def read(
        cls, signing: Path, id_key: Path, pseudonym: Path | None = None, issuer: str = "homeward"
    ) -> "Keys":
        """Read the keys; without a pseudonym key of its own, one follows from the id key."""
        key = OKPKey.import_key(json.loads(signing.read_text()))
        if key.curve_name != "Ed25519" or not key.is_private:
            raise ValueError("the signing key is not a private Ed25519 key")
        secret = pseudonym or id_key
        derived = hmac.new(secret.read_bytes(), b"homeward.sharing.pseudonym.v1", hashlib.sha256)
        return cls(key, derived.digest(), issuer)


def pseudonym(key: bytes, recipient: str, kind: str, subject: str) -> str:
    """Return what `recipient` knows `subject` by: always the same, and no other recipient's."""
    cause = json.dumps([recipient, kind, subject], separators=(",", ":")).encode()
    return "P-" + hmac.new(key, cause, hashlib.sha256).hexdigest()[:24]


def needs_names(recipient_type: str) -> bool:
    """Tell whether `referral` has to be asked who the child is."""
    return recipient_type not in PSEUDONYMOUS


def body(
    keys: Keys,
    content: Mapping[str, Any],
    *,
    partner: str,
    recipient_type: str,
    child_id: str,
    episode_id: str,
    item_id: str,
    child: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what will be signed, but for `iss aud jti number iat`.

    `content` is what policy lets through (item with fields and provenance, purpose, basis …);
    `child` is `referral`'s answer about the child, needed unless the recipient gets pseudonyms.
    Raises `UnsealableError` where the type of recipient has no place on a feed, or where an id of
    ours would reach one that must not be able to tell who the child is.
    """
    item = content["item"]
    if recipient_type in PSEUDONYMOUS:
        named = partial(pseudonym, keys.pseudonym, partner)
        whom: dict[str, Any] = {"pseudonym": named("child", child_id)}
        episode_id_told, item_id_told = named("episode", episode_id), named("item", item_id)
        told = json.dumps([item["fields"], content.get("purpose")], ensure_ascii=False)
        if any(real in told for real in (child_id, episode_id, item_id)):
            raise UnsealableError("an id inside the fields would undo the pseudonym")
    elif recipient_type in CHILD_PARTS and child is not None:
        facts = {**child, "id": child_id}
        whom = {part: facts[part] for part in CHILD_PARTS[recipient_type] if facts.get(part)}
        if facts.get("identity_status") != "verified":
            whom[PROVISIONAL] = "unverified"
        episode_id_told, item_id_told = episode_id, item_id
    else:
        raise UnsealableError("nothing says what this type of recipient may know of a child")
    return {
        "episode_id": episode_id_told,
        "child": whom,
        "item": {
            "id": item_id_told,
            "category": item["category"],
            "fields": item["fields"],
            "provenance": item.get("provenance"),
        },
        **{
            name: content.get(name)
            for name in ("purpose", "basis", "transforms", "obligations", "policy_version")
        },
    }


def seal(
    keys: Keys,
    told: Mapping[str, Any],
    *,
    partner: str,
    jwk: Mapping[str, Any],
    release_id: str,
    number: int,
    at: datetime,
) -> str:
    """Return the compact JWE of `told` for `partner`: signed by us, then encrypted to its key.

    Audience, id, number and time are inside the signature, so that it fits one place on one feed.
    """
    claims = _stamp(keys, partner, release_id, number, at) | dict(told)
    try:
        feed.Release.model_validate(claims)
    except ValidationError as error:
        raise UnsealableError("the content is not a release") from error
    signed = _sign(keys, claims, feed.RELEASE_TYP)
    key = encryption_key(jwk)
    header = {
        "alg": feed.WRAPPED_WITH,
        "enc": feed.ENCRYPTED_WITH,
        "typ": "JOSE",
        "cty": "JWT",
        "kid": key.kid or key.thumbprint(),
    }
    return jwe.encrypt_compact(
        header, to_bytes(signed), key, algorithms=[feed.WRAPPED_WITH, feed.ENCRYPTED_WITH]
    )


def sign_void(
    keys: Keys,
    *,
    partner: str,
    release_id: str,
    number: int,
    at: datetime,
    checkpoint: Mapping[str, Any] | None = None,
) -> str:
    """Return the compact JWS that says: this number holds nothing any more."""
    claims = _stamp(keys, partner, release_id, number, at)
    if checkpoint is not None:
        claims["checkpoint"] = dict(checkpoint)
    return _sign(keys, claims, feed.VOID_TYP)


def _stamp(keys: Keys, partner: str, release_id: str, number: int, at: datetime) -> dict[str, Any]:
    return {
        "iss": keys.issuer,
        "aud": partner,
        "jti": release_id,
        "number": number,
        "iat": int(at.timestamp()),
    }


def _sign(keys: Keys, claims: Mapping[str, Any], typ: str) -> str:
    header = {
        "alg": feed.SIGNED_WITH,
        "typ": typ,
        "kid": keys.signing.kid or keys.signing.thumbprint(),
    }
    payload = json.dumps(claims, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return jws.serialize_compact(header, payload, keys.signing, algorithms=[feed.SIGNED_WITH])


def encryption_key(jwk: Mapping[str, Any]) -> OKPKey | ECKey:
    """Return a partner's public key; raises ValueError for any other kind or a private one."""
    if (jwk.get("kty"), jwk.get("crv")) not in CURVES or "d" in jwk:
        raise ValueError("a partner's key is a public X25519 or P-256 key")
    wanted = ("kty", "crv", "x", "y", "kid")
    plain: dict[str, str | list[str]] = {name: str(jwk[name]) for name in wanted if name in jwk}
    try:
        return (OKPKey if jwk["kty"] == "OKP" else ECKey).import_key(plain)
    except Exception as error:  # joserfc and cryptography raise a dozen kinds for a broken key
        raise ValueError("a partner's key is a public X25519 or P-256 key") from error


def envelope(
    kind: str, data: str, *, event_id: str, release_id: str, number: int, at: datetime, source: str
) -> bytes:
    """Return the bytes of a feed event, ready to publish."""
    event = FeedEvent(
        id=event_id,
        type=kind,
        source=source,
        subject=release_id,
        time=at,
        number=number,
        data=data,
    )
    return event.model_dump_json().encode()


def sha256(data: bytes) -> str:
    """Return the digest under which the ledger knows what was sent."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
