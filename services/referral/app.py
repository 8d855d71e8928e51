"""The composition root of `referral`: the only place that knows all its parts."""

from fastapi import FastAPI

from messaging.app import App, service
from messaging.settings import Settings
from services.referral.api import router
from services.referral.localities import read
from services.referral.metrics import LOOKS
from services.referral.tables import Base


async def read_localities(app: App) -> None:
    """Read the localities; a file that is wrong stops the start, not the first referral."""
    app.state["localities"] = read(app.settings.localities)


def create(settings: Settings | None = None) -> FastAPI:
    """Return the service; settings come from the environment unless a test gives them."""
    return service(
        "referral",
        settings=settings or Settings,
        base=Base,
        routers=[router],
        looks=LOOKS,
        on_start=read_localities,
    )
