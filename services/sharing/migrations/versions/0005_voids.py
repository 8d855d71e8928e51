"""Where the voids of a feed lie, so that those a broker lost can be put there again."""

import sqlalchemy as sa
from alembic import op

from messaging.schema import Key

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the place of its void to each release; voids of before count as read."""
    op.add_column("release", sa.Column("void_seq", Key, nullable=True))
    op.create_index(
        "release_void",
        "release",
        ["partner_key", "void_seq"],
        postgresql_where=sa.text("void_seq IS NOT NULL"),
        sqlite_where=sa.text("void_seq IS NOT NULL"),
    )
