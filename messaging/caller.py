"""Who calls: a bearer token of the configured issuer, its roles, and for services the edge."""

import asyncio
import json
import time
import warnings
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import Request, Security
from fastapi.security import HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from messaging import trust
from messaging.errors import AwayError
from messaging.problem import Problem
from messaging.reread import Mark, mark
from messaging.telemetry import get_logger
from messaging.topology import load

log = get_logger()

ALGORITHMS = ("EdDSA", "Ed25519", "ES256", "RS256")
"""Asymmetric ones alone: with these a public key can never be used as a shared secret."""
ROLES = frozenset({"practitioner", "manager", "dsl", "dpo", "ig_lead", "ops", "partner", "service"})
_LEEWAY_S = 5
_REREAD_PAUSE_S = 2.0
"""An unknown key id makes us read the keys again, but a flood of made-up ones not more often."""
_KEYS_AGE_MAX_S = 300.0
"""Keys are read again after it, so that one the issuer has dropped does not count much longer."""
_KEYS_OLDEST_S = 12 * 3600.0
"""Keys of an issuer that is away count so long and no longer: by then people's tokens have ended,
and whoever kept the issuer from us may have done so to go on with a key that was dropped."""
_TOKEN_LENGTH_MAX = 8_192

_bearer = HTTPBearer(auto_error=False, description="JWT of the configured issuer")


@dataclass(frozen=True)
class Caller:
    """Who a valid token says is calling."""

    sub: str
    roles: frozenset[str]
    audience: frozenset[str] = frozenset()

    def has(self, *roles: str) -> bool:
        """Tell whether the caller has one of `roles`."""
        return not self.roles.isdisjoint(roles)


class Verifier:
    """Checks tokens against the issuer's public keys, which it reads again when it has to."""

    def __init__(self, issuer: str, audience: str, jwks: str, ca: Path | None = None) -> None:
        self._issuer = issuer
        self._audience = audience
        self._file = None if "://" in jwks else Path(jwks)
        self._url = jwks
        self._trust = trust.trusting(ca) if jwks.startswith("https:") else None
        self._keys: dict[str, Key] = {}
        self._tried_at = self._read_at = float("-inf")
        self._mark: Mark | None = None
        self._why = "away"
        self._lock = asyncio.Lock()

    async def caller(self, authorization: str | None) -> Caller:
        """Return who sends this header. Raises Problem 401; AwayError where keys cannot be read."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Problem(401, "token.missing")
        if len(token) > _TOKEN_LENGTH_MAX:
            raise Problem(401, "token.invalid")
        header = _header(token.strip())
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise Problem(401, "token.invalid")
        key = await self._key(header.get("kid"))
        try:
            with warnings.catch_warnings(action="ignore"):  # EdDSA is Ed25519's older name
                claims = jwt.decode(token.strip(), key, algorithms=[algorithm]).claims
        except (JoseError, ValueError, TypeError, AttributeError):
            raise Problem(401, "token.invalid") from None
        return self._judge(claims)

    def _judge(self, claims: dict[str, Any]) -> Caller:
        """Check the claims; tokens end in real time, whatever the service's clock says."""
        now = time.time()
        ends, starts = claims.get("exp"), claims.get("nbf", 0)
        if claims.get("iss") != self._issuer:
            raise Problem(401, "token.issuer")
        if not isinstance(ends, int | float) or not isinstance(starts, int | float):
            raise Problem(401, "token.invalid")
        if now > ends + _LEEWAY_S:
            raise Problem(401, "token.expired")
        if now < starts - _LEEWAY_S:
            raise Problem(401, "token.early")
        audience = claims.get("aud")
        audiences = frozenset(_strings([audience] if isinstance(audience, str) else audience))
        if self._audience not in audiences:
            raise Problem(401, "token.audience")
        sub = claims.get("sub")
        if not isinstance(sub, str) or not 0 < len(sub) <= 200 or not sub.isprintable():
            raise Problem(401, "token.invalid")
        roles = frozenset(_strings(claims.get("roles"))) & ROLES
        return Caller(sub, roles, audiences)

    async def _key(self, kid: object) -> Key:
        if kid is not None and not isinstance(kid, str):
            raise Problem(401, "token.invalid")
        if self._due():
            await self._read(self._tried_at)
        if time.monotonic() - self._read_at > _KEYS_OLDEST_S:
            raise AwayError("issuer", self._why)
        key = self._find(kid)
        if key is None and time.monotonic() - self._tried_at > _REREAD_PAUSE_S:
            await self._read(self._tried_at)
            key = self._find(kid)
        if key is None:
            raise Problem(401, "token.key")
        return key

    def _due(self) -> bool:
        """Tell whether the keys have to be read: none yet, or old, or their file was replaced."""
        pause_s = _KEYS_AGE_MAX_S if self._keys else _REREAD_PAUSE_S
        if time.monotonic() - self._tried_at > pause_s:
            return True
        return self._file is not None and mark(self._file) not in (None, self._mark)

    def _find(self, kid: str | None) -> Key | None:
        if kid is None:  # without a name only a single key is meant without doubt
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    async def _read(self, seen: float) -> None:
        """Read the keys, once for all who wait; keys we have stay good while the issuer is away."""
        async with self._lock:
            if self._tried_at != seen:
                return
            try:
                self._keys = _public(await self._fetch())
                self._read_at = time.monotonic()
            except (OSError, ValueError, httpx.HTTPError, JoseError) as error:
                self._why = trust.reason(error) or type(error).__name__
                log.warning("issuer.away", reason=self._why)
            self._tried_at = time.monotonic()

    async def _fetch(self) -> Any:
        if self._file is not None:
            self._mark = mark(self._file)
            return json.loads(await asyncio.to_thread(self._file.read_text))
        verify = self._trust if self._trust is not None else True
        async with httpx.AsyncClient(timeout=5.0, trust_env=False, verify=verify) as client:
            return (await client.get(self._url)).raise_for_status().json()


def _public(document: Any) -> dict[str, Key]:
    """Return the signing keys by id; a shared secret among them is never used."""
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("no key set")
    fit = [
        key
        for key in document["keys"]
        if key.get("kty") in {"OKP", "EC", "RSA"} and key.get("use", "sig") == "sig"
    ]
    keys = KeySet.import_key_set({"keys": fit}).keys
    return {key.kid or key.thumbprint(): key for key in keys}


def _header(token: str) -> dict[str, Any]:
    try:
        part = token.split(".", maxsplit=1)[0]
        header = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        raise Problem(401, "token.invalid") from None
    if not isinstance(header, dict):
        raise Problem(401, "token.invalid")
    return header


def _strings(value: object) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _caller_of(request: Request) -> Caller:
    """Return the caller whose token the outermost layer (doorway.py) has verified."""
    caller = request.scope.get("homeward.caller")
    if not isinstance(caller, Caller):
        raise Problem(401, "token.missing")
    return caller


def allow(*roles: str, edges: tuple[str, ...] = ()) -> Callable[..., Caller]:
    """Return a dependency that gives the caller when they have one of `roles`.

    `edges` are services that may call as well, each only along its edge of the topology.
    Raises Problem 403 for everybody else.
    """
    if unknown := set(roles) - ROLES:
        raise ValueError(f"no such role: {sorted(unknown)}")

    def checked(request: Request, _: Annotated[Any, Security(_bearer)]) -> Caller:
        caller = _caller_of(request)
        if caller.has(*roles):
            return caller
        here = request.app.state.homeward.settings.service
        if caller.has("service") and caller.sub in edges and load().may_call(caller.sub, here):
            return caller
        raise Problem(403, "role.not_allowed")

    checked.homeward_allows = (roles, edges)  # type: ignore[attr-defined]
    return checked


def allow_consumers(*roles: str) -> Callable[..., Caller]:
    """Return a dependency for `roles`, and for each service that consumes what this one tells."""

    def checked(request: Request, _: Annotated[Any, Security(_bearer)]) -> Caller:
        caller = _caller_of(request)
        here = request.app.state.homeward.settings.service
        consumes = caller.has("service") and load().may_compare(caller.sub, here)
        if caller.has(*roles) or consumes:
            return caller
        raise Problem(403, "role.not_allowed")

    checked.homeward_allows = (roles, "consumers")  # type: ignore[attr-defined]
    return checked


def allow_edge(*services: str) -> Callable[..., Caller]:
    """Return a dependency for calls between services: one of `services`, along its edge."""
    return allow(edges=services)
