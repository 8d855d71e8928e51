"""What production refuses to start with."""

import secrets

import pytest
from pydantic import ValidationError

from messaging.settings import HOME_ISSUER, Settings

WORKLOADS = {
    "workload_issuer": "https://cluster.internal",
    "workload_jwks": "https://cluster.internal/keys",
    "workloads": {"system:serviceaccount:homeward:sharing": "sharing"},
}


@pytest.fixture
def production(tmp_path):
    """`production(**changes)` reads valid settings of a production with those changes."""
    key = tmp_path / "ids.key"
    key.write_bytes(secrets.token_bytes(32))
    valid = {
        "production": True,
        "database_url": "postgresql://db.internal/referral?ssl=verify-full",
        "nats_url": "tls://nats.internal:4222",
        "nats_nkey": tmp_path / "nk",
        "issuer": "https://login.example.org/",
        "jwks": "https://login.example.org/keys",
        "tokens": tmp_path,
        "peers": {"referral": "https://referral.internal"},
        "id_key": key,
        "tls_certificate": tmp_path / "tls.crt",
        "tls_key": tmp_path / "tls.key",
    }
    return lambda **changes: Settings(**(valid | changes))


def test_a_safe_production_starts(production):
    assert production().production


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": HOME_ISSUER},
        {"issuer": f"{HOME_ISSUER}:3f2a"},
        {"clock": "test"},
        {"nats_url": "nats://nats.internal:4222"},
        {"jwks": "http://login.example.org/keys"},
        WORKLOADS | {"workload_jwks": "http://cluster.internal/keys"},
        {"peers": {"referral": "http://referral.internal"}},
        {"database_url": "postgresql://db.internal/referral"},
        {"database_url": "postgresql://db.internal/referral?ssl=require"},
        {"tls_certificate": None},
        {"tls_key": None},
    ],
    ids=str,
)
def test_an_unsafe_production_does_not(production, change):
    with pytest.raises(ValidationError):
        production(**change)
    assert production(**change | {"production": False})


@pytest.mark.parametrize("key", [b"", b"0" * 32, b"change-me" * 4, b"short", bytes(16) * 2])
def test_a_default_key_is_refused(production, tmp_path, key):
    (tmp_path / "default.key").write_bytes(key)
    with pytest.raises(ValidationError):
        production(id_key=tmp_path / "default.key")


@pytest.mark.parametrize("missing", sorted(WORKLOADS))
def test_half_of_what_a_platform_needs_is_refused(production, missing):
    assert production(**WORKLOADS)
    with pytest.raises(ValidationError):
        production(**{name: value for name, value in WORKLOADS.items() if name != missing})


def test_an_error_names_the_setting_and_not_its_value(production):
    with pytest.raises(ValidationError) as refused:
        production(database_url="postgresql://user:hunter2@db/referral")

    assert "database_url" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_settings_come_from_the_environment(monkeypatch, tmp_path):
    for name, value in {
        "DATABASE_URL": "sqlite:////tmp/x",
        "NATS_URL": "nats://n",
        "NATS_NKEY": str(tmp_path),
        "ISSUER": "i",
        "JWKS": "j",
        "TOKENS": str(tmp_path),
        "ID_KEY": str(tmp_path),
        "PEERS": '{"referral": "http://127.0.0.1:1"}',
        "LISTEN": "[::1]:8443",
    }.items():
        monkeypatch.setenv(f"HOMEWARD_{name}", value)
    settings = Settings()

    assert settings.peers == {"referral": "http://127.0.0.1:1"}
    assert (settings.host, settings.port) == ("::1", 8443)
