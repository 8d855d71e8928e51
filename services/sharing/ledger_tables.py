"""Tables of the ledger, and what keeps anyone from changing an entry once it is written."""

from typing import TYPE_CHECKING

import sqlalchemy as sa

from contracts import ledger
from services.sharing.tables import Base

if TYPE_CHECKING:
    from alembic.operations import Operations

Seq = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

ENTRIES = sa.Table(
    "ledger_entry",
    Base.metadata,
    sa.Column("seq", Seq, primary_key=True, autoincrement=False),
    # `at` and `body` are kept as the text that was hashed: a database that prints an instant or
    # orders a document in its own way would break the chain.
    sa.Column("at", sa.String(27), nullable=False),
    sa.Column("kind", sa.String(80), nullable=False),
    sa.Column("body", sa.Text(), nullable=False),
    sa.Column("prev", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
SALTS = sa.Table(
    "ledger_salt",
    Base.metadata,
    # Apart from the entries and not append-only: where a child's data must be erased, the salt
    # goes, and the commitment can never be opened again while the chain stays whole.
    sa.Column("seq", Seq, primary_key=True, autoincrement=False),
    sa.Column("salt", sa.LargeBinary(32), nullable=False),
)
HEAD = sa.Table(
    "ledger_head",
    Base.metadata,
    sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("seq", Seq, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
CHECKPOINTS = sa.Table(
    "ledger_checkpoint",
    Base.metadata,
    sa.Column("seq", Seq, primary_key=True, autoincrement=False),
    sa.Column("kid", sa.String(80), primary_key=True),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("at", sa.String(27), nullable=False),
    sa.Column("signature", sa.String(128), nullable=False),
)

_FIXED = ("ledger_entry", "ledger_checkpoint")

# INSERT OR REPLACE deletes without firing a delete trigger, hence the third kind for SQLite.
_SQLITE = [
    statement
    for table, same in (
        ("ledger_entry", "seq = NEW.seq"),
        ("ledger_checkpoint", "seq = NEW.seq AND kid = NEW.kid"),
    )
    for statement in (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "  # noqa: S608  names are ours
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
    )
] + [
    "CREATE TRIGGER ledger_head_onward BEFORE UPDATE ON ledger_head WHEN NEW.seq <= OLD.seq "
    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
    "CREATE TRIGGER ledger_head_no_delete BEFORE DELETE ON ledger_head "
    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
]

_POSTGRESQL = [
    "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$",
    *(
        statement
        for table in _FIXED
        for statement in (
            f"CREATE TRIGGER {table}_fixed BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()",
            f"CREATE TRIGGER {table}_whole BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()",
        )
    ),
    "CREATE TRIGGER ledger_head_onward BEFORE UPDATE ON ledger_head "
    "FOR EACH ROW WHEN (NEW.seq <= OLD.seq) EXECUTE FUNCTION ledger_refuse()",
    "CREATE TRIGGER ledger_head_no_delete BEFORE DELETE ON ledger_head "
    "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()",
    "CREATE TRIGGER ledger_head_whole BEFORE TRUNCATE ON ledger_head "
    "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()",
]

TRIGGERS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
"""Statements for each database, to be run after the tables are made."""


def create_v1(op: "Operations") -> None:
    """Make the ledger's tables, its first head and its triggers; called by migration 0001."""
    dialect = op.get_bind().dialect.name
    for table in (ENTRIES, SALTS, HEAD, CHECKPOINTS):
        op.create_table(table.name, *(column._copy() for column in table.columns))
    op.bulk_insert(HEAD, [{"id": 1, "seq": 0, "hash": ledger.GENESIS}])
    for statement in TRIGGERS[dialect]:
        op.execute(statement)
