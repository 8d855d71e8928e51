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
        "answers",
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("episode_id", sa.String(length=60), nullable=False),
        sa.Column("child_id", sa.String(length=60), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("helpline_given_to", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("recorded_by", sa.String(length=200), nullable=False),
        sa.Column("occurred_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("answers_of_child", "answers", ["child_id", "occurred_at"], unique=False)
    op.create_index(op.f("ix_answers_episode_id"), "answers", ["episode_id"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("episode_id", sa.String(length=60), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("method", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("points_told", sa.JSON(), nullable=False),
        sa.Column("worker_gender", sa.String(length=20), nullable=True),
        sa.Column("door_open", sa.Boolean(), nullable=False),
        sa.Column("occurred_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_attempts_episode_id"), "attempts", ["episode_id"], unique=False)
    op.create_table(
        "bookings",
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("episode_id", sa.String(length=60), nullable=False),
        sa.Column("child_id", sa.String(length=60), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("venue", sa.String(length=200), nullable=False),
        sa.Column("starts_at", Instant(), nullable=False),
        sa.Column("ends_at", Instant(), nullable=False),
        sa.Column("change_reason", sa.String(length=40), nullable=True),
        sa.Column("asked_for_by_child", sa.Boolean(), nullable=False),
        sa.Column("booked_by", sa.String(length=200), nullable=False),
        sa.Column("booked_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("bookings_of_child", "bookings", ["child_id", "starts_at"], unique=False)
    op.create_index(op.f("ix_bookings_episode_id"), "bookings", ["episode_id"], unique=False)
    op.create_table(
        "clocks",
        sa.Column("episode_id", sa.String(length=60), nullable=False),
        sa.Column("clock", sa.String(length=30), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("met_at", Instant(), nullable=True),
        sa.Column("stopped_at", Instant(), nullable=True),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("near_told", sa.Boolean(), nullable=False),
        sa.Column("missed_told", sa.Boolean(), nullable=False),
        sa.Column("met_told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("episode_id", "clock"),
    )
    op.create_index("clocks_waiting", "clocks", ["next_at"], unique=False)
    op.create_table(
        "follow_ups",
        sa.Column("interview_id", sa.String(length=60), nullable=False),
        sa.Column("clock", sa.String(length=30), nullable=False),
        sa.Column("done", sa.String(length=40), nullable=True),
        sa.Column("recorded_by", sa.String(length=200), nullable=False),
        sa.Column("occurred_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("interview_id", "clock"),
    )
    op.create_table(
        "offers",
        sa.Column("episode_id", sa.String(length=60), nullable=False),
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("child_id", sa.String(length=60), nullable=False),
        sa.Column("locality", sa.String(length=60), nullable=False),
        sa.Column("setting", sa.String(length=60), nullable=False),
        sa.Column("missing_from", Instant(), nullable=False),
        sa.Column("returned_at", Instant(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("return_time_ambiguous", sa.Boolean(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("next_due_at", Instant(), nullable=False),
        sa.Column("contact_due_at", Instant(), nullable=False),
        sa.Column("rhi_due_at", Instant(), nullable=False),
        sa.Column("contact_at", Instant(), nullable=True),
        sa.Column("interviewed_at", Instant(), nullable=True),
        sa.Column("interview_id", sa.String(length=60), nullable=True),
        sa.Column("phone_discussion", sa.Boolean(), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=True),
        sa.Column("booking_id", sa.String(length=60), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("outcome_at", Instant(), nullable=True),
        sa.Column("rhi_outcome", sa.String(length=30), nullable=True),
        sa.Column("service_outcome", sa.String(length=20), nullable=True),
        sa.Column("door_open_sent", sa.Boolean(), nullable=False),
        sa.Column("lateness", sa.String(length=30), nullable=True),
        sa.Column("lateness_by", sa.String(length=200), nullable=True),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("closings", sa.Integer(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("episode_id"),
        sa.UniqueConstraint("id"),
    )
    op.create_index(op.f("ix_offers_interview_id"), "offers", ["interview_id"], unique=False)
    op.create_index("offers_by_due", "offers", ["next_due_at", "episode_id"], unique=False)
    op.create_index("offers_of_child", "offers", ["child_id", "missing_from"], unique=False)
    op.create_index("offers_queue", "offers", ["state", "next_due_at", "episode_id"], unique=False)
    op.create_table(
        "talks",
        sa.Column("episode_id", sa.String(length=60), nullable=False),
        sa.Column("interview_id", sa.String(length=60), nullable=False),
        sa.Column("child_id", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=False),
        sa.Column("rhi_outcome", sa.String(length=30), nullable=True),
        sa.Column("service_outcome", sa.String(length=20), nullable=True),
        sa.PrimaryKeyConstraint("episode_id", "interview_id"),
    )
    op.create_index("talks_of_child", "talks", ["child_id", "started_at"], unique=False)
    op.create_table(
        "wishes",
        sa.Column("child_id", sa.String(length=60), nullable=False),
        sa.Column("worker_gender", sa.String(length=20), nullable=False),
        sa.Column("attempt_id", sa.String(length=60), nullable=False),
        sa.Column("said_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("child_id"),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("gender", sa.String(length=20), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("conflicts", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("independent", sa.Boolean(), nullable=False),
        sa.Column("trained_until", sa.Date(), nullable=True),
        sa.Column("dbs_until", sa.Date(), nullable=True),
        sa.Column("changed_by", sa.String(length=200), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
