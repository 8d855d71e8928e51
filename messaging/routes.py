"""The routes that every service has: alive, ready, metrics, and in tests the clock."""

import asyncio
import math
import time
from collections.abc import Awaitable, Coroutine, Iterator
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import func, select

from messaging import comparing_routes, dead_letter_routes, telling
from messaging.background import TimerFailedError
from messaging.caller import Caller, allow
from messaging.doorway import OPEN
from messaging.gauges import in_time
from messaging.problem import Problem
from messaging.schema import inbox, outbox
from messaging.settings import Settings

if TYPE_CHECKING:
    from messaging.app import App, Count

_CHECK_S = 2.0
_COUNT_S = 4.0
_open = APIRouter()
_clock = APIRouter()


def routers(settings: Settings) -> list[APIRouter]:
    """Return the shared routers; the clock's exists in test mode only."""
    shared = [_open, telling.router, comparing_routes.router, dead_letter_routes.router]
    return [*shared, _clock] if settings.clock == "test" else shared


@_open.get("/health")
async def health() -> dict[str, bool]:
    """Tell that the process answers."""
    return {"alive": True}


@_open.get("/ready")
async def ready(request: Request) -> dict[str, bool]:
    """Tell that real round trips to everything needed work; 503 names what does not."""
    app: App = request.app.state.homeward
    away = [name for name, passes in (await dependencies(app)).items() if not passes]
    if away:
        raise Problem(503, "service.not_ready", fields=[(name, "away") for name in away])
    return {"ready": True}


async def dependencies(app: "App", within_s: float = _CHECK_S) -> dict[str, bool]:
    """Return for each thing that the service needs whether a round trip to it works in time."""
    checks: dict[str, Coroutine[Any, Any, Any]] = {
        "database": _reads(app),
        "broker": app.bus.ready(),
    }
    checks |= {check.__name__: _of(check(app)) for check in app.ready}
    results = await asyncio.gather(*(_passes(check, within_s) for check in checks.values()))
    return dict(zip(checks, results, strict=True))


async def _reads(app: "App") -> None:
    """Prove that the database answers and has been migrated."""
    async with app.db.reading() as session:
        await session.execute(select(inbox.c.event_id).limit(1))


async def _passes(check: Coroutine[Any, Any, Any], within_s: float) -> bool:
    try:
        await in_time(check, within_s)
    except Exception:
        return False
    return True


async def _of(work: Awaitable[Any]) -> Any:
    return await work


@_open.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Give counters, and what was looked up just now, in Prometheus' format."""
    app: App = request.app.state.homeward
    await asyncio.gather(_pending(app), app.metrics.gauges.take(app))
    app.metrics.clock.set(app.clock.now().timestamp())
    return Response(generate_latest(app.metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _pending(app: "App") -> None:
    """Count what waits, in all within the time that a scrape may take.

    In the order in which work moves on: what leaves one count between two looks is in a later one.
    """
    counts: dict[str, Count] = {
        "unhandled": lambda app: app.bus.unhandled(),
        **app.pending,
        "outbox": _unsent,
    }
    until = time.monotonic() + _COUNT_S
    for kind, count in counts.items():
        within_s = min(_CHECK_S, until - time.monotonic())
        app.metrics.pending.labels(kind).set(await _known(count(app), within_s))


async def _unsent(app: "App") -> int:
    async with app.db.reading() as session:
        waiting = select(func.count()).select_from(outbox).where(outbox.c.sent_at.is_(None))
        return (await session.execute(waiting)).scalar_one()


async def _known(count: Awaitable[float], within_s: float) -> float:
    """Return the count, or NaN where it cannot be known now: that is not zero."""
    try:
        return float(await in_time(_of(count), within_s))
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


def paths(api: FastAPI) -> list[str]:
    """Return the routes of a service, as labels name them."""
    return sorted({str(route.path) for route in iter_route_contexts(api.routes)})


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
