"""Kept connections: one call after the other on each, and no answer is another call's."""

import asyncio

import pytest
from support.broker import free_port
from support.running import eventually
from support.talking import listening

from messaging.kept import BrokenError, Kept, Reply, TooLargeError


def said(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An answer as a server sends it."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


async def asked(way: Kept, body: bytes = b"?", most: int = 1_000) -> Reply:
    return await way.ask("POST", "/there", [("X-Said", "so")], body, most=most)


async def test_calls_that_follow_each_other_take_one_connection():
    async with listening(lambda request: said(request[-1:])) as server:
        way = Kept(server.url)
        answers = [(await asked(way, body)).body for body in (b"1", b"2", b"3")]
        await way.close()

        await server.rests()
    assert answers == [b"1", b"2", b"3"]
    assert server.made == 1


async def test_calls_at_a_time_take_a_connection_each_and_get_their_own_answers():
    async with listening(lambda request: said(request[-1:])) as server:
        way = Kept(server.url)
        answers = await asyncio.gather(*(asked(way, b"%d" % number) for number in range(5)))
        await way.close()

    assert [one.body for one in answers] == [b"0", b"1", b"2", b"3", b"4"]
    assert server.made == 5


async def test_status_headers_and_an_answer_in_pieces_are_read():
    pieces = (
        "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
        "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    async with listening(lambda _: pieces.encode()) as server:
        way = Kept(server.url)
        assert await asked(way) == Reply(404, b"abcde", "gzip")
        await way.close()


async def test_a_connection_that_the_server_has_ended_is_not_used_again():
    async with listening(lambda _: said(b"x"), ends=True) as server:
        way = Kept(server.url)
        for _ in range(2):
            await asked(way)
            await server.rests()
            await asyncio.sleep(0.01)
        await way.close()

    assert server.made == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"no HTTP at all\r\n\r\n",
        said(b"half")[:-2],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    ],
    ids=["no HTTP", "half a body", "half a head", "two lengths"],
)
async def test_an_answer_that_is_not_whole_is_none(answer: bytes):
    async with listening(lambda _: answer, ends=True) as server:
        with pytest.raises(BrokenError):
            await asked(Kept(server.url))


async def test_an_answer_without_a_length_ends_with_its_connection():
    async with listening(lambda _: b"HTTP/1.1 200 OK\r\n\r\nall of it", ends=True) as server:
        assert (await asked(Kept(server.url))).body == b"all of it"


async def test_where_nobody_listens_there_is_no_answer():
    with pytest.raises(BrokenError):
        await asked(Kept(f"http://127.0.0.1:{free_port()}"))


async def test_an_answer_that_is_too_large_is_not_read_to_its_end():
    async with listening(lambda _: said(b"x" * 5_000)) as server:
        way = Kept(server.url)
        with pytest.raises(TooLargeError):
            await asked(way, most=4_999)
        await server.rests()
        assert len((await asked(way, most=5_000)).body) == 5_000
        await way.close()


async def test_a_second_answer_is_never_taken_for_the_answer_to_the_next_call():
    answers = iter([said(b"mine") + said(b"smuggled"), said(b"next")])
    async with listening(lambda _: next(answers)) as server:
        way = Kept(server.url)
        assert (await asked(way)).body == b"mine"
        assert (await asked(way)).body == b"next"
        await way.close()

    assert server.made == 2


async def test_what_a_server_says_unasked_ends_the_connection():
    async with listening(lambda _: said(b"mine")) as server:
        way = Kept(server.url)
        await asked(way)
        (open_,) = server.open
        open_.write(said(b"smuggled"))
        await server.rests()

        assert (await asked(way)).body == b"mine"
        await way.close()
    assert server.made == 2


async def test_a_call_that_was_cut_off_closes_its_connection():
    async with listening(lambda _: None) as server:
        way = Kept(server.url)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asked(way)
        await eventually(lambda: server.made == 1)

        await server.rests()
