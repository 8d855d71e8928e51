"""The routes that every service has: alive, ready, metrics, and in tests the clock."""

import asyncio
import math
from collections.abc import Awaitable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import func, select

from messaging.background import TimerFailedError
from messaging.caller import Caller, allow
from messaging.doorway import OPEN
from messaging.problem import Problem
from messaging.schema import inbox, outbox
from messaging.settings import Settings

if TYPE_CHECKING:
    from messaging.app import App

_CHECK_S = 2.0
_open = APIRouter()
_clock = APIRouter()


def routers(settings: Settings) -> list[APIRouter]:
    """Return the shared routers; the clock's exists in test mode only."""
    return [_open, _clock] if settings.clock == "test" else [_open]


@_open.get("/health")
async def health() -> dict[str, bool]:
    """Tell that the process answers."""
    return {"alive": True}


@_open.get("/ready")
async def ready(request: Request) -> dict[str, bool]:
    """Tell that real round trips to everything needed work; 503 names what does not."""
    app: App = request.app.state.homeward
    checks: dict[str, Awaitable[Any]] = {"database": _reads(app), "broker": app.bus.ready()}
    checks |= {check.__name__: check(app) for check in app.ready}
    results = await asyncio.gather(*(_passes(check) for check in checks.values()))
    if not all(results):
        away = [n for n, passes in zip(checks, results, strict=True) if not passes]
        raise Problem(503, "service.not_ready", fields=[(name, "away") for name in away])
    return {"ready": True}


async def _reads(app: "App") -> None:
    """Prove that the database answers and has been migrated."""
    async with app.db.reading() as session:
        await session.execute(select(inbox.c.event_id).limit(1))


async def _passes(check: Awaitable[Any]) -> bool:
    try:
        async with asyncio.timeout(_CHECK_S):
            await check
    except Exception:
        return False
    return True


@_open.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Give counters and what is pending, in Prometheus' format."""
    app: App = request.app.state.homeward
    # in the order in which work moves on: what leaves one count between two looks is in a later one
    counts: dict[str, Awaitable[float]] = {"unhandled": app.bus.unhandled()}
    counts |= {kind: count(app) for kind, count in app.pending.items()}
    counts["outbox"] = _unsent(app)
    for kind, count in counts.items():
        app.metrics.pending.labels(kind).set(await _known(count))
    return Response(generate_latest(app.metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _unsent(app: "App") -> int:
    async with app.db.reading() as session:
        waiting = select(func.count()).select_from(outbox).where(outbox.c.sent_at.is_(None))
        return (await session.execute(waiting)).scalar_one()


async def _known(count: Awaitable[float]) -> float:
    """Return the count, or NaN where it cannot be known now: that is not zero."""
    try:
        async with asyncio.timeout(_CHECK_S):
            return await count
    except Exception:
        return math.nan


class ClockSetting(BaseModel):
    """The time to make it."""

    now: AwareDatetime


@_clock.put("/clock")
async def set_clock(
    setting: ClockSetting, request: Request, _: Annotated[Caller, Depends(allow("ops"))]
) -> dict[str, str]:
    """Set the test clock; answers when every timer due by then has run."""
    app: App = request.app.state.homeward
    try:
        await app.timers.run(setting.now)
    except TimerFailedError:
        raise Problem(503, "timer.failed") from None
    return {"now": app.clock.now().isoformat()}


def refuse_unguarded(api: FastAPI) -> None:
    """Refuse to build an app with a route that does not say who may call it."""
    for route in iter_route_contexts(api.routes):
        guarded = isinstance(route.original_route, APIRoute) and any(
            hasattr(part.call, "homeward_allows") for part in _parts(route.dependant)
        )
        if not guarded and route.path not in OPEN:
            raise RuntimeError(f"{route.path} does not say who may call it")


def _parts(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for part in dependant.dependencies:
        yield from _parts(part)
