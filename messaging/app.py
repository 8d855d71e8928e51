"""The composition root that all services share: settings, parts and routes become one app."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from sqlalchemy.orm import DeclarativeBase

from messaging import problem, routes, telemetry, trust
from messaging.background import Timers, end, supervise
from messaging.bus import Bus
from messaging.caller import Verifier
from messaging.clock import Clock, TestClock
from messaging.comparing import compare
from messaging.database import Database
from messaging.doorway import Doorway
from messaging.edge import Edge
from messaging.gauges import Look
from messaging.ids import Ids
from messaging.looks import SHARED
from messaging.metrics import Metrics
from messaging.relay import prune, relay, send_waiting
from messaging.settings import Settings
from messaging.subscriptions import Subscriptions
from messaging.telemetry import get_logger
from messaging.topology import Topology, load
from messaging.workloads import TwoIssuers, WorkloadVerifier

log = get_logger()

_LAST_WORDS_S = 3.0

Hook = Callable[["App"], Awaitable[None]]
Due = Callable[["App"], Awaitable[datetime | None]]
Count = Callable[["App"], Awaitable[int]]


@dataclass
class App:
    """The parts of one running service, handed to its handlers and routes."""

    settings: Any
    """The service's own subclass of Settings."""
    db: Database
    clock: Clock
    ids: Ids
    topology: Topology
    metrics: Metrics
    subscriptions: Subscriptions
    edges: dict[str, Edge] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    """What only this service has, put there by its `on_start`."""
    pending: Mapping[str, Count] = field(default_factory=dict)
    ready: Sequence[Hook] = ()
    _wakes: dict[str, asyncio.Event] = field(default_factory=dict)
    bus: Bus = field(init=False)
    timers: Timers = field(init=False)

    def wake(self, name: str) -> None:
        """Wake whoever waits in `woken(name)`: "due", "relay", or a service's own name."""
        self._wakes.setdefault(name, asyncio.Event()).set()

    async def woken(self, name: str, within_s: float) -> bool:
        """Wait until somebody wakes `name`, at most so long; tell whether somebody did."""
        event = self._wakes.setdefault(name, asyncio.Event())
        try:
            async with asyncio.timeout(max(0.0, within_s)):
                await event.wait()
        except TimeoutError:
            return False
        event.clear()
        return True


def the_app(request: Request) -> App:
    """Return the App in a route: `app: Annotated[App, Depends(the_app)]`."""
    app = request.app.state.homeward
    assert isinstance(app, App)  # noqa: S101 - set by `service` alone
    return app


def service(
    name: str,
    *,
    settings: type[Settings] | Settings,
    base: type[DeclarativeBase],
    routers: Sequence[APIRouter] = (),
    events: Subscriptions | None = None,
    due: Sequence[Due] = (),
    background: Sequence[Hook] = (),
    pending: Mapping[str, Count] | None = None,
    looks: Sequence[Look] = (),
    on_start: Hook | None = None,
    ready: Sequence[Hook] = (),
) -> FastAPI:
    """Return the service `name` as an ASGI app; everything it needs is in its settings."""
    if not telemetry.configured():  # never the library's own style, which prints what it can find
        telemetry.configure(name)
    config = settings if isinstance(settings, Settings) else settings()
    config = config.model_copy(update={"service": name})
    topology = load()
    app = App(
        settings=config,
        db=Database(config.database_url, config.database_ca, config.database_password),
        clock=TestClock() if config.clock == "test" else Clock(),
        ids=Ids.of(config.id_key),
        topology=topology,
        metrics=Metrics([*SHARED, *looks]),
        subscriptions=(events or Subscriptions()).fit(name, topology),
        edges={target: Edge(config, target) for target in topology.targets_of(name)},
        pending=pending or {},
        ready=ready,
    )
    app.bus = Bus(app)
    app.timers = Timers(app, due)
    app.db.on_wake(app.wake)

    api = FastAPI(
        title=f"Homeward {name}",
        docs_url=None,  # these pages would load scripts from a public CDN
        redoc_url=None,
        lifespan=lambda _: _life(app, background, on_start),
    )
    api.state.homeward = app
    api.state.base = base
    for router in (*routers, *routes.routers(config)):
        api.include_router(router)
    routes.refuse_unguarded(api)
    app.metrics.expect(
        handlers=app.subscriptions.handlers,
        work=[
            "relay",
            "due",
            "bus",
            "prune",
            "compare",
            *(work.__name__ for work in (*background, *due)),
        ],
        routes=routes.paths(api),
    )
    problem.install(api)
    api.add_middleware(Doorway, verifier=_verifier(config, name), metrics=app.metrics)
    return api


def _verifier(settings: Settings, name: str) -> Verifier | TwoIssuers:
    people = Verifier(settings.issuer, name, settings.jwks, settings.jwks_ca)
    if not settings.workload_issuer or not settings.workload_jwks:
        return people
    workloads = WorkloadVerifier(
        settings.workload_issuer,
        name,
        settings.workload_jwks,
        settings.workloads,
        settings.jwks_ca,
    )
    return TwoIssuers(people, workloads, settings.workload_issuer)


@asynccontextmanager
async def _life(app: App, background: Sequence[Hook], on_start: Hook | None) -> AsyncIterator[None]:
    """Start the parts; at the end stop taking, finish what has begun, send what is left."""
    if on_start is not None:
        try:
            await on_start(app)
        except Exception as error:
            log.error("service.not_started", exc_info=error, reason=trust.reason(error))
            raise
    tasks = [
        asyncio.create_task(supervise(app, "relay", relay)),
        asyncio.create_task(supervise(app, "due", lambda a: a.timers.keep())),
        asyncio.create_task(supervise(app, "bus", lambda a: a.bus.keep())),
        asyncio.create_task(supervise(app, "prune", prune)),
        asyncio.create_task(supervise(app, "compare", compare)),
        *(asyncio.create_task(supervise(app, work.__name__, work)) for work in background),
    ]
    log.info("service.started")
    try:
        yield
    finally:
        await app.bus.stop_taking()
        await end(tasks)
        with suppress(Exception):  # what cannot be sent now waits in the outbox
            async with asyncio.timeout(_LAST_WORDS_S):
                while await send_waiting(app):
                    pass
        await app.bus.stop()
        for edge in app.edges.values():
            await edge.close()
        await app.db.dispose()
        log.info("service.stopped")
