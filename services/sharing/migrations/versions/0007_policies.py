"""The policies have versions, each with the steps of its life, and one of them decides."""

import sqlalchemy as sa
from alembic import op

from messaging.schema import Instant, Key
from services.sharing import policy_tables

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables; the first start of the service says which version decides."""
    op.create_table(
        "policy_version",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("base", sa.String(), nullable=True),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=True),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("drafted_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sa.UniqueConstraint("version"),
    )
    op.create_table(
        "policy_step",
        sa.Column("seq", Key, autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("report", sa.String(), nullable=True),
        sa.Column("against", sa.String(), nullable=True),
        sa.Column("ok", sa.Boolean(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("findings", sa.JSON(), nullable=True),
        sa.Column("known", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("ix_policy_step_digest", "policy_step", ["digest"])
    op.create_table(
        "policy_active",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("loading", sa.String(), nullable=True),
        sa.Column("loading_since", Instant(), nullable=True),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "policy_engine",
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=True),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("refused", sa.String(), nullable=True),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("process"),
    )
    policy_tables.fix(op)  # type: ignore[arg-type] # alembic.op stands for Operations
