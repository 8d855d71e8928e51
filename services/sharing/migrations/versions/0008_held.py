"""What is held is found without reading what is not: it is asked again after a change of rules."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Index the decisions that hold something."""
    op.create_index(
        "decision_held",
        "decision",
        ["child_id", "policy_digest"],
        postgresql_where=sa.text("current AND decision = 'defer'"),
        sqlite_where=sa.text("current = 1 AND decision = 'defer'"),
    )
