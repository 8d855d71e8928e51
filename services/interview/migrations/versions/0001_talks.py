"""Talks, items and their append-only versions."""

import sqlalchemy as sa
from alembic import op

from messaging.schema import Instant, create_v1

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables as they were first."""
    create_v1(op)
    op.create_table(
        "known_episode",
        sa.Column("episode_id", sa.String(200), primary_key=True),
        sa.Column("child_id", sa.String(200), nullable=False),
        sa.Column("returned_at", Instant(), nullable=False),
    )
    op.create_table(
        "interview",
        sa.Column("interview_id", sa.String(200), primary_key=True),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("child_id", sa.String(200), nullable=False),
        sa.Column("worker", sa.String(200), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=False),
        sa.Column("outcome", sa.String(30)),
        sa.Column("service_outcome", sa.String(30)),
        sa.Column("confidentiality_explained_at", Instant()),
        sa.Column("first_content_at", Instant()),
        sa.Column("spoken_alone", sa.Boolean()),
        sa.Column("others_present", sa.Text()),
        sa.Column("reviews", sa.JSON(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
    )
    op.create_index("interview_recorded", "interview", ["recorded_at", "interview_id"])
    op.create_index("interview_worker", "interview", ["worker", "recorded_at", "interview_id"])
    op.create_index("interview_child", "interview", ["child_id"])
    op.create_table(
        "interview_episode",
        sa.Column(
            "interview_id",
            sa.String(200),
            sa.ForeignKey("interview.interview_id"),
            primary_key=True,
        ),
        sa.Column(
            "episode_id",
            sa.String(200),
            sa.ForeignKey("known_episode.episode_id"),
            primary_key=True,
        ),
        sa.Column("position", sa.Integer(), nullable=False),
    )
    op.create_table(
        "item",
        sa.Column("item_id", sa.String(200), primary_key=True),
        sa.Column(
            "interview_id",
            sa.String(200),
            sa.ForeignKey("interview.interview_id"),
            nullable=False,
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
    )
    op.create_index("item_interview", "item", ["interview_id", "position"], unique=True)
    op.create_table(
        "item_version",
        sa.Column("item_id", sa.String(200), sa.ForeignKey("item.item_id"), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("episode_id", sa.String(200), nullable=False),
        sa.Column("category", sa.String(30), nullable=False),
        sa.Column("provenance", sa.String(30), nullable=False),
        sa.Column("subject", sa.String(30), nullable=False),
        sa.Column("text", sa.Text()),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("extracts", sa.JSON(), nullable=False),
        sa.Column("summary", sa.Text()),
        sa.Column("event_at", Instant()),
        sa.Column("verbatim", sa.Boolean(), nullable=False),
        sa.Column("third_parties", sa.JSON(), nullable=False),
        sa.Column("counselling", sa.Boolean(), nullable=False),
        sa.Column("offence_data", sa.Boolean(), nullable=False),
        sa.Column("special", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("written_by", sa.String(200), nullable=False),
        sa.Column("written_at", Instant(), nullable=False),
    )
    _append_only("item_version")


def _append_only(table: str) -> None:
    """Let the database itself refuse to change what was written: evidence for a court (R79)."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
    )
