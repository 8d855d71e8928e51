"""Where nothing marked may be, and the few places where it may, each with its reason."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import nats
from canary_marks import Marks

from homeward.home import SERVICES, Home
from messaging.nats_config import inbox_of

MAY_HOLD = {
    ("referral", "children"): "the one owner of names, birth dates and channels",
    ("referral", "child_versions"): "what it said of a child at each version",
    ("referral", "external_ids"): "numbers by which others know a child",
    ("referral", "referrals"): "the reference that the police gave",
    ("interview", "item_version"): "the words, which interview alone keeps",
    ("interview", "interview"): "who else was present, in the worker's words",
    ("scheduling", "workers"): "the worker's own name",
    ("scheduling", "bookings"): "where they meet; never on the bus",
    ("sharing", "recipient"): "what the worker calls a recipient; never sent, logged or judged",
    ("sharing", "judgement"): "the reason in the words of whoever judged",
    ("sharing", "release"): "what a recipient may read, until it has it",
    ("*", "idempotency"): "the caller's key, and the answer for its repeat",
}
"""Table by service. Anything marked in another table is a leak inside the house."""
MAY_HOLD_CODES = {
    ("sharing", "child"): "codes of authorities",
    ("sharing", "item"): "codes of what is special about an item",
    ("sharing", "agreement_line"): "keys of recipients",
    ("sharing", "task"): "keys of recipients",
    ("sharing", "facts_snapshot"): "the codes and keys that were judged",
}
"""Where words may not be, but what was put in as a code may: a field with a pattern for codes."""
FILES_MAY_HOLD = {
    "mail": "letters to the child and pages to staff, where no mail server is named",
    "db": "looked at table by table",
}


def files_of(home: Home, marks: Marks) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each file of a home that holds something marked, with what."""
    for file in sorted(home.path.rglob("*")):
        inside = file.relative_to(home.path)
        if not file.is_file() or inside.parts[0] in FILES_MAY_HOLD:
            continue
        if found := marks.found_in(str(inside).encode() + b"\n" + file.read_bytes()):
            yield str(inside), found


def cores_in(*folders: Path) -> list[str]:
    """Return the names of memory images that a crash left."""
    return [
        str(file) for folder in folders for file in folder.rglob("core*")
        if file.is_file() and file.read_bytes()[:4] == b"\x7fELF"
    ]  # fmt: skip


async def messages_of(home: Home) -> list[tuple[str, bytes]]:
    """Return every message that the broker keeps, read through it: its files may be compressed."""
    client = await nats.connect(
        home.nats_url,
        nkeys_seed=str(home.nkey("provisioner")),
        inbox_prefix=inbox_of("provisioner"),
    )
    try:
        js = client.jetstream()
        found = []
        for stream in await js.streams_info():
            name = stream.config.name
            for seq in range(max(1, stream.state.first_seq), stream.state.last_seq + 1):
                try:
                    message = await js.get_msg(name, seq)
                except nats.js.errors.NotFoundError:
                    continue  # erased, or acknowledged
                head = f"{message.subject} {message.headers}".encode()
                found.append((f"{name} {message.subject}", head + b"\n" + (message.data or b"")))
        return found
    finally:
        await client.close()


async def tables_of(home: Home, service: str) -> list[tuple[str, bytes]]:
    """Return the content of every table of a service's database."""
    url = home.database_url(service)
    if url.startswith("sqlite"):
        connection = sqlite3.connect(f"file:{home.db(service)}?mode=ro", uri=True)
        try:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            every = {name: f'SELECT * FROM "{name}"' for (name,) in names.fetchall()}  # noqa: S608
            return [
                (name, repr(connection.execute(asked).fetchall()).encode())
                for name, asked in every.items()
            ]
        finally:
            connection.close()
    db = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        names = await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        every = {name: f'SELECT * FROM "{name}"' for (name,) in names}  # noqa: S608
        return [
            (name, repr([tuple(row) for row in await db.fetch(asked)]).encode())
            for name, asked in every.items()
        ]
    finally:
        await db.close()


async def leaks_in_databases(home: Home, marks: Marks) -> list[str]:
    """Return the tables that hold something marked and may not."""
    found = []
    for service in SERVICES:
        for table, content in await tables_of(home, service):
            if (service, table) in MAY_HOLD or ("*", table) in MAY_HOLD:
                continue
            what = marks.found_in(content)
            if (service, table) in MAY_HOLD_CODES:
                what = {mark: at for mark, at in what.items() if not at.endswith("wrong code")}
            if what:
                found.append(f"{service}.{table}: {what}")
    return found
