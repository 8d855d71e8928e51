"""A broker that was killed may have forgotten what it handed out: up to where is that in doubt."""

import sqlalchemy as sa
from alembic import op

from messaging.schema import Key

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add to each partner the run of the broker that was last met."""
    with op.batch_alter_table("partner") as table:
        table.add_column(sa.Column("server", sa.String(), nullable=True))
        table.add_column(sa.Column("doubtful_up_to", Key, nullable=False, server_default="0"))
