"""Give permitted releases their numbers and seal them, while their children's rows are locked."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Executable,
    Row,
    Select,
    bindparam,
    exists,
    func,
    not_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from messaging.database import lock, wake
from messaging.edge import NotFoundThereError, RefusedThereError
from messaging.telemetry import get_logger
from services.sharing.children import RECONSIDER
from services.sharing.outlet import Outlet, moved_on, reconsider, stands
from services.sharing.policy_life_active import deciding
from services.sharing.quarantine import UNDER_WAY
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


class Numbered(NamedTuple):
    """A release that has its number and is not yet on the feed."""

    id: str
    child_id: str
    recipient: str
    state: str
    number: int
    sealed: bytes | None
    at: datetime


class Waiting(NamedTuple):
    """What waits for a number: what still stands, and children whose releases do not any more."""

    queued: Sequence[Row[Any]]
    forgotten: Sequence[str]


# Statements are made once: building one takes longer than the database needs for it.
_PARTNER: Any = bindparam("partner")
_IDS: Any = bindparam("ids", expanding=True)
_HAS_NUMBER = (Release.partner_key == _PARTNER) & Release.state.in_((CLAIMED, WITHDRAWN))
_RELEASES: Any = Release.__table__
_PARTNERS: Any = Partner.__table__

NUMBERED: Any = (
    select(
        Release.id,
        Release.child_id,
        Release.recipient,
        Release.state,
        Release.number,
        Release.sealed,
        func.coalesce(Release.claimed_at, Release.permitted_at).label("at"),
    )
    .where(_HAS_NUMBER)
    .order_by(Release.number)
    .limit(BATCH)
)
"""The lowest numbers of a `partner` that are not yet on its feed."""


def _of_queue(*what: Any) -> Select[Any]:
    return (
        select(*what)
        .join(Child, Child.id == Release.child_id)
        .join(
            Recipient,
            (Recipient.child_id == Release.child_id) & (Recipient.key == Release.recipient),
        )
        .where(Release.partner_key == _PARTNER, Release.state == QUEUED)
    )


def queue(moved: Any) -> Select[Any]:
    """Return the statement for a partner's oldest releases but those that have `moved` on."""
    return (
        _of_queue(
            Release.id,
            Release.child_id,
            Release.episode_id,
            Release.item_id,
            Release.partner_key,
            Release.epoch,
            Release.content,
            Recipient.type,
        )
        .where(not_(moved), Release.id.not_in(bindparam("unsealable", expanding=True)))
        .order_by(Release.permitted_at, Release.id)
        .limit(BATCH)
    )


_QUEUED = queue(moved_on())
_FORGOTTEN = _of_queue(Release.child_id).where(moved_on(), Child.dirty.is_(False)).distinct()
_NUMBERS = (
    select(Partner.jwk, Partner.next_number, Partner.revoked_at)
    .where(Partner.key == _PARTNER)
    .with_for_update()
)
_IN_THE_WAY = select(
    UNDER_WAY.label("held"), exists().where(_HAS_NUMBER).label("numbered_by_another")
)
_CHILDREN = (
    select(Child.id, Child.epoch).where(Child.id.in_(_IDS)).order_by(Child.id).with_for_update()
)
_CLAIMABLE = (
    select(
        Release.id,
        Release.recipient,
        Release.partner_key,
        Release.state,
        Release.epoch,
        Release.recipient_version,
        Release.policy_digest,
    )
    .where(Release.id.in_(_IDS))
    .order_by(Release.id)
    .with_for_update()
)
_RECIPIENTS = select(
    Recipient.child_id, Recipient.key, Recipient.active, Recipient.version, Recipient.partner_key
).where(tuple_(Recipient.child_id, Recipient.key).in_(bindparam("keys", expanding=True)))
_CLAIM = (
    update(_RELEASES)
    .where(_RELEASES.c.id == bindparam("release"))
    .values(
        state=CLAIMED,
        claimed_at=bindparam("now"),
        number=bindparam("given"),
        sealed=bindparam("bytes"),
        content=None,  # from here on only the partner can read it
    )
)
_GIVEN = (
    update(_PARTNERS).where(_PARTNERS.c.key == _PARTNER).values(next_number=bindparam("following"))
)


async def waiting(session: AsyncSession, outlet: Outlet, partner: str) -> Waiting:
    """Return what of one partner waits for a number, oldest first."""
    asked = {"partner": partner, "unsealable": list(outlet.unsealable)}
    queued = (await session.execute(_QUEUED, asked)).all()
    return Waiting(queued, (await session.scalars(_FORGOTTEN, {"partner": partner})).all())


async def claim(outlet: Outlet, partner: str, found: Waiting) -> list[Numbered]:
    """Give releases that still stand their numbers and seal them; return them in this order."""
    if not outlet.serves():
        return []
    for child_id in found.forgotten:
        await _decide_again(outlet.app, child_id)
    if not found.queued:
        return []
    ready, checkpoint = await asyncio.gather(_ready(outlet, found.queued), outlet.checkpoint())
    for release_id, _, _ in ready:
        await outlet.pause("decided", release_id)
    if not ready:
        return []
    if checkpoint is not None:
        ready = [(name, child, told | {"checkpoint": checkpoint}) for name, child, told in ready]
    async with outlet.app.db.writing() as session:
        return await _claim_in(outlet, session, partner, ready)


async def _decide_again(app: App, child_id: str) -> None:
    async with app.db.writing() as session:
        child = await lock(session, Child, child_id)
        if child is not None:
            reconsider(session, child)


async def _ready(outlet: Outlet, queued: Sequence[Row[Any]]) -> list[Ready]:
    """Return what will be signed for each release where it can be said now. Raises AwayError."""
    named = {row.child_id: row.epoch for row in queued if needs_names(row.type)}
    who = await _names(outlet, named)
    ready: list[Ready] = []
    for row in queued:
        if needs_names(row.type) and row.child_id not in who:
            log.warning("delivery.child_unknown", release_id=row.id)
            continue
        try:
            told = body(
                outlet.keys,
                row.content or {},
                partner=str(row.partner_key),
                recipient_type=row.type,
                child_id=row.child_id,
                episode_id=row.episode_id,
                item_id=row.item_id,
                child=who.get(row.child_id),
            )
        except UnsealableError:
            _say_unsealable(outlet, row.id, row.partner_key)
        else:
            ready.append((row.id, row.child_id, told))
    return ready


async def _names(outlet: Outlet, epochs: Mapping[str, int]) -> dict[str, Mapping[str, Any]]:
    """Ask who the children are, of whom `referral` tells. Raises AwayError."""
    ids = sorted(epochs)
    answers = await asyncio.gather(
        *(outlet.ask_who(child_id, epochs[child_id]) for child_id in ids), return_exceptions=True
    )
    told: dict[str, Mapping[str, Any]] = {}
    for child_id, answer in zip(ids, answers, strict=True):
        if isinstance(answer, NotFoundThereError | RefusedThereError):
            continue
        if isinstance(answer, BaseException):
            raise answer
        told[child_id] = answer
    return told


def _say_unsealable(outlet: Outlet, release_id: str, partner: str) -> None:
    outlet.unsealable.add(release_id)
    outlet.app.metrics.failures.labels("sealing").inc()
    log.error("delivery.unsealable", release_id=release_id, partner=partner)


async def _claim_in(
    outlet: Outlet, session: AsyncSession, name: str, ready: Sequence[Ready]
) -> list[Numbered]:
    """Claim under the locks of the partner's row of numbers and of each child's row.

    Children are locked in the order of their ids: two relays at once never wait in a circle.
    """
    partner = (await session.execute(_NUMBERS, {"partner": name})).first()
    if partner is None or partner.revoked_at is not None:
        return []
    # asked after the wait for the lock: a quarantine may have begun, or another relay been here,
    # and what that one numbered goes first
    if any((await session.execute(_IN_THE_WAY, {"partner": name})).one()):
        return []
    active = await deciding(session)
    if active is None or active.stopped:
        return []
    children = await locked_rows(session, _CHILDREN, {child_id for _, child_id, _ in ready})
    releases = await locked_rows(session, _CLAIMABLE, {release_id for release_id, _, _ in ready})
    keys = {(child_id, releases[name].recipient) for name, child_id, _ in ready if name in releases}
    rows = await session.execute(_RECIPIENTS, {"keys": sorted(keys)})
    recipients = {(row.child_id, row.key): row for row in rows}
    claimed: list[Numbered] = []
    number, now = partner.next_number, outlet.app.clock.now()
    for release_id, child_id, told in ready:
        release, child = releases.get(release_id), children.get(child_id)
        if release is None or child is None or release.state != QUEUED:
            continue
        recipient = recipients.get((child_id, release.recipient))
        if not stands(active.digest, release, child, recipient):
            await session.execute(update(Child).where(Child.id == child_id).values(dirty=True))
            wake(session, RECONSIDER)
            continue
        try:
            sealed = seal(
                outlet.keys,
                told,
                partner=name,
                jwk=partner.jwk,
                release_id=release_id,
                number=number,
                at=now,
            )
            if len(sealed) > SEALED_BYTES_MAX:
                raise UnsealableError("too large for a feed")
        except (UnsealableError, ValueError):
            _say_unsealable(outlet, release_id, name)
            continue
        told_as = (child_id, release.recipient, CLAIMED, number, sealed.encode(), now)
        claimed.append(Numbered(release_id, *told_as))
        number += 1
    if claimed:
        await session.execute(
            _CLAIM,
            [
                {"release": one.id, "now": one.at, "given": one.number, "bytes": one.sealed}
                for one in claimed
            ],
        )
        await session.execute(_GIVEN, {"partner": name, "following": number})
    return claimed


async def locked_rows(
    session: AsyncSession, statement: Executable, ids: Iterable[str]
) -> dict[str, Row[Any]]:
    """Return by id what `statement` says of `ids` now; it locks them in their order."""
    found = await session.execute(statement, {"ids": sorted(ids)})
    return {row.id: row for row in found}
