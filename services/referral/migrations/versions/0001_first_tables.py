"""Make the first tables."""

import sqlalchemy as sa
from alembic import op

from messaging.schema import Instant, create_v1

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the shared tables and this service's own."""
    create_v1(op)
    op.create_table(
        "child_versions",
        sa.Column("child_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("replaced_by", sa.String(length=200), nullable=False),
        sa.Column("replaced_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("child_id", "version"),
    )
    op.create_table(
        "children",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name_key", sa.String(length=1000), nullable=False),
        sa.Column("given_name", sa.String(length=200), nullable=False),
        sa.Column("family_name", sa.String(length=200), nullable=False),
        sa.Column("date_of_birth", sa.Date(), nullable=False),
        sa.Column("identity_status", sa.String(length=20), nullable=False),
        sa.Column("legal_status", sa.String(length=20), nullable=False),
        sa.Column("locality", sa.String(length=40), nullable=False),
        sa.Column("responsible_la", sa.String(length=40), nullable=False),
        sa.Column("host_la", sa.String(length=40), nullable=True),
        sa.Column("address_confidential", sa.Boolean(), nullable=False),
        sa.Column("channels", sa.JSON(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("children_alike", "children", ["name_key", "date_of_birth"], unique=False)
    op.create_table(
        "episodes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("child_id", sa.String(length=40), nullable=False),
        sa.Column("referral_id", sa.String(length=40), nullable=False),
        sa.Column("locality", sa.String(length=40), nullable=False),
        sa.Column("setting", sa.String(length=40), nullable=False),
        sa.Column("legal_status", sa.String(length=20), nullable=False),
        sa.Column("responsible_la", sa.String(length=40), nullable=False),
        sa.Column("missing_from", Instant(), nullable=False),
        sa.Column("returned_at", Instant(), nullable=False),
        sa.Column("reported_missing_at", Instant(), nullable=True),
        sa.Column("grading", sa.String(length=20), nullable=True),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("return_time_ambiguous", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("child_id", "missing_from", name="episodes_once"),
    )
    op.create_index("episodes_by_time", "episodes", ["received_at", "id"], unique=False)
    op.create_table(
        "external_ids",
        sa.Column("system", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=100), nullable=False),
        sa.Column("child_id", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("system", "value"),
    )
    op.create_index(op.f("ix_external_ids_child_id"), "external_ids", ["child_id"], unique=False)
    op.create_table(
        "referrals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("child_id", sa.String(length=40), nullable=False),
        sa.Column("episode_id", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("police_reference", sa.String(length=60), nullable=True),
        sa.Column("missing_from", Instant(), nullable=False),
        sa.Column("report_digest", sa.String(length=64), nullable=True),
        sa.Column("body_digest", sa.String(length=64), nullable=False),
        sa.Column("locality", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("triage", sa.JSON(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("recorded_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("report_digest"),
    )
    op.create_index(op.f("ix_referrals_child_id"), "referrals", ["child_id"], unique=False)
    op.create_index(op.f("ix_referrals_episode_id"), "referrals", ["episode_id"], unique=False)
    op.create_index(
        "referrals_reported", "referrals", ["police_reference", "missing_from"], unique=False
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("child_id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("text", sa.String(length=1000), nullable=False),
        sa.Column("done_at", Instant(), nullable=True),
        sa.Column("done_by", sa.String(length=200), nullable=True),
        sa.Column("result", sa.String(length=60), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_tasks_child_id"), "tasks", ["child_id"], unique=False)
    op.create_index("tasks_open", "tasks", ["done_at", "owner", "due_at", "id"], unique=False)
    op.create_table(
        "trigger_episodes",
        sa.Column("episode_id", sa.String(length=40), nullable=False),
        sa.Column("trigger_id", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("episode_id", "trigger_id"),
    )
    op.create_table(
        "triggers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("child_id", sa.String(length=40), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("window_days", sa.Integer(), nullable=False),
        sa.Column("setting", sa.String(length=40), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("fired_by", sa.String(length=40), nullable=False),
        sa.Column("fired_at", Instant(), nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("triggers_of_child", "triggers", ["child_id", "window_days"], unique=False)
