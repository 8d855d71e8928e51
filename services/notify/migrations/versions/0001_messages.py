"""Messages that are owed, and tasks for those that could not go out."""

import sqlalchemy as sa
from alembic import op

from messaging.schema import Instant, create_v1

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables as they were first."""
    create_v1(op)
    op.create_table(
        "message",
        sa.Column("message_id", sa.String(200), primary_key=True),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("cause_id", sa.String(200), nullable=False),
        sa.Column("child_id", sa.String(200), nullable=False),
        sa.Column("episode_id", sa.String(200)),
        sa.Column("locality", sa.String(100)),
        sa.Column("to_role", sa.String(30), nullable=False),
        sa.Column("code", sa.String(60)),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("template", sa.String(60), nullable=False),
        sa.Column("template_version", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(10), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("again_at", Instant()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(20)),
        sa.Column("blocked_code", sa.String(60)),
        sa.Column("written_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant()),
    )
    op.create_index("message_due", "message", ["state", "again_at"])
    op.create_index("message_written", "message", ["written_at", "message_id"])
    op.create_table(
        "task",
        sa.Column("task_id", sa.String(200), primary_key=True),
        sa.Column("message_id", sa.String(200), nullable=False),
        sa.Column("child_id", sa.String(200), nullable=False),
        sa.Column("owner", sa.String(30), nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("written_at", Instant(), nullable=False),
        sa.Column("done_at", Instant()),
        sa.Column("done_by", sa.String(200)),
    )
    op.create_index("task_open", "task", ["done_at", "written_at", "task_id"])
