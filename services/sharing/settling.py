"""Recording what was decided about a child: one transaction, or nothing of it.

Under the lock of the child's row and only at the epoch that was decided for: decisions, ledger,
releases, tasks, pages and events commit together.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.event import Event
from contracts.sharing import ReleaseHeld, ReleaseRefused
from messaging.app import App
from messaging.database import let_sleep, wake
from messaging.statements import NewRow
from messaging.transaction import emit_all
from services.sharing import ledger
from services.sharing.children import locked
from services.sharing.domain.answer import NO_DECISION, Answer
from services.sharing.domain.facts import snapshot
from services.sharing.parts import gate
from services.sharing.policy_life_active import VersionMovedError, deciding
from services.sharing.proposal import Pair, Proposal
from services.sharing.releases import keep_releases
from services.sharing.tables import Decision, FactsSnapshot
from services.sharing.tasks import keep_tasks
from services.sharing.urgency import page_if_urgent

Note = tuple[str, Mapping[str, Any]]

_DECISIONS: Any = Decision.__table__
_DECIDE = insert(_DECISIONS).inline()
_STANDING = select(_DECISIONS.c.id, _DECISIONS.c.item_id, _DECISIONS.c.recipient).where(
    _DECISIONS.c.child_id == bindparam("child_id"), _DECISIONS.c.current
)
_SNAPSHOT = NewRow(FactsSnapshot.__table__)


class EpochMovedError(Exception):
    """A fact changed while policy was asked: nothing is recorded; the child is looked at anew."""


async def settle(app: App, proposal: Proposal) -> bool:
    """Record `proposal`; tell whether the child needs no further look.

    Raises EpochMovedError, and VersionMovedError where other policies may release by now.
    """
    here, now = gate(app), app.clock.now()
    async with app.db.writing() as session:
        # rows are written together, by the flushes below, and not one by one before each query
        session.autoflush = False
        child = await locked(session, proposal.facts.child.id)
        if child is None or child.epoch != proposal.epoch:
            raise EpochMovedError
        await _same_version(session, proposal)
        new = await _still_open(session, proposal)
        notes: list[Note] = []
        events: list[Event] = []
        if new:
            await _keep_snapshot(session, proposal, now)
        decisions = await _record(app, session, proposal, new, now=now, notes=notes, events=events)
        standing = {
            pair.current.id: pair.current
            for pair in proposal.pairs
            if pair.current is not None and pair.decided and pair.answer is None
        }
        in_line, releases = await keep_releases(
            app, session, proposal, decisions, now=now, notes=notes, events=events
        )
        made = {**standing, **decisions}
        held = await keep_tasks(app, session, proposal, made, releases, now=now)
        await page_if_urgent(app, session, proposal, held, now)
        await session.flush()
        await emit_all(session, events)
        await ledger.append_all(session, notes, now)
        child.dirty = not (in_line and all(pair.answered for pair in proposal.pairs))
        # no clock that is begun here ends within the second in which all are looked at anyway
        wake(session, "delivery")
        # a dozen events at once would stand before the release, in the broker and on the disk
        let_sleep(session, "relay")
        settled = not child.dirty
    for decision in decisions.values():
        here.decisions.labels(decision.decision).inc()
    return settled


async def _same_version(session: AsyncSession, proposal: Proposal) -> None:
    """Raise VersionMovedError where the version that was asked is not the one that decides.

    While engines load another one a missing answer waits for it too: it says nothing about a child.
    """
    active = await deciding(session)
    if active is None or active.digest != proposal.policy.digest:
        raise VersionMovedError("version")
    unanswered = (p.answer is not None and NO_DECISION in p.answer.rule_ids for p in proposal.pairs)
    if active.waits_for_engines() and any(unanswered):
        raise VersionMovedError("loading")


async def _still_open(session: AsyncSession, proposal: Proposal) -> list[Pair]:
    """Return the pairs with a new answer that another process has not recorded meanwhile."""
    found = await session.execute(_STANDING, {"child_id": proposal.facts.child.id})
    standing = {(item_id, recipient): name for name, item_id, recipient in found}
    open_ = []
    for pair in proposal.pairs:
        if pair.answer is None:
            continue
        read = pair.current.id if pair.current else None
        if standing.get((pair.item.id, pair.recipient.key)) == read:
            open_.append(pair)
        else:
            pair.answer, pair.decided = None, False
    return open_


async def _keep_snapshot(session: AsyncSession, proposal: Proposal, now: datetime) -> None:
    """Keep the facts once for the epoch, so that each decision can be asked again later."""
    child_id, facts = proposal.facts.child.id, snapshot(proposal.facts)
    row = {"child_id": child_id, "epoch": proposal.epoch, "facts": facts, "taken_at": now}
    await _SNAPSHOT.add(session, row)


async def _record(
    app: App,
    session: AsyncSession,
    proposal: Proposal,
    new: Iterable[Pair],
    *,
    now: datetime,
    notes: list[Note],
    events: list[Event],
) -> dict[str, Decision]:
    """Write a decision for each new answer; the one before it is current no more."""
    new = list(new)
    replaced = [pair.current.id for pair in new if pair.current is not None]
    if replaced:
        await session.execute(
            update(Decision).where(Decision.id.in_(replaced)).values(current=False)
        )
    decisions, rows = {}, []
    for pair in new:
        assert pair.answer is not None  # noqa: S101 - what makes a pair new
        values = _decision(app, proposal, pair, pair.answer, now)
        row = Decision(**values)  # to be read from here on, and never changed
        rows.append(values)
        decisions[row.id] = row
        pair.current = row
        notes.append(("decision", noted(row, pair.recipient.type)))
        if not answer_releases(row):
            events.append(_told(app.ids.after, row, now))
    if rows:
        await session.execute(_DECIDE, rows)
    return decisions


def _decision(
    app: App, proposal: Proposal, pair: Pair, answer: Answer, now: datetime
) -> dict[str, Any]:
    said = json.dumps([answer.decision, *answer.rule_ids, *answer.transforms])
    policy_digest = proposal.policy.digest
    return {
        "id": app.ids.after(
            "DE", pair.item.id, pair.item.version, pair.recipient.key, proposal.epoch,
            policy_digest, pair.digest, said,
        ),
        "child_id": proposal.facts.child.id,
        "episode_id": pair.item.episode_id,
        "item_id": pair.item.id,
        "item_version": pair.item.version,
        "category": pair.item.category,
        "recipient": pair.recipient.key,
        "epoch": proposal.epoch,
        "snapshot_epoch": proposal.epoch,
        "document": pair.digest,
        "decision": answer.decision,
        "rule_ids": list(answer.rule_ids),
        "gates_used": list(answer.gates_used),
        "basis": list(answer.basis),
        "transforms": list(answer.transforms),
        "obligations": list(answer.obligations),
        "reasons": list(answer.reasons),
        "defer_to": _defer_to(answer),
        "purpose": pair.document["purpose"],
        "policy_version": answer.policy_version,
        "policy_digest": policy_digest,
        "decided_at": now,
        "current": True,
    }  # fmt: skip


def _defer_to(answer: Answer) -> dict[str, Any] | None:
    if answer.defer_to is None:
        return None
    return {"owner": answer.defer_to.owner, "due_h": answer.defer_to.due_h}


def noted(row: Decision, recipient_type: str) -> dict[str, Any]:
    """Return the ledger's note of a decision, to share or not to share."""
    return {
        "decision_id": row.id,
        "child_id": row.child_id,
        "episode_id": row.episode_id,
        "item_id": row.item_id,
        "item_version": row.item_version,
        "category": row.category,
        **ledger.about(row.recipient, recipient_type),
        "recipient_type": recipient_type,
        "epoch": row.epoch,
        "facts_digest": row.document,
        "decision": row.decision,
        "rule_ids": row.rule_ids,
        "gates_used": row.gates_used,
        "basis": row.basis,
        "transforms": row.transforms,
        "obligations": row.obligations,
        "purpose": row.purpose,
        "policy_version": row.policy_version,
        "policy_digest": row.policy_digest,
    }


def answer_releases(row: Decision) -> bool:
    """Tell whether a decision lets something out; its event then names the release."""
    return row.decision in ("allow", "allow_redacted")


def _told(after: Callable[..., str], row: Decision, now: datetime) -> Event:
    """Return the event that ends a proposal with a refusal or a hold."""
    common: dict[str, Any] = {
        "id": after("EV", "decided", row.id),
        "occurred_at": now,
        "decision_id": row.id,
        "child_id": row.child_id,
        "item_id": row.item_id,
        "recipient": row.recipient,
        "rule_ids": tuple(row.rule_ids),
    }
    if row.defer_to is None:
        return ReleaseRefused(**common, policy_version=row.policy_version)
    due_at = row.decided_at + timedelta(hours=row.defer_to["due_h"])
    return ReleaseHeld(**common, owner=row.defer_to["owner"], due_at=due_at)
