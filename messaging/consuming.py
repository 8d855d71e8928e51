"""Taking events: each is handled once, tried again later and later, or put aside after all."""

import asyncio
import random
import ssl
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from faststream import AckPolicy, BaseMiddleware
from faststream.exceptions import AckMessage, HandlerException, NackMessage
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.security import NatsNKey
from nats.js.api import ConsumerConfig
from pydantic import ValidationError

from messaging import trust
from messaging.database import database_away
from messaging.errors import AwayError, NotYetError
from messaging.nats_config import API_PREFIX, inbox_of
from messaging.telemetry import get_logger, place_of
from messaging.topology import Durable
from messaging.transaction import AlreadyHandledError

if TYPE_CHECKING:
    from faststream.message import StreamMessage

    from messaging.app import App

log = get_logger()

FAILURES_MAX = 8
"""So many failures of one event, and it goes to the dead letters."""
_FAILED_FIRST_S, _FAILED_LONGEST_S = 0.5, 60.0
_WAITS_FIRST_S, _WAITS_LONGEST_S = 0.1, 10.0
_JITTER = 0.2
_PULL_S = 1.0
"""How long a pull waits; what is sent to the pull of a killed process waits for `ack_wait`."""
_BEATS = 3
"""So many signs of life within one `ack_wait`."""
_FINISH_S = 15.0
_REMEMBERED_MAX = 10_000
_ID_LENGTH_MAX = 200


class UnparseableError(Exception):
    """The bytes are no event of their subject."""


@dataclass(frozen=True)
class Delivery:
    """One delivery of one message; the handler's side of what the middleware sees."""

    subject: str
    stream: str
    seq: int
    tries: int
    body: bytes
    event_id: str = ""
    """As its publisher named it beside the body, which may be broken."""

    @classmethod
    def of(cls, message: "StreamMessage[Any]") -> "Delivery":
        """Read a delivery from what the library hands over."""
        raw = message.raw_message
        meta = raw.metadata
        return cls(
            raw.subject,
            meta.stream,
            meta.sequence.stream,
            meta.num_delivered,
            raw.data,
            str((raw.headers or {}).get("ce-id", ""))[:_ID_LENGTH_MAX],
        )


_current: ContextVar[Delivery] = ContextVar("delivery")


def delay_s(tries: int, *, waits: bool) -> float:
    """Return the pause before the next delivery: doubled each time, bounded, spread a little."""
    first, longest = (
        (_WAITS_FIRST_S, _WAITS_LONGEST_S) if waits else (_FAILED_FIRST_S, _FAILED_LONGEST_S)
    )
    pause = min(longest, first * 2 ** min(tries - 1, 20))
    return float(pause * (1 + random.uniform(0, _JITTER)))  # noqa: S311 - spreads load, no secret


def waits(error: BaseException) -> bool:
    """Tell whether an event only has to wait, however often: such never become dead letters."""
    return isinstance(error, NotYetError | AwayError) or database_away(error)


async def take(app: "App", delivery: Delivery) -> None:
    """Give an event to its handlers; one that has handled it before is passed over."""
    handlers = app.subscriptions.of(delivery.subject)
    if not handlers:
        raise NotYetError  # this version of the service cannot take it; a newer one will
    within_s = app.topology.durables.handle_within_s
    for one in handlers:
        try:
            event = one.kind.model_validate_json(delivery.body)
        except ValidationError:
            raise UnparseableError from None
        if not 0 < len(event.id) <= _ID_LENGTH_MAX:
            raise UnparseableError
        began = time.perf_counter()
        try:
            async with asyncio.timeout(within_s):
                await one.handler(event, app)
        except AlreadyHandledError:
            app.metrics.handled.labels(one.by, "again").inc()
        except Exception as error:
            result = "waits" if waits(error) else "failed"
            app.metrics.handled.labels(one.by, result).inc()
            raise
        else:
            app.metrics.handled.labels(one.by, "done").inc()
            app.metrics.handling.labels(one.by).observe(time.perf_counter() - began)


class Again(BaseMiddleware[Any, Any]):
    """Decides what becomes of an event that was not handled: again later, or put aside."""

    def __init__(
        self, msg: Any, /, *, context: Any, app: "App", failures: OrderedDict[tuple[str, int], int]
    ) -> None:
        super().__init__(msg, context=context)
        self._app = app
        self._failures = failures

    async def consume_scope(self, call_next: Any, msg: "StreamMessage[Any]") -> Any:
        """Handle one delivery; leaves by AckMessage or NackMessage where that failed."""
        delivery = Delivery.of(msg)
        _current.set(delivery)
        try:
            with _AtWork(msg, self._app.topology.durables.ack_wait_s / _BEATS):
                result = await call_next(msg)
        except HandlerException:
            raise
        except Exception as error:
            raise await self._after(delivery, error) from None
        self._failures.pop((delivery.stream, delivery.seq), None)
        return result

    async def _after(self, delivery: Delivery, error: Exception) -> HandlerException:
        about = {
            "stream": delivery.stream,
            "count": delivery.seq,
            "subject": delivery.subject,
            "tries": delivery.tries,
            "error": type(error).__name__,
            "where": place_of(error),
        }
        if waits(error):
            if delivery.tries & (delivery.tries - 1) == 0:  # 1, 2, 4, 8, … or the log would drown
                log.info("event.waits", **about)
            return NackMessage(delay=delay_s(delivery.tries, waits=True))
        failures = self._count(delivery)
        unparseable = isinstance(error, UnparseableError)
        log.warning("event.failed", **about)
        if not unparseable and failures < FAILURES_MAX:
            return NackMessage(delay=delay_s(failures, waits=False))
        reason = "unparseable" if unparseable else "failed"
        try:
            await put_aside(self._app, delivery, reason, type(error).__name__)
        except AwayError:
            return NackMessage(delay=delay_s(delivery.tries, waits=True))
        self._failures.pop((delivery.stream, delivery.seq), None)
        log.error("event.put_aside", reason=reason, **about)
        return AckMessage()

    def _count(self, delivery: Delivery) -> int:
        """Return how often this process saw the event fail; waiting does not count."""
        key = (delivery.stream, delivery.seq)
        failures = self._failures.pop(key, 0) + 1
        self._failures[key] = failures
        if len(self._failures) > _REMEMBERED_MAX:
            self._failures.popitem(last=False)
        return failures


class _AtWork:
    """Tells the broker now and then that a slow handler lives, so that nobody else gets its event.

    Costs one timer for a quick handler; thus `ack_wait` can be short, and a crash delays little.
    """

    def __init__(self, message: "StreamMessage[Any]", every_s: float) -> None:
        self._message = message
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._begin)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            await self._message.in_progress()  # type: ignore[attr-defined] # a NatsMessage
            await asyncio.sleep(self._every_s)


async def put_aside(app: "App", delivery: Delivery, reason: str, error: str) -> None:
    """Store the bytes as they came in this service's dead letters. Raises AwayError."""
    service = app.settings.service
    await app.bus.publish(
        f"dlq.{service}.{delivery.subject}",
        delivery.body,
        msg_id=f"dlq.{service}.{delivery.stream}.{delivery.seq}",
        headers={
            **({"Homeward-Event": delivery.event_id} if delivery.event_id else {}),
            "Homeward-Reason": reason,
            "Homeward-Error": error,
            "Homeward-Stream": delivery.stream,
            "Homeward-Seq": str(delivery.seq),
            "Homeward-Tries": str(delivery.tries),
        },
    )
    app.metrics.dead.labels(reason).inc()


def broker_of(app: "App", durables: Sequence[Durable], tls: ssl.SSLContext | None) -> NatsBroker:
    """Return the broker with one pull subscriber per durable; it declares nothing."""
    name = app.settings.service
    failures: OrderedDict[tuple[str, int], int] = OrderedDict()

    async def failed(error: Exception) -> None:
        log.warning("broker.error", error=type(error).__name__, reason=trust.reason(error))

    broker = NatsBroker(
        app.settings.nats_url,
        name=name,
        security=NatsNKey(
            app.settings.nats_nkey,
            ssl_context=tls,
            use_ssl=tls is not None,
            # else the library goes on without TLS where the first word of a server asks for none
            tls_handshake_first=app.settings.nats_url.startswith("tls:"),
        ),
        inbox_prefix=inbox_of(name),
        js_options={"prefix": API_PREFIX, "timeout": 5.0},
        ack_policy=AckPolicy.NACK_ON_ERROR,
        middlewares=[partial(Again, app=app, failures=failures)],
        decoder=_as_it_came,
        apply_types=False,
        logger=None,  # its lines carry subjects and errors' texts; ours are by allow-list
        error_cb=failed,
        max_reconnect_attempts=-1,  # a finite budget, once spent, makes the event loop spin
        reconnect_time_wait=1,
        connect_timeout=2,
        ping_interval=10,
        max_outstanding_pings=2,
        graceful_timeout=_FINISH_S,
    )

    async def handle(_: bytes) -> None:
        await take(app, _current.get())

    for durable in durables:
        subscriber = broker.subscriber(
            stream=JStream(durable.stream, declare=False),  # it would reset what ops had set
            durable=durable.name,
            config=ConsumerConfig(filter_subjects=list(durable.subjects)),
            pull_sub=PullSub(batch_size=app.topology.durables.batch, timeout=_PULL_S),
            inbox_prefix=f"{inbox_of(name)}.".encode(),  # the broker's own does not reach here
        )
        subscriber(handle)
    return broker


async def stop_taking(broker: NatsBroker) -> None:
    """Let the pulls under way end and what they bring be handled, then stop.

    The library's own stop drops what a pull brings while it stops; it would wait for `ack_wait`.
    """
    parked: list[asyncio.Event] = []
    for subscriber in broker.subscribers:
        pull = getattr(subscriber, "subscription", None)
        if pull is not None:
            parked.append(asyncio.Event())
            pull.fetch = partial(_park, parked[-1])
    with suppress(TimeoutError):
        async with asyncio.timeout(_FINISH_S):
            await asyncio.gather(*(event.wait() for event in parked))
    stops = (subscriber.stop() for subscriber in broker.subscribers)
    await asyncio.gather(*stops, return_exceptions=True)  # one without a connection cannot say so
    for subscriber in broker.subscribers:
        for task in getattr(subscriber, "tasks", ()):
            task.cancel()


async def _park(parked: asyncio.Event, **_: Any) -> None:
    """Take the place of the next pull: never ends, until the subscriber is stopped."""
    parked.set()
    await asyncio.Event().wait()


async def _as_it_came(message: "StreamMessage[Any]") -> bytes:
    """Leave the bytes alone: what cannot be parsed has to reach the middleware."""
    return bytes(message.body)
