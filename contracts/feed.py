"""What a partner agency reads on its feed: the envelope, and what is signed inside.

Partners build on these names (see docs/partners.md). Breaking one of them is a new `type` ending
in `.v2`. Readers ignore fields that they do not know.
"""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

RELEASE = "homeward.release.v1"
VOID = "homeward.void.v1"

RELEASE_TYP = "homeward-release+jwt"
VOID_TYP = "homeward-void+jwt"
"""`typ` of the signed part: neither can be passed off as the other."""

SIGNED_WITH = "Ed25519"
WRAPPED_WITH = "ECDH-ES+A256KW"
ENCRYPTED_WITH = "A256GCM"
"""The only algorithms; a reader refuses all others, whatever a header says."""


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class FeedEvent(_Told):
    """A structured CloudEvent, as it lies in the stream: nothing in it is about a child."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    """Of this event; the same on every retry."""
    type: str
    """`homeward.release.v1` or `homeward.void.v1`; later also `.recall` and `.correction`."""
    source: str
    subject: str
    """Id of the release."""
    time: AwareDatetime
    number: int
    """Counts up by one per partner without a gap; a void event takes an erased one's place."""
    datacontenttype: Literal["application/jose"] = "application/jose"
    data: str
    """A release: compact JWE to the partner's key, around a JWS of ours. A void: that JWS alone."""


class Checkpoint(_Told):
    """What the ledger of decisions said, signed by its own key (contracts/ledger.py).

    Kept by the reader: after a loss on our side, the newest that anyone holds tells whether
    everything is back.
    """

    checkpoint: str
    seq: int
    hash: str
    at: str
    kid: str
    signature: str


class Item(_Told):
    """One item of what a child said, as far as this recipient may know it."""

    id: str
    category: str
    fields: dict[str, JsonValue]
    provenance: str | None = None
    """Who says so: the child, the worker's view, somebody else."""


class Release(_Told):
    """What is signed inside a release. No more than the decision lets this recipient know."""

    iss: str
    aud: str
    """Key of the partner: a release to another one is refused."""
    jti: str
    """Id of the release: the event's `subject`."""
    number: int
    iat: int
    """Seconds since 1970."""
    episode_id: str
    child: dict[str, JsonValue]
    """What this recipient may know of who it is; `{"pseudonym": …}` for statistics."""
    item: Item
    purpose: str | None
    basis: tuple[str, ...]
    transforms: tuple[str, ...]
    obligations: tuple[str, ...]
    policy_version: str
    checkpoint: Checkpoint | None = None


class Void(_Told):
    """What is signed in a void event: release `jti` was taken back, `number` holds nothing."""

    iss: str
    aud: str
    jti: str
    number: int
    iat: int
    checkpoint: Checkpoint | None = None


def schema() -> dict[str, Any]:
    """Return the JSON Schemas of the envelope and of what is inside it."""
    return {model.__name__: model.model_json_schema() for model in (FeedEvent, Release, Void)}
