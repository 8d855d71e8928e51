"""Episodes of one child that pass a set number in a window, told once (F17)."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.referral import TriggerFired
from messaging.app import App
from messaging.transaction import emit
from services.referral.domain import Attach, Fire, Fired, Missing, TriggerRule, trigger_step
from services.referral.tables import Episode, Trigger, TriggerEpisode


async def look_for_patterns(
    app: App, session: AsyncSession, episode: Episode, rules: Sequence[TriggerRule]
) -> None:
    """Fire or join triggers for a new episode, once per action; the child is locked or new."""
    settled: set[tuple[str, str | None]] = set()
    for rule in sorted(rules, key=lambda rule: rule.window_days):
        what = (rule.action, rule.setting)
        if what in settled or rule.setting not in {None, episode.setting}:
            continue
        arrived = Missing(episode.id, episode.missing_from)
        free = await _free(session, episode, rule)
        match trigger_step(rule, arrived, free, await _fired(session, episode, rule)):
            case Attach(trigger_id):
                session.add(TriggerEpisode(episode_id=episode.id, trigger_id=trigger_id))
                settled.add(what)
            case Fire(founders):
                await _fire(app, session, episode, rule, founders)
                settled.add(what)


async def _free(session: AsyncSession, episode: Episode, rule: TriggerRule) -> list[Missing]:
    """Return the child's other episodes near this one that belong to no trigger yet."""
    window = timedelta(days=rule.window_days)
    taken = (
        select(TriggerEpisode.episode_id)
        .join(Trigger, Trigger.id == TriggerEpisode.trigger_id)
        .where(*_of(rule, episode.child_id))
    )
    near = select(Episode.id, Episode.missing_from).where(
        Episode.child_id == episode.child_id,
        Episode.id != episode.id,
        Episode.missing_from.between(episode.missing_from - window, episode.missing_from + window),
        Episode.id.not_in(taken),
    )
    if rule.setting is not None:
        near = near.where(Episode.setting == rule.setting)
    return [Missing(*row) for row in (await session.execute(near))]


async def _fired(session: AsyncSession, episode: Episode, rule: TriggerRule) -> list[Fired]:
    window = timedelta(days=rule.window_days)
    rows = select(Trigger.id, Trigger.first_at, Trigger.last_at, Trigger.window_days).where(
        *_of(rule, episode.child_id),
        Trigger.first_at >= episode.missing_from - window,
        Trigger.last_at <= episode.missing_from + window,
    )
    return [Fired(*row) for row in (await session.execute(rows))]


def _of(rule: TriggerRule, child_id: str) -> tuple[ColumnElement[bool], ...]:
    """Return what makes a trigger one that already called for what the rule calls for."""
    return (
        Trigger.child_id == child_id,
        Trigger.window_days <= rule.window_days,
        Trigger.setting == (rule.setting or ""),
        Trigger.action == rule.action,
    )


async def _fire(
    app: App,
    session: AsyncSession,
    episode: Episode,
    rule: TriggerRule,
    founders: Sequence[Missing],
) -> None:
    now = app.clock.now()
    cause = (rule.count, rule.window_days, rule.setting or "", rule.action)
    trigger = Trigger(
        id=app.ids.after("TR", episode.id, *cause), child_id=episode.child_id, count=rule.count,
        window_days=rule.window_days, setting=rule.setting or "", action=rule.action,
        fired_by=episode.id, fired_at=now, first_at=founders[0].missing_from,
        last_at=founders[-1].missing_from,
    )  # fmt: skip
    session.add(trigger)
    for founder in founders:
        session.add(TriggerEpisode(episode_id=founder.episode_id, trigger_id=trigger.id))
    await session.flush()
    await emit(
        session,
        TriggerFired(
            id=app.ids.after("EV", "trigger_fired", trigger.id),
            occurred_at=now,
            child_id=episode.child_id,
            episode_id=episode.id,
            count=rule.count,
            window_days=rule.window_days,
            action=rule.action,
        ),
    )
