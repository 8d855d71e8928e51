"""What happens because time passes: birthdays, children not told, calls that nobody answered."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from messaging.app import App
from messaging.edge import NotFoundThereError, RefusedThereError
from messaging.errors import AwayError
from messaging.schema import outbox
from messaging.telemetry import get_logger
from services.sharing.children import changed, locked
from services.sharing.domain.birthdays import a_year_after
from services.sharing.domain.releasing import WAITING
from services.sharing.domain.urgency import TELL_CHILD_WITHIN
from services.sharing.tables import Child, Page, Release
from services.sharing.urgency import (
    CHILD_NOT_TOLD,
    HOLD_OVERDUE,
    URGENT_HOLD,
    raise_page,
    told,
)

log = get_logger()

_BATCH = 100
_NEXT_BIRTHDAYS = (
    select(Child.id, Child.next_birthday_at)
    .where(Child.next_birthday_at.is_not(None))
    .order_by(Child.next_birthday_at)
    .limit(10)
)
_BUS_HAS_S = 5
"""How long the bus has to take a page before `notify` is called directly; both stay under 60 s."""


async def birthdays(app: App) -> datetime | None:
    """Raise the epoch of each child that has turned a year older; return the next birthday."""
    now = app.clock.now()
    async with app.db.reading() as session:
        nearest = (await session.execute(_NEXT_BIRTHDAYS)).all()
    for child_id, at in nearest:
        if at is not None and at > now:
            return at
        async with app.db.writing() as session:
            child = await locked(session, child_id)
            if child is None or child.next_birthday_at is None or child.next_birthday_at > now:
                continue
            child.age = (child.age or 0) + 1
            child.next_birthday_at = a_year_after(child.next_birthday_at)
            changed(session, child)
    return now if nearest else None  # there may be more of them


async def children_not_told(app: App) -> datetime | None:
    """Call the DSL about releases that wait for a child who has not been told for an hour."""
    now = app.clock.now()
    async with app.db.reading() as session:
        rows = (
            await session.execute(
                select(Release.child_id, Release.id, Release.permitted_at)
                .where(Release.state == WAITING)
                .order_by(Release.permitted_at)
            )
        ).all()
        called = {
            name
            for page in await session.scalars(
                select(Page).where(
                    Page.code == CHILD_NOT_TOLD,
                    Page.child_id.in_({row.child_id for row in rows}),
                )
            )
            for name in page.about
        }
    late: dict[str, list[str]] = {}
    next_at = None
    for child_id, name, permitted_at in rows:
        if name in called:
            continue
        if permitted_at + TELL_CHILD_WITHIN <= now:
            late.setdefault(child_id, []).append(name)
        else:
            next_at = next_at or permitted_at + TELL_CHILD_WITHIN
    for child_id, names in late.items():
        await _call_about(app, child_id, names, now)
    return next_at


async def _call_about(app: App, child_id: str, names: list[str], now: datetime) -> None:
    async with app.db.writing() as session:
        child = await locked(session, child_id)
        if child is None:
            return
        await raise_page(
            app,
            session,
            child_id,
            child.locality,
            to="dsl",
            code=CHILD_NOT_TOLD,
            about=names,
            cause=names[0],
            now=now,
        )


async def nobody_acted(app: App) -> datetime | None:
    """Call the on-call manager where the DSL has not acted on an urgent hold; return the next."""
    now = app.clock.now()
    unanswered = (
        select(Page)
        .where(Page.code == URGENT_HOLD, Page.acted_at.is_(None), Page.escalated_at.is_(None))
        .order_by(Page.due_at)
    )
    async with app.db.reading() as session:
        pages = (await session.scalars(unanswered.limit(_BATCH))).all()
    for page in pages:
        if page.due_at > now:
            return page.due_at
        async with app.db.writing() as session:
            await locked(session, page.child_id)
            again = await session.get(Page, page.id)
            if again is None or again.acted_at is not None or again.escalated_at is not None:
                continue
            again.escalated_at = now
            await raise_page(
                app,
                session,
                page.child_id,
                page.locality,
                to="on_call",
                code=HOLD_OVERDUE,
                about=list(page.about),
                cause=page.id,
                now=now,
            )
    return None


async def call_without_bus(app: App) -> None:
    """Call `notify` directly about pages that the bus has not taken; it sends each page once."""
    while True:
        await app.woken("page", 1.0)
        async with app.db.reading() as session:
            pages = (
                await session.scalars(select(Page).where(Page.taken_at.is_(None)).limit(_BATCH))
            ).all()
        for page in pages:
            await _call(app, page)


async def _call(app: App, page: Page) -> None:
    event_id = app.ids.after("EV", page.id)
    async with app.db.reading() as session:
        row = (
            await session.execute(
                select(outbox.c.sent_at, outbox.c.written_at).where(outbox.c.event_id == event_id)
            )
        ).first()
    gone = row is None or row.sent_at is not None  # an outbox row is only removed once it was sent
    if not gone:
        if row is not None and row.written_at > datetime.now(UTC) - timedelta(seconds=_BUS_HAS_S):
            return
        try:
            event = told(page, event_id).model_dump(mode="json")
            await app.edges["notify"].post("/pages", event)
        except (AwayError, NotFoundThereError, RefusedThereError) as error:
            log.warning("page.not_taken", name=type(error).__name__)
            return
    async with app.db.writing() as session:
        again = await session.get(Page, page.id)
        if again is not None:
            again.taken_at = app.clock.now()
