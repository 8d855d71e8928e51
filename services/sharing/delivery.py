"""From a claimed release to a partner's feed: checked once more, published in order, noted."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import Any

from sqlalchemy import func, select, update

from contracts import feed
from contracts.sharing import ReleaseDelivered
from messaging.app import App
from messaging.database import lock
from messaging.errors import AwayError
from messaging.reread import Reread
from messaging.telemetry import get_logger
from messaging.transaction import emit_all
from services.sharing import ledger
from services.sharing.checkpoints import signer_of
from services.sharing.claiming import BATCH, claim, has_number, locked_rows
from services.sharing.feeds import Feeds, MovedOnError
from services.sharing.outlet import Outlet, moved_on
from services.sharing.parts import gate
from services.sharing.quarantine import in_quarantine
from services.sharing.receipts import receipts_due
from services.sharing.sealing import (
    Keys,
    envelope,
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

SAFETY_S = 1.0
LOOKS = 60
"""How often, after the start, feeds are looked at that the broker does not show yet."""
TRIES = 20
"""How often in a row others may get in between before this round is left to the next one."""
LOOK_AGAIN_S = 0.1
"""How old the check of a batch may be when the next of it is published; then it is made anew."""


async def set_up(app: App) -> Outlet:
    """Make the outlet of this process and keep it in the app's state; called once at the start."""
    settings = app.settings
    told = (settings.signing_key, settings.id_key, settings.pseudonym_key, settings.feed_issuer)
    keys = Reread("signing_key", partial(Keys.read, *told), settings.signing_key)
    signer = partial(signer_of, app) if settings.ledger_key is not None else None
    outlet = Outlet(
        app, keys, Feeds(app.bus.jetstream), signer=signer, serves=lambda: gate(app).serves
    )
    app.state["outlet"] = outlet
    return outlet


async def deliver(app: App) -> None:
    """Deliver for ever; woken by each commit that permits a release, else each second."""
    outlet: Outlet = app.state["outlet"]
    looks = LOOKS
    while True:
        if looks:
            looks = looks - 1 if await _look_around(outlet) else 0
        await deliver_once(outlet)
        await app.woken("delivery", SAFETY_S)


async def _look_around(outlet: Outlet) -> bool:
    """Compare every feed with what we know of it, before something waits for it.

    A database older than its feeds is then noticed before the ledger goes on from it. Tells whether
    a feed could not be looked at.
    """
    async with outlet.app.db.reading() as session:
        partners = (await session.scalars(select(Partner.key).order_by(Partner.key))).all()
    for partner in partners:
        if partner in outlet.looked:
            continue
        with suppress(AwayError):
            async with outlet.delivering(partner):
                await outlet.catch_up(partner)
                outlet.looked.add(partner)
    return not outlet.looked.issuperset(partners)


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
    """Deliver everything of one partner in the order of its numbers. Raises AwayError.

    In quarantine only what was taken back goes on to its end.
    """
    in_vain = 0
    async with outlet.delivering(partner):
        if partner not in outlet.looked:
            await outlet.catch_up(partner)
            outlet.looked.add(partner)
        await outlet.meet(partner)
        while in_vain < TRIES:
            if await in_quarantine(outlet.app):
                for release in await _numbered(outlet.app, partner, Release.state == WITHDRAWN):
                    await resolve(outlet, release.id)
                return
            numbered = await _numbered(outlet.app, partner)
            in_vain += 1
            if not numbered:
                if not await claim(outlet, partner):
                    return
            elif numbered[0].state == WITHDRAWN:
                await resolve(outlet, numbered[0].id)
            else:
                claimed = list(takewhile(lambda release: release.state == CLAIMED, numbered))
                if not await _send(outlet, partner, claimed):
                    continue  # others were there: all of it has to be looked at again
            in_vain = 0


async def _numbered(app: App, partner: str, *which: Any) -> Sequence[Release]:
    """Return releases that have a number and are not yet on the feed, lowest first."""
    async with app.db.reading() as session:
        chosen = select(Release).where(has_number(partner), *which)
        chosen = chosen.order_by(Release.number).limit(BATCH)
        return (await session.scalars(chosen)).all()


# Send


async def _send(outlet: Outlet, partner: str, claimed: Sequence[Release]) -> bool:
    """Publish claimed releases and mark them sent; return False where nothing was done.

    The same id, number and bytes on every try. Nothing is published once the child's epoch or the
    policy has moved on: the number becomes a void, and the child is decided again.
    """
    for release in claimed:
        await outlet.pause("claimed", release.id)
    looked_at, run = time.monotonic(), outlet.feeds.server()
    start, seen = await _look(outlet.app, partner, [release.id for release in claimed])
    sent: list[tuple[Release, int]] = []
    end, moved_on = start, False
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
        moved_on = True
    finally:
        # a broker that was started again may have lost them: what it still holds is found again
        if sent and outlet.feeds.runs(run):
            await _mark_sent(outlet, partner, (start, end), sent)
        else:
            sent = []
    if moved_on:
        await outlet.catch_up(partner)
    return bool(sent)


async def _look(
    app: App, partner: str, ids: Sequence[str]
) -> tuple[int, dict[str, tuple[str, int | None, bool]]]:
    """Return where the stream ends as far as we know, and of each release: state, place, moved on.

    In one statement: a void that takes a release's place later makes the stream end elsewhere, and
    the broker then refuses the release.
    """
    chosen = (
        select(Release.id, Release.state, Release.stream_seq, moved_on(), Partner.stream_seq)
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
        row = await lock(session, Partner, partner)
        if row is None or row.stream_seq < start:
            return  # the stream was lost meanwhile, and they with it
        known = update(Partner).where(
            Partner.key == partner, Partner.stream_seq >= start, Partner.stream_seq < end
        )
        await session.execute(known.values(stream_seq=end))
        found = await locked_rows(session, Release, [release.id for release, _ in sent])
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
