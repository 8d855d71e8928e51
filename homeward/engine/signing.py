"""Bundles as one signed file, in OPA's own form: an OPA that knows the key loads no other.

The signature is a JWT in `.signatures.json` over the hash of every file. JSON documents are hashed
by what they say, as OPA does (`bundle/hash.go`); a test holds ours against `opa sign`.
"""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from homeward.engine.faults import BrokenPoliciesError
from homeward.keys import write_secret

ALGORITHM = "ES256"
"""The strongest for small keys that OPA verifies bundles with; it knows no Ed25519 there."""
SIGNATURES = ".signatures.json"
SUFFIX = ".tar.gz"
PRIVATE, PUBLIC, CONFIG = "bundle.private.pem", "bundle.public.pem", "opa.yaml"
POLL_S = (2, 5)
"""How often OPA asks for a new bundle, at least and at most."""

_STRUCTURED = {"data.json", ".manifest"}
_OURS_TO_REFUSE = {"data.yaml", "data.yml", "patch.json"}
"""OPA would load these by itself, beside what the builder makes of all data files."""


class WrongKeyError(Exception):
    """This is no private key that a bundle can be signed with."""


def make_keys(out: Path) -> None:
    """Make a key pair for bundles in the folder `out`; what is there is never replaced."""
    private = out / PRIVATE
    if not private.exists():
        write_secret(private, ECKey.generate_key("P-256").as_pem(private=True))
    public = _key(private).as_pem(private=False)
    write_secret(out / PUBLIC, public)


def opa_config(public: Path, keyid: str, url: str) -> str:
    """Return the configuration of an OPA that polls `url` and loads what the key signed alone.

    With `keyid` named there, what a bundle says about its own key counts for nothing.
    """
    return yaml.safe_dump(
        {
            "services": {"policies": {"url": url}},
            "bundles": {
                "homeward": {
                    "service": "policies",
                    "resource": "bundle.tar.gz",
                    "polling": {"min_delay_seconds": POLL_S[0], "max_delay_seconds": POLL_S[1]},
                    "signing": {"keyid": keyid},
                }
            },
            "keys": {keyid: {"algorithm": ALGORITHM, "key": public.read_text(encoding="ascii")}},
        },
        sort_keys=False,
    )


def pack(bundle: Path, into: Path, private: Path, keyid: str) -> None:
    """Write the folder `bundle` to the file `into`, signed; readers see the old one or the new.

    Raises WrongKeyError, and BrokenPoliciesError for a file that OPA would take for data.
    """
    files = {
        file.relative_to(bundle).as_posix(): file.read_bytes()
        for file in sorted(bundle.rglob("*"))
        if file.is_file() and file.name != SIGNATURES
    }
    odd = sorted(name for name in files if name.rpartition("/")[2] in _OURS_TO_REFUSE)
    if odd:
        raise BrokenPoliciesError([f"{name}: OPA would load this by itself" for name in odd])
    files[SIGNATURES] = signatures(files, private, keyid)
    aside = into.with_name(f".{into.name}.new")
    aside.write_bytes(packed(files))
    aside.chmod(0o644)
    aside.replace(into)


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return files as one; what says the same is the same to the byte."""
    whole = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=whole, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as opened,
    ):
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(f"/{name}")
            member.size, member.mode = len(content), 0o644
            opened.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def signatures(files: Mapping[str, bytes], private: Path, keyid: str) -> bytes:
    """Return the content of `.signatures.json`. Raises WrongKeyError."""
    told = [
        {"name": name, "hash": hash_of(name, content), "algorithm": "SHA-256"}
        for name, content in sorted(files.items())
    ]
    header = {"alg": ALGORITHM, "kid": keyid, "typ": "JWT"}
    claims = json.dumps({"files": told, "keyid": keyid}, separators=(",", ":"))
    token = jws.serialize_compact(header, claims, _key(private), algorithms=[ALGORITHM])
    return json.dumps({"signatures": [token]}).encode()


def hash_of(name: str, content: bytes) -> str:
    """Return the hash of one file, as OPA computes it."""
    if name.rpartition("/")[2] not in _STRUCTURED:
        return sha256(content).hexdigest()
    document = json.loads(content, parse_int=_Number, parse_float=_Number)
    return sha256("".join(_told(document)).encode()).hexdigest()


class _Number(str):
    """A number as it was written: OPA keeps it so."""

    __slots__ = ()


def _told(value: Any) -> Iterator[str]:
    match value:
        case dict():
            yield "{"
            for place, name in enumerate(sorted(value)):
                yield f"{',' if place else ''}{_text(name)}:"
                yield from _told(value[name])
            yield "}"
        case list():
            yield "["
            for place, one in enumerate(value):
                yield "," if place else ""
                yield from _told(one)
            yield "]"
        case _Number():
            yield str(value)
        case str():
            yield _text(value)
        case _:
            yield json.dumps(value)


def _text(value: str) -> str:
    """Return a string as Go writes it, which escapes two line ends of JavaScript."""
    written = json.dumps(value, ensure_ascii=False)
    return written.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _key(private: Path) -> ECKey:
    try:
        key = ECKey.import_key(private.read_bytes())
    except (JoseError, ValueError, OSError) as error:
        raise WrongKeyError(f"{private} is no private key of the kind P-256") from error
    if not key.is_private or key.curve_name != "P-256":
        raise WrongKeyError(f"{private} is no private key of the kind P-256")
    return key
