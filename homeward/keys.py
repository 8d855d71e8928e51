"""Secrets of a home: made once, readable by their owner alone, never printed."""

import json
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

import nkeys  # type: ignore[import-untyped] # has no stubs
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

ISSUER = "urn:homeward:home"
"""Issuer of a single machine's tokens; a production setting refuses to start with it."""

ALGORITHM = "Ed25519"
EDGE_TTL_S = 24 * 3600
"""How long a token between two services lasts; the supervisor makes a new one after half of it."""
PERSON_TTL_S = 12 * 3600


def write_secret(path: Path, content: str | bytes) -> None:
    """Write `content` to `path` so that nobody but the owner can ever read it.

    The file appears whole or not at all: a reader never sees half a key.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    data = content.encode() if isinstance(content, str) else content
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    aside.replace(path)


def make_signing_pair(private: Path, public: Path) -> None:
    """Make an Ed25519 key for signing: the private JWK and a set with its public half."""
    key = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    write_secret(private, json.dumps(key.as_dict(private=True)))
    write_secret(public, json.dumps(KeySet([key]).as_dict(private=False)))


def make_nkey(path: Path) -> None:
    """Make the seed of a NATS user; its public half is derived from it when needed."""
    seed = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
    write_secret(path, bytes(seed))


def public_nkey(path: Path) -> str:
    """Return the public half (`U…`) of the seed in `path`."""
    pair = nkeys.from_seed(bytearray(path.read_bytes().strip()))
    return bytes(pair.public_key).decode()


def sign_token(
    key: Path,
    *,
    sub: str,
    roles: Sequence[str],
    audience: Sequence[str],
    ttl_s: float,
    issuer: str = ISSUER,
) -> str:
    """Return a bearer token: who calls (`sub`), in which roles, which services may take it."""
    signing = OKPKey.import_key(json.loads(key.read_text()))
    now = int(time.time())
    claims = {
        "iss": issuer,
        "sub": sub,
        "aud": list(audience),
        "roles": list(roles),
        "iat": now,
        "exp": now + int(ttl_s),
        "jti": secrets.token_hex(8),
    }
    header = {"alg": ALGORITHM, "kid": signing.kid, "typ": "JWT"}
    return jwt.encode(header, claims, signing, algorithms=[ALGORITHM])
