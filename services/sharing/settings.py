"""What `sharing` is told from outside, beside what every service is told."""

import json
from pathlib import Path
from typing import Any

from pydantic import model_validator

from messaging.settings import Settings


class SharingSettings(Settings):
    """Settings of the gate, the ledger and the feeds."""

    opa_url: str
    """Base URL of the policy engine."""
    opa_token: Path | None = None
    """File with the bearer token that the engine asks for."""
    policy_digest: str
    """Digest of the policies that may decide; an answer made by others is a hold. Not needed where
    `policies` is a bundle as the engine loads it: then it is that bundle's revision."""
    policies: Path
    """Directory with the policies' data files."""
    signing_key: Path | None = None
    """Ed25519 key that signs releases."""
    ledger_key: Path | None = None
    """Ed25519 key that signs checkpoints."""
    pseudonym_key: Path | None = None
    """32 bytes under which pseudonyms are made; None: derived from the id key."""
    feed_issuer: str = "homeward"

    @model_validator(mode="before")
    @classmethod
    def _digest_of_the_bundle(cls, given: dict[str, Any]) -> dict[str, Any]:
        manifest = Path(given.get("policies", "")) / ".manifest"
        if given.get("policy_digest") or not manifest.is_file():
            return given
        return {**given, "policy_digest": json.loads(manifest.read_bytes()).get("revision")}
