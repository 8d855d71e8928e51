"""From a permitted release to a partner's feed: claim a number, seal, publish, in strict order."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, not_, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import feed
from contracts.sharing import ReleaseDelivered
from messaging.app import App
from messaging.database import lock
from messaging.edge import NotFoundThereError, RefusedThereError
from messaging.errors import AwayError
from messaging.telemetry import get_logger
from messaging.transaction import emit
from services.sharing import ledger
from services.sharing.feeds import Feeds, MovedOnError, jetstream_of
from services.sharing.outlet import Outlet, accounted, moved_on, reconsider, stands
from services.sharing.receipts import receipts_due
from services.sharing.sealing import (
    Keys,
    UnsealableError,
    body,
    envelope,
    needs_names,
    seal,
    sha256,
)
from services.sharing.tables import (
    CLAIMED,
    QUEUED,
    SENT,
    WITHDRAWN,
    Child,
    Partner,
    Recipient,
    Release,
)
from services.sharing.taking_back import Taken, TakenBack, give_up, resolve, stop, take_back

__all__ = [
    "Taken",
    "TakenBack",
    "deliver",
    "deliver_once",
    "receipts_due",
    "set_up",
    "stop",
    "take_back",
    "undelivered",
]

log = get_logger()

BATCH = 16
"""Releases of one partner claimed in one transaction; more would lock more children at once."""
SAFETY_S = 1.0
TRIES = 20
"""How often in a row others may get in between before this round is left to the next one."""
SEALED_BYTES_MAX = 900_000
"""The broker takes messages of a mebibyte; a larger one would stand in the way of all after it."""

Ready = tuple[str, str, dict[str, Any]]
"""Release, child, and what will be signed."""


async def set_up(app: App) -> Outlet:
    """Make the outlet of this process and keep it in the app's state; called once at the start."""
    settings = app.settings
    keys = Keys.read(
        settings.signing_key, settings.id_key, settings.pseudonym_key, settings.feed_issuer
    )
    outlet = Outlet(app, keys, Feeds(lambda: jetstream_of(app)))
    app.state["outlet"] = outlet
    return outlet


async def deliver(app: App) -> None:
    """Deliver for ever; woken by each commit that permits a release, else each second."""
    outlet: Outlet = app.state["outlet"]
    while True:
        await deliver_once(outlet)
        await app.woken("delivery", SAFETY_S)


async def undelivered(app: App) -> int:
    """Return how many releases wait for a feed (a `pending` count)."""
    async with app.db.reading() as session:
        waiting = Release.state.in_((QUEUED, CLAIMED, WITHDRAWN)) & Release.partner_key.is_not(None)
        return int(await session.scalar(select(func.count()).where(waiting)) or 0)


async def deliver_once(outlet: Outlet) -> None:
    """Deliver all that can be delivered now; a partner that is away holds up no other."""
    async with outlet.app.db.reading() as session:
        under_way = Release.state.in_((QUEUED, CLAIMED, WITHDRAWN))
        chosen = select(Release.partner_key).where(under_way, Release.partner_key.is_not(None))
        partners = (await session.scalars(chosen.distinct())).all()
    results = await asyncio.gather(
        *(_drain(outlet, str(partner)) for partner in partners), return_exceptions=True
    )
    for partner, result in zip(partners, results, strict=True):
        if isinstance(result, AwayError):
            log.info("delivery.away", partner=partner, peer=result.who, reason=result.why)
        elif isinstance(result, Exception):
            outlet.app.metrics.failures.labels("delivery").inc()
            log.warning("delivery.failed", partner=partner, exc_info=result)
        elif isinstance(result, BaseException):
            raise result


async def _drain(outlet: Outlet, partner: str) -> None:
    """Deliver everything of one partner in the order of its numbers. Raises AwayError."""
    in_vain = 0
    async with outlet.delivering(partner):
        while in_vain < TRIES:
            numbered = await _numbered(outlet.app, partner)
            for release in numbered:
                in_vain += 1
                if release.state == WITHDRAWN:
                    await resolve(outlet, release.id)
                elif not await _send(outlet, release):
                    break  # the next ones have to be looked at again
                in_vain = 0
            if not numbered and not await _claim(outlet, partner):
                return


async def _numbered(app: App, partner: str) -> Sequence[Release]:
    """Return releases that have a number and are not yet on the feed, lowest first."""
    async with app.db.reading() as session:
        chosen = select(Release).where(_has_number(partner)).order_by(Release.number).limit(BATCH)
        return (await session.scalars(chosen)).all()


def _has_number(partner: str) -> Any:
    return (Release.partner_key == partner) & Release.state.in_((CLAIMED, WITHDRAWN))


# Claim


def _queued(partner: str, *what: Any) -> Select[Any]:
    return (
        select(*what)
        .join(Child, Child.id == Release.child_id)
        .join(
            Recipient,
            (Recipient.child_id == Release.child_id) & (Recipient.key == Release.recipient),
        )
        .where(Release.partner_key == partner, Release.state == QUEUED)
    )


async def _claim(outlet: Outlet, partner: str) -> int:
    """Give the oldest releases that still stand their numbers and seal them; return how many."""
    moved = moved_on(outlet.app)
    async with outlet.app.db.reading() as session:
        chosen = (
            _queued(partner, Release, Recipient.type)
            .where(not_(moved), Release.id.not_in(outlet.unsealable))
            .order_by(Release.permitted_at, Release.id)
            .limit(BATCH)
        )
        found = [(row[0], str(row[1])) for row in (await session.execute(chosen)).all()]
        stale = _queued(partner, Release.child_id).where(moved, Child.dirty.is_(False)).distinct()
        forgotten = (await session.scalars(stale)).all()
    for child_id in forgotten:
        await _decide_again(outlet.app, child_id)
    ready = await _ready(outlet, found)
    for release_id, _, _ in ready:
        await outlet.pause("decided", release_id)
    if not ready:
        return 0
    async with outlet.app.db.writing() as session:
        return await _claim_in(outlet, session, partner, ready)


async def _decide_again(app: App, child_id: str) -> None:
    async with app.db.writing() as session:
        child = await lock(session, Child, child_id)
        if child is not None:
            reconsider(session, child)


async def _ready(outlet: Outlet, found: Sequence[tuple[Release, str]]) -> list[Ready]:
    """Return what will be signed for each release where it can be said now. Raises AwayError."""
    who: dict[str, Mapping[str, Any]] = {}
    ready: list[Ready] = []
    for release, recipient_type in found:
        child_id = release.child_id
        try:
            if needs_names(recipient_type) and child_id not in who:
                who[child_id] = await outlet.who(outlet.app, child_id)
            told = body(
                outlet.keys,
                release.content or {},
                partner=str(release.partner_key),
                recipient_type=recipient_type,
                child_id=child_id,
                episode_id=release.episode_id,
                item_id=release.item_id,
                child=who.get(child_id),
            )
        except (NotFoundThereError, RefusedThereError):
            log.warning("delivery.child_unknown", release_id=release.id)
        except UnsealableError:
            _say_unsealable(outlet, release)
        else:
            ready.append((release.id, child_id, told))
    return ready


def _say_unsealable(outlet: Outlet, release: Release) -> None:
    outlet.unsealable.add(release.id)
    outlet.app.metrics.failures.labels("sealing").inc()
    log.error("delivery.unsealable", release_id=release.id, partner=release.partner_key)


async def _claim_in(
    outlet: Outlet, session: AsyncSession, name: str, ready: Sequence[Ready]
) -> int:
    """Claim under the locks of the partner's row of numbers and of each child's row.

    Children are locked in the order of their ids: two relays at once never wait in a circle.
    """
    partner = await lock(session, Partner, name)
    if partner is None or await session.scalar(
        select(Release.id).where(_has_number(name)).limit(1)
    ):
        return 0  # another relay has been here: what it numbered goes first
    children = {
        child_id: await lock(session, Child, child_id)
        for child_id in sorted({child_id for _, child_id, _ in ready})
    }
    claimed, now = 0, outlet.app.clock.now()
    for release_id, child_id, told in ready:
        release = await lock(session, Release, release_id)
        child = children[child_id]
        if release is None or child is None or release.state != QUEUED:
            continue
        if not await stands(session, outlet.app, release, child):
            reconsider(session, child)
            continue
        try:
            sealed = seal(
                outlet.keys,
                told,
                partner=name,
                jwk=partner.jwk,
                release_id=release.id,
                number=partner.next_number,
                at=now,
            )
            if len(sealed) > SEALED_BYTES_MAX:
                raise UnsealableError("too large for a feed")
        except (UnsealableError, ValueError):
            _say_unsealable(outlet, release)
            continue
        release.state, release.claimed_at = CLAIMED, now
        release.number, release.sealed = partner.next_number, sealed.encode()
        release.content = None  # from here on only the partner can read it
        partner.next_number += 1
        claimed += 1
    return claimed


# Send


async def _send(outlet: Outlet, claimed: Release) -> bool:
    """Publish a claimed release and mark it sent; return False where something else was going on.

    The same id, number and bytes on every try. Nothing is published once the child's epoch or the
    policy has moved on: the number becomes a void, and the child is decided again.
    """
    await outlet.pause("claimed", claimed.id)
    partner = str(claimed.partner_key)
    # Read before the check: a void that takes our place after it makes the broker refuse us.
    after = await outlet.known_end(partner)
    async with outlet.app.db.reading() as session:
        release = await session.get(Release, claimed.id)
        child = await session.get(Child, claimed.child_id)
        if release is None or child is None or release.state != CLAIMED or not release.sealed:
            return False
        still = await stands(session, outlet.app, release, child)
    if release.stream_seq is not None:
        return await _mark_sent(outlet, release, release.stream_seq)  # a lost answer, found again
    if not still:
        await give_up(outlet.app, release.id)
        await resolve(outlet, release.id)
        return True
    await outlet.pause("checked", release.id)
    event = envelope(
        feed.RELEASE,
        release.sealed.decode(),
        event_id=release.id,
        release_id=release.id,
        number=int(release.number or 0),
        at=release.claimed_at or release.permitted_at,
        source=outlet.source,
    )
    try:
        put = await outlet.feeds.put(partner, "release", event, msg_id=release.id, after=after)
    except MovedOnError:
        await outlet.catch_up(partner)
        return False
    await outlet.pause("published", release.id)
    return await _mark_sent(outlet, release, put.seq)


async def _mark_sent(outlet: Outlet, release: Release, seq: int) -> bool:
    app, now = outlet.app, outlet.app.clock.now()
    async with app.db.writing() as session:
        await lock(session, Partner, release.partner_key)
        await accounted(session, str(release.partner_key), seq)
        found = await lock(session, Release, release.id)
        if found is None or found.state != CLAIMED:
            return False  # taken back meanwhile; whoever takes it back finds it in the stream
        told = found.how is not None
        found.state, found.stream_seq, found.sent_at, found.how = SENT, seq, now, "feed"
        event = ReleaseDelivered(
            id=app.ids.after("EV", ReleaseDelivered.subject, release.id),
            occurred_at=now,
            release_id=release.id,
            child_id=release.child_id,
            recipient=release.recipient,
            how="feed",
            number=release.number,
        )
        if not told:  # else it is sent once more, after a loss
            await emit(session, event)
        entry = {
            "release_id": release.id,
            "recipient": release.recipient,
            "number": release.number,
            "sealed_digest": sha256(release.sealed or b""),
        }
        await ledger.append(session, "delivered", entry, now)
    return True
