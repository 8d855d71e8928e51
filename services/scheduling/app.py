"""The composition root of `scheduling`: the only place that knows all its parts."""

from fastapi import FastAPI

from messaging.app import service
from messaging.settings import Settings
from services.scheduling import api, workers
from services.scheduling.clocks import announce_due
from services.scheduling.handlers import events
from services.scheduling.metrics import LOOKS
from services.scheduling.settings import SchedulingSettings
from services.scheduling.tables import Base


def create(settings: Settings | None = None) -> FastAPI:
    """Return the service; settings come from the environment unless a test gives them."""
    return service(
        "scheduling",
        settings=settings or SchedulingSettings,
        base=Base,
        routers=[api.router, workers.router],
        events=events,
        due=[announce_due],
        looks=LOOKS,
    )
