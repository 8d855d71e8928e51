"""What a what-if has done so far, in a file beside: one that was killed goes on from there."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Tally = dict[str, Any]


class State:
    """Sums by unit of children, and the questions that were met."""

    def __init__(self, file: Path, what: dict[str, Any], *, resume: bool) -> None:
        """Open `file`, anew unless it is to be resumed and holds the same `what`."""
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        if not resume:
            self.remove()
        file.touch(mode=0o600)
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(
            "CREATE TABLE IF NOT EXISTS work (what TEXT, plan TEXT);"
            "CREATE TABLE IF NOT EXISTS unit (number INTEGER PRIMARY KEY, sums TEXT);"
            "CREATE TABLE IF NOT EXISTS question (id BLOB PRIMARY KEY) WITHOUT ROWID;"
        )
        self._what = json.dumps(what, sort_keys=True)
        found = self._connection.execute("SELECT what, plan FROM work").fetchone()
        if found is not None and found[0] != self._what:
            self._connection.executescript("DELETE FROM work; DELETE FROM unit;"
                                           "DELETE FROM question;")  # fmt: skip
            found = None
        self.plan: dict[str, Any] | None = None if found is None else json.loads(found[1])

    def begin(self, plan: dict[str, Any]) -> None:
        """Keep what is to be done."""
        self.plan = plan
        self._connection.execute("INSERT INTO work VALUES (?, ?)", (self._what, json.dumps(plan)))

    @property
    def done(self) -> set[int]:
        """The units that have been decided again."""
        return {row[0] for row in self._connection.execute("SELECT number FROM unit")}

    def add(self, number: int, sums: Tally) -> None:
        """Keep the sums of a unit."""
        questions = [(bytes.fromhex(one),) for one in sums.pop("questions")]
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT OR IGNORE INTO question VALUES (?)", questions)
        self._connection.execute("INSERT INTO unit VALUES (?, ?)", (number, json.dumps(sums)))
        self._connection.execute("COMMIT")

    def sums(self) -> Iterator[Tally]:
        """Yield the sums in the order of the units."""
        for (text,) in self._connection.execute("SELECT sums FROM unit ORDER BY number"):
            yield json.loads(text)

    @property
    def questions(self) -> int:
        """How many distinct questions there were."""
        (count,) = self._connection.execute("SELECT count(*) FROM question").fetchone()
        return int(count)

    def close(self) -> None:
        """Close the file; it stays."""
        self._connection.close()

    def remove(self) -> None:
        """Remove the file."""
        for suffix in ("", "-wal", "-shm"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
