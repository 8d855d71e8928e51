"""Take releases back from partners' feeds, and be certain of what can no longer be read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import feed
from messaging.app import App
from messaging.database import lock
from messaging.errors import AwayError
from messaging.telemetry import get_logger
from services.sharing import ledger
from services.sharing.feeds import Message, MovedOnError
from services.sharing.outlet import Outlet, reconsider
from services.sharing.sealing import envelope, sign_void
from services.sharing.tables import (
    CLAIMED,
    DELIVERED,
    ERASED,
    SENT,
    VOID,
    WITHDRAWN,
    Child,
    Release,
)

log = get_logger()

TRIES = 20
"""How often a publisher starts anew because another was faster; each time one of them gets on."""


class Taken(NamedTuple):
    """A release that a withdrawal met, as the answer names it."""

    release_id: str
    recipient: str
    number: int


@dataclass
class TakenBack:
    """What became of the releases that a withdrawal met."""

    cancelled: list[Taken] = field(default_factory=list)
    """Had a number but were never on a feed; a void event carries the number."""
    erased: list[Taken] = field(default_factory=list)
    """Were on a feed and can never be read now."""
    left: list[Taken] = field(default_factory=list)
    """Were read, or may have been, or could not be reached."""


async def stop(
    session: AsyncSession, child_id: str, recipients: frozenset[str] | None
) -> list[str]:
    """Stop what is on its way to the feeds; the caller has locked the child's row.

    Returns the ids of all releases that are, or may be, on a feed or read: hand them to
    `take_back` once this transaction has committed.
    """
    mine = (
        Release.child_id == child_id,
        Release.partner_key.is_not(None),
        Release.number.is_not(None),
        *((Release.recipient.in_(recipients),) if recipients is not None else ()),
    )
    states = (CLAIMED, SENT, DELIVERED, WITHDRAWN)
    chosen = select(Release.id).where(*mine, Release.state.in_(states)).order_by(Release.number)
    ids = list((await session.scalars(chosen)).all())
    await session.execute(
        update(Release).where(*mine, Release.state.in_((CLAIMED, SENT))).values(state=WITHDRAWN)
    )
    return ids


async def give_up(app: App, release_id: str) -> None:
    """Give up a claimed release whose decision no longer stands; the child is decided again."""
    async with app.db.writing() as session:
        chosen = select(Release.child_id).where(Release.id == release_id)
        child = await lock(session, Child, await session.scalar(chosen))
        release = await lock(session, Release, release_id)
        if child is not None and release is not None and release.state == CLAIMED:
            release.state = WITHDRAWN
            reconsider(session, child)


async def take_back(app: App, ids: Sequence[str], at: datetime) -> TakenBack:
    """Erase what lies unread; return by name what had left, what could be erased, what never left.

    Called after the transaction of `stop` has committed. A broker that is away means `left`, and
    the relay erases when it is back what is unread even then.
    """
    outlet: Outlet = app.state["outlet"]
    answer = TakenBack()
    if ids:
        await outlet.checkpoint(timedelta(0))  # the voids tell partners of an entry that says why
    for release_id in ids:
        try:
            state = await resolve(outlet, release_id)
        except AwayError as error:
            log.warning("withdrawal.away", peer=error.who, reason=error.why)
            state = WITHDRAWN
        async with app.db.reading() as session:
            release = await session.get(Release, release_id)
        if release is None:
            continue
        taken = Taken(release.id, release.recipient, int(release.number or 0))
        if state == VOID:
            answer.cancelled.append(taken)
        elif state == ERASED:
            answer.erased.append(taken)
        else:
            answer.left.append(taken)
    return answer


async def resolve(outlet: Outlet, release_id: str) -> str:
    """Bring one withdrawn release to its end and return its state then. Raises AwayError.

    `void`: it was never on the feed. `erased`: it was, and nobody read it. `sent` or `delivered`:
    it was read, or may have been. In the first two a void event holds its number.
    """
    async with outlet.app.db.reading() as session:
        partner = await session.scalar(select(Release.partner_key).where(Release.id == release_id))
    async with outlet.taking_back(str(partner)):
        async with outlet.app.db.reading() as session:
            release = await session.get(Release, release_id)
        if release is None or release.state != WITHDRAWN:
            return release.state if release is not None else VOID
        if release.stream_seq is None:
            place = await _put_void_in_its_place(outlet, release)
            if place.void:
                # a void stands there; but an earlier copy may have been read before a loss
                state = VOID if release.sent_at is None else SENT
                return await _end(outlet, release, state, void_seq=place.seq)
            release.stream_seq = place.seq
        return await _erase(outlet, release)


class Place(NamedTuple):
    """Where in the stream a release's number stands, and whether as a void."""

    seq: int
    void: bool


async def _put_void_in_its_place(outlet: Outlet, release: Release) -> Place:
    """Publish the void under the release's own message id; return what lies there then.

    The broker takes one message of an id: either the release was there before, and is found, or
    it can never get in any more. Beyond the time for which the broker remembers ids, the place in
    the stream decides the same way.
    """
    partner = str(release.partner_key)
    for _ in range(TRIES):
        after = await outlet.known_end(partner)
        async with outlet.app.db.reading() as session:
            now = await session.get(Release, release.id)
        if now is not None and now.stream_seq is not None:
            return Place(now.stream_seq, void=False)
        release.sent_at = now.sent_at if now is not None else release.sent_at
        try:
            put = await outlet.feeds.put(
                partner, "void", await _void(outlet, release), msg_id=release.id, after=after
            )
        except MovedOnError:
            await outlet.catch_up(partner)
            continue
        await outlet.note_end(partner, put.seq)
        if not put.again:
            return Place(put.seq, void=True)
        there = await outlet.feeds.message(partner, put.seq)
        # gone means: the partner has acknowledged it, whatever it was
        return Place(put.seq, void=there is not None and there.subject.endswith(".void"))
    raise AwayError("broker", "busy")


async def _erase(outlet: Outlet, release: Release) -> str:
    """Delete first, look afterwards: what was handed out before the deletion shows then.

    Looking first and deleting then would miss a partner that reads in between.
    """
    partner, seq = str(release.partner_key), int(release.stream_seq or 0)
    server = await outlet.meet(partner)
    there = await outlet.feeds.message(partner, seq)
    if there is None or there.msg_id != release.id:
        return await _end(outlet, release, SENT)  # acknowledged, or lost with its stream
    before = await outlet.feeds.position(partner)
    if before.delivered >= seq:
        return await _end(outlet, release, SENT)
    await outlet.pause("unread", release.id)
    if not await outlet.feeds.erase(partner, seq):
        return await _end(outlet, release, SENT)  # acknowledged a moment ago
    unread = await _was_unread(outlet, partner, there, server)
    void_seq = await put_void_after(outlet, release)
    return await _end(outlet, release, ERASED if unread else SENT, void_seq=void_seq)


async def put_void_after(outlet: Outlet, release: Release) -> int:
    """Publish the void that holds the number of an erased release; return where it lies."""
    partner = str(release.partner_key)
    for _ in range(TRIES):
        after = await outlet.known_end(partner)
        msg_id = f"{release.id}.void"
        try:
            put = await outlet.feeds.put(
                partner, "void", await _void(outlet, release), msg_id=msg_id, after=after
            )
        except MovedOnError:
            await outlet.catch_up(partner)
            continue
        await outlet.note_end(partner, put.seq)
        return put.seq
    raise AwayError("broker", "busy")


async def _was_unread(outlet: Outlet, partner: str, erased: Message, server: str) -> bool:
    """Tell whether nobody can have read `erased`, as things stand after its deletion.

    A durable that is younger than the message has forgotten what it handed out. On a cluster the
    server that hands out may delete a little later than the one that answered us, unless they are
    the same. A single server must not have been started again since the message was put there.
    """
    position = await outlet.feeds.position(partner)
    _, leader = await outlet.feeds.end(partner)
    if position.leader is None and not await outlet.certain(partner, erased.seq, server):
        return False
    return (
        position.delivered < erased.seq
        and position.leader in {None, leader}
        and position.since is not None
        and erased.at is not None
        and position.since <= erased.at
    )


async def _void(outlet: Outlet, release: Release) -> bytes:
    partner, number = str(release.partner_key), int(release.number or 0)
    at = outlet.app.clock.now()
    signed = sign_void(
        outlet.keys,
        partner=partner,
        release_id=release.id,
        number=number,
        at=at,
        checkpoint=await outlet.checkpoint(),
    )
    return envelope(
        feed.VOID,
        signed,
        event_id=f"{release.id}.void",
        release_id=release.id,
        number=number,
        at=at,
        source=outlet.source,
    )


async def _end(outlet: Outlet, release: Release, state: str, *, void_seq: int | None = None) -> str:
    """Write down how a withdrawn release ended; return the state that stands."""
    now = outlet.app.clock.now()
    async with outlet.app.db.writing() as session:
        found = await lock(session, Release, release.id)
        if found is None or found.state != WITHDRAWN:
            return found.state if found is not None else state
        found.state, found.stream_seq, found.void_seq = state, release.stream_seq, void_seq
        if state == SENT and found.stream_seq is not None:
            found.sent_at = found.sent_at or now
        else:
            found.sealed = None  # a void has its place: no repair may send it once more
        entry = {
            "release_id": found.id,
            "recipient": found.recipient,
            "number": found.number,
            "action": state if state != SENT else "left",
        }
        await ledger.append(session, "taken_back", entry, now)
    return state
