"""A test issuer: tokens as the services expect them, and any wrong one."""

import json
import time
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import OKPKey

ISSUER = "urn:homeward:test"


class Issuer:
    """Signs tokens with a key that the services trust."""

    def __init__(self, directory: Path) -> None:
        self.key = OKPKey.generate_key("Ed25519", {"kid": "test-1", "use": "sig"})
        self.jwks = directory / "issuer.jwks.json"
        self.jwks.write_text(json.dumps({"keys": [self.key.as_dict(private=False)]}))

    def token(self, role: str, sub: str = "", audience="", ttl: float = 600, **claims) -> str:
        """Return a token; `audience` is one service or several, by default all of them."""
        now = time.time()
        every = ["referral", "scheduling", "interview", "sharing", "notify"]
        what = {
            "iss": ISSUER,
            "sub": sub or f"{role}-1",
            "aud": audience or every,
            "roles": [role],
            "iat": int(now),
            "exp": int(now + ttl),
        } | claims
        header = {"alg": "Ed25519", "kid": "test-1"}
        return jwt.encode(header, what, self.key, algorithms=["Ed25519"])

    def edges(self, directory: Path, service: str, targets) -> Path:
        """Write the token files with which `service` calls `targets`; return their directory."""
        tokens = directory / f"tokens-{service}"
        tokens.mkdir(exist_ok=True)
        for target in targets:
            text = self.token("service", sub=service, audience=target, ttl=3600)
            (tokens / f"{target}.jwt").write_text(text)
        return tokens


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"Authorization": f"Bearer {token}"}
