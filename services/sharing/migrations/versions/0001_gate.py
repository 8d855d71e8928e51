"""Children, what was judged and decided about them, what left, and the ledger of it."""

import sqlalchemy as sa
from alembic import op

from messaging.schema import Instant, Key, create_v1
from services.sharing import ledger_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables as they were first."""
    create_v1(op)
    op.create_table(
        "agreement_line",
        sa.Column("seq", Key, autoincrement=True, nullable=False),
        sa.Column("child_id", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=True),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("item_id", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("consequences_explained", sa.Boolean(), nullable=False),
        sa.Column("occurred_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index(
        op.f("ix_agreement_line_child_id"), "agreement_line", ["child_id"], unique=False
    )
    op.create_table(
        "child",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("locality", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("wanted_version", sa.Integer(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("responsible_la", sa.String(), nullable=True),
        sa.Column("host_la", sa.String(), nullable=True),
        sa.Column("age", sa.Integer(), nullable=True),
        sa.Column("next_birthday_at", Instant(), nullable=True),
        sa.Column("adult_at", Instant(), nullable=True),
        sa.Column("dirty", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "child_dirty",
        "child",
        ["id"],
        unique=False,
        postgresql_where=sa.text("dirty"),
        sqlite_where=sa.text("dirty = 1"),
    )
    op.create_index(op.f("ix_child_host_la"), "child", ["host_la"], unique=False)
    op.create_index(op.f("ix_child_next_birthday_at"), "child", ["next_birthday_at"], unique=False)
    op.create_index(op.f("ix_child_responsible_la"), "child", ["responsible_la"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("child_id", sa.String(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("item_version", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("snapshot_epoch", sa.Integer(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("rule_ids", sa.JSON(), nullable=False),
        sa.Column("gates_used", sa.JSON(), nullable=False),
        sa.Column("basis", sa.JSON(), nullable=False),
        sa.Column("transforms", sa.JSON(), nullable=False),
        sa.Column("obligations", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("defer_to", sa.JSON(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=True),
        sa.Column("policy_version", sa.String(), nullable=False),
        sa.Column("policy_digest", sa.String(), nullable=False),
        sa.Column("decided_at", Instant(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "decision_current",
        "decision",
        ["child_id", "item_id", "recipient"],
        unique=True,
        postgresql_where=sa.text("current"),
        sqlite_where=sa.text("current = 1"),
    )
    op.create_index("decision_listed", "decision", ["decided_at", "id"], unique=False)
    op.create_index("decision_of_child", "decision", ["child_id", "decided_at", "id"], unique=False)
    op.create_index(
        "decision_of_recipient", "decision", ["recipient", "decided_at", "id"], unique=False
    )
    op.create_table(
        "episode",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("child_id", sa.String(), nullable=False),
        sa.Column("setting", sa.String(), nullable=False),
        sa.Column("outcome_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_episode_child_id"), "episode", ["child_id"], unique=False)
    op.create_table(
        "facts_snapshot",
        sa.Column("child_id", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("taken_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("child_id", "epoch"),
    )
    op.create_table(
        "item",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("child_id", sa.String(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("interview_id", sa.String(), nullable=True),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=True),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("event_at", Instant(), nullable=True),
        sa.Column("existed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_item_child_id"), "item", ["child_id"], unique=False)
    op.create_table(
        "judgement",
        sa.Column("seq", Key, autoincrement=True, nullable=False),
        sa.Column("child_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("episode_id", sa.String(), nullable=True),
        sa.Column("item_ids", sa.JSON(), nullable=True),
        sa.Column("categories", sa.JSON(), nullable=True),
        sa.Column("recipients", sa.JSON(), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("occurred_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index(op.f("ix_judgement_child_id"), "judgement", ["child_id"], unique=False)
    op.create_table(
        "page",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("child_id", sa.String(), nullable=False),
        sa.Column("locality", sa.String(), nullable=False),
        sa.Column("to", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.Column("raised_at", Instant(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("taken_at", Instant(), nullable=True),
        sa.Column("acted_at", Instant(), nullable=True),
        sa.Column("escalated_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_page_child_id"), "page", ["child_id"], unique=False)
    op.create_index(
        "page_not_taken",
        "page",
        ["id"],
        unique=False,
        postgresql_where=sa.text("taken_at IS NULL"),
        sqlite_where=sa.text("taken_at IS NULL"),
    )
    op.create_index("page_open", "page", ["code", "acted_at", "due_at"], unique=False)
    op.create_table(
        "partner",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("area", sa.String(), nullable=True),
        sa.Column("nkey", sa.String(), nullable=False),
        sa.Column("jwk", sa.JSON(), nullable=False),
        sa.Column("next_number", sa.Integer(), nullable=False),
        sa.Column("stream_seq", Key, nullable=False),
        sa.Column("added_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index(op.f("ix_partner_area"), "partner", ["area"], unique=False)
    op.create_table(
        "recipient",
        sa.Column("child_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("pr", sa.Boolean(), nullable=False),
        sa.Column("lives_with_child", sa.Boolean(), nullable=False),
        sa.Column("channel_verified", sa.Boolean(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("partner_key", sa.String(), nullable=True),
        sa.Column("added_by", sa.String(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("child_id", "key"),
    )
    op.create_index(op.f("ix_recipient_partner_key"), "recipient", ["partner_key"], unique=False)
    op.create_table(
        "release",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("decision_id", sa.String(), nullable=False),
        sa.Column("child_id", sa.String(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("item_version", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("partner_key", sa.String(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("recipient_version", sa.Integer(), nullable=False),
        sa.Column("policy_version", sa.String(), nullable=False),
        sa.Column("policy_digest", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("stream_seq", Key, nullable=True),
        sa.Column("permitted_at", Instant(), nullable=False),
        sa.Column("claimed_at", Instant(), nullable=True),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("delivered_at", Instant(), nullable=True),
        sa.Column("how", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("release_listed", "release", ["permitted_at", "id"], unique=False)
    op.create_index("release_numbered", "release", ["partner_key", "number"], unique=True)
    op.create_index("release_of_child", "release", ["child_id", "permitted_at", "id"], unique=False)
    op.create_index(
        "release_of_recipient", "release", ["recipient", "permitted_at", "id"], unique=False
    )
    op.create_index(
        "release_on_feed",
        "release",
        ["partner_key", "state", "permitted_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued','claimed','withdrawn','sent')"),
        sqlite_where=sa.text("state IN ('queued','claimed','withdrawn','sent')"),
    )
    op.create_index(
        "release_under_way",
        "release",
        ["state", "permitted_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting_child_told','tell','queued','claimed')"),
        sqlite_where=sa.text("state IN ('waiting_child_told','tell','queued','claimed')"),
    )
    op.create_table(
        "task",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("child_id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("recipient", sa.String(), nullable=True),
        sa.Column("interview_id", sa.String(), nullable=True),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("missing", sa.JSON(), nullable=False),
        sa.Column("release_ids", sa.JSON(), nullable=False),
        sa.Column("decision_ids", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("paged_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("task_due", "task", ["state", "due_at"], unique=False)
    op.create_index("task_of_child", "task", ["child_id", "state"], unique=False)
    op.create_index("task_of_owner", "task", ["owner", "state", "due_at", "id"], unique=False)
    op.create_table(
        "worker_on_case",
        sa.Column("child_id", sa.String(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("child_id", "worker"),
    )
    ledger_tables.create_v1(op)  # type: ignore[arg-type] # alembic.op stands for Operations
