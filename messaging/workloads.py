"""Services that a platform vouches for: a Kubernetes service account's token says who calls."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from messaging.caller import Caller, Verifier
from messaging.problem import Problem


class WorkloadVerifier(Verifier):
    """Checks tokens that a platform gives its workloads; they name no role, only who they are.

    The one role it ever gives is `service`, and only to the subjects it was told of: whoever may
    make pods in another namespace gets nothing here.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        jwks: str,
        workloads: Mapping[str, str],
        ca: Path | None = None,
    ) -> None:
        super().__init__(issuer, audience, jwks, ca)
        self._workloads = workloads

    def _judge(self, claims: dict[str, Any]) -> Caller:
        """Check the claims and return the service that the subject stands for."""
        caller = super()._judge(claims)
        service = self._workloads.get(caller.sub)
        if service is None:
            raise Problem(401, "token.workload")
        return Caller(service, frozenset({"service"}), caller.audience)


class TwoIssuers:
    """People's tokens and workloads' tokens: each checked with the keys of its own issuer."""

    def __init__(self, people: Verifier, workloads: Verifier, workload_issuer: str) -> None:
        self._people = people
        self._workloads = workloads
        self._workload_issuer = workload_issuer

    async def caller(self, authorization: str | None) -> Caller:
        """Return who sends this header; see `Verifier.caller`.

        What the token says of its issuer only chooses who checks it: the check then holds it to it.
        """
        claimed = _claimed_issuer(authorization or "")
        verifier = self._workloads if claimed == self._workload_issuer else self._people
        return await verifier.caller(authorization)


def _claimed_issuer(authorization: str) -> object:
    parts = authorization.rpartition(" ")[2].split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    return claims.get("iss") if isinstance(claims, dict) else None
