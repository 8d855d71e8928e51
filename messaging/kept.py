"""Kept connections to one HTTP/1.1 server, for calls that are made many times in a second.

h11 speaks the protocol and asyncio moves the bytes. A client for every kind of server spends ten
times as much on what a call between our own programs never needs: redirects, cookies, encodings.
"""

import asyncio
from collections.abc import Sequence
from ssl import SSLContext
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import h11

Headers = Sequence[tuple[str, str]]

_IDLE_MAX = 8
"""Connections that wait for another call; what is beyond them is closed after its answer."""


class BrokenError(Exception):
    """No connection, or it ended or spoke no HTTP before the whole answer was there."""


class TooLargeError(Exception):
    """The answer is larger than the caller takes."""


class Reply(NamedTuple):
    """An answer; `encoding` is `identity` unless the server packed the body, unasked."""

    status: int
    body: bytes
    encoding: str = "identity"


class Way(Protocol):
    """How a server is asked; tests put one of their own in its place."""

    async def ask(
        self, method: str, target: str, headers: Headers, body: bytes, *, most: int
    ) -> Reply:
        """Return the answer, of at most `most` bytes. Raises BrokenError, TooLargeError."""
        ...

    async def close(self) -> None:
        """Close what is kept."""
        ...


class Kept:
    """A way that keeps its connections. A call that is cut off or goes wrong closes its own."""

    def __init__(self, url: str, tls: SSLContext | None = None) -> None:
        """Prepare, without connecting; an address with https needs `tls`."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if secure else 80)
        self._named = parts.netloc.rpartition("@")[2]
        self._tls = tls if secure else None
        self._idle: list[_Line] = []

    async def ask(
        self, method: str, target: str, headers: Headers, body: bytes, *, most: int
    ) -> Reply:
        """Return the answer, of at most `most` bytes. Raises BrokenError, TooLargeError.

        Sent once: a kept connection may have died unseen, and only the caller knows whether the
        call may be repeated.
        """
        told = [("Host", self._named), ("Content-Length", str(len(body))), *headers]
        line = self._rested() or await self._open()
        try:
            request = h11.Request(method=method, target=target, headers=told)
            return await line.ask(request, body, most)
        finally:
            if line.rests and len(self._idle) < _IDLE_MAX:
                self._idle.append(line)
            else:
                line.close()

    async def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            self._idle.pop().close()

    def _rested(self) -> "_Line | None":
        while self._idle:
            line = self._idle.pop()
            if line.rests:
                return line
        return None

    async def _open(self) -> "_Line":
        loop = asyncio.get_running_loop()
        try:
            _, line = await loop.create_connection(_Line, self._host, self._port, ssl=self._tls)
        except OSError as error:  # an error of TLS is one
            raise BrokenError from error
        return line


class _Line(asyncio.Protocol):
    """One connection, with one call at a time on it."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self.rests = False
        """Whether it is open and nothing is under way on it: it may carry another call."""
        self._http = h11.Connection(h11.CLIENT)
        self._whole: asyncio.Future[Reply] | None = None

    async def ask(self, request: h11.Request, body: bytes, most: int) -> Reply:
        """Send a request and return the answer."""
        self.rests = False
        self._whole = asyncio.get_running_loop().create_future()
        self._status, self._encoding, self._body, self._most = 0, "identity", bytearray(), most
        sent = (request, h11.Data(data=body), h11.EndOfMessage())
        self._transport.write(b"".join(self._http.send(part) or b"" for part in sent))
        return await self._whole

    def close(self) -> None:
        """End the connection at once, whatever is under way on it."""
        self.rests = False
        self._transport.abort()

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream, always
        self._transport = transport
        self.rests = True

    def data_received(self, data: bytes) -> None:
        if self._whole is None or self._whole.done():
            self.close()  # an answer to no question must not become the answer to the next
            return
        try:
            self._http.receive_data(data)
            self._read()
        except h11.RemoteProtocolError as error:
            self._fail(BrokenError(), error)

    def eof_received(self) -> None:
        if self._whole is None or self._whole.done():
            return
        try:
            self._http.receive_data(b"")
            self._read()
        except h11.RemoteProtocolError as error:
            self._fail(BrokenError(), error)

    def connection_lost(self, error: Exception | None) -> None:
        self.rests = False
        self._fail(BrokenError(), error)

    def _read(self) -> None:
        while (event := self._http.next_event()) is not h11.NEED_DATA:
            match event:
                case h11.Response():
                    self._status = event.status_code
                    packed = [value for name, value in event.headers if name == b"content-encoding"]
                    self._encoding = b",".join(packed).decode("latin-1") or "identity"
                case h11.Data():
                    self._body += event.data
                    if len(self._body) > self._most:
                        self._fail(TooLargeError(), None)
                        return
                case h11.EndOfMessage():
                    self._end()
                    return
                case h11.ConnectionClosed():
                    self._fail(BrokenError(), None)
                    return

    def _end(self) -> None:
        both = self._http.our_state, self._http.their_state
        if both == (h11.DONE, h11.DONE) and not self._http.trailing_data[0]:
            self._http.start_next_cycle()
            self.rests = not self._transport.is_closing()
        if self._whole is not None and not self._whole.done():
            self._whole.set_result(Reply(self._status, bytes(self._body), self._encoding))

    def _fail(self, error: Exception, cause: Exception | None) -> None:
        if self._whole is not None and not self._whole.done():
            error.__cause__ = cause
            self._whole.set_exception(error)
