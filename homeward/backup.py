"""`homeward backup` and `homeward restore`: a home in a folder, and back again into quarantine.

The broker's data is not in it: the databases are the record, and the broker may lose everything.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from homeward import databases, engines, migrate
from homeward.home import DATABASES, SERVICES, Home, HomeError
from homeward.keys import write_secret
from homeward.manifest import (
    NAME,
    Manifest,
    TamperedError,
    check_signed,
    digest,
    order,
)

Say = Callable[[str], None]

_AGAIN = ("databases.url", "tokens")
"""In a home's folder of keys, but made anew: addresses of databases, tokens between services."""


def backup(home: Home, folder: Path, say: Say = print) -> int:
    """Copy a home, running or not, into a new folder; return 0, or 75 where a tool is missing."""
    if (home.path / "site.json").exists():
        raise HomeError("a Compose site is backed up as docs/runbooks/backup-and-restore.md says")
    if not home.exists:
        raise HomeError(f"there is no home in {home.path}")
    try:
        with _whole_or_not_at_all(folder) as aside:
            made = _write(home, aside)
    except databases.ToolMissingError as error:
        say(f"homeward: nothing was copied. {error}")
        return 75
    say(
        f"{folder} holds {len(made.files)} files; the ledger had {made.ledger['seq']} entries.\n"
        "Keys are in it: whoever has it can read and sign all. Encrypt it before it leaves.\n"
        "Not in it: the broker's data and the messages in mail/; nothing is lost without them."
    )
    return 0


def _write(home: Home, aside: Path) -> Manifest:
    taken_at = datetime.now(UTC)
    postgres = home.databases.exists()
    if postgres:
        databases.need("pg_dump", "pg_restore")
    (aside / "db").mkdir(mode=0o700)
    copied: dict[str, dict[str, Any]] = {}
    told: dict[str, Any] = {}
    for service in order():
        file = aside / "db" / (f"{service}.dump" if postgres else f"{service}.sqlite")
        if service == "sharing" and postgres:  # before its copy, which holds as much or more
            told = databases.ledger_of_postgres(home.database_url(service))
        revision = (
            databases.dump(home, service, file)
            if postgres
            else databases.copy_sqlite(home.db(service), file)
        )
        copied[service] = {
            "file": str(file.relative_to(aside)),
            "revision": revision,
            "copied_at": datetime.now(UTC).isoformat(),
        }
    if not postgres:
        told = databases.ledger_of_sqlite(aside / "db" / "sharing.sqlite")
    _copy(home.keys_dir, aside / "keys", leave=_AGAIN)
    _copy(home.partners, aside / "partners")
    _copy(home.policies, aside / "policy")
    if home.localities.exists():
        shutil.copyfile(home.localities, aside / "localities.yaml")
    check_signed(told["checkpoint"], aside / "keys" / "ledger.jwks.json")
    for path in aside.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    files = {str(path.relative_to(aside)): digest(path) for path in _files(aside)}
    made = Manifest(
        taken_at,
        "postgresql" if postgres else "sqlite",
        copied,
        told,
        engines.wanted(home),
        files,
    )
    write_secret(aside / NAME, made.text())
    return Manifest.read(aside)


def _copy(source: Path, target: Path, leave: tuple[str, ...] = ()) -> None:
    target.mkdir(mode=0o700)
    if source.is_dir():
        shutil.copytree(
            source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*leave, ".*.????????")
        )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@contextmanager
def _whole_or_not_at_all(folder: Path) -> Iterator[Path]:
    """Give a folder aside that becomes `folder` at the end; nothing is ever overwritten."""
    folder = folder.expanduser().resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise HomeError(f"{folder} is not empty; nothing is ever overwritten")
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    before = os.umask(0o077)
    try:
        aside.mkdir(mode=0o700)
        yield aside
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()
        aside.rename(folder)
    finally:
        os.umask(before)
        shutil.rmtree(aside, ignore_errors=True)


# Back again


def restore(home: Home, folder: Path, say: Say = print) -> int:
    """Make a new home from a backup, in quarantine before anything of it can start."""
    folder = folder.expanduser().resolve()
    found = Manifest.read(folder)
    check_signed(found.ledger["checkpoint"], folder / "keys" / "ledger.jwks.json")
    wanted = os.environ.get(DATABASES, "").strip()
    if (found.kind == "postgresql") != bool(wanted):
        raise HomeError(
            f"this backup is of {found.kind}: {DATABASES} must "
            + ("name new, empty databases" if found.kind == "postgresql" else "not be set")
        )
    try:
        with _whole_or_not_at_all(home.path) as aside:
            _read(Home(aside), folder, found, wanted)
    except databases.ToolMissingError as error:
        say(f"homeward: nothing was restored. {error}")
        return 75
    say(
        f"{home.path} is restored as it was at {found.taken_at.isoformat(timespec='seconds')}, and "
        "in QUARANTINE:\nnothing leaves until two people have ended it. Start it with `homeward "
        "up`, then follow\n`homeward quarantine show` and docs/runbooks/backup-and-restore.md."
    )
    return 0


def _read(made: Home, folder: Path, found: Manifest, wanted: str) -> None:
    for name in ("keys", "partners"):
        _copy(folder / name, made.path / name)
    if (folder / "policy" / "current").is_file():  # what decided then, which its databases name
        _copy(folder / "policy", made.policies)
    made.generated.mkdir(mode=0o700)
    if (folder / "localities.yaml").exists():
        shutil.copyfile(folder / "localities.yaml", made.localities)
    if wanted:
        write_secret(made.databases, wanted + "\n")
    made.make()
    for service, said in found.databases.items():
        if wanted:
            databases.load(made, service, folder / said["file"])
        else:
            shutil.copyfile(folder / said["file"], made.db(service))
            databases.check_sqlite(made.db(service))
    told = (
        databases.ledger_of_postgres(made.database_url("sharing"))
        if wanted
        else databases.ledger_of_sqlite(made.db("sharing"))
    )
    if told["seq"] < found.ledger["seq"] or (
        told["seq"] == found.ledger["seq"] and told["hash"] != found.ledger["hash"]
    ):
        raise TamperedError("the ledger in the backup is not the one that its manifest names")
    asyncio.run(_into_quarantine(made, found.taken_at))


async def _into_quarantine(made: Home, taken_at: datetime) -> None:
    from services.sharing.quarantine import (  # noqa: PLC0415 - loading it takes a second
        begin_restored,
    )

    await migrate.migrate_all({name: made.database_url(name) for name in SERVICES})
    await begin_restored(made.database_url("sharing"), taken_at, datetime.now(UTC))
