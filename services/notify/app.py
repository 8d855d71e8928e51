"""Puts `notify` together; the only place that knows all its parts."""

from fastapi import FastAPI

from messaging.app import App, service
from services.notify.api import router
from services.notify.handlers import events
from services.notify.metrics import LOOKS
from services.notify.sending import send_due, take_back_claims, unsent
from services.notify.settings import NotifySettings
from services.notify.tables import Base


def create(settings: NotifySettings | None = None) -> FastAPI:
    """Return the service; without settings it takes them from the environment."""
    return service(
        "notify",
        settings=settings or NotifySettings,
        base=Base,
        routers=[router],
        events=events,
        due=[send_due],
        pending={"unsent": unsent},
        looks=LOOKS,
        on_start=_start,
    )


async def _start(app: App) -> None:
    """Make the channels, and settle what a process that died was sending."""
    app.state["channels"] = app.settings.channels()
    await take_back_claims(app)
