"""From a permitted release to a partner's feed: claim a number, seal, publish, in strict order."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any

from sqlalchemy import Select, func, not_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import feed
from contracts.sharing import ReleaseDelivered
from messaging.app import App
from messaging.database import lock
from messaging.edge import NotFoundThereError, RefusedThereError
from messaging.errors import AwayError
from messaging.telemetry import get_logger
from messaging.transaction import emit_all
from services.sharing import ledger
from services.sharing.feeds import Feeds, MovedOnError
from services.sharing.outlet import Outlet, moved_on, reconsider, stands
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
LOOK_AGAIN_S = 0.1
"""How old the check of a batch may be when the next of it is published; then it is made anew."""
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
    outlet = Outlet(app, keys, Feeds(app.bus.jetstream))
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
            in_vain += 1
            if not numbered:
                if not await _claim(outlet, partner):
                    return
            elif numbered[0].state == WITHDRAWN:
                await resolve(outlet, numbered[0].id)
            else:
                claimed = list(takewhile(lambda release: release.state == CLAIMED, numbered))
                if not await _send(outlet, partner, claimed):
                    continue  # others were there: all of it has to be looked at again
            in_vain = 0


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
    children = await _locked(session, Child, {child_id for _, child_id, _ in ready})
    releases = await _locked(session, Release, {release_id for release_id, _, _ in ready})
    keys = {(release.child_id, release.recipient) for release in releases.values()}
    chosen = select(Recipient).where(tuple_(Recipient.child_id, Recipient.key).in_(keys))
    recipients = {(r.child_id, r.key): r for r in await session.scalars(chosen)}
    claimed, now = 0, outlet.app.clock.now()
    for release_id, child_id, told in ready:
        release, child = releases.get(release_id), children.get(child_id)
        if release is None or child is None or release.state != QUEUED:
            continue
        recipient = recipients.get((child_id, release.recipient))
        if not stands(outlet.app, release, child, recipient):
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


async def _locked(session: AsyncSession, row: Any, ids: Iterable[str]) -> dict[str, Any]:
    """Return rows by their ids as they stand now, locked in the order of the ids."""
    chosen = select(row).where(row.id.in_(sorted(ids))).order_by(row.id).with_for_update()
    found = await session.scalars(chosen.execution_options(populate_existing=True))
    return {one.id: one for one in found}


# Send


async def _send(outlet: Outlet, partner: str, claimed: Sequence[Release]) -> bool:
    """Publish claimed releases and mark them sent; return False where nothing was done.

    The same id, number and bytes on every try. Nothing is published once the child's epoch or the
    policy has moved on: the number becomes a void, and the child is decided again.
    """
    for release in claimed:
        await outlet.pause("claimed", release.id)
    looked_at = time.monotonic()
    start, seen = await _look(outlet.app, partner, [release.id for release in claimed])
    sent: list[tuple[Release, int]] = []
    end = start
    try:
        for release in claimed:
            state, stream_seq, moved = seen.get(release.id, (None, None, True))
            if state != CLAIMED or (sent and time.monotonic() - looked_at > LOOK_AGAIN_S):
                break
            if stream_seq is not None:
                sent.append((release, stream_seq))  # its answer was lost, and it was found again
                continue
            if moved:
                if not sent:
                    await give_up(outlet.app, release.id)
                    await resolve(outlet, release.id)
                    return True
                break
            await outlet.pause("checked", release.id)
            put = await outlet.feeds.put(
                partner, "release", _event(outlet, release), msg_id=release.id, after=end
            )
            await outlet.pause("published", release.id)
            sent.append((release, put.seq))
            end = put.seq if put.seq == end + 1 else end
    except MovedOnError:
        await outlet.catch_up(partner)
    finally:
        if sent:
            await _mark_sent(outlet, partner, (start, end), sent)
    return bool(sent)


async def _look(
    app: App, partner: str, ids: Sequence[str]
) -> tuple[int, dict[str, tuple[str, int | None, bool]]]:
    """Return where the stream ends as far as we know, and of each release: state, place, moved on.

    In one statement: a void that takes a release's place later makes the stream end elsewhere, and
    the broker then refuses the release.
    """
    chosen = (
        select(Release.id, Release.state, Release.stream_seq, moved_on(app), Partner.stream_seq)
        .join(Partner, Partner.key == Release.partner_key)
        .join(Child, Child.id == Release.child_id)
        .join(
            Recipient,
            (Recipient.child_id == Release.child_id) & (Recipient.key == Release.recipient),
        )
        .where(Release.partner_key == partner, Release.id.in_(ids))
    )
    async with app.db.reading() as session:
        rows = (await session.execute(chosen)).all()
    return (
        int(rows[0][4]) if rows else 0,
        {str(row[0]): (str(row[1]), row[2], bool(row[3])) for row in rows},
    )


def _event(outlet: Outlet, release: Release) -> bytes:
    return envelope(
        feed.RELEASE,
        (release.sealed or b"").decode(),
        event_id=release.id,
        release_id=release.id,
        number=int(release.number or 0),
        at=release.claimed_at or release.permitted_at,
        source=outlet.source,
    )


async def _mark_sent(
    outlet: Outlet, partner: str, accounted: tuple[int, int], sent: Sequence[tuple[Release, int]]
) -> None:
    """Write down what was published, but for what was taken back meanwhile.

    Whoever takes it back finds it in the stream. `accounted`: of the stream, all after the first
    and up to the second sequence are these.
    """
    app, now = outlet.app, outlet.app.clock.now()
    start, end = accounted
    async with app.db.writing() as session:
        await lock(session, Partner, partner)
        known = update(Partner).where(
            Partner.key == partner, Partner.stream_seq >= start, Partner.stream_seq < end
        )
        await session.execute(known.values(stream_seq=end))
        found = await _locked(session, Release, [release.id for release, _ in sent])
        events, entries = [], []
        for release, seq in sent:
            row = found[release.id]
            if row.state != CLAIMED:
                continue
            if row.how is None:  # else it was sent once more, after a loss, and is told already
                events.append(_delivered(app, release, now))
            row.state, row.stream_seq, row.sent_at, row.how = SENT, seq, now, "feed"
            entry = {
                "release_id": release.id,
                "recipient": release.recipient,
                "number": release.number,
                "sealed_digest": sha256(release.sealed or b""),
            }
            entries.append(("delivered", entry))
        await emit_all(session, events)
        await ledger.append_all(session, entries, now)


def _delivered(app: App, release: Release, now: datetime) -> ReleaseDelivered:
    return ReleaseDelivered(
        id=app.ids.after("EV", ReleaseDelivered.subject, release.id),
        occurred_at=now,
        release_id=release.id,
        child_id=release.child_id,
        recipient=release.recipient,
        how="feed",
        number=release.number,
    )
