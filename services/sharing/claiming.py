"""Give permitted releases their numbers and seal them, while their children's rows are locked."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, not_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from messaging.database import lock
from messaging.edge import NotFoundThereError, RefusedThereError
from messaging.telemetry import get_logger
from services.sharing.outlet import Outlet, moved_on, reconsider, stands
from services.sharing.policy_life_active import deciding
from services.sharing.quarantine import lasts
from services.sharing.sealing import UnsealableError, body, needs_names, seal
from services.sharing.tables import (
    CLAIMED,
    QUEUED,
    WITHDRAWN,
    Child,
    Partner,
    Recipient,
    Release,
)

log = get_logger()

BATCH = 16
"""Releases of one partner claimed in one transaction; more would lock more children at once."""
SEALED_BYTES_MAX = 900_000
"""The broker takes messages of a mebibyte; a larger one would stand in the way of all after it."""

Ready = tuple[str, str, dict[str, Any]]
"""Release, child, and what will be signed."""


def has_number(partner: str) -> Any:
    return (Release.partner_key == partner) & Release.state.in_((CLAIMED, WITHDRAWN))


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


async def claim(outlet: Outlet, partner: str) -> int:
    """Give the oldest releases that still stand their numbers and seal them; return how many."""
    if not outlet.serves():
        return 0
    moved = moved_on()
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
    checkpoint = await outlet.checkpoint()
    if checkpoint is not None:
        ready = [(name, child, told | {"checkpoint": checkpoint}) for name, child, told in ready]
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
    if partner is None or partner.revoked_at is not None or await lasts(session):
        return 0
    if await session.scalar(select(Release.id).where(has_number(name)).limit(1)):
        return 0  # another relay has been here: what it numbered goes first
    active = await deciding(session)
    if active is None:
        return 0
    children = await locked_rows(session, Child, {child_id for _, child_id, _ in ready})
    releases = await locked_rows(session, Release, {release_id for release_id, _, _ in ready})
    keys = {(release.child_id, release.recipient) for release in releases.values()}
    chosen = select(Recipient).where(tuple_(Recipient.child_id, Recipient.key).in_(keys))
    recipients = {(r.child_id, r.key): r for r in await session.scalars(chosen)}
    claimed, now = 0, outlet.app.clock.now()
    for release_id, child_id, told in ready:
        release, child = releases.get(release_id), children.get(child_id)
        if release is None or child is None or release.state != QUEUED:
            continue
        recipient = recipients.get((child_id, release.recipient))
        if not stands(active.digest, release, child, recipient):
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


async def locked_rows(session: AsyncSession, row: Any, ids: Iterable[str]) -> dict[str, Any]:
    """Return rows by their ids as they stand now, locked in the order of the ids."""
    chosen = select(row).where(row.id.in_(sorted(ids))).order_by(row.id).with_for_update()
    found = await session.scalars(chosen.execution_options(populate_existing=True))
    return {one.id: one for one in found}
