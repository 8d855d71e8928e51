"""How far this service has compared with its publishers, and which of their events it lacks."""

from alembic import op

from messaging.schema import create_v2

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables that every service has since it compares."""
    create_v2(op)
