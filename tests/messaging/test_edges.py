"""Calls from one service to another: whose token, and what each answer means."""

import json

import httpx
import pytest
from support.talking import Instead

from messaging.edge import Edge, NotFoundThereError, RefusedThereError
from messaging.errors import AwayError


@pytest.fixture
def edge(alone, issuer, tmp_path):
    """`edge(answer)` calls a target that answers each request with `answer(request)`."""
    tokens = issuer.edges(tmp_path, "sharing", ["referral"])
    settings = alone.settings("sharing", tokens=tokens, peers={"referral": "http://there"})

    def made(answer) -> Edge:
        return Edge(settings, "referral", Instead("http://there", answer))

    made.file = tokens / "referral.jwt"
    return made


async def test_an_answer_comes_with_the_edges_own_token(edge):
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == f"Bearer {edge.file.read_text()}"
        return httpx.Response(200, json={"id": request.url.params["kind"]})

    assert await edge(answer).get("/children/C-1", {"kind": "x"}) == {"id": "x"}


async def test_a_body_is_sent_as_json(edge):
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(202, json=json.loads(request.content))

    assert await edge(answer).post("/pages", {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, NotFoundThereError),
        (403, RefusedThereError),
        (409, RefusedThereError),
        (422, RefusedThereError),
        (401, AwayError),
        (429, AwayError),
        (500, AwayError),
        (503, AwayError),
        (302, AwayError),
    ],
)
async def test_each_refusal_has_its_meaning(edge, status, error):
    with pytest.raises(error):
        await edge(lambda _: httpx.Response(status, json={"code": "x.y"})).get("/a")


async def test_an_id_cannot_lead_to_another_address(edge):
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=request.url.raw_path.decode())

    assert await edge(answer).get("/children/C 1?x=#y") == "/children/C%201%3Fx%3D%23y"


async def test_no_connection_and_no_json_are_away(edge):
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(AwayError):
        await edge(broken).get("/a")
    with pytest.raises(AwayError):
        await edge(lambda _: httpx.Response(200, text="<html>")).get("/a")


async def test_a_token_that_was_renewed_is_read_after_a_401(edge, issuer):
    fresh = issuer.token("service", sub="sharing", audience="referral", jti="fresh")
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"].removeprefix("Bearer "))
        return httpx.Response(200 if seen[-1] == fresh else 401, json={})

    called = edge(answer)
    with pytest.raises(AwayError):
        await called.get("/a")
    edge.file.write_text(fresh)
    assert await called.get("/a") == {}
    assert seen[-1] == fresh


async def test_a_token_near_its_end_is_read_again(edge, issuer):
    def token(ttl: float) -> str:
        return issuer.token("service", sub="sharing", audience="referral", ttl=ttl, jti=str(ttl))

    seen = set()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.add(request.headers["authorization"].removeprefix("Bearer "))
        return httpx.Response(200, json={})

    called = edge(answer)
    edge.file.write_text(token(30))
    await called.get("/a")
    edge.file.write_text(token(600))
    await called.get("/a")
    edge.file.write_text(token(900))  # not read: the one we have is good for long
    await called.get("/a")

    assert len(seen) == 2


async def test_without_a_token_file_the_other_is_away(edge):
    edge.file.unlink()
    with pytest.raises(AwayError):
        await edge(lambda _: httpx.Response(200)).get("/a")
