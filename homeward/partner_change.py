"""A partner gets other keys, or leaves: first the broker, then `sharing`, nobody else disturbed."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from homeward import keys
from homeward.enrolment import AWAY, NO, PartnerError, check_public, code_of
from homeward.home import Home, HomeError


def rotate(
    home: Home, key: str, public: Mapping[str, Any], *, lost: bool = False, now: bool = False
) -> dict[str, Any]:
    """Give a partner other public keys; return what `sharing` answers.

    The former broker key connects too until `finish`, unless `now`. With `lost`, what lies unread
    under the former decryption key is released anew. Raises `PartnerError`, `HomeError`.
    """
    check_public(key, public)
    file, present = _read(home, key)
    if present.get("revoked"):
        raise PartnerError(f"{key} has left: add it again with new keys", NO)
    former = [present["nkey"], *present.get("former", [])]
    fresh = {**public, "key": key}
    kept = [] if now else [one for one in former if one != public["nkey"]]
    _write(file, fresh | ({"former": kept} if kept else {}))
    try:
        home.reload_broker()
        body = {"public": {"nkey": public["nkey"], "jwk": public["jwk"]}, "lost": lost}
        return _call(home, "PUT", f"/partners/{key}/keys", body)
    except BaseException:
        _write(file, present)
        with suppress(HomeError):  # the first refusal is the one to be told
            home.reload_broker()
        raise


def finish(home: Home, key: str) -> int:
    """Let former broker keys in no more; return how many. Raises `PartnerError`, `HomeError`."""
    file, present = _read(home, key)
    former = present.pop("former", [])
    _write(file, present)
    home.reload_broker()
    return len(former)


def revoke(home: Home, key: str) -> dict[str, Any]:
    """Put a partner out at once, then end its part in `sharing`; return what that answers.

    Its account at the broker stays, without a user: through it `sharing` erases what lies unread.
    Harmless again, and to be done again where it stopped half-way. Raises `PartnerError`,
    `HomeError`.
    """
    file, present = _read(home, key)
    present.pop("former", None)
    _write(file, present | {"revoked": True})
    home.reload_broker()
    try:
        return _call(home, "POST", f"/partners/{key}/revocation", None)
    except PartnerError as error:
        told = f"{key} is let in no more, but its releases are not taken back ({error}): try again"
        raise PartnerError(told, error.code) from error


def _read(home: Home, key: str) -> tuple[Path, dict[str, Any]]:
    file = home.partner(key) / f"{key}.public.json"
    try:
        found: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise PartnerError(f"{key} is not registered here", NO) from error
    return file, found


def _write(file: Path, public: Mapping[str, Any]) -> None:
    keys.write_secret(file, json.dumps(public, indent=2) + "\n")


def _call(home: Home, method: str, path: str, body: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {home.token('ops', services=['sharing'])}"}
    try:
        with httpx.Client(
            base_url=home.url("sharing"), headers=headers, timeout=120, verify=home.verify()
        ) as client:
            answer = client.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise PartnerError("sharing does not answer", AWAY) from error
    if not answer.is_success:
        raise PartnerError(f"sharing refuses: {code_of(answer)}", NO)
    told: dict[str, Any] = answer.json()
    return told
