"""A partner's keys can be replaced, and a partner can leave."""

import sqlalchemy as sa
from alembic import op

from messaging.schema import Instant

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Remember when a partner left, and which keys it may never come back with."""
    with op.batch_alter_table("partner") as partner:
        partner.add_column(sa.Column("revoked_at", Instant(), nullable=True))
        partner.add_column(sa.Column("former_nkeys", sa.JSON(), nullable=True))
