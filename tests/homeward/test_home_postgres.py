"""A home whose databases are on a Postgres server."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import postgres
from support.apart import run

from homeward import up
from homeward.home import DATABASES, SERVICES, Home, HomeError


@pytest.fixture
def databases(postgres_url: str) -> Iterator[str]:
    """Five empty databases; gives the address with a place for the service."""
    first = postgres.new_database(postgres_url)
    urls = [f"{first}_{service}" for service in SERVICES]
    for url in urls:
        run(postgres.ask(f"{postgres_url}/postgres", f"create database {url.rpartition('/')[2]}"))
    yield first + "_{service}"
    for url in (first, *urls):
        postgres.drop_database(url)


def test_a_home_comes_up_on_postgres_and_keeps_what_it_is_told_there(
    databases: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    home = Home.at(tmp_path / "home")
    monkeypatch.setenv(DATABASES, databases)
    try:
        up.start_detached(home)
        monkeypatch.delenv(DATABASES)
        up.stop(home)
        up.start_detached(home)  # where they are is known from now on
        refer(home)
    finally:
        up.stop(home)

    assert not list((home.path / "db").iterdir())
    assert home.databases.stat().st_mode & 0o777 == 0o600
    told = "select 1 / count(*) from outbox"  # fails where there is none
    run(postgres.ask(home.database_url("referral"), told))


def test_a_home_never_begins_with_other_databases_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    home = Home.at(tmp_path / "home").make()

    monkeypatch.setenv(DATABASES, "postgresql://homeward@127.0.0.1/hw_{service}")

    with pytest.raises(HomeError, match="make another home"):
        home.make()


def test_one_database_for_all_services_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(DATABASES, "postgresql://homeward@127.0.0.1/all")

    with pytest.raises(HomeError, match=r"\{service\}"):
        Home.at(tmp_path / "home").make()


def refer(home: Home) -> None:
    """Refer one child."""
    body = {
        "source": "police",
        "police_reference": "NP/26/0001",
        "locality": "northshire",
        "child": {
            "given_name": "Sam", "family_name": "Example", "date_of_birth": "2012-01-01",
        },
        "episode": {
            "missing_from": "2026-11-20T18:00:00Z", "returned_at": "2026-11-21T08:00:00Z",
        },
    }  # fmt: skip
    request = urllib.request.Request(  # noqa: S310 # our own service
        f"{home.url('referral')}/referrals",
        json.dumps(body).encode(),
        {
            "Authorization": f"Bearer {home.token('practitioner')}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 # our own service
        assert answer.status == 201
