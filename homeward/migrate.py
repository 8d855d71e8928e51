"""Migrate the databases of all services in one process, because loading is slow."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from messaging.migrate import migrate

SERVICES = Path(__file__).parent.parent / "services"


async def migrate_all(urls: Mapping[str, str]) -> None:
    """Migrate the database of each service, one after the other."""
    for service, url in urls.items():
        await migrate(url, SERVICES / service / "migrations" / "versions")


if __name__ == "__main__":
    asyncio.run(migrate_all(json.load(sys.stdin)))
