"""A restored system lets nothing out until two people say so."""

import sqlalchemy as sa
from alembic import op

from messaging.schema import Instant, Key
from services.sharing import quarantine_tables

revision = "0003"
down_revision = "0002"
tables = quarantine_tables  # known to whoever compares the code with what migrations make


def upgrade() -> None:
    """Create the tables of the quarantine."""
    seq = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "quarantine",
        sa.Column("seq", Key, autoincrement=True, nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("taken_at", Instant(), nullable=True),
        sa.Column("head_seq", seq, nullable=False),
        sa.Column("line_seq", seq, nullable=False),
        sa.Column("agreed_seq", seq, nullable=False),
        sa.Column("forked", sa.Boolean(), nullable=False),
        sa.Column("outside", sa.JSON(), nullable=True),
        sa.Column("loss", sa.JSON(), nullable=True),
        sa.Column("confirmed", sa.JSON(), nullable=True),
        sa.Column("ending", sa.JSON(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "partner_asked",
        sa.Column("quarantine", Key, autoincrement=False, nullable=False),
        sa.Column("partner_key", sa.String(), nullable=False),
        sa.Column("highest", sa.Integer(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("quarantine", "partner_key"),
    )
    op.create_table(
        "read_outside",
        sa.Column("partner_key", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("release_id", sa.String(), nullable=False),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("partner_key", "number"),
    )
    op.create_table(
        "ledger_waiting",
        sa.Column("seq", Key, autoincrement=True, nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("kind", sa.String(80), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "ledger_imported",
        sa.Column("seq", seq, autoincrement=False, nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("kind", sa.String(80), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("prev", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
