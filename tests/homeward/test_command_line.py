"""The command `homeward`: what it says and how it ends where nothing runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from homeward.home import SERVICES, Home


def homeward(*words: str, **options: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "homeward", *words],
        capture_output=True, text=True, timeout=60, check=False, **options,
    )  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that was just made."""
    return Home.at(tmp_path / "home").make()


def claims(home: Home, token: str) -> dict:
    """Return what a token says, verified with the home's public key."""
    public = json.loads((home.keys_dir / "issuer.jwks.json").read_text())
    return jwt.decode(token.strip(), KeySet.import_key_set(public), algorithms=["Ed25519"]).claims


def test_a_token_is_for_all_services_unless_one_is_named(home: Home):
    everywhere = homeward("token", "manager", "--home", str(home.path))
    there = homeward("token", "dsl", "--home", str(home.path), "--service", "sharing")

    assert claims(home, everywhere.stdout)["aud"] == list(SERVICES)
    assert claims(home, there.stdout)["aud"] == ["sharing"]


def test_a_token_names_who_calls_and_ends_when_told(home: Home):
    made = homeward(
        "token", "practitioner", "--sub", "W-1", "--ttl", "60", "--home", str(home.path)
    )

    found = claims(home, made.stdout)
    assert (found["sub"], found["roles"]) == ("W-1", ["practitioner"])
    assert found["exp"] - found["iat"] == 60


@pytest.mark.parametrize(
    "words",
    [["token", "king"], ["token", "dsl", "--service", "console"], ["token", "dsl", "--ttl", "0"]],
)
def test_a_token_that_cannot_be_is_a_wrong_call(home: Home, words: list[str]):
    assert homeward(*words, "--home", str(home.path)).returncode == 2


def test_there_is_no_token_without_a_home(tmp_path: Path):
    ended = homeward("token", "ops", "--home", str(tmp_path / "none"))

    assert ended.returncode == 1
    assert "homeward up" in ended.stderr


def test_status_of_a_home_that_is_not_up_is_not_ready(home: Home):
    ended = homeward("status", "--json", "--home", str(home.path))

    found = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert found["ready"] is False
    assert set(found["services"]) == set(SERVICES)
    assert set(found["services"]["referral"]) >= {"url", "pid", "ready"}
    assert set(found["opa"]) >= {"kind", "version", "url", "pid"}
    assert set(found["nats"]) >= {"url", "pid"}


def test_down_where_nothing_runs_says_so_and_is_content(home: Home):
    ended = homeward("down", "--home", str(home.path))

    assert ended.returncode == 0
    assert "nothing runs" in ended.stdout


def test_a_demo_refuses_a_folder_that_is_not_empty(tmp_path: Path):
    (tmp_path / "there").write_text("something")

    ended = homeward("demo", "--home", str(tmp_path))

    assert ended.returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there"]


def test_a_demo_of_an_unknown_case_is_a_wrong_call(tmp_path: Path):
    ended = homeward("demo", "S99", "--home", str(tmp_path / "new"))

    assert ended.returncode == 2
    assert not (tmp_path / "new").exists()


def test_doctor_says_which_engine_runs_and_how_to_get_the_other(home: Home):
    said = homeward("doctor", "--home", str(home.path)).stdout

    assert "policy engine" in said
    assert "The other one:" in said
    assert "nats-server" in said


def test_help_lists_every_command():
    said = homeward("--help").stdout

    for name in ("up", "down", "status", "doctor", "token", "demo", "policy", "ledger", "partner"):
        assert f"  {name} " in said


def test_a_command_starts_quickly():
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "homeward", "--help"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stderr  # fmt: skip

    assert not any(name in loaded for name in ("sqlalchemy", "faststream", "fastapi", "jinja2"))
