"""The composition root of `sharing`: the only place that knows how its parts fit together."""

from fastapi import FastAPI

from messaging.app import App, service
from messaging.settings import Settings
from services.sharing import checkpoints, delivery, policy_life
from services.sharing.api import (
    agreement,
    feeds,
    judgements,
    leaving,
    lists,
    partners,
    policies,
    quarantine,
    recipients,
    tasks,
    withdrawals,
)
from services.sharing.api import ledger as ledger_routes
from services.sharing.due import birthdays, call_without_bus, children_not_told, nobody_acted
from services.sharing.handlers import events
from services.sharing.metrics import LOOKS
from services.sharing.parts import gate, open_gate
from services.sharing.policy_life_again import decide_again
from services.sharing.policy_life_loading import data_of, watch_policy
from services.sharing.reconsider import reconsider_for_ever, undecided
from services.sharing.settings import SharingSettings
from services.sharing.tables import Base


async def start(app: App) -> None:
    """Open the gate for the version of the policies that decides; what others held is asked again.

    An engine that decides by another version gives no usable answer: the service is then not ready
    and nothing leaves, until the right one is there.
    """
    active = await policy_life.begin(app)
    made = open_gate(app, active.digest, await data_of(app, active.digest))
    made.serves = app.settings.policy_digest == active.digest  # until the engine itself was asked
    await delivery.set_up(app)


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
            policies.router,
        ],
        events=events,
        due=[
            birthdays,
            children_not_told,
            nobody_acted,
            checkpoints.checkpoint_due,
            delivery.receipts_due,
        ],
        background=[
            reconsider_for_ever,
            call_without_bus,
            delivery.deliver,
            watch_policy,
            decide_again,
        ],
        pending={"undecided": undecided, "undelivered": delivery.undelivered},
        looks=LOOKS,
        on_start=start,
        ready=[policy],
    )
