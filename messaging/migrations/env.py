"""Alembic's environment, the same for every service; it is given its connection."""

from alembic import context
from sqlalchemy import func, select

connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    # several processes of one service may start at once: the later ones wait here
    connection.execute(select(func.pg_advisory_xact_lock(0x686F6D65)))
context.configure(connection=connection, render_as_batch=True, transactional_ddl=True)
# the transaction is the caller's, so that a failed migration leaves nothing behind
context.run_migrations()
