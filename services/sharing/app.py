"""The composition root of `sharing`: the only place that knows how its parts fit together."""

from fastapi import FastAPI
from sqlalchemy import select, update

from messaging.app import App, service
from messaging.settings import Settings
from services.sharing import checkpoints, delivery
from services.sharing.api import (
    agreement,
    feeds,
    judgements,
    leaving,
    lists,
    partners,
    quarantine,
    recipients,
    tasks,
    withdrawals,
)
from services.sharing.api import ledger as ledger_routes
from services.sharing.domain.releasing import STOPPABLE
from services.sharing.due import birthdays, call_without_bus, children_not_told, nobody_acted
from services.sharing.handlers import events
from services.sharing.metrics import LOOKS
from services.sharing.parts import gate, open_gate
from services.sharing.reconsider import reconsider_for_ever, undecided
from services.sharing.settings import SharingSettings
from services.sharing.tables import Base, Child, Decision, Release


async def start(app: App) -> None:
    """Open the gate, and have looked at again what other policies permitted or held."""
    open_gate(app)
    await delivery.set_up(app)
    digest = app.settings.policy_digest
    async with app.db.writing() as session:
        waiting = (
            select(Release.child_id)
            .distinct()
            .where(Release.state.in_(STOPPABLE), Release.policy_digest != digest)
        )
        held = (
            select(Decision.child_id)
            .distinct()
            .where(Decision.current, Decision.decision == "defer", Decision.policy_digest != digest)
        )
        await session.execute(
            update(Child)
            .where(Child.id.in_(waiting) | Child.id.in_(held))
            .values(dirty=True)
            .execution_options(synchronize_session=False)
        )


async def policy(app: App) -> None:
    """Prove that the right policies answer (a check of /ready)."""
    await gate(app).policy.ready()


def create(settings: type[Settings] | Settings = SharingSettings) -> FastAPI:
    """Return the service as an ASGI app."""
    return service(
        "sharing",
        settings=settings,
        base=Base,
        routers=[
            recipients.router,
            agreement.router,
            judgements.router,
            withdrawals.router,
            tasks.router,
            lists.router,
            partners.router,
            leaving.router,
            feeds.router,
            ledger_routes.router,
            quarantine.router,
        ],
        events=events,
        due=[
            birthdays,
            children_not_told,
            nobody_acted,
            checkpoints.checkpoint_due,
            delivery.receipts_due,
        ],
        background=[reconsider_for_ever, call_without_bus, delivery.deliver],
        pending={"undecided": undecided, "undelivered": delivery.undelivered},
        looks=LOOKS,
        on_start=start,
        ready=[policy],
    )
