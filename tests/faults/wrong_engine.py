"""A broken policy engine: a real server on a real port that answers wrong, or as the real one does.

It stands where the engine of a home stands. What is broken here is another party's answer, so this
is a fault like a cut cable, and no stand-in for the engine: when it is healed, OPA itself answers.
"""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

Wrong = Callable[["Question"], Awaitable[bytes | None]]
"""What is sent back, headers and all; None: the connection is cut."""

LATE_S = 0.6
"""Twice the deadline of one question."""


class Question:
    """One question as it came, and the real engine's answer to it."""

    def __init__(self, raw: bytes, document: dict[str, Any], answer: dict[str, Any]) -> None:
        self.raw, self.document, self.answer = raw, document, answer

    def allowing(self, **changes: Any) -> dict[str, Any]:
        """Return the real answer, made a yes to everything, with these changes in its result."""
        yes = {
            "decision": "allow",
            "rule_ids": ["CSC-01"],
            "gates_used": [],
            "basis": ["PT"],
            "transforms": [],
            "obligations": ["log_reason_share_or_not"],
            "reasons": ["It can help them to help."],
            "defer_to": None,
            "policy_version": self.answer["result"]["policy_version"],
        } | changes
        return self.answer | {"result": {k: v for k, v in yes.items() if v is not ...}}


def http(body: Any, status: str = "200 OK", *headers: str) -> bytes:
    """Return a response with `body`, as JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    if not any(line.lower().startswith("content-length") for line in headers):
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def _always(make: Callable[[Question], Any]) -> Wrong:
    async def wrong(question: Question) -> bytes | None:
        made = make(question)
        return made if made is None or isinstance(made, bytes) else http(made)

    return wrong


async def _late(question: Question) -> bytes | None:
    await asyncio.sleep(LATE_S)
    return http(question.allowing())


async def _never(_: Question) -> bytes | None:
    await asyncio.sleep(60)
    return None


def _revision(answer: dict[str, Any], revision: Any) -> dict[str, Any]:
    return answer | {"provenance": {"bundles": {"homeward": {"revision": revision}}}}


def _twice(question: Question) -> bytes:
    """Return a body that says deny and then allow under the same name."""
    text = json.dumps(question.allowing(decision="deny"))
    return http(
        text.replace('"decision": "deny"', '"decision": "deny", "decision": "allow"').encode()
    )


def _text(question: Question, old: str, new: str) -> bytes:
    return http(json.dumps(question.allowing()).replace(old, new).encode())


WRONG: dict[str, Wrong] = {
    "no result": _always(lambda q: {k: v for k, v in q.answer.items() if k != "result"}),
    "an empty object": _always(lambda _: {}),
    "an empty body": _always(lambda _: http(b"")),
    "result null": _always(lambda q: q.answer | {"result": None}),
    "result true": _always(lambda q: q.answer | {"result": True}),
    "result a truthy string": _always(lambda q: q.answer | {"result": "true"}),
    "a list instead of an object": _always(lambda q: [q.allowing()]),
    "an unknown decision": _always(lambda q: q.allowing(decision="permit")),
    "a decision that is true": _always(lambda q: q.allowing(decision=True)),
    "an unknown rule": _always(lambda q: q.allowing(rule_ids=["CSC-99"])),
    "an allow that names no rule": _always(lambda q: q.allowing(rule_ids=[])),
    "an allow without its fields": _always(
        lambda q: q.answer | {"result": {"decision": "allow", "rule_ids": ["CSC-01"]}}
    ),
    "an allow with an unknown transform": _always(
        lambda q: q.allowing(decision="allow_redacted", transforms=["everything"])
    ),
    "an allow that names another recipient": _always(lambda q: q.allowing(recipient="somebody")),
    "an allow of other policies": _always(lambda q: _revision(q.allowing(), "sha256:other")),
    "an allow of nobody's policies": _always(lambda q: {"result": q.allowing()["result"]}),
    "an allow of another version": _always(lambda q: q.allowing(policy_version="1999.1.1")),
    "HTML": _always(lambda _: http(b"<html><body>allow</body></html>")),
    "half a body": _always(
        lambda q: http(json.dumps(q.allowing()).encode()[:80], "200 OK", "Content-Length: 4000")
    ),
    "a connection that is cut": _always(lambda _: None),
    "500": _always(lambda q: http(q.allowing(), "500 Internal Server Error")),
    "404": _always(lambda q: http(q.allowing(), "404 Not Found")),
    "a redirect": _always(
        lambda q: http(q.allowing(), "307 Temporary Redirect", "Location: /elsewhere")
    ),
    "too late": _late,
    "never": _never,
    "a huge body": _always(lambda q: q.allowing(reasons=["x" * 2_000_000])),
    "deep JSON": _always(lambda _: http(b'{"result":' * 5_000 + b"1" + b"}" * 5_000)),
    "NaN": _always(lambda q: _text(q, '"defer_to": null', '"defer_to": NaN')),
    "two decisions under one name": _always(_twice),
    "gzip that is none": _always(lambda _: http(b"\x00" * 60, "200 OK", "Content-Encoding: gzip")),
    "a gzip bomb": _always(
        lambda q: http(
            gzip.compress(json.dumps(q.allowing(reasons=[" " * 5_000_000])).encode()),
            "200 OK",
            "Content-Encoding: gzip",
        )
    ),
    "no HTTP at all": _always(lambda _: b"allow\n"),
}


class WrongEngine:
    """Listens where the engine is expected. `wrong` None: everything is as the engine says it."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.wrong: Wrong | None = None
        self.asked = 0
        """Questions that were answered wrong."""
        self.url = ""
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while request := await _request(reader):
                answer = await self._answer(request)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        writer.close()

    async def _answer(self, request: bytes) -> bytes | None:
        real = await self._real(request)
        if self.wrong is None:
            return real
        body = request.partition(b"\r\n\r\n")[2]
        document = json.loads(body)["input"]
        answer = json.loads(real.partition(b"\r\n\r\n")[2])
        self.asked += 1
        return await self.wrong(Question(request, document, answer))

    async def _real(self, request: bytes) -> bytes:
        where = urlsplit(self._engine.url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        try:
            writer.write(request)
            return await _request(reader)
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    """Return one message with its body; nothing at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = 0
    for line in head.decode().lower().splitlines():
        if line.startswith("content-length:"):
            length = int(line.partition(":")[2])
    return head + await reader.readexactly(length)
