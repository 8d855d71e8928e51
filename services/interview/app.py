"""Puts `interview` together; the only place that knows all its parts."""

from fastapi import FastAPI

from messaging.app import service
from messaging.settings import Settings
from services.interview.api import router
from services.interview.handlers import events
from services.interview.tables import Base


def create(settings: Settings | None = None) -> FastAPI:
    """Return the service; without settings it takes them from the environment."""
    return service(
        "interview", settings=settings or Settings, base=Base, routers=[router], events=events
    )
