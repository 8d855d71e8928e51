"""Which version of the policies may release, read by whoever releases in its own transaction."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.errors import AwayError
from services.sharing.policy_tables import ACTIVE, THE_ROW

PATIENCE = timedelta(seconds=10)
"""How long a question without an answer waits for engines that load; then it is a hold."""

# made once; shared, so that nothing that releases waits for another, and the change of the version
# waits for all of them. On SQLite a writing transaction is alone anyway.
_READ = (
    select(
        ACTIVE.c.digest,
        ACTIVE.c.version,
        ACTIVE.c.loading,
        ACTIVE.c.loading_since,
        ACTIVE.c.stopped,
    )
    .where(THE_ROW)
    .with_for_update(read=True)
)


class VersionMovedError(AwayError):
    """Another version may release now, or soon: nothing is recorded, and the child is asked again.

    It stays dirty and is looked at again within seconds.
    """

    def __init__(self, why: str) -> None:
        super().__init__("policy", why)


@dataclass(frozen=True)
class Deciding:
    """The version that decides, and whether engines are just loading another."""

    digest: str
    version: str
    loading: str | None
    loading_since: datetime | None
    stopped: bool
    """Nothing may leave until every engine has the lockdown that is being loaded."""

    def waits_for_engines(self) -> bool:
        """Tell whether a missing answer is most likely due to engines that load."""
        since = self.loading_since
        return since is not None and datetime.now(UTC) - since < PATIENCE


async def deciding(session: AsyncSession) -> Deciding | None:
    """Return which version decides; it stays so until the end of this transaction."""
    row = (await session.execute(_READ)).first()
    return None if row is None else Deciding(*row)
