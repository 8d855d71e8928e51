"""What people have to do about a child: judge what is missing, tell those without a feed, verify.

One task per child and owner for all holds, one per recipient and interview for what is to be told;
each closes by itself when nothing is left of it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from services.sharing.domain.birthdays import LONDON
from services.sharing.domain.missing import missing
from services.sharing.domain.releasing import TELL, WAITING
from services.sharing.domain.urgency import TELL_CHILD_WITHIN
from services.sharing.parts import Gate, gate
from services.sharing.proposal import Pair, Proposal
from services.sharing.tables import Decision, Release, Task

_VERIFY_WITHIN_H = 24
_TELL_WITHIN_H = 24

_CHILD: Any = bindparam("child_id")
_OPEN = select(Task).where(Task.child_id == _CHILD, Task.state == "open")


@dataclass
class Wanted:
    """A task as it should stand."""

    kind: str
    owner: str
    due_at: datetime
    worker: str | None = None
    recipient: str | None = None
    interview_id: str | None = None
    missing: set[str] = field(default_factory=set)
    release_ids: set[str] = field(default_factory=set)
    decision_ids: set[str] = field(default_factory=set)

    @property
    def key(self) -> tuple[str, str, str | None, str | None]:
        """Return what there is one open task of."""
        return (self.kind, self.owner, self.recipient, self.interview_id)


async def keep_tasks(
    app: App,
    session: AsyncSession,
    proposal: Proposal,
    decisions: Mapping[str, Decision],
    releases: Collection[Release],
    *,
    now: datetime,
) -> list[tuple[Pair, Decision]]:
    """Bring a child's open tasks in line with its decisions and releases; return what is held."""
    held = [
        (pair, pair.current)
        for pair in proposal.pairs
        if pair.current is not None
        and pair.current.id in decisions
        and pair.current.decision == "defer"
    ]
    wanted = [
        *_holds(gate(app), held, [row for row in releases if row.state == WAITING]),
        *_to_verify(proposal, decisions, now),
        *_to_tell(proposal, [row for row in releases if row.state == TELL], now),
    ]
    undecided = any(not pair.decided for pair in proposal.pairs)
    await _bring_in_line(app, session, proposal, wanted, now, closing=not undecided)
    return held


def _holds(
    here: Gate, held: list[tuple[Pair, Decision]], waiting: Sequence[Release]
) -> list[Wanted]:
    """Return one task per owner that lists everything missing, due with the first hold.

    That the child be told before a release goes is one more thing for the worker to judge.
    """
    by_owner: dict[str, Wanted] = {}
    for pair, decision in held:
        to = decision.defer_to or {"owner": "dsl", "due_h": 4}
        owner, due_at = to["owner"], decision.decided_at + timedelta(hours=to["due_h"])
        for owner_, name in _asked(here, pair, decision, owner):
            task = by_owner.setdefault(owner_, Wanted("hold", owner_, due_at))
            task.missing.add(name)
            task.decision_ids.add(decision.id)
            task.due_at = min(task.due_at, due_at)
    for row in waiting:
        owner, due_at = here.data.owner_of("child_told"), row.permitted_at + TELL_CHILD_WITHIN
        task = by_owner.setdefault(owner, Wanted("hold", owner, due_at))
        task.missing.add("child_told")
        task.release_ids.add(row.id)
        task.due_at = min(task.due_at, due_at)
    return list(by_owner.values())


def _asked(here: Gate, pair: Pair, decision: Decision, owner: str) -> list[tuple[str, str]]:
    """Return who is asked for what by one hold: for judgements, or else its rule is named."""
    rules = decision.rule_ids
    document = pair.document
    paths = here.data.paths(
        document["recipient"]["type"], document["recipient"]["role"], document["item"]["category"]
    )
    names = (
        frozenset()
        if {"NO_DECISION", "NO_CONTENT", "SWEEP", "REQ"} & set(rules)
        else missing(document, paths, rules, here.data.kinds)
    )
    if not names:
        return [(owner, rules[0])]
    return [(here.data.owner_of(name), name) for name in sorted(names)]


def _to_verify(
    proposal: Proposal, decisions: Mapping[str, Decision], now: datetime
) -> list[Wanted]:
    """Return a task for each recipient that nobody knows or whose channel nobody has verified."""
    known = {one.key for one in proposal.facts.recipients}
    named = {line.recipient for line in proposal.facts.lines if line.recipient is not None}
    refused = {row.recipient for row in decisions.values() if "HD2" in row.rule_ids}
    due_at = now + timedelta(hours=_VERIFY_WITHIN_H)
    return [
        Wanted("verify", "practitioner", due_at, recipient=key, missing={"channel_verified"})
        for key in sorted(refused | (named - known))
    ]


def _to_tell(proposal: Proposal, rows: Sequence[Release], now: datetime) -> list[Wanted]:
    """Return one task per recipient and interview for what a worker tells."""
    interviews = _interviews(proposal)
    by_key: dict[tuple[str, str], Wanted] = {}
    for row in rows:
        interview_id = interviews.get(row.item_id) or row.episode_id
        task = by_key.setdefault(
            (row.recipient, interview_id),
            Wanted(
                "tell",
                "practitioner",
                now + timedelta(hours=_TELL_WITHIN_H),
                worker=proposal.workers.get(row.item_id),
                recipient=row.recipient,
                interview_id=interview_id,
            ),
        )
        task.release_ids.add(row.id)
        task.worker = task.worker or proposal.workers.get(row.item_id)
        task.due_at = min(task.due_at, _due(row, now))
    return list(by_key.values())


def _due(row: Release, now: datetime) -> datetime:
    obligations = (row.content or {}).get("obligations", ())
    if "log_within_1h" in obligations:
        return now + timedelta(hours=1)
    if "same_day" in obligations:
        tomorrow = now.astimezone(LONDON).date() + timedelta(days=1)
        return datetime.combine(tomorrow, time_of_day(), LONDON).astimezone(UTC)
    return now + timedelta(hours=_TELL_WITHIN_H)


def _interviews(proposal: Proposal) -> dict[str, str | None]:
    """Return the interview of each item; an outcome goes with what was said about its episode."""
    by_episode = {
        one.episode_id: one.interview_id
        for one in proposal.facts.items
        if one.interview_id is not None
    }
    return {
        one.id: one.interview_id or by_episode.get(one.episode_id) for one in proposal.facts.items
    }


async def _bring_in_line(
    app: App,
    session: AsyncSession,
    proposal: Proposal,
    wanted: list[Wanted],
    now: datetime,
    *,
    closing: bool,
) -> None:
    child_id = proposal.facts.child.id
    found = await session.scalars(_OPEN, {"child_id": child_id})
    open_ = {(row.kind, row.owner, row.recipient, row.interview_id): row for row in found}
    for task in wanted:
        row = open_.pop(task.key, None)
        if row is None:
            session.add(_opened(app, child_id, proposal.epoch, task, now))
            continue
        row.missing = sorted(task.missing)
        row.release_ids = sorted(task.release_ids)
        row.decision_ids = sorted(task.decision_ids)
        row.worker = task.worker
        row.due_at = min(row.due_at, task.due_at)
    for row in open_.values():
        if closing or row.kind == "tell":
            row.state, row.closed_at = "closed", now


def _opened(app: App, child_id: str, epoch: int, task: Wanted, now: datetime) -> Task:
    """Return a new task; the moment is in its id, because the same may be wanted once more."""
    about = (task.recipient or "", task.interview_id or "")
    cause = (child_id, task.kind, task.owner, *about, epoch, now.isoformat())
    return Task(
        id=app.ids.after("TK", *cause, *sorted(task.release_ids), *sorted(task.decision_ids)),
        kind=task.kind,
        child_id=child_id,
        owner=task.owner,
        worker=task.worker,
        recipient=task.recipient,
        interview_id=task.interview_id,
        due_at=task.due_at,
        missing=sorted(task.missing),
        release_ids=sorted(task.release_ids),
        decision_ids=sorted(task.decision_ids),
        state="open",
        opened_at=now,
    )
