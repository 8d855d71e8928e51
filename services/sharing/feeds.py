"""Partners' feeds at the broker: put a message in, look what was read, erase what was not."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import Header
from nats.js.errors import APIError, NotFoundError

from messaging.errors import AwayError
from messaging.topology import feed_stream

TIMEOUT_S = 5.0
"""The library's default of 0.5 s gives up on a broker that syncs to a busy disk."""

_WRONG_LAST_SEQUENCE = 10071
_NOT_DELETED = {10037, 10057}
"""No such message; deletion failed, which is also said of one acknowledged a moment ago."""


class MovedOnError(Exception):
    """The stream does not end where the publisher thought: somebody was there, or it is new."""


@dataclass(frozen=True)
class Put:
    """Where a message lies; `again` when one with the same id was there before."""

    seq: int
    again: bool


@dataclass(frozen=True)
class Message:
    """A message as it lies in a feed."""

    seq: int
    msg_id: str
    subject: str
    at: datetime | None
    release_id: str = ""
    """What the event in it is about; empty where it is no event of ours."""


@dataclass(frozen=True)
class Position:
    """How far a partner has come. Sequences of the stream."""

    delivered: int
    """The last one that may have reached the partner."""
    acknowledged: int
    """All up to here were acknowledged."""
    since: datetime | None
    """When the durable was made; what it was told before that is not known."""
    leader: str | None
    """Name of the server that hands out messages; None where there is one server alone."""


@dataclass(frozen=True)
class Contents:
    """What the broker believes that a feed holds; a message that it cannot read is still in it."""

    first: int
    last: int
    gone: frozenset[int]
    """Acknowledged or erased ones between these two."""

    def holds(self, seq: int) -> bool:
        """Tell whether the broker counts the message at `seq` as there."""
        return self.first <= seq <= self.last and seq not in self.gone


class Feeds:
    """All feeds, through the one connection that may write to them."""

    def __init__(self, jetstream: Callable[[], JetStreamContext]) -> None:
        self._jetstream = jetstream

    def server(self) -> str:
        """Return which run of the broker we talk to: started again, it has another id."""
        client = self._jetstream()._nc
        return str(client._server_info["server_id"])  # the library has no public way to it

    def runs(self, server: str) -> bool:
        """Tell whether we still talk to that run of the broker."""
        try:
            return self.server() == server
        except AwayError:
            return False

    async def put(
        self, partner: str, subject: str, body: bytes, *, msg_id: str, after: int | None
    ) -> Put:
        """Store `body` as `feed.<partner>.<subject>`, only where the stream still ends at `after`.

        The condition, checked by the broker itself, is what keeps a publisher that was paused for
        any length of time from adding a release after it was taken back.
        Raises `MovedOnError` where the stream has moved on, AwayError where nothing was answered.
        """
        headers: dict[str, Any] = {Header.MSG_ID: msg_id}
        if after is not None:
            headers[Header.EXPECTED_LAST_SEQUENCE] = str(after)
        async with _reached():
            try:
                ack = await self._jetstream().publish(
                    f"feed.{partner}.{subject}",
                    body,
                    timeout=TIMEOUT_S,
                    stream=feed_stream(partner),
                    headers=headers,
                )
            except APIError as error:
                if error.err_code == _WRONG_LAST_SEQUENCE:
                    raise MovedOnError from error
                raise
        return Put(ack.seq, bool(ack.duplicate))

    async def end(self, partner: str) -> tuple[int, str | None]:
        """Return the last sequence of the stream, erased ones counted, and who leads it."""
        async with _reached():
            info = await self._jetstream().stream_info(feed_stream(partner))
        return info.state.last_seq, info.cluster.leader if info.cluster else None

    async def contents(self, partner: str) -> Contents:
        """Return what the broker counts as there."""
        js, stream = self._jetstream(), feed_stream(partner)
        asked = json.dumps({"deleted_details": True}).encode()
        async with _reached():
            # the library's `stream_info` cannot ask for these details
            answer = await js._api_request(
                f"{js._prefix}.STREAM.INFO.{stream}", asked, timeout=TIMEOUT_S
            )
        state = answer["state"]
        gone = frozenset(state.get("deleted") or ())
        return Contents(state["first_seq"], state["last_seq"], gone)

    async def message(self, partner: str, seq: int) -> Message | None:
        """Return the message at `seq`, or None where there is none (any more)."""
        async with _reached():
            try:
                found = await self._jetstream().get_msg(feed_stream(partner), seq)
            except NotFoundError:
                return None
        headers = found.headers or {}
        about = _about(found.data)
        return Message(seq, headers.get(Header.MSG_ID, ""), found.subject or "", found.time, about)

    async def find(self, partner: str, msg_id: str, after: int, end: int) -> Message | None:
        """Return the message with this id among those later than `after`."""
        for seq in range(end, after, -1):
            found = await self.message(partner, seq)
            if found is not None and found.msg_id == msg_id:
                return found
        return None

    async def position(self, partner: str) -> Position:
        """Return how far the partner has come."""
        async with _reached():
            info = await self._jetstream().consumer_info(feed_stream(partner), partner)
        return Position(
            delivered=info.delivered.stream_seq if info.delivered else 0,
            acknowledged=info.ack_floor.stream_seq if info.ack_floor else 0,
            since=_moment(info.created),
            leader=info.cluster.leader if info.cluster else None,
        )

    async def erase(self, partner: str, seq: int) -> bool:
        """Overwrite and remove the message at `seq`; tell whether there was one."""
        async with _reached():
            try:
                return await self._jetstream().delete_msg(feed_stream(partner), seq)
            except APIError as error:
                if error.err_code not in _NOT_DELETED:
                    raise
                if await self.message(partner, seq) is not None:
                    raise  # it lies there still: nobody may take it for erased
                return False


def _about(data: bytes | None) -> str:
    try:
        return str(json.loads(data or b"")["subject"])
    except (ValueError, LookupError, TypeError):
        return ""


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        # the broker writes nanoseconds, which fromisoformat of 3.11 takes and cuts
        return datetime.fromisoformat(value)
    return None


@asynccontextmanager
async def _reached() -> AsyncIterator[None]:
    """Turn whatever the library raises for a broker that does not answer into AwayError."""
    try:
        yield
    except (NatsError, OSError, TimeoutError) as error:
        # an answer of the broker that names no such stream is also one: it has to be made first
        raise AwayError("broker", type(error).__name__) from error
