"""Every decision on record and the facts it was made on, read child by child and never written."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import asyncpg  # type: ignore[import-untyped] # it has no types
from sqlalchemy import make_url

from homeward.home import HomeError
from services.sharing.domain.releasing import DELIVERED, SENT

_COLUMNS = (
    "id", "child_id", "item_id", "item_version", "category", "recipient", "snapshot_epoch",
    "document", "decision", "rule_ids", "gates_used", "basis", "transforms", "obligations",
    "defer_to", "policy_digest", "decided_at",
)  # fmt: skip
_DECISIONS = "SELECT " + ", ".join(_COLUMNS) + " FROM decision WHERE"  # noqa: S608 - our own names
_RELEASES = "SELECT decision_id, id, state FROM release WHERE"
_LEFT = _RELEASES + " child_id IN (SELECT value FROM json_each(?)) AND state IN (?, ?)"  # noqa: S608


@dataclass(frozen=True)
class Span:
    """Decisions from `since` on and before `until`, by the time of their recording."""

    since: datetime | None = None
    until: datetime | None = None


class Recorded(NamedTuple):
    """One decision as it was recorded; lists of codes are still the text of their JSON."""

    id: str
    child_id: str
    item_id: str
    item_version: int
    category: str
    recipient: str
    snapshot_epoch: int
    document: str
    answer: tuple[Any, ...]
    """decision, rule_ids, gates_used, basis, transforms, obligations, defer_to."""
    policy_digest: str
    decided_at: datetime


@dataclass
class ChildHistory:
    """The decisions of one child in the order of time, and the facts by epoch."""

    child_id: str
    decisions: list[Recorded]
    snapshots: dict[int, str]


class History(Protocol):
    """One database of `sharing`, read only."""

    def children(self, span: Span) -> list[tuple[str, int]]:
        """Return each child with decisions in `span` and how many, in the order of ids."""

    def newest(self) -> datetime | None:
        """Return when the newest decision was recorded."""

    def of(self, children: Sequence[str], span: Span) -> Iterator[ChildHistory]:
        """Yield what is recorded of each child."""

    def left(self, children: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Return (id, state) of the releases that left, by the decision that let them out."""


@contextmanager
def opened(url: str) -> Iterator[History]:
    """Open the database of `sharing` at `url`. Raises HomeError where it cannot be read."""
    parsed = make_url(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            with closing(_sqlite(str(parsed.database))) as connection:
                yield _Sqlite(connection)
            return
        plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        with asyncio.Runner() as runner:
            history = _Postgres(runner, runner.run(asyncpg.connect(plain)))
            try:
                yield history
            finally:
                history.close()
    except (sqlite3.Error, OSError, asyncpg.PostgresError) as error:
        raise HomeError(f"the history cannot be read: {type(error).__name__}: {error}") from error


def _sqlite(file: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA mmap_size = 268435456")
    return connection


class _Sqlite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def children(self, span: Span) -> list[tuple[str, int]]:
        where, values = self._within(span)
        asked = f"SELECT child_id, count(*) FROM decision WHERE {where} GROUP BY child_id"  # noqa: S608
        return sorted(self._connection.execute(asked, values))

    def newest(self) -> datetime | None:
        (at,) = self._connection.execute("SELECT max(decided_at) FROM decision").fetchone()
        return None if at is None else _aware(at)

    def of(self, children: Sequence[str], span: Span) -> Iterator[ChildHistory]:
        where, values = self._within(span)
        asked = f"{_DECISIONS} child_id = ? AND {where} ORDER BY decided_at, id"
        for child in children:
            rows = self._connection.execute(asked, (child, *values)).fetchall()
            decisions = [_recorded(row, _aware(row[16])) for row in rows]
            epochs = sorted({one.snapshot_epoch for one in decisions})
            snapshots = self._connection.execute(
                "SELECT epoch, facts FROM facts_snapshot WHERE child_id = ? "
                "AND epoch IN (SELECT value FROM json_each(?))",
                (child, json.dumps(epochs)),
            )
            yield ChildHistory(child, decisions, dict(snapshots.fetchall()))

    def left(self, children: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        found = self._connection.execute(
            _LEFT,
            (json.dumps(list(children)), SENT, DELIVERED),
        )
        return _by_decision(found)

    @staticmethod
    def _within(span: Span) -> tuple[str, list[str]]:
        """Return the condition in words of SQL, and its values as SQLite keeps moments."""
        told = [("decided_at >= ?", span.since), ("decided_at < ?", span.until)]
        kept = [(text, at) for text, at in told if at is not None]
        values = [
            at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds") for _, at in kept
        ]
        return " AND ".join(text for text, _ in kept) or "1 = 1", values


class _Postgres:
    def __init__(self, runner: asyncio.Runner, connection: Any) -> None:
        self._runner, self._connection = runner, connection
        self._fetch("SET default_transaction_read_only = on")

    def close(self) -> None:
        self._runner.run(self._connection.close())

    def children(self, span: Span) -> list[tuple[str, int]]:
        where, values = self._within(span, 1)
        asked = f"SELECT child_id, count(*) FROM decision WHERE {where} GROUP BY child_id"  # noqa: S608
        return sorted((row[0], row[1]) for row in self._fetch(asked, *values))

    def newest(self) -> datetime | None:
        (row,) = self._fetch("SELECT max(decided_at) FROM decision")
        at: datetime | None = row[0]
        return at

    def of(self, children: Sequence[str], span: Span) -> Iterator[ChildHistory]:
        where, values = self._within(span, 2)
        asked = f"{_DECISIONS} child_id = ANY($1) AND {where} ORDER BY decided_at, id"
        found = {child: ChildHistory(child, [], {}) for child in children}
        for row in self._fetch(asked, list(children), *values):
            found[row[1]].decisions.append(_recorded(tuple(row), row[16]))
        wanted = {(d.child_id, d.snapshot_epoch) for one in found.values() for d in one.decisions}
        keys = sorted(wanted)
        snapshots = self._fetch(
            "SELECT s.child_id, s.epoch, s.facts FROM facts_snapshot s "
            "JOIN unnest($1::text[], $2::bigint[]) AS w (child_id, epoch) "
            "ON s.child_id = w.child_id AND s.epoch = w.epoch",
            [child for child, _ in keys],
            [epoch for _, epoch in keys],
        )
        for child, epoch, facts in snapshots:
            found[child].snapshots[epoch] = facts
        yield from found.values()

    def left(self, children: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        asked = f"{_RELEASES} child_id = ANY($1) AND state IN ($2, $3)"
        return _by_decision(self._fetch(asked, list(children), SENT, DELIVERED))

    def _fetch(self, statement: str, *values: Any) -> list[Any]:
        found: list[Any] = self._runner.run(self._connection.fetch(statement, *values))
        return found

    @staticmethod
    def _within(span: Span, first: int) -> tuple[str, list[datetime]]:
        told = [("decided_at >= ${}", span.since), ("decided_at < ${}", span.until)]
        kept = [(text, at) for text, at in told if at is not None]
        texts = [text.format(first + place) for place, (text, _) in enumerate(kept)]
        return " AND ".join(texts) or "true", [at for _, at in kept]


def _recorded(row: Sequence[Any], at: datetime) -> Recorded:
    # an answer that says "nobody" is null on one database and the word null on the other
    answer = (*row[8:14], None if row[14] == "null" else row[14])
    return Recorded._make((*row[:8], answer, row[15], at))


def _by_decision(rows: Any) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for decision, release, state in rows:
        found.setdefault(decision, []).append((release, state))
    return found


def _aware(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
