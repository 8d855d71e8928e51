"""What delivering to feeds and taking back from them share: keys, broker, what is known of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from messaging.database import lock, wake
from messaging.telemetry import get_logger, register_keys
from services.sharing import quarantine
from services.sharing.checkpoints import FRESH, Signer, for_leaving
from services.sharing.children import RECONSIDER
from services.sharing.feeds import Feeds, Message
from services.sharing.policy_tables import ACTIVE_DIGEST
from services.sharing.sealing import Keys
from services.sharing.tables import CLAIMED, SENT, WITHDRAWN, Child, Partner, Recipient, Release

log = get_logger()
register_keys({"release_id", "partner", "number"})

GONE_MAX = 16
"""Voids that were accounted for late and are read by now; beyond these, and two messages for each
release in doubt, what was read and is gone was sent by a newer database."""

Who = Callable[[App, str], Awaitable[Mapping[str, Any]]]
Pause = Callable[[str, str], Awaitable[None]]


async def ask_referral(app: App, child_id: str) -> Mapping[str, Any]:
    """Return what `referral` holds about a child; never kept."""
    told: Mapping[str, Any] = await app.edges["referral"].get(f"/children/{child_id}")
    return told


async def no_pause(_place: str, _release_id: str) -> None:
    """Go on at once; tests stop here: `decided claimed checked published`, `unread`."""


@dataclass
class Outlet:
    """One for each process of `sharing`."""

    app: App
    read_keys: Callable[[], Keys]
    """Read again when the signing key was replaced."""
    feeds: Feeds
    who: Who = ask_referral
    serves: Callable[[], bool] = lambda: True
    """Whether the policy engine beside this process decides by the version that decides."""
    turn_of: Callable[[str], tuple[bool, int]] = lambda _: (True, 0)
    """When a type of recipient is told, the least first."""
    pause: Pause = no_pause
    signer: Callable[[], Signer] | None = None
    """The ledger's; None: nothing that leaves carries a checkpoint."""
    looked: set[str] = field(default_factory=set)
    """Partners whose feeds this process has compared with what the database knows of them."""
    looked_through: dict[str, str] = field(default_factory=dict)
    """Of each partner the run of the broker in which all that is unread was looked for."""
    unsealable: set[str] = field(default_factory=set)
    """Releases that cannot be sealed: said once, left where they are, counted as waiting."""
    _met: dict[str, str] = field(default_factory=dict)
    _asking: dict[tuple[str, int], asyncio.Future[Mapping[str, Any]]] = field(default_factory=dict)
    _delivering: dict[str, asyncio.Lock] = field(default_factory=dict)
    _taking_back: dict[str, asyncio.Lock] = field(default_factory=dict)

    @property
    def keys(self) -> Keys:
        """Return what we sign with now."""
        return self.read_keys()

    @property
    def source(self) -> str:
        """Return the CloudEvent source of our feed events."""
        return f"urn:homeward:{self.keys.issuer}:sharing"

    def delivering(self, partner: str) -> asyncio.Lock:
        """Return the lock under which this process delivers to one partner."""
        return self._delivering.setdefault(partner, asyncio.Lock())

    def taking_back(self, partner: str) -> asyncio.Lock:
        """Return the lock under which it takes back; never waits for a delivery to be over."""
        return self._taking_back.setdefault(partner, asyncio.Lock())

    async def checkpoint(self, within: timedelta = FRESH) -> dict[str, Any] | None:
        """Return the checkpoint that goes out with what leaves now."""
        if self.signer is None:
            return None
        return await for_leaving(self.app.db, self.signer(), self.app.clock.now(), within)

    async def ask_who(self, child_id: str, epoch: int) -> Mapping[str, Any]:
        """Return who a child is; feeds that need it at the same moment share one question.

        Not across epochs: a question of before may not know of the change that raised it.
        """
        name = child_id, epoch
        asking = self._asking.get(name)
        if asking is None:
            asking = self._asking[name] = asyncio.ensure_future(self.who(self.app, child_id))
            asking.add_done_callback(lambda _: self._asking.pop(name))
        return await asyncio.shield(asking)

    async def meet(self, partner: str) -> str:
        """Note how far the feed went when this run of the broker was first met; return its id.

        A broker writes down up to a tenth of a second late what it handed out. Killed in between,
        it takes for unread what a partner holds: of what was there before, nothing is certain.
        Raises AwayError.
        """
        server = self.feeds.server()
        if self._met.get(partner) != server:
            end, _ = await self.feeds.end(partner)
            other = Partner.server.is_distinct_from(server)
            noted = update(Partner).where(Partner.key == partner, other)
            async with self.app.db.writing() as session:
                await session.execute(noted.values(server=server, doubtful_up_to=end))
            self._met[partner] = server
        return server

    async def certain(self, partner: str, seq: int, server: str) -> bool:
        """Tell whether this run of the broker, and it alone, could hand out what lies at `seq`."""
        async with self.app.db.reading() as session:
            row = await session.get(Partner, partner)
        known = row is not None and row.server == server and seq > row.doubtful_up_to
        return known and self.feeds.server() == server

    async def known_end(self, partner: str) -> int:
        """Return the last sequence of the stream up to which every message is accounted for."""
        async with self.app.db.reading() as session:
            found = await session.scalar(select(Partner.stream_seq).where(Partner.key == partner))
        return int(found or 0)

    async def note_end(self, partner: str, seq: int) -> None:
        """Remember that every message up to `seq` is accounted for."""
        async with self.app.db.writing() as session:
            await accounted(session, partner, seq)

    async def catch_up(self, partner: str) -> None:
        """Account for messages in the stream that we do not know of. Raises AwayError.

        They come from a publish whose answer was lost, or from another process. A stream that ends
        before what we know was lost with its broker: what was sent and not acknowledged goes out
        once more, under its numbers and as the same bytes. One that holds what we have never heard
        of was written by a database newer than ours: then nothing may leave (see quarantine.py).
        """
        known = await self.known_end(partner)
        end, _ = await self.feeds.end(partner)
        found = [await self.feeds.message(partner, seq) for seq in range(known + 1, end + 1)]
        left = await self._left_in(partner) if end < known else {}
        async with self.app.db.writing() as session:
            row = await lock(session, Partner, partner)
            if row is None or row.stream_seq != known:
                return  # another has done it
            if end < known:
                log.warning("delivery.stream_lost", partner=partner, count=len(left))
                await _send_again(session, partner, left)
            else:
                await self._account(session, partner, found)
                if await _never_heard_of(session, partner, found):
                    await quarantine.begin(session, quarantine.BEHIND, self.app.clock.now())
            row.stream_seq = end

    async def _left_in(self, partner: str) -> dict[tuple[str, bool], int]:
        """Return what a stream that lost its end still holds: release, whether a void → place."""
        contents = await self.feeds.contents(partner)
        left = {}
        for seq in range(contents.first, contents.last + 1):
            message = await self.feeds.message(partner, seq) if contents.holds(seq) else None
            if message is not None:
                left[message.release_id, message.subject.endswith(".void")] = seq
        return left

    async def _account(
        self, session: AsyncSession, partner: str, found: list[Message | None]
    ) -> None:
        in_doubt = (
            Release.partner_key == partner,
            Release.state.in_((CLAIMED, WITHDRAWN)),
            Release.stream_seq.is_(None),
        )
        for message in found:
            if message is None:
                # The partner has acknowledged it, so it is gone: it may have been any of these.
                now = self.app.clock.now()
                unsure = update(Release).where(*in_doubt, Release.sent_at.is_(None))
                await session.execute(unsure.values(sent_at=now))
            elif message.subject.endswith(".release"):
                known = update(Release).where(*in_doubt, Release.id == message.msg_id)
                await session.execute(known.values(stream_seq=message.seq))


async def _never_heard_of(session: AsyncSession, partner: str, found: list[Message | None]) -> bool:
    """Tell whether messages lie in a feed, or lay there, that this database cannot have sent."""
    ids = {message.release_id for message in found if message is not None}
    numbered = (Release.partner_key == partner, Release.number.is_not(None))
    known = set(await session.scalars(select(Release.id).where(*numbered, Release.id.in_(ids))))
    if ids - known:
        return True
    gone = sum(message is None for message in found)
    if gone <= GONE_MAX:
        return False
    in_doubt = Release.state.in_((CLAIMED, WITHDRAWN))
    doubtful = await session.scalar(select(func.count()).where(*numbered, in_doubt))
    return gone > GONE_MAX + 2 * int(doubtful or 0)


async def _send_again(
    session: AsyncSession, partner: str, left: Mapping[tuple[str, bool], int]
) -> None:
    """Put back into the queue what the stream held and does not any more, voids too.

    `sent_at` stays: a release may have been read before. What is `left` there stays where it lies:
    beyond the time for which the broker remembers ids, it would be there twice.
    """
    mine = (Release.partner_key == partner, Release.sealed.is_not(None))
    states = Release.state.in_((SENT, CLAIMED, WITHDRAWN))
    for release in await session.scalars(select(Release).where(*mine, states)):
        release.stream_seq = left.get((release.id, False))
        if release.state == SENT and release.stream_seq is None:
            release.state = CLAIMED
    voids = select(Release).where(Release.partner_key == partner, Release.void_seq.is_not(None))
    for release in await session.scalars(voids):
        release.void_seq = left.get((release.id, True), 0)


async def accounted(session: AsyncSession, partner: str, seq: int) -> None:
    """Remember in this transaction that all messages up to `seq` are accounted for."""
    one_more = update(Partner).where(Partner.key == partner, Partner.stream_seq == seq - 1)
    await session.execute(one_more.values(stream_seq=seq))


def stands(digest: str, release: Any, child: Any, recipient: Any) -> bool:
    """Tell whether everything that `release` was decided on is as it was.

    `digest` is that of the policies that decide, as this transaction sees it; the others are rows,
    None where there is no such recipient any more.
    """
    return bool(
        release.epoch == child.epoch
        and recipient is not None
        and recipient.active
        and recipient.version == release.recipient_version
        and recipient.partner_key == release.partner_key
        and release.policy_digest == digest
    )


def moved_on() -> Any:
    """Return the condition under which a joined release, child and recipient no longer `stand`."""
    return or_(
        Release.epoch != Child.epoch,
        Release.recipient_version != Recipient.version,
        Recipient.active.is_(False),
        Recipient.partner_key.is_distinct_from(Release.partner_key),
        Release.policy_digest.is_distinct_from(ACTIVE_DIGEST),
    )


def reconsider(session: AsyncSession, child: Child) -> None:
    """Have every pair of this child looked at again."""
    child.dirty = True
    wake(session, RECONSIDER)
