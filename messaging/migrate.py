"""Forward-only migrations: one environment for all services, files beside each service."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from messaging.database import Database

_ENVIRONMENT = Path(__file__).with_name("migrations")


def configuration(versions: Path, connection: Connection | None = None) -> Config:
    """Return alembic's configuration for the migration files in `versions`."""
    config = Config()
    config.set_main_option("script_location", str(_ENVIRONMENT))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


async def migrate(
    database_url: str, versions: Path, ca: Path | None = None, password: Path | None = None
) -> None:
    """Bring a database to the newest version; safe when several processes try at once."""
    db = Database(database_url, ca, password)
    try:
        async with db.writing() as session:
            connection = await session.connection()
            await connection.run_sync(
                lambda sync: command.upgrade(configuration(versions, sync), "head")
            )
    finally:
        await db.dispose()
