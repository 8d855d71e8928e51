"""Open what lies on a feed as its partner does: decrypt, verify, believe nothing unsigned."""

import json
from collections.abc import Mapping
from typing import Any

from joserfc import jwe, jws
from joserfc.jwk import ECKey, Key, KeySet, OKPKey
from pydantic import ValidationError

from contracts import feed


class BadEventError(Exception):
    """An event not from us, not for this partner, or not what it says; never its content."""


class Opener:
    """A partner's private key, our public ones, and who we are."""

    def __init__(self, partner: str, jwk: Mapping[str, Any], jwks: Mapping[str, Any]) -> None:
        """Raises ValueError where the files hold no such keys."""
        self.partner = partner
        self.issuer = str(jwks.get("issuer", "homeward"))
        try:
            kind = OKPKey if jwk.get("kty") == "OKP" else ECKey
            # `use` and `alg` are left out: a partner's own tool may have set them otherwise
            plain = {n: v for n, v in jwk.items() if n in {"kty", "crv", "x", "y", "d", "kid"}}
            self._mine: Key = kind.import_key(plain)
            ours = KeySet.import_key_set({"keys": list(jwks["keys"])})
            self._ours = {key.kid or key.thumbprint(): key for key in ours}
        except Exception as error:  # the library raises a dozen kinds for a broken key
            raise ValueError("not the keys of a partner") from error

    def open(self, data: bytes) -> dict[str, Any]:
        """Return the signed claims of an event, with its `type`. Raises `BadEventError`.

        Whatever stands in the envelope has to stand inside the signature too, else an old release
        could be given another place, or another partner's be passed on.
        """
        try:
            event = feed.FeedEvent.model_validate_json(data)
        except ValidationError as error:
            raise BadEventError("not an event") from error
        if event.type == feed.RELEASE:
            claims = self._signed(self._decrypted(event.data), feed.RELEASE_TYP)
            model: type[feed.Release] | type[feed.Void] = feed.Release
        elif event.type == feed.VOID:
            claims = self._signed(event.data, feed.VOID_TYP)
            model = feed.Void
        else:
            raise BadEventError(f"number {event.number}: of a type that this version cannot read")
        try:
            model.model_validate(claims)
        except ValidationError as error:
            raise BadEventError(f"number {event.number}: not whole") from error
        wanted = {
            "iss": self.issuer,
            "aud": self.partner,
            "jti": event.subject,
            "number": event.number,
        }
        for name, value in wanted.items():
            if claims[name] != value:
                raise BadEventError(f"number {event.number}: {name} is not what was signed")
        return {"type": event.type, **claims}

    def _decrypted(self, data: str) -> str:
        names = [feed.WRAPPED_WITH, feed.ENCRYPTED_WITH]
        try:
            plain = jwe.decrypt_compact(data, self._mine, algorithms=names).plaintext
            return (plain or b"").decode()
        except Exception as error:  # as above: any way to fail is the same answer
            raise BadEventError("not encrypted to this partner's key") from error

    def _signed(self, data: str, typ: str) -> dict[str, Any]:
        try:
            parts = jws.extract_compact(data.encode())
            header = parts.headers()
            if header.get("alg") != feed.SIGNED_WITH or header.get("typ") != typ:
                raise BadEventError("signed in another way")
            key = self._ours[str(header.get("kid"))]
            verified = jws.deserialize_compact(data, key, algorithms=[feed.SIGNED_WITH])
            claims = json.loads(verified.payload)
        except BadEventError:
            raise
        except Exception as error:
            raise BadEventError("the signature is not ours") from error
        if not isinstance(claims, dict):
            raise BadEventError("not whole")
        return claims
