"""A server that says exactly the bytes that a test wants, or nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
from support.running import eventually

from messaging.kept import BrokenError, Headers, Reply

Says = Callable[[bytes], bytes | None]
"""From a request's bytes to the answer's; None: it says nothing."""


class Talking:
    """Where it listens, and how many connections there were and are."""

    def __init__(self) -> None:
        self.url = ""
        self.made = 0
        self.open: set[asyncio.StreamWriter] = set()

    async def rests(self) -> None:
        """Wait until every connection is closed."""
        await eventually(lambda: not self.open)


@asynccontextmanager
async def listening(says: Says, *, ends: bool = False) -> AsyncIterator[Talking]:
    """Give a server that answers each request by `says`; it `ends` the connection after that."""
    talking = Talking()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking.made += 1
        talking.open.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                said = says(head + await reader.readexactly(length))
                if said is not None:
                    writer.write(said)
                if said is not None and ends:
                    break
        writer.close()
        talking.open.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    talking.url = "http://127.0.0.1:{1}".format(*server.sockets[0].getsockname())
    try:
        yield talking
    finally:
        server.close()
        for writer in talking.open:
            writer.close()


class Instead:
    """A way to a server at `url` that is a function of a test, from request to response."""

    def __init__(self, url: str, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self._url = url
        self._answer = answer

    async def ask(
        self, method: str, target: str, headers: Headers, body: bytes, *, most: int
    ) -> Reply:
        request = httpx.Request(method, self._url + target, headers=headers, content=body)
        try:
            response = self._answer(request)
        except httpx.TransportError as error:
            raise BrokenError from error
        return Reply(response.status_code, response.content)

    async def close(self) -> None:
        """Nothing is open."""
