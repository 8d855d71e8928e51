"""Check an export of the decision ledger with a public key alone: no database, no network."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc.jwk import KeySet, OKPKey

from contracts import ledger

LINE_BYTES_MAX = 1 << 20
"""No entry comes near it; a line without end must not fill the memory of whoever checks."""


class WrongError(Exception):
    """The file is not what was signed: `where` names the first wrong entry, `why` says how."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


@dataclass(frozen=True)
class Checkpoint:
    """A signed statement: entry `seq` had the hash `digest`, and so had all before it theirs."""

    seq: int
    digest: str
    at: str
    kid: str


Keys = Mapping[str, Ed25519PublicKey]


def trusted(jwks: Mapping[str, Any]) -> Keys:
    """Return the Ed25519 keys of a JWK set by their id; raises ValueError where there is none."""
    try:
        found = {
            key.kid: key.public_key
            for key in KeySet.import_key_set({"keys": list(jwks["keys"])})
            if isinstance(key, OKPKey) and key.kid
        }
    except Exception as error:  # joserfc raises a dozen kinds for a set that is none
        raise ValueError("not a JWK set") from error
    keys = {kid: key for kid, key in found.items() if isinstance(key, Ed25519PublicKey)}
    if not keys:
        raise ValueError("no Ed25519 key with an id")
    return keys


def check(file: BinaryIO, keys: Keys, held: Checkpoint | None = None) -> Checkpoint:
    """Return the checkpoint over all entries of `file`; raise `WrongError` at the first fault.

    `held` is a checkpoint that the verifier kept from before: the file must contain it, so that
    a ledger that was cut short or written anew (by whoever has the signing key) is found.
    """
    _check_header(file)
    seq, prev = 0, ledger.GENESIS
    other: WrongError | None = None
    losses: list[tuple[int, Mapping[str, Any]]] = []
    while True:
        where = f"entry {seq + 1}"
        line = _line(file, where)
        found = _parsed(line, where)
        if "checkpoint" in found:
            break
        seq, prev = seq + 1, _check_entry(line, found, seq + 1, prev)
        if found["kind"] == "quarantine" and found["body"].get("action") == "lost":
            losses.append((seq, found["body"]))
        if held and held.seq == seq and held.digest != prev:
            other = WrongError(
                where, "it or one before it is not what the checkpoint you hold says"
            )
    stated = check_checkpoint(line, keys)
    if stated.seq > seq:
        raise WrongError(where, f"left out: the checkpoint covers {stated.seq} entries")
    if file.read(1):
        raise WrongError("checkpoint", "something follows it")
    if stated.seq < seq:
        raise WrongError(f"entry {stated.seq + 1}", f"the checkpoint ends at entry {stated.seq}")
    if stated.digest != prev:
        raise WrongError(f"entry {seq}", "it or one before it is not what the checkpoint signed")
    if held and held.seq > seq:
        other = WrongError(where, f"left out: the checkpoint you hold covers {held.seq} entries")
    if other:
        raise _lost(losses, held) or other
    return stated


def _lost(
    losses: list[tuple[int, Mapping[str, Any]]], held: Checkpoint | None
) -> WrongError | None:
    """Return how two people recorded that what `held` covers was lost, if they did."""
    for seq, body in losses:
        first, last = body.get("first"), body.get("last")
        if held and isinstance(first, int) and isinstance(last, int) and first <= held.seq <= last:
            why = f"lost, and {last} entries are covered by what you hold: entry {seq} records it"
            return WrongError(f"entry {first}", why)
    return None


def _line(file: BinaryIO, where: str) -> bytes:
    line = file.readline(LINE_BYTES_MAX)
    if not line:
        raise WrongError(where, "the file ends before it, without a checkpoint")
    if not line.endswith(b"\n"):
        raise WrongError(where, "cut off: the line has no end")
    return line[:-1]


def _parsed(line: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
        same = ledger.canonical(found) == line
    except (ValueError, RecursionError) as error:
        raise WrongError(where, "not in the form that the ledger writes") from error
    if not isinstance(found, dict) or not same:
        raise WrongError(where, "not in the form that the ledger writes")
    return found


def _check_header(file: BinaryIO) -> None:
    line = _line(file, "header")
    if line == ledger.HEADER:
        return
    try:
        form = json.loads(line).get("format")
    except (ValueError, RecursionError, AttributeError):
        form = None
    if isinstance(form, str) and form.startswith("homeward.ledger.") and form != ledger.FORMAT:
        raise WrongError("header", f"written in a form other than {ledger.FORMAT}")
    raise WrongError("header", "changed or left out")


def _check_entry(line: bytes, found: Mapping[str, Any], seq: int, prev: str) -> str:
    """Return the hash of entry `seq`, made anew from what it says; raise `WrongError` if not so."""
    where = f"entry {seq}"
    at, kind, body = found.get("at"), found.get("kind"), found.get("body")
    if not (isinstance(at, str) and isinstance(kind, str) and isinstance(body, dict)):
        raise WrongError(where, "not an entry")
    wanted = ledger.entry(seq, at, kind, body, prev)
    if ledger.canonical(wanted) == line:
        return str(wanted["hash"])
    given = found.get("seq")
    if given != seq and isinstance(given, int):
        found_instead = f"entry {given} stands in its place"
        raise WrongError(
            where, f"left out or moved: {found_instead}" if given > seq else found_instead
        )
    if found.get("prev") != prev:
        raise WrongError(
            where, f"does not follow entry {seq - 1}" if seq > 1 else "is not the first"
        )
    if found.get("hash") != wanted["hash"]:
        raise WrongError(where, "its hash is not that of what it says")
    raise WrongError(where, "holds more than an entry has")


def check_checkpoint(line: bytes, keys: Keys) -> Checkpoint:
    """Return the checkpoint in `line` (canonical, no line end), its signature checked."""
    where = "checkpoint"
    found = _parsed(line, where)
    seq, digest, at, kid, signature = (
        found.get(name) for name in ("seq", "hash", "at", "kid", "signature")
    )
    if not (
        type(seq) is int
        and isinstance(digest, str)
        and isinstance(at, str)
        and isinstance(kid, str)
        and isinstance(signature, str)
    ):
        raise WrongError(where, "not a checkpoint")
    try:
        signed = bytes.fromhex(signature)
    except ValueError as error:
        raise WrongError(where, "its signature is not one") from error
    if ledger.canonical(ledger.checkpoint(seq, digest, at, kid, signed)) != line:
        raise WrongError(where, "not in the form that the ledger writes")
    if kid not in keys:
        raise WrongError(where, "signed with a key that is not among yours")
    try:
        keys[kid].verify(signed, ledger.signing_input(seq, digest, at, kid))
    except InvalidSignature as error:
        raise WrongError(where, "its signature does not fit") from error
    return Checkpoint(seq, digest, at, kid)
