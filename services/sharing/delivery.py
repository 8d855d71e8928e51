"""From a claimed release to a partner's feed: checked once more, published in order, noted."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import Any

from sqlalchemy import Select, bindparam, func, select, update

from contracts import feed
from contracts.sharing import ReleaseDelivered
from messaging.app import App
from messaging.errors import AwayError
from messaging.reread import Reread
from messaging.telemetry import get_logger
from messaging.transaction import emit_all
from services.sharing import ledger
from services.sharing.checkpoints import signer_of
from services.sharing.claiming import NUMBERED, Numbered, Waiting, claim, locked_rows, waiting
from services.sharing.feeds import Feeds, MovedOnError
from services.sharing.outlet import Outlet, moved_on
from services.sharing.parts import gate
from services.sharing.quarantine import UNDER_WAY, lasts
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
HEAD_START_S = 0.05
"""How long the others wait for the first partner's feed; one that is away keeps them no longer."""
LOOK_AGAIN_S = 0.1
"""How old the check of a batch may be when the next of it is published; then it is made anew."""

_PARTNER: Any = bindparam("partner")
_IDS: Any = bindparam("ids", expanding=True)
_RELEASES: Any = Release.__table__
_PARTNERS: Any = Partner.__table__
_UNDER_WAY = (
    select(Partner.key, Partner.type, func.min(Release.permitted_at).label("oldest"))
    .join(Release, Release.partner_key == Partner.key)
    .where(Release.state.in_((QUEUED, CLAIMED, WITHDRAWN)))
    .group_by(Partner.key, Partner.type)
)
_TAKEN_BACK = NUMBERED.where(Release.state == WITHDRAWN)


def look_at(moved: Any) -> Select[Any]:
    """Return the statement that looks at releases just before they are published.

    One statement: a void that takes a release's place later makes the stream end elsewhere, and the
    broker then refuses the release.
    """
    return (
        select(
            Release.id,
            Release.state,
            Release.stream_seq,
            moved.label("moved"),
            Partner.stream_seq.label("end"),
            UNDER_WAY.label("held"),
        )
        .join(Partner, Partner.key == Release.partner_key)
        .join(Child, Child.id == Release.child_id)
        .join(
            Recipient,
            (Recipient.child_id == Release.child_id) & (Recipient.key == Release.recipient),
        )
        .where(Release.partner_key == _PARTNER, Release.id.in_(_IDS))
    )


_LOOK = look_at(moved_on())
_END = select(Partner.stream_seq).where(Partner.key == _PARTNER).with_for_update()
_ENDS_NOW = (
    update(_PARTNERS)
    .where(
        _PARTNERS.c.key == _PARTNER,
        _PARTNERS.c.stream_seq >= bindparam("start"),
        _PARTNERS.c.stream_seq < bindparam("end"),
    )
    .values(stream_seq=bindparam("end"))
)
_STATES = (
    select(Release.id, Release.state, Release.how)
    .where(Release.id.in_(_IDS))
    .order_by(Release.id)
    .with_for_update()
)
_SENT = (
    update(_RELEASES)
    .where(_RELEASES.c.id == bindparam("release"))
    .values(state=SENT, stream_seq=bindparam("at"), sent_at=bindparam("now"), how="feed")
)


async def set_up(app: App) -> Outlet:
    """Make the outlet of this process and keep it in the app's state; called once at the start."""
    settings = app.settings
    told = (settings.signing_key, settings.id_key, settings.pseudonym_key, settings.feed_issuer)
    keys = Reread("signing_key", partial(Keys.read, *told), settings.signing_key)
    signer = partial(signer_of, app) if settings.ledger_key is not None else None
    outlet = Outlet(
        app,
        keys,
        Feeds(app.bus.jetstream),
        signer=signer,
        serves=lambda: gate(app).serves,
        turn_of=partial(_turn_of, app),
    )
    app.state["outlet"] = outlet
    return outlet


def _turn_of(app: App, recipient_type: str) -> tuple[bool, int]:
    return gate(app).data.turn_of(recipient_type)  # of the policies that decide now


async def deliver(app: App) -> None:
    """Deliver for ever; woken by each commit that decides something, else each second."""
    outlet: Outlet = app.state["outlet"]
    looks = LOOKS
    while True:
        if looks:
            looks = looks - 1 if await _look_around(outlet) else 0
        await deliver_once(outlet)
        app.wake("relay")  # what is told of a decision goes after what it permits
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
    """Deliver all that can be delivered now; a partner that is away holds up no other.

    Whoever has to act first on harm is told first: side by side all would wait for all.
    """
    async with outlet.app.db.reading() as session:
        rows = (await session.execute(_UNDER_WAY)).all()
    rows = sorted(rows, key=lambda row: (outlet.turn_of(row.type), row.oldest, row.key))
    async with asyncio.TaskGroup() as group:
        for place, row in enumerate(rows):
            draining = group.create_task(_drain_safely(outlet, str(row.key)))
            if place == 0 and len(rows) > 1:
                await asyncio.wait([draining], timeout=HEAD_START_S)


async def _drain_safely(outlet: Outlet, partner: str) -> None:
    try:
        await _drain(outlet, partner)
    except AwayError as error:
        log.info("delivery.away", partner=partner, peer=error.who, reason=error.why)
    except Exception as error:
        outlet.app.metrics.failures.labels("delivery").inc()
        log.warning("delivery.failed", partner=partner, exc_info=error)


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
            held, numbered, found = await _work_of(outlet, partner)
            if held:
                for one in numbered:
                    await resolve(outlet, one.id)
                return
            in_vain += 1
            if numbered and numbered[0].state == WITHDRAWN:
                await resolve(outlet, numbered[0].id)
            else:
                claimed = list(takewhile(lambda one: one.state == CLAIMED, numbered))
                claimed = claimed or await claim(outlet, partner, found)
                if not claimed:
                    return
                if not await _send(outlet, partner, claimed):
                    continue  # others were there: all of it has to be looked at again
            in_vain = 0


async def _work_of(outlet: Outlet, partner: str) -> tuple[bool, Sequence[Numbered], Waiting]:
    """Return whether there is a quarantine, what has a number, lowest first, and else what waits.

    In quarantine only what was taken back.
    """
    async with outlet.app.db.reading() as session:
        held = await lasts(session)
        rows = await session.execute(_TAKEN_BACK if held else NUMBERED, {"partner": partner})
        numbered = [Numbered(*row) for row in rows]
        nothing = held or numbered
        found = Waiting((), ()) if nothing else await waiting(session, outlet, partner)
    return held, numbered, found


# Send


async def _send(outlet: Outlet, partner: str, claimed: Sequence[Numbered]) -> bool:
    """Publish claimed releases and mark them sent; return False where nothing was done.

    The same id, number and bytes on every try. Nothing is published once the child's epoch or the
    policy has moved on: the number becomes a void, and the child is decided again.
    """
    for release in claimed:
        await outlet.pause("claimed", release.id)
    looked_at, run = time.monotonic(), outlet.feeds.server()
    start, seen = await _look(outlet.app, partner, [release.id for release in claimed])
    sent: list[tuple[Numbered, int]] = []
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

    In quarantine nothing is returned of any: nothing leaves.
    """
    async with app.db.reading() as session:
        rows = (await session.execute(_LOOK, {"partner": partner, "ids": ids})).all()
    if not rows or rows[0].held:
        return 0, {}
    seen = {str(row.id): (str(row.state), row.stream_seq, bool(row.moved)) for row in rows}
    return int(rows[0].end), seen


def _event(outlet: Outlet, release: Numbered) -> bytes:
    return envelope(
        feed.RELEASE,
        (release.sealed or b"").decode(),
        event_id=release.id,
        release_id=release.id,
        number=release.number,
        at=release.at,
        source=outlet.source,
    )


async def _mark_sent(
    outlet: Outlet, partner: str, accounted: tuple[int, int], sent: Sequence[tuple[Numbered, int]]
) -> None:
    """Write down what was published, but for what was taken back meanwhile.

    Whoever takes it back finds it in the stream. `accounted`: of the stream, all after the first
    and up to the second sequence are these.
    """
    app, now = outlet.app, outlet.app.clock.now()
    start, end = accounted
    async with app.db.writing() as session:
        known = await session.scalar(_END, {"partner": partner})
        if known is None or known < start:
            return  # the stream was lost meanwhile, and they with it
        await session.execute(_ENDS_NOW, {"partner": partner, "start": start, "end": end})
        found = await locked_rows(session, _STATES, [release.id for release, _ in sent])
        marks, events, entries = [], [], []
        for release, seq in sent:
            row = found[release.id]
            if row.state != CLAIMED:
                continue
            if row.how is None:  # else it was sent once more, after a loss, and is told already
                events.append(_delivered(app, release, now))
            marks.append({"release": release.id, "at": seq, "now": now})
            entry = {
                "release_id": release.id,
                "recipient": release.recipient,
                "number": release.number,
                "sealed_digest": sha256(release.sealed or b""),
            }
            entries.append(("delivered", entry))
        if marks:
            await session.execute(_SENT, marks)
        await emit_all(session, events)
        await ledger.append_all(session, entries, now)


def _delivered(app: App, release: Numbered, now: datetime) -> ReleaseDelivered:
    return ReleaseDelivered(
        id=app.ids.after("EV", ReleaseDelivered.subject, release.id),
        occurred_at=now,
        release_id=release.id,
        child_id=release.child_id,
        recipient=release.recipient,
        how="feed",
        number=release.number,
    )
