"""Today's code takes over what an earlier version left behind, in the middle of its work."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from alembic import command
from support import postgres
from support.broker import environment

from homeward.home import SERVICES, Home
from messaging.database import Database
from messaging.event_map import events_of
from messaging.migrate import configuration

HERE = Path(__file__).parent
RECORDED = sorted((HERE / "recorded").glob("*.tar.xz"))
LISTS = {
    "/episodes": "referral",
    "/offers": "scheduling",
    "/decisions": "sharing",
    "/releases": "sharing",
}


def homeward(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run today's command line for the home."""
    words = [sys.executable, "-m", "homeward", *arguments, "--home", str(home)]
    env = {**environment(), "HOMEWARD_CLOCK": "test"}
    return subprocess.run(words, capture_output=True, text=True, env=env, check=False)


@pytest.fixture(params=RECORDED, ids=lambda file: file.name.partition(".")[0])
def left_behind(request, tmp_path) -> Path:
    """A home as the earlier version left it when it was killed."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path / "home", filter="data")
    return tmp_path / "home"


@pytest.fixture(params=["sqlite", "postgres"])
def upgraded(request, left_behind) -> Iterator[Path]:
    """The same home, started with today's code."""
    urls = []
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_url")
        template = f"{server}/{{service}}_{left_behind.parent.name[-6:]}"
        urls = [template.replace("{service}", name) for name in SERVICES]
        for name, url in zip(SERVICES, urls, strict=True):
            move(name, left_behind / f"db/{name}.sqlite", server, url)
        (left_behind / "keys/databases.url").write_text(template)
        shutil.rmtree(left_behind / "db")
    started = homeward(left_behind, "up", "--detach")
    assert started.returncode == 0, started.stderr
    yield left_behind
    homeward(left_behind, "down")
    for url in urls:
        postgres.drop_database(url)


def move(service: str, file: Path, server: str, url: str) -> None:
    """Make the earlier version's database on Postgres, with what lies in the SQLite file."""
    name = url.rpartition("/")[2]
    asyncio.run(postgres.ask(f"{server}/postgres", f'create database "{name}"'))
    there = sa.create_engine(f"sqlite:///{file}")
    with there.connect() as source:
        revision = source.execute(sa.text("select version_num from alembic_version")).scalar_one()
        asyncio.run(_copy(service, source, url, revision))


async def _copy(service: str, source: sa.Connection, url: str, revision: str) -> None:
    package = import_module(f"services.{service}")
    versions = Path(str(package.__file__)).with_name("migrations") / "versions"
    db = Database(url)
    try:
        async with db.writing() as session:
            connection = await session.connection()
            await connection.run_sync(
                lambda sync: command.upgrade(configuration(versions, sync), revision)
            )
            await connection.run_sync(lambda sync: _rows(source, sync))
    finally:
        await db.dispose()


def _rows(source: sa.Connection, target: sa.Connection) -> None:
    tables = sa.MetaData()
    tables.reflect(target)
    theirs = sa.MetaData()
    theirs.reflect(source)
    target.execute(sa.text("set local session_replication_role = replica"))  # no triggers: a copy
    for table in tables.sorted_tables:
        if table.name == "alembic_version":
            continue
        rows = source.execute(theirs.tables[table.name].select()).mappings().all()
        target.execute(table.delete())
        if rows:
            target.execute(table.insert(), [
                {name: _aware(value) for name, value in row.items()} for row in rows
            ])  # fmt: skip
        for column in table.columns:
            if "nextval" in str(getattr(column.server_default, "arg", "")):
                last = sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()
                sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
                target.execute(sa.select(sa.func.setval(sequence, last, False)))


def _aware(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


DECIDED_AGAIN = {"/decisions": "current", "/releases": "decision_id"}
"""What was held, or had not left, is decided again by today's policies, and this follows."""


def stands_today(home: Path, row: dict) -> str:
    """Return the decision that stands now for the item and recipient of a row."""
    (standing,) = (
        one["id"] for one in whole(home, "sharing", "/decisions").values()
        if one["current"] and all(one[of] == row[of] for of in ("item_id", "recipient"))
    )  # fmt: skip
    return standing


def whole(home: Path, service: str, path: str) -> dict[str, dict]:
    """Return a list by the ids of its items."""
    at = Home.at(home)
    token = at.token("manager")
    items: list[dict] = []
    after = ""
    while after is not None:
        given = {"limit": 200} | ({"after": after} if after else {})
        answer = httpx.get(
            at.url(service) + path, params=given, headers={"Authorization": f"Bearer {token}"}
        ).json()
        items += answer["items"]
        after = answer["next"]
    return {item["id"]: item for item in items}


def eventually(read, seconds: float = 60):
    """Return what `read` gives as soon as it gives something."""
    until = time.monotonic() + seconds
    while not (found := read()):
        assert time.monotonic() < until, "nothing came"
        time.sleep(0.2)
    return found


def test_everything_that_was_there_is_there_and_what_was_on_its_way_arrives(upgraded):
    answers = json.loads((upgraded / "answers.json").read_text())
    for path, service in LISTS.items():
        now = whole(upgraded, service, path)
        for was in answers[path]:
            is_, follows = now[was["id"]], DECIDED_AGAIN.get(path, "id")
            if was.pop(follows) != is_[follows]:
                standing = stands_today(upgraded, is_)
                assert standing == (is_[follows] or standing), (path, is_["id"])
                assert standing != is_["id"]
            assert was.items() <= is_.items(), (path, is_["id"])
    episode = answers["under_way"]["episode_id"]

    offers = eventually(lambda: [
        offer for offer in whole(upgraded, "scheduling", "/offers").values()
        if offer["episode_id"] == episode
    ])  # fmt: skip
    assert len(offers) == 1


def test_the_ledger_goes_on_where_it_was(left_behind):
    was = json.loads((left_behind / "answers.json").read_text())
    started = homeward(left_behind, "up", "--detach")
    assert started.returncode == 0, started.stderr
    try:
        file = left_behind / "after.jsonl"
        assert homeward(left_behind, "ledger", "export", "--out", str(file)).returncode == 0
    finally:
        homeward(left_behind, "down")
    key = left_behind / "keys/ledger.jwks.json"
    words = [sys.executable, "-m", "homeward", "ledger", "verify", str(file), "--key", str(key)]
    checked = subprocess.run(words, capture_output=True, text=True, env=environment(), check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    told = file.read_text()
    assert all(release["id"] in told for release in was["/releases"])


def test_every_fact_that_was_ever_told_can_be_read(left_behind):
    kinds = {subject: kind for name in SERVICES for subject, kind in events_of(name).items()}
    read = 0
    for name in SERVICES:
        engine = sa.create_engine(f"sqlite:///{left_behind}/db/{name}.sqlite")
        with engine.connect() as database:
            for subject, body in database.execute(sa.text("select subject, body from outbox")):
                event = kinds[subject].model_validate_json(body)
                later = json.loads(body) | {"added_by_a_later_version": {"deep": [1]}}
                assert kinds[subject].model_validate_json(json.dumps(later)) == event
                assert json.loads(body).items() <= event.model_dump(mode="json").items()
                read += 1

    assert read > 50


def test_a_migration_only_ever_adds():
    """While new pods start, old ones still work on the migrated database."""
    root = HERE.parents[1]
    taking = re.compile(r"op\.(drop_|rename_|alter_column|execute)|batch_op\.(drop_|alter_)")
    for file in root.glob("services/*/migrations/versions/*.py"):
        if file.name.startswith("0001"):
            continue
        assert not taking.search(file.read_text()), file.relative_to(root)
