"""What a scrape of `sharing` looks up: what is held, what waits to leave, and the ledger's head.

Every question goes through an index of what is open, and counts stop at `COUNTED_MAX`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, case, func, select

from messaging.app import App
from messaging.gauges import COUNTED_MAX, Family, Labels, Look, Values
from services.sharing.domain.releasing import TELL, WAITING
from services.sharing.ledger_tables import CHECKPOINTS, ENTRIES, HEAD
from services.sharing.parts import gate
from services.sharing.policy_tables import PolicyActive, PolicyVersion
from services.sharing.quarantine import in_quarantine
from services.sharing.tables import (
    CLAIMED,
    QUEUED,
    SENT,
    Page,
    Partner,
    Release,
    Task,
)
from services.sharing.urgency import URGENT_HOLD

UNDER_WAY = (WAITING, TELL, QUEUED, CLAIMED)
OWNERS = ("practitioner", "dsl", "dsl_and_ig", "dpo", "dpo_and_dsl", "manager")
KINDS = ("hold", "tell", "verify", "overdue")
PARTNERS_MAX = 500
"""Agencies, so their keys may be labels; beyond so many they would cost too much to keep."""


def _age_s(now: datetime, since: datetime | None) -> float:
    return max(0.0, (now - since).total_seconds()) if since is not None else 0.0


async def _urgent(app: App) -> Mapping[str, Values]:
    now = app.clock.now()
    waiting = (
        select(Page.raised_at, Page.escalated_at)
        .where(Page.code == URGENT_HOLD, Page.acted_at.is_(None))
        .limit(COUNTED_MAX)
        .subquery()
    )
    asked = select(
        func.count(), func.count(waiting.c.escalated_at), func.min(waiting.c.raised_at)
    ).select_from(waiting)
    untaken = select(Page.raised_at).where(Page.taken_at.is_(None)).limit(COUNTED_MAX).subquery()
    async with app.db.reading() as session:
        count, escalated, first = (await session.execute(asked)).one()
        first_untaken = await session.scalar(select(func.min(untaken.c.raised_at)))
    return {
        "homeward_urgent_holds": {(): count},
        "homeward_urgent_holds_escalated": {(): escalated},
        "homeward_urgent_hold_oldest_seconds": {(): _age_s(now, first)},
        "homeward_page_not_taken_oldest_seconds": {(): _age_s(now, first_untaken)},
    }


async def _under_way(app: App) -> Mapping[str, Values]:
    now = app.clock.now()
    counts: dict[Labels, float] = {}
    ages: dict[Labels, float] = {}
    async with app.db.reading() as session:
        for state in UNDER_WAY:
            count, first = (await session.execute(_first_of(_is(state)))).one()
            counts[(state,)], ages[(state,)] = count, _age_s(now, first)
    return {"homeward_releases": counts, "homeward_release_oldest_seconds": ages}


def _is(state: str) -> ColumnElement[bool]:
    """Compare with the state written out: SQLite takes no partial index for a parameter."""
    return Release.state == bindparam(None, state, literal_execute=True)


def _first_of(*conditions: Any) -> Select[int, Any]:
    """Count the releases, at most so many, and find when the first was permitted."""
    few = (
        select(Release.permitted_at)
        .where(*conditions)
        .order_by(Release.permitted_at)
        .limit(COUNTED_MAX)
        .subquery()
    )
    return select(func.count(), func.min(few.c.permitted_at)).select_from(few)


async def _feeds(app: App) -> Mapping[str, Values]:
    now = app.clock.now()
    counts: dict[Labels, float] = {}
    ages: dict[Labels, float] = {}
    async with app.db.reading() as session:
        ours = select(Partner.key).where(Partner.revoked_at.is_(None)).order_by(Partner.key)
        for key in (await session.scalars(ours.limit(PARTNERS_MAX))).all():
            lies = Release.stream_seq.is_not(None)  # what a loss took is on no feed any more
            unread = _first_of(Release.partner_key == key, _is(SENT), lies)
            count, first = (await session.execute(unread)).one()
            counts[(key,)], ages[(key,)] = count, _age_s(now, first)
    return {
        "homeward_feed_unacknowledged": counts,
        "homeward_feed_unacknowledged_oldest_seconds": ages,
    }


async def _ledger(app: App) -> Mapping[str, Values]:
    async with app.db.reading() as session:
        head = await session.scalar(select(HEAD.c.seq).where(HEAD.c.id == 1)) or 0
        newest = select(CHECKPOINTS.c.seq).order_by(CHECKPOINTS.c.seq.desc()).limit(1)
        signed = await session.scalar(newest) or 0
        first = await session.scalar(select(ENTRIES.c.at).where(ENTRIES.c.seq == signed + 1))
    since = datetime.fromisoformat(str(first)) if first else None
    return {
        "homeward_ledger_entries": {(): head},
        "homeward_ledger_unsigned_entries": {(): head - signed},
        "homeward_ledger_unsigned_oldest_seconds": {(): _age_s(app.clock.now(), since)},
    }


async def _tasks(app: App) -> Mapping[str, Values]:
    now = app.clock.now()
    few = (
        select(Task.kind, Task.owner, Task.due_at)
        .where(Task.state == "open")
        .order_by(Task.due_at)
        .limit(COUNTED_MAX)
        .subquery()
    )
    late = few.c.due_at < now
    asked = select(
        few.c.kind,
        few.c.owner,
        func.count(),
        func.sum(case((late, 1), else_=0)),
        func.min(few.c.due_at),
    ).group_by(few.c.kind, few.c.owner)
    counts: dict[Labels, float] = {}
    overdue: dict[Labels, float] = {}
    ages: dict[Labels, float] = {}
    async with app.db.reading() as session:
        for kind, owner, count, late_count, first in await session.execute(asked):
            counts[kind, owner] = count
            overdue[kind, owner] = late_count
            ages[(owner,)] = max(ages.get((owner,), 0.0), _age_s(now, first))
    return {
        "homeward_tasks": counts,
        "homeward_tasks_overdue": overdue,
        "homeward_task_overdue_seconds": ages,
    }


async def _quarantine(app: App) -> Mapping[str, Values]:
    return {"homeward_quarantine": {(): float(await in_quarantine(app))}}


async def _policy(app: App) -> Mapping[str, Values]:
    locked = select(PolicyVersion.locked).join(
        PolicyActive, PolicyActive.digest == PolicyVersion.digest
    )
    loading = select(PolicyActive.loading_since, PolicyActive.loading).where(PolicyActive.id == 1)
    async with app.db.reading() as session:
        on = await session.scalar(locked)
        since, name = (await session.execute(loading)).one()
        asked = name is not None and await session.scalar(
            select(PolicyVersion.locked).where(PolicyVersion.digest == name)
        )
    return {
        # from the moment in which somebody asked for it
        "homeward_policy_lockdown": {(): float(bool(on or asked))},
        "homeward_policy_loading_seconds": {(): _age_s(datetime.now(UTC), since)},
        "homeward_policy_other_version": {(): float(not gate(app).serves)},
    }


_KIND_OWNER = [(kind, owner) for kind in KINDS[:2] for owner in OWNERS[:2]]
_STATE = [(state,) for state in UNDER_WAY]

LOOKS = (
    Look(
        [
            Family("homeward_urgent_holds", "Urgent holds on which nobody has acted yet"),
            Family(
                "homeward_urgent_holds_escalated",
                "Of these, those for which the person on call was paged too",
            ),
            Family(
                "homeward_urgent_hold_oldest_seconds",
                "How long the first of them has waited; 0 where none does",
            ),
            Family(
                "homeward_page_not_taken_oldest_seconds",
                "How long the first page has waited for `notify` to take it; 0 where none does",
            ),
        ],
        _urgent,
    ),
    Look(
        [
            Family(
                "homeward_releases",
                "Permitted releases that nobody has yet, by state",
                ("state",),
                _STATE,
            ),
            Family(
                "homeward_release_oldest_seconds",
                "How long the first of them has been permitted; 0 where none is",
                ("state",),
                _STATE,
            ),
        ],
        _under_way,
    ),
    Look(
        [
            Family(
                "homeward_feed_unacknowledged",
                "Releases on a partner's feed that it has not acknowledged; none of a revoked one",
                ("partner",),
            ),
            Family(
                "homeward_feed_unacknowledged_oldest_seconds",
                "How long ago the first of them was permitted; 0 where the feed is read",
                ("partner",),
            ),
        ],
        _feeds,
    ),
    Look(
        [
            Family("homeward_ledger_entries", "Entries of the decision ledger"),
            Family(
                "homeward_ledger_unsigned_entries", "Of these, those that no checkpoint covers yet"
            ),
            Family(
                "homeward_ledger_unsigned_oldest_seconds",
                "Age of the first of them; 0 where a checkpoint covers all",
            ),
        ],
        _ledger,
    ),
    Look(
        [
            Family(
                "homeward_tasks",
                "Tasks that people have, by kind and owner",
                ("kind", "owner"),
                _KIND_OWNER,
            ),
            Family(
                "homeward_tasks_overdue",
                "Of these, those past their time",
                ("kind", "owner"),
                _KIND_OWNER,
            ),
            Family(
                "homeward_task_overdue_seconds",
                "How long an owner's first task is overdue; 0 where none is",
                ("owner",),
                [(owner,) for owner in OWNERS[:2]],
            ),
        ],
        _tasks,
    ),
    Look(
        [
            Family(
                "homeward_policy_lockdown",
                "1 while nothing leaves but what immediate danger opens, else 0",
            ),
            Family(
                "homeward_policy_loading_seconds",
                "How long engines have been loading another version; 0 where none is loaded",
            ),
            Family(
                "homeward_policy_other_version",
                "1 while the engine of this process has another version than decides, else 0",
            ),
        ],
        _policy,
    ),
    Look(
        [
            Family(
                "homeward_quarantine",
                "1 while a restored system is in quarantine and nothing leaves, else 0",
            )
        ],
        _quarantine,
    ),
)
