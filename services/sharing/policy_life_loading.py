"""Loading another version: every engine has to have it and answer the known cases, then it decides.

Each process of `sharing` watches its own engine and says what it saw. The last one to see the new
version moves the one row that decides who may release; a process that lags behind reads that row in
each transaction and releases nothing meanwhile.
"""

import asyncio
import os
import secrets
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from messaging.errors import AwayError
from messaging.telemetry import get_logger, register_keys
from services.sharing import policy_data, policy_life
from services.sharing.children import RECONSIDER
from services.sharing.domain.versions import Life
from services.sharing.parts import Gate, gate
from services.sharing.policy import NoDecisionError, Policy
from services.sharing.policy_life_known import answered_otherwise
from services.sharing.policy_tables import PolicyActive, PolicyEngine, PolicyStep, PolicyVersion

log = get_logger()
register_keys({"policy_version", "policy_digest"})

WAKE = "policy"
AGAIN = "policy_again"
LOOK_S = 1.0
LOOK_LOADING_S = 0.2
_SAY_S = 4.0
"""How often a process says that it is there, where nothing has changed."""
STALE = timedelta(seconds=15)
"""A process that has said nothing for so long has ended and is not waited for."""

NOT_LOADED, KNOWN_CASE, REPLACED = "not_loaded", "known_case", "replaced"
"""Why loading was given up."""


async def watch_policy(app: App) -> None:
    """Follow which version decides and which one this process's engine has, for ever."""
    watch = Watch(app)
    await _go_on(app)
    while True:
        loading = await watch.look()
        await app.woken(WAKE, LOOK_LOADING_S if loading else LOOK_S)


async def _go_on(app: App) -> None:
    """Begin anew to wait for engines where all who waited for them have ended meanwhile."""
    async with app.db.writing() as session:
        if app.db.sqlite:  # one process has the file: whoever else is named has ended
            await session.execute(delete(PolicyEngine))
        row = await policy_life.the_active(session)
        if row.loading is not None and not await _fresh(session):
            row.loading_since = datetime.now(UTC)


@dataclass
class Watch:
    """What one process has seen of its engine."""

    app: App
    process: str = field(
        default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
    )
    candidate: Policy | None = None
    """Asks in the name of the version that is being loaded, once its data are at hand."""
    known: bool = False
    refused: str | None = None
    _said: tuple[object, ...] = ()
    _said_at: float = float("-inf")
    _complained: str = ""

    async def look(self) -> bool:
        """Look once, and take the step that is due; tell whether a version is being loaded."""
        async with self.app.db.reading() as session:
            row = await session.get(PolicyActive, 1)
        if row is None:
            return False
        here = gate(self.app)
        if row.digest != here.policy.digest:
            await self._follow(here, row)
        if row.loading is None:
            self.candidate, self.known, self.refused = None, False, None
            await self._serves(here)
            await self._say(here.policy.digest if here.serves else None)
            return False
        if not self.known and self.refused != row.loading:
            await self._load(row.loading)
        await self._say(row.loading if self.known else None)
        await self._end(row.loading)
        return True

    async def _follow(self, here: Gate, row: PolicyActive) -> None:
        """Decide by the version that decides now."""
        if self.candidate is not None and self.candidate.digest == row.digest:
            policy, serves = self.candidate, self.known
        else:
            data = await data_of(self.app, row.digest)
            policy, serves = here.policy.other(row.digest, data), False
        here.change_to(policy)
        here.serves = serves
        log.info("policy.changed", policy_version=row.version, policy_digest=row.digest)
        for name in (RECONSIDER, "delivery", AGAIN):
            self.app.wake(name)

    async def _serves(self, here: Gate) -> None:
        """See whether the engine decides by the right version; while it is away it is as before."""
        try:
            await here.policy.ready()
        except AwayError as error:
            if error.why != "digest":
                return
            here.serves = False
            if self._complained != here.policy.digest:
                self._complained = here.policy.digest
                log.error(
                    "policy.engine_has_another_version",
                    policy_version=here.data.version,
                    policy_digest=here.policy.digest,
                )
        else:
            if not here.serves:
                self.app.wake("delivery")
            here.serves, self._complained = True, ""

    async def _load(self, digest: str) -> None:
        """Ask the engine the known cases, once it has the version and so have we."""
        files = policy_life.files_at_hand(self.app, digest)
        if not files:
            return
        candidate = gate(self.app).policy.other(digest, policy_data.of(files))
        try:
            await candidate.ready()
            wrong = await answered_otherwise(self.app, candidate)
        except (AwayError, NoDecisionError):
            return  # it does not have it yet, or was too slow to say
        self.candidate, self.known = candidate, not wrong
        if wrong:
            self.refused = digest
            log.error("policy.known_case_differs", policy_digest=digest, count=len(wrong))

    async def _say(self, digest: str | None) -> None:
        """Write down what this process saw, where it changed or was said long ago."""
        now = time.monotonic()
        says = (digest, self.known, self.refused)
        if says == self._said and now - self._said_at < _SAY_S:
            return
        async with self.app.db.writing() as session:
            row = PolicyEngine(process=self.process, seen_at=datetime.now(UTC))
            row.digest, row.known, row.refused = says
            await session.merge(row)
            long_ago = datetime.now(UTC) - 20 * STALE
            await session.execute(delete(PolicyEngine).where(PolicyEngine.seen_at < long_ago))
        self._said, self._said_at = says, now

    async def _end(self, loading: str) -> None:
        """Let the loaded version decide, or give loading up."""
        async with self.app.db.writing() as session:
            row = await policy_life.the_active(session)
            if row.loading != loading or row.loading_since is None:
                return
            fresh = await _fresh(session)
            if fresh and all(one.digest == loading and one.known for one in fresh):
                await _activate(self.app, session, row)
            elif row.stopped:
                return  # nothing leaves meanwhile, so that it need never be given up
            elif any(one.refused == loading for one in fresh):
                await give_up(self.app, session, row, KNOWN_CASE)
            elif datetime.now(UTC) - row.loading_since > self._patience:
                await give_up(self.app, session, row, NOT_LOADED)
            else:
                return
        self.app.wake(WAKE)

    @property
    def _patience(self) -> timedelta:
        return timedelta(seconds=self.app.settings.policy_loading_s)


async def data_of(app: App, digest: str) -> policy_data.PolicyData:
    """Return the data of a version: of the engine's own files, else of what was drafted."""
    files = await asyncio.to_thread(policy_life.files_at_hand, app, digest)
    if not files:
        async with app.db.reading() as session:
            version = await session.get(PolicyVersion, digest)
        files = policy_life.bytes_of(version) if version is not None else {}
    return policy_data.of(files) if files else policy_data.load(app.settings.policies)


async def _fresh(session: AsyncSession) -> list[PolicyEngine]:
    since = datetime.now(UTC) - STALE
    return list(await session.scalars(select(PolicyEngine).where(PolicyEngine.seen_at > since)))


async def _activate(app: App, session: AsyncSession, row: PolicyActive) -> None:
    """Let the version that every engine has decide from this transaction on."""
    now = app.clock.now()
    new = await session.get_one(PolicyVersion, row.loading)
    old = await session.get_one(PolicyVersion, row.digest)
    who = await _asked_by(session, new)
    await policy_life.record(session, old, "superseded", who, now)
    if await _ruled_before(session, new):
        await policy_life.record(session, new, "rolled_back", who, now)
    await policy_life.record(session, new, "activated", who, now)
    row.digest, row.version, row.since = new.digest, new.version, now
    row.loading, row.loading_since, row.stopped = None, None, False


async def give_up(app: App, session: AsyncSession, row: PolicyActive, why: str) -> None:
    """Let the version that decides stay; the one that was loading may be activated again."""
    version = await session.get_one(PolicyVersion, row.loading)
    await policy_life.record(
        session, version, "given_up", policy_life.NOBODY, app.clock.now(), code=why
    )
    row.loading = row.loading_since = None
    log.error("policy.given_up", policy_version=version.version, reason=why)


async def _asked_by(session: AsyncSession, version: PolicyVersion) -> policy_life.Person:
    chosen = select(PolicyStep.by, PolicyStep.role).where(
        PolicyStep.digest == version.digest, PolicyStep.kind.in_(("loading", "locked_down"))
    )
    found = (await session.execute(chosen.order_by(PolicyStep.seq.desc()).limit(1))).first()
    return policy_life.Person(*found) if found else policy_life.NOBODY


async def _ruled_before(session: AsyncSession, new: PolicyVersion) -> bool:
    """Tell whether a version that rules alike, under another label, has decided before."""
    same = select(PolicyVersion).where(
        PolicyVersion.content == new.content, PolicyVersion.digest != new.digest
    )
    lives: list[Life] = [
        await policy_life.life_of(session, one) for one in await session.scalars(same)
    ]
    return any(life.comes_back for life in lives)
