"""The lockdown: one person stops everything but what saves a life, and everybody hears of it.

Loading it is not like loading rules: it may take the place of a version that is being loaded, its
files are made here, so that nobody has to write any in a hurry, nothing leaves from the moment it
is asked for, and it is never given up.
"""

from datetime import UTC, datetime

from contracts import policies as contract
from messaging.app import App
from messaging.telemetry import get_logger
from services.sharing import policy_life
from services.sharing.policy_life_loading import REPLACED, give_up
from services.sharing.policy_tables import PolicyVersion
from services.sharing.urgency import raise_page

log = get_logger()

POLICY_LOCKDOWN = "policy_lockdown"
EVERYBODY = "*"
"""Stands for child and locality in a page about all of them: every locality is told."""


async def lock_down(app: App, who: policy_life.Person, reason: str) -> str:
    """Have every engine load the twin of the version that decides; return its digest.

    Done again it changes nothing. Raises UnfitPoliciesError where the files of the version that
    decides are not here: then the services have to be stopped instead.
    """
    now = app.clock.now()
    async with app.db.writing() as session:
        row = await policy_life.the_active(session)
        active = await session.get_one(PolicyVersion, row.digest)
        if active.locked:
            return active.digest
        files = contract.twin(policy_life.bytes_of(active))
        twin = await session.get(PolicyVersion, contract.digest(files))
        if twin is None:
            twin = await policy_life.draft(
                session, files, base=active.digest, author=None, note="", now=now
            )
        if row.loading == twin.digest:
            return twin.digest
        if row.loading is not None:
            await give_up(app, session, row, REPLACED)
        await policy_life.record(session, twin, "locked_down", who, now, code=reason)
        row.loading, row.loading_since, row.stopped = twin.digest, datetime.now(UTC), True
        for to in ("dsl", "on_call"):
            await raise_page(
                app,
                session,
                EVERYBODY,
                EVERYBODY,
                to=to,
                code=POLICY_LOCKDOWN,
                about=[twin.digest],
                cause=twin.digest,
                now=now,
            )
    log.error("policy.locked_down", policy_version=twin.version, reason=reason, role=who.role)
    return twin.digest
