"""Agencies that read on a feed: their keys, their registration, and what they need to read."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from joserfc.jwk import OKPKey

from homeward import keys
from homeward.home import Home, HomeError

NO, MISUSED, AWAY = 1, 2, 75
KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
NKEY = re.compile(r"U[A-Z2-7]{55}\Z")
CURVES = {("OKP", "X25519"), ("EC", "P-256")}
ISSUER = "homeward"
"""What releases of a home name as `iss`."""
RECIPIENTS = Path(__file__).parent.parent / "policies" / "recipients.yaml"


class PartnerError(Exception):
    """A partner cannot be added or given what it needs; `code` is the exit code."""

    def __init__(self, why: str, code: int = MISUSED) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True)
class Agency:
    """A partner as it is to be registered."""

    key: str
    public: dict[str, Any]
    """`key`, `nkey` and `jwk`, as `make_keys` wrote them to `<key>.public.json`."""
    type: str
    role: str | None = None
    area: str | None = None


# Keys


def make_keys(key: str, out: Path) -> list[Path]:
    """Make a partner's own keys in `out`; needs no home, and existing ones are never replaced.

    Only `<key>.public.json` is meant for others. Raises `PartnerError`.
    """
    _check_key(key)
    nkey, jwk, public = (out / f"{key}{end}" for end in (".nk", ".jwk.json", ".public.json"))
    there = [path.name for path in (nkey, jwk, public) if path.exists()]
    if there:
        raise PartnerError(f"{there[0]} exists in {out}: keys are never replaced")
    secret = OKPKey.generate_key("X25519", {"use": "enc"}, auto_kid=True)
    keys.make_nkey(nkey)
    keys.write_secret(jwk, json.dumps(secret.as_dict(private=True)) + "\n")
    told = {"key": key, "nkey": keys.public_nkey(nkey), "jwk": secret.as_dict(private=False)}
    public.write_text(json.dumps(told, indent=2) + "\n")
    return [nkey, jwk, public]


def _check_key(key: str) -> None:
    if not KEY.match(key):
        raise PartnerError("a partner's key is lower-case words with hyphens")


# Registration


def add(
    home: Home,
    key: str,
    public: dict[str, Any],
    *,
    type: str,  # noqa: A002 - the word of the contract
    role: str | None,
    area: str | None,
) -> dict[str, Any]:
    """Register one agency while everything runs; see `add_all`."""
    return add_all(home, [Agency(key, public, type, role, area)])[0]


def add_all(home: Home, agencies: Sequence[Agency]) -> list[dict[str, Any]]:
    """Register agencies with one reload of the broker; return what `sharing` holds of each.

    The same agency again is fine. Where anything refuses, nothing of the new ones stays.
    Raises `PartnerError`, `HomeError`.
    """
    for agency in agencies:
        check(agency)
    sharing, token = home.url("sharing"), home.token("ops", services=["sharing"])
    before = {agency.key: _write_public(home, agency) for agency in agencies}
    headers = {"Authorization": f"Bearer {token}"}
    try:
        home.reload_broker()
        with httpx.Client(
            base_url=sharing, headers=headers, timeout=60, verify=home.verify()
        ) as client:
            return [_register(client, agency) for agency in agencies]
    except BaseException:
        for key, text in before.items():
            file = home.partner(key) / f"{key}.public.json"
            if text is None:
                file.unlink(missing_ok=True)
            else:
                keys.write_secret(file, text)
        with suppress(HomeError):  # the first refusal is the one to be told
            home.reload_broker()
        raise


def check(agency: Agency) -> None:
    """Refuse what could not be right, before anything is touched. Raises `PartnerError`."""
    check_public(agency.key, agency.public)
    known = yaml.safe_load(RECIPIENTS.read_text())["recipients"]
    names = {alias: name for name, one in known.items() for alias in one.get("aliases", ())}
    kind = names.get(agency.type, agency.type)
    if kind not in known:
        raise PartnerError(f"type is one of: {', '.join(sorted(known))}")
    roles = known[kind]["roles"]
    if agency.role is not None and agency.role not in roles:
        raise PartnerError(f"role of {kind} is one of: {', '.join(roles)}")


def check_public(key: str, public: Mapping[str, Any]) -> None:
    """Refuse public keys that could not be right. Raises `PartnerError`."""
    _check_key(key)
    jwk = public.get("jwk")
    if public.get("key", key) != key:
        raise PartnerError("these are the public keys of another partner")
    if not NKEY.match(str(public.get("nkey"))):
        raise PartnerError("`nkey` is not the public key of a user (U…)")
    if not isinstance(jwk, dict) or (jwk.get("kty"), jwk.get("crv")) not in CURVES:
        raise PartnerError("`jwk` is not an X25519 or P-256 key")
    if "d" in jwk:
        raise PartnerError("`jwk` holds the private key: keep it, and make new ones")


def _write_public(home: Home, agency: Agency) -> str | None:
    """Write down the public keys; return what stood there. Other keys are never overwritten.

    An agency that had left may come back, with new keys.
    """
    file = home.partner(agency.key) / f"{agency.key}.public.json"
    before = file.read_text() if file.exists() else None
    if before is not None:
        present = json.loads(before)
        same, left = present["nkey"] == agency.public["nkey"], bool(present.get("revoked"))
        if left and same:
            raise PartnerError(f"{agency.key} has left: it comes back with new keys only", NO)
        if not left and not same:
            raise PartnerError(f"{agency.key} is registered with other keys: see `rotate`", NO)
        if not left:
            return before
    public = {**agency.public, "key": agency.key}
    keys.write_secret(file, json.dumps(public, indent=2) + "\n")
    return before


def _register(client: httpx.Client, agency: Agency) -> dict[str, Any]:
    body = {
        "key": agency.key,
        "type": agency.type,
        "role": agency.role,
        "area": agency.area,
        "public": {name: agency.public[name] for name in ("nkey", "jwk")},
    }
    try:
        answer = client.post("/partners", json=body)
    except httpx.HTTPError as error:
        raise PartnerError("sharing does not answer", AWAY) from error
    if answer.status_code == httpx.codes.CONFLICT:
        raise PartnerError(f"{agency.key} is registered otherwise", NO)
    if not answer.is_success:
        raise PartnerError(f"sharing refuses {agency.key}: {code_of(answer)}", NO)
    told: dict[str, Any] = answer.json()
    return told


def code_of(answer: httpx.Response) -> str:
    """Return why something was refused, in codes."""
    try:
        problem = answer.json()
        parts = [f"{e['field']} {e['code']}" for e in problem.get("errors", [])]
        return "; ".join(parts) or str(problem["code"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return str(answer.status_code)


# What a partner needs


def write_context(home: Home, key: str, out: Path) -> list[Path]:
    """Write what we give a partner: where and how to connect, and our public signing keys.

    `<key>.json` is a context of the stock `nats` command; where the broker speaks TLS with an
    authority of its own, that one's certificate comes too.
    """
    out.mkdir(parents=True, exist_ok=True)
    context = {
        "description": f"Feed of {key}",
        "url": home.partners_url,
        "nkey": str((out / f"{key}.nk").resolve()),
        "inbox_prefix": f"_INBOX_{key}",
        "jetstream_api_prefix": "JSC.API",
    }
    ours = json.loads((home.keys_dir / "homeward.jwks.json").read_text())
    files = [out / f"{key}.json", out / "homeward.jwks.json"]
    if home.ca is not None:
        files.append(out / "homeward.ca.crt")
        files[2].write_bytes(home.ca.read_bytes())
        context["ca"] = str(files[2].resolve())
    files[0].write_text(json.dumps(context, indent=2) + "\n")
    files[1].write_text(json.dumps({"issuer": ISSUER, **ours}, indent=2) + "\n")
    return files


def write_creds(home: Home, key: str, out: Path) -> list[Path]:
    """Write all four files of a partner, which only a demo home can: there the keys are ours."""
    _check_key(key)
    source = home.partner(key)
    try:
        private = {end: (source / f"{key}{end}").read_bytes() for end in (".nk", ".jwk.json")}
    except OSError as error:
        raise PartnerError(f"this home does not hold the private keys of {key}", NO) from error
    out.mkdir(parents=True, exist_ok=True)
    for end, content in private.items():
        keys.write_secret(out / f"{key}{end}", content)
    return [*(out / f"{key}{end}" for end in private), *write_context(home, key, out)]


def listed(home: Home) -> list[dict[str, Any]]:
    """Return all registered agencies. Raises `PartnerError`, `HomeError`."""
    headers = {"Authorization": f"Bearer {home.token('ops', services=['sharing'])}"}
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    try:
        with httpx.Client(
            base_url=home.url("sharing"), headers=headers, timeout=30, verify=home.verify()
        ) as client:
            while True:
                answer = client.get("/partners", params={"limit": 200, **after})
                answer.raise_for_status()
                page = answer.json()
                found += page["items"]
                if not page.get("next"):
                    return found
                after = {"after": page["next"]}
    except httpx.HTTPError as error:
        raise PartnerError("sharing does not answer", AWAY) from error


# The commands


def read_public(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text())
    except OSError as error:
        raise PartnerError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise PartnerError(f"{file} holds no public keys") from error
    if not isinstance(told, dict):
        raise PartnerError(f"{file} holds no public keys")
    return told
