"""Making releases of what was permitted, and stopping those whose decision no longer stands.

The gate moves only what has not left. A release that the relay has claimed is the relay's.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from contracts.event import Event
from contracts.sharing import ReleasePermitted
from messaging.app import App
from services.sharing import ledger
from services.sharing.domain.answer import told_first
from services.sharing.domain.facts import SELF
from services.sharing.domain.judgements import holding
from services.sharing.domain.payload import key_of
from services.sharing.domain.releasing import (
    CANCELLED,
    DELIVERED,
    LIVE,
    STOPPABLE,
    SUPERSEDED,
    VOID,
    WITHDRAWN,
    first_state,
    move,
    release_id,
)
from services.sharing.outside import read_by
from services.sharing.proposal import Pair, Proposal
from services.sharing.quarantine_tables import ReadOutside
from services.sharing.tables import Decision, Recipient, Release

Notes = list[tuple[str, Mapping[str, Any]]]

_CHILD: Any = bindparam("child_id")
_RELEASES = select(Release).where(Release.child_id == _CHILD).options(defer(Release.sealed))
_RECIPIENTS = select(Recipient.key, Recipient.partner_key).where(Recipient.child_id == _CHILD)


async def keep_releases(
    app: App,
    session: AsyncSession,
    proposal: Proposal,
    new: Mapping[str, Decision],
    *,
    now: datetime,
    notes: Notes,
    events: list[Event],
) -> tuple[bool, Collection[Release]]:
    """Bring the releases of a child in line with its decisions; tell whether all are; return all.

    They are not while one is being taken back: whether it was read is not known yet.

    A decision that stands carries its release along to this epoch; one that could not be looked at
    leaves its release behind at the old epoch, where it cannot leave.
    """
    child_id = proposal.facts.child.id
    whose = {"child_id": child_id}
    rows = {row.id: row for row in await session.scalars(_RELEASES, whose)}
    feeds = {row.key: row.partner_key for row in await session.execute(_RECIPIENTS, whose)}
    read = await read_by(session, filter(None, feeds.values()))
    proposed, settled = set(), True
    for pair in proposal.pairs:
        proposed.add((pair.item.id, pair.recipient.key))
        if not pair.decided or pair.current is None:
            continue
        feed = feeds[pair.recipient.key]
        stands = _standing(
            app, rows, proposal, pair, feed, read=read, decision=pair.current, now=now
        )
        if stands is not None and stands.id not in rows:
            session.add(stands)
            notes.append(("release", noted(stands, pair)))
            if stands.id in read:
                stands.content = None  # the partner has it, from before a loss of ours
        if stands is not None and pair.current.id in new:
            events.append(_permitted(app, pair.current, stands, now))
        for row in _of_pair(rows, pair):
            if row.state in STOPPABLE and row is not stands:
                stop(row, CANCELLED if stands is None else SUPERSEDED)
        if stands is not None:
            rows[stands.id] = stands
            settled = settled and stands.state != WITHDRAWN
            _carry(stands, proposal, pair, feed, pair.current)
    for row in rows.values():
        if row.state in STOPPABLE and (row.item_id, row.recipient) not in proposed:
            stop(row, CANCELLED)
    await session.flush()
    return settled, rows.values()


def stop(row: Release, to: str) -> None:
    """Take back a release that has not left; its content is erased."""
    row.state = move(row.state, to)
    row.content = None


def _of_pair(rows: Mapping[str, Release], pair: Pair) -> list[Release]:
    return [
        row
        for row in rows.values()
        if row.item_id == pair.item.id and row.recipient == pair.recipient.key
    ]


def _standing(
    app: App,
    rows: Mapping[str, Release],
    proposal: Proposal,
    pair: Pair,
    feed: str | None,
    *,
    read: Mapping[str, ReadOutside],
    decision: Decision,
    now: datetime,
) -> Release | None:
    """Return the release that the decision of a pair permits: an existing one, or a new one.

    `feed` is its recipient's. `read`: what its partner has although this database lost it; that is
    not released once more.
    """
    if decision.decision not in ("allow", "allow_redacted"):
        return None
    if pair.content is None:  # the decision stands: so does its release, wherever it has got to
        own = [row for row in _of_pair(rows, pair) if row.decision_id == decision.id]
        left = [row for row in own if row.state in LIVE - STOPPABLE or row.state == WITHDRAWN]
        return next(iter([*left, *(row for row in own if row.state in STOPPABLE)]), None)
    key = key_of(pair.content, decision.transforms)
    name, fresh = release_id(
        lambda count: app.ids.after(
            "RL", pair.item.id, pair.item.version, pair.recipient.key, key, count
        ),
        lambda name: rows[name].state if name in rows else _outside(read.get(name)),
    )
    if not fresh and name in rows:
        return rows[name]
    row = Release(
        id=name,
        decision_id=decision.id,
        child_id=proposal.facts.child.id,
        episode_id=pair.item.episode_id,
        item_id=pair.item.id,
        item_version=pair.item.version,
        category=pair.item.category,
        recipient=pair.recipient.key,
        partner_key=feed,
        epoch=proposal.epoch,
        recipient_version=pair.recipient.version,
        policy_version=decision.policy_version,
        policy_digest=decision.policy_digest,
        state=_state(proposal, pair, feed, decision),
        content=_content(pair, decision),
        permitted_at=now,
    )
    if not fresh:
        row.state, row.number, row.how = DELIVERED, read[name].number, "feed"
        row.sent_at = row.delivered_at = now
    return row


def _outside(found: ReadOutside | None) -> str | None:
    """Return the state of a release that a partner holds and this database has lost."""
    return None if found is None else VOID if found.void else DELIVERED


def _content(pair: Pair, decision: Decision) -> dict[str, Any]:
    """Return what is signed and sent, but for ids and names, which are added when it is sealed."""
    return {
        "item": pair.content,
        "purpose": decision.purpose,
        "basis": decision.basis,
        "transforms": decision.transforms,
        "obligations": decision.obligations,
        "policy_version": decision.policy_version,
    }


def _carry(
    row: Release, proposal: Proposal, pair: Pair, feed: str | None, decision: Decision
) -> None:
    """Let a release that has not left stand for this epoch, where its decision stands."""
    row.decision_id = decision.id
    if row.state not in STOPPABLE:
        return
    row.epoch = proposal.epoch
    row.recipient_version = pair.recipient.version
    row.policy_version = decision.policy_version
    row.policy_digest = decision.policy_digest
    row.partner_key = feed
    if pair.content is not None:
        row.content = _content(pair, decision)
    state = _state(proposal, pair, feed, decision)
    if state != row.state:
        row.state = move(row.state, state)


def _state(proposal: Proposal, pair: Pair, feed: str | None, decision: Decision) -> str:
    first = told_first(decision.obligations) and pair.recipient.key != SELF
    told = holding(proposal.facts.judgements, "child_told", pair.item, pair.recipient.key)
    # told, or a recorded reason why not: either way somebody has thought of the child first
    return first_state(feed is not None, first, told is not None)


def noted(row: Release, pair: Pair) -> dict[str, Any]:
    """Return the ledger's note of a release."""
    content = row.content or {}
    return {
        "release_id": row.id,
        "decision_id": row.decision_id,
        "child_id": row.child_id,
        "episode_id": row.episode_id,
        "item_id": row.item_id,
        "item_version": row.item_version,
        "category": row.category,
        **ledger.about(row.recipient, pair.recipient.type),
        "recipient_type": pair.recipient.type,
        "epoch": row.epoch,
        "digest": key_of(content.get("item", {}), content.get("transforms", [])),
        "transforms": content.get("transforms"),
        "obligations": content.get("obligations"),
        "policy_version": row.policy_version,
        "policy_digest": row.policy_digest,
    }


def _permitted(app: App, decision: Decision, row: Release, now: datetime) -> ReleasePermitted:
    return ReleasePermitted(
        id=app.ids.after("EV", "decided", decision.id),
        occurred_at=now,
        release_id=row.id,
        decision_id=decision.id,
        child_id=row.child_id,
        item_id=row.item_id,
        recipient=row.recipient,
        rule_ids=tuple(decision.rule_ids),
        transforms=tuple(decision.transforms),
        policy_version=decision.policy_version,
    )
