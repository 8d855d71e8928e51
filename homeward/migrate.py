"""Migrate the databases of all services in one process, because loading is slow."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from messaging.migrate import migrate

SERVICES = Path(__file__).parent.parent / "services"


async def migrate_all(targets: Sequence[str]) -> None:
    """Migrate each `<service>=<database url>`, one after the other."""
    for target in targets:
        service, _, url = target.partition("=")
        await migrate(url, SERVICES / service / "migrations" / "versions")


if __name__ == "__main__":
    asyncio.run(migrate_all(sys.argv[1:]))
