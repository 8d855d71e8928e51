"""What happened elsewhere, taken in: whatever a decision can read raises the child's epoch."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.interview import InterviewRecorded, ItemAmended
from contracts.referral import ChildChanged, EpisodeReferred
from contracts.scheduling import AppointmentBooked, AttemptMade, OutcomeReported
from messaging.app import App
from messaging.edge import NotFoundThereError
from messaging.errors import NotYetError
from messaging.subscriptions import Subscriptions
from messaging.transaction import handling
from services.sharing.children import changed, locked
from services.sharing.domain.outcome import outcome_fields
from services.sharing.domain.words import coded, without_words
from services.sharing.parts import gate
from services.sharing.tables import Child, Episode, Item, WorkerOnCase

events = Subscriptions()


@events.on(EpisodeReferred, by="sharing.take_episode")
async def take_episode(event: EpisodeReferred, app: App) -> None:
    """Know the child and the episode; the child's facts are asked for later."""
    async with handling(app.db, event, by="sharing.take_episode") as session:
        child = await locked(session, event.child_id)
        if child is None:
            child = Child(
                id=event.child_id,
                locality=event.locality,
                epoch=0,
                version=0,
                wanted_version=1,
                facts={},
            )
            session.add(child)
        if await session.get(Episode, event.episode_id) is None:
            session.add(
                Episode(
                    id=event.episode_id,
                    child_id=event.child_id,
                    setting=event.setting,
                    outcome_version=0,
                )
            )
        changed(session, child)


@events.on(ChildChanged, by="sharing.take_child_change")
async def take_child_change(event: ChildChanged, app: App) -> None:
    """Trust nothing decided on the old facts; the new ones are asked of `referral`."""
    async with handling(app.db, event, by="sharing.take_child_change") as session:
        child = await _known(session, event.child_id)
        if event.version > child.wanted_version:
            child.wanted_version = event.version
            changed(session, child)


@events.on(AttemptMade, by="sharing.take_attempt")
async def take_attempt(event: AttemptMade, app: App) -> None:
    """A worker who tried to reach the child is on the case."""
    async with handling(app.db, event, by="sharing.take_attempt") as session:
        await _on_case(session, event.child_id, event.worker, event.occurred_at)


@events.on(AppointmentBooked, by="sharing.take_booking")
async def take_booking(event: AppointmentBooked, app: App) -> None:
    """A worker who will meet the child is on the case."""
    async with handling(app.db, event, by="sharing.take_booking") as session:
        await _on_case(session, event.child_id, event.worker, event.occurred_at)


@events.on(OutcomeReported, by="sharing.take_outcome")
async def take_outcome(event: OutcomeReported, app: App) -> None:
    """Make the one item that is the gate's own: how the offer for an episode ended."""
    async with handling(app.db, event, by="sharing.take_outcome") as session:
        child = await _known(session, event.child_id)
        episode = await session.get(Episode, event.episode_id)
        if episode is None:
            raise NotYetError
        if event.version <= episode.outcome_version:
            return
        episode.outcome_version = event.version
        if not event.final:
            return
        item_id = app.ids.after("IT", event.episode_id, "basic_outcome")
        item = await session.get(Item, item_id)
        fields = outcome_fields(event)
        if item is None:
            session.add(_outcome_item(item_id, event, fields, app.clock.now()))
        elif item.fields != fields:
            item.fields, item.version = fields, item.version + 1
        else:
            return
        changed(session, child)


def _outcome_item(
    item_id: str, event: OutcomeReported, fields: dict[str, Any], now: datetime
) -> Item:
    return Item(
        id=item_id,
        child_id=event.child_id,
        episode_id=event.episode_id,
        category="basic_outcome",
        version=1,
        facts={"subject": "child", "provenance": "worker_view", "facts": {}},
        fields=fields,
        # what was judged after the offer had ended holds for it, however late we hear of the end
        existed_at=min(event.occurred_at, now),
    )


@events.on(InterviewRecorded, by="sharing.take_interview")
async def take_interview(event: InterviewRecorded, app: App) -> None:
    """Take in what could be told; a carer's account is kept apart and never proposed (R23)."""
    proposed = event.kind != "carer_account" and bool(event.items)
    told = await _items(app, event.interview_id) if proposed else []
    async with handling(app.db, event, by="sharing.take_interview") as session:
        child = await _known(session, event.child_id)
        await _on_case(session, event.child_id, event.worker, event.occurred_at)
        for one in told:
            await _take_item(
                session,
                app,
                one,
                event.child_id,
                interview_id=event.interview_id,
                worker=event.worker,
            )
        if told:
            changed(session, child)


@events.on(ItemAmended, by="sharing.take_amendment")
async def take_amendment(event: ItemAmended, app: App) -> None:
    """Take in a new version of an item; the interview may have been heard of just before."""
    told = await _items(app, event.interview_id)
    async with handling(app.db, event, by="sharing.take_amendment") as session:
        child = await _known(session, event.child_id)
        known = await session.get(Item, event.item.item_id)
        if known is None:
            raise NotYetError
        for one in told:
            if one["item_id"] == event.item.item_id:
                await _take_item(
                    session,
                    app,
                    one,
                    event.child_id,
                    interview_id=event.interview_id,
                    worker=known.worker,
                )
        changed(session, child)


async def _items(app: App, interview_id: str) -> list[dict[str, Any]]:
    """Ask `interview` for codes and facts of its items. Raises NotYetError, AwayError."""
    try:
        answer = await app.edges["interview"].get(f"/interviews/{interview_id}/items")
    except NotFoundThereError as error:
        raise NotYetError from error
    return list(answer["items"])


async def _take_item(
    session: AsyncSession,
    app: App,
    one: dict[str, Any],
    child_id: str,
    *,
    interview_id: str,
    worker: str | None,
) -> None:
    facts = _kept(one, gate(app).data.kinds)
    event_at = one.get("event_at")
    recorded_at = one.get("recorded_at")
    now = app.clock.now()
    existed_at = now if recorded_at is None else datetime.fromisoformat(recorded_at)
    item = await session.get(Item, one["item_id"])
    if item is None:
        session.add(
            Item(
                id=one["item_id"],
                child_id=child_id,
                episode_id=one["episode_id"],
                interview_id=interview_id,
                category=one["category"],
                version=one["version"],
                facts=facts,
                worker=worker,
                event_at=None if event_at is None else datetime.fromisoformat(event_at),
                existed_at=min(existed_at, now),
            )
        )
    elif one["version"] > item.version:
        if item.category != one["category"]:
            item.existed_at = now  # it says another kind of thing now: nobody has judged that
        item.version, item.category, item.facts = one["version"], one["category"], facts


def _kept(one: dict[str, Any], kinds: Any) -> dict[str, Any]:
    """Return what decisions read of an item: third parties and free text only as being there."""
    return {
        "subject": one["subject"],
        "provenance": one["provenance"],
        "verbatim": one["verbatim"],
        "third_parties": ["given"] * len(one["third_parties"]),
        "counselling": one["counselling"],
        "offence_data": one["offence_data"],
        "special": [coded(str(code)) for code in one["special"]],
        "facts": without_words(one["facts"], kinds),
    }


async def _known(session: AsyncSession, child_id: str) -> Child:
    """Return the child's row, locked. Raises NotYetError before the episode was referred to us."""
    child = await locked(session, child_id)
    if child is None:
        raise NotYetError
    return child


async def _on_case(session: AsyncSession, child_id: str, worker: str, since: datetime) -> None:
    there = select(WorkerOnCase).where(
        WorkerOnCase.child_id == child_id, WorkerOnCase.worker == worker
    )
    if (await session.scalars(there)).first() is None:
        session.add(WorkerOnCase(child_id=child_id, worker=worker, since=since))
