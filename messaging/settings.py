"""What a service is told from outside: environment variables with the prefix HOMEWARD_."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

HOME_ISSUER = "urn:homeward:home"
"""Prefix of the issuer that a single machine is to itself; refused in production."""

ID_KEY_BYTES = 32
_DISTINCT_BYTES_MIN = 12
"""A random key of 32 bytes has about 30 distinct ones; a placeholder or a typed word has fewer."""


class UnsafeSettingError(ValueError):
    """A production setting that would be a hole; carries the setting's name, never its value."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name = name


class Settings(BaseSettings):
    """Settings that every service has. A service subclasses it to add its own."""

    model_config = SettingsConfigDict(
        env_prefix="HOMEWARD_", extra="ignore", hide_input_in_errors=True, frozen=True
    )

    service: str = ""
    """Set by the service itself, not from outside."""
    listen: str = "127.0.0.1:0"
    database_url: str
    """`sqlite:////path` or `postgresql://…`; the async driver is added."""
    database_ca: Path | None = None
    """Certificate authority of Postgres, where it is not one the system knows."""
    database_password: Path | None = None
    """File with the password of Postgres, where it is not part of `database_url`."""
    nats_url: str
    nats_nkey: Path
    """File with the NKey seed of this service's user."""
    nats_ca: Path | None = None
    """Certificate authority of the broker, where it is not one the system knows."""
    issuer: str
    jwks: str
    """Path or URL of the issuer's public keys."""
    jwks_ca: Path | None = None
    """Certificate authority of where keys are fetched, where it is not one the system knows."""
    workload_issuer: str | None = None
    """Issuer of the tokens that a platform gives our services, where that is another one."""
    workload_jwks: str | None = None
    """Path or URL of its public keys."""
    workloads: dict[str, str] = {}
    """Service per subject of its tokens, e.g. `system:serviceaccount:homeward:sharing`."""
    tokens: Path
    """Directory with one file `<target>.jwt` per service that this one calls."""
    peers: dict[str, str] = {}
    """Base URL per service that this one calls."""
    id_key: Path
    """File with 32 random bytes; ids derive from their cause under this key."""
    compare_every_s: Annotated[float, Field(ge=0.1)] = 300.0
    """How often a consumer compares with its publishers, beside each time the bus is back."""
    clock: Literal["real", "test"] = "real"
    production: bool = False
    localities: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None
    """Certificate authority of the peers, where it is not one the system knows."""

    @property
    def host(self) -> str:
        """Return the address to listen on."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """Return the port to listen on; 0 takes a free one."""
        return int(self.listen.rpartition(":")[2])

    @model_validator(mode="after")
    def _workloads_whole(self) -> Self:
        """Refuse half of it: a service would start and refuse every call of the others."""
        told = (self.workload_issuer, self.workload_jwks, self.workloads)
        if any(told) and not all(told):
            raise UnsafeSettingError("workload_issuer", "needs workload_jwks and workloads too")
        if self.workload_issuer and self.workload_issuer == self.issuer:
            raise UnsafeSettingError("workload_issuer", "is the issuer of people's tokens")
        return self

    @model_validator(mode="after")
    def _safe_in_production(self) -> Self:
        """Refuse a production that trusts what only a single machine or a test may trust."""
        if not self.production:
            return self
        if self.issuer.startswith(HOME_ISSUER):
            raise UnsafeSettingError("issuer", "a home's own issuer is not for production")
        if self.clock != "real":
            raise UnsafeSettingError("clock", "the test clock is not for production")
        key = self.id_key.read_bytes()
        if len(key) < ID_KEY_BYTES or len(set(key)) < _DISTINCT_BYTES_MIN:
            raise UnsafeSettingError("id_key", "needs 32 random bytes")
        if self.tls_certificate is None or self.tls_key is None:
            raise UnsafeSettingError("tls_certificate", "production listens with TLS only")
        if urlsplit(self.nats_url).scheme not in {"tls", "wss"}:
            raise UnsafeSettingError("nats_url", "production speaks TLS to the broker (tls://)")
        for name in ("jwks", "workload_jwks"):
            where = getattr(self, name) or ""
            if "://" in where and urlsplit(where).scheme != "https":
                raise UnsafeSettingError(name, "production fetches keys over https")
        if any(urlsplit(url).scheme != "https" for url in self.peers.values()):
            raise UnsafeSettingError("peers", "production calls peers over https")
        if not _encrypted(self.database_url):
            raise UnsafeSettingError("database_url", "production asks for ssl=verify-full")
        return self


def _encrypted(database_url: str) -> bool:
    """Tell whether a database is reached over verified TLS; a file on this machine needs none."""
    return database_url.startswith("sqlite") or "ssl=verify-full" in urlsplit(database_url).query


class MigrationSettings(BaseSettings):
    """A migration needs to know where the database is, and no key."""

    model_config = SettingsConfigDict(env_prefix="HOMEWARD_", extra="ignore")

    database_url: str
    database_ca: Path | None = None
    database_password: Path | None = None
