"""The decision ledger as it leaves the house: canonical lines, hashes, a checkpoint.

Standard library alone, so that whoever checks an export needs no service, database or network.
An export is JSON lines: `HEADER`, the entries 1, 2, 3 …, one checkpoint. Every line is byte for
byte its own canonical form, so that no byte of a file can change unnoticed.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

FORMAT = "homeward.ledger.v1"


def canonical(value: object) -> bytes:
    """Return the one way to write `value`: sorted keys, no spaces, ASCII, whole numbers only.

    Raises ValueError for a number with a fraction (two writers print it differently) and for a
    key that is not text.
    """
    _refuse_what_has_two_spellings(value)
    return _written(value).encode()


_written = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
).encode


def _refuse_what_has_two_spellings(value: object) -> None:
    if value is None or isinstance(value, str | int):  # bool is an int
        return
    if isinstance(value, list | tuple):
        for part in value:
            _refuse_what_has_two_spellings(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                raise ValueError("a key is not text")
            _refuse_what_has_two_spellings(part)
    else:
        raise ValueError("only text, whole numbers, truth values, lists and objects")


HEADER = canonical({"format": FORMAT})
GENESIS = hashlib.sha256(HEADER).hexdigest()
"""What the first entry names as `prev`: the header is part of the chain."""


def instant(at: datetime) -> str:
    """Return `at` as entries write it: UTC to the microsecond, always the same length."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def entry_hash(seq: int, at: str, kind: str, body: Mapping[str, Any], prev: str) -> str:
    """Return the hash of one entry, which the next one names as `prev`."""
    return text_hash(seq, at, kind, canonical(dict(body)).decode(), prev)


def text_hash(seq: int, at: str, kind: str, body: str, prev: str) -> str:
    """Return the hash of an entry whose body is written already, as `canonical` writes it.

    A body that says the same in another spelling has another hash.
    """
    at, kind, prev = map(_written, (at, kind, prev))
    entry = f'{{"at":{at},"body":{body},"kind":{kind},"prev":{prev},"seq":{seq}}}'
    return hashlib.sha256(entry.encode()).hexdigest()


def entry(seq: int, at: str, kind: str, body: Mapping[str, Any], prev: str) -> dict[str, Any]:
    """Return an entry as exports and `GET /ledger` show it; `canonical` of it is its line."""
    return {
        "seq": seq,
        "at": at,
        "kind": kind,
        "body": dict(body),
        "prev": prev,
        "hash": entry_hash(seq, at, kind, body, prev),
    }


def signing_input(seq: int, digest: str, at: str, kid: str) -> bytes:
    """Return what a checkpoint signs: "entry `seq` had hash `digest`", with Ed25519.

    The leading words keep a signature of this key from being taken for one over something else.
    """
    stated = canonical({"seq": seq, "hash": digest, "at": at, "kid": kid})
    return FORMAT.encode() + b".checkpoint\n" + stated


def checkpoint(seq: int, digest: str, at: str, kid: str, signature: bytes) -> dict[str, Any]:
    """Return a checkpoint as exports and `POST /ledger/checkpoint` show it."""
    return {
        "checkpoint": FORMAT,
        "seq": seq,
        "hash": digest,
        "at": at,
        "kid": kid,
        "signature": signature.hex(),
    }
