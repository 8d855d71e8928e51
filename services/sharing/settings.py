"""What `sharing` is told from outside, beside what every service is told."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from contracts.policies import digest
from messaging.settings import Settings
from services.sharing.policy_sources import sources


class SharingSettings(Settings):
    """Settings of the gate, the ledger and the feeds."""

    opa_url: str
    """Base URL of the policy engine."""
    opa_token: Path | None = None
    """File with the bearer token that the engine asks for."""
    policy_digest: str
    """Digest of the policies that decide from the first start of all; later the database says which
    do. Not needed where `policies` is a bundle as the engine loads it: then it is that bundle's."""
    policies: Path
    """Directory with the policies' data files, or a bundle as one file (`.tar.gz`)."""
    policy_loading_s: Annotated[float, Field(gt=0)] = 60.0
    """How long engines have to load another version; then it is given up and the old one stays."""
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
        policies = Path(given.get("policies", ""))
        manifest = policies / ".manifest"
        if given.get("policy_digest"):
            return given
        if policies.is_file():
            return {**given, "policy_digest": digest(sources(policies))}
        if manifest.is_file():
            return {**given, "policy_digest": json.loads(manifest.read_bytes()).get("revision")}
        return given
