"""The client of the policy engine: all but one proper answer of the right policies is none."""

import asyncio
import copy
import gzip
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from support.talking import listening

from messaging.kept import BrokenError, Reply
from services.sharing.policy import NoDecisionError, Policy
from services.sharing.policy_data import load

DATA = load(Path(__file__).parents[2] / "policies")
DIGEST = "sha256:right"

ALLOW = {
    "decision": "allow",
    "rule_ids": ["G1", "POL-01"],
    "gates_used": ["G1"],
    "basis": ["LO"],
    "transforms": [],
    "obligations": ["log_reason_share_or_not", "recipient_ack", "recall_ready"],
    "reasons": ["It can help them to help."],
    "defer_to": None,
    "policy_version": "2026.11.1",
}


def whole(**changes) -> dict:
    """An engine's body around an answer that allows, with one thing changed."""
    return {
        "result": ALLOW | changes,
        "provenance": {"bundles": {"homeward": {"revision": DIGEST}}},
    }


class Way:
    """A way to an engine that answers as a test wants."""

    def __init__(self, answer: Callable[[], Awaitable[Reply]]) -> None:
        self.answer = answer

    async def ask(self, *_question, most: int) -> Reply:
        return await self.answer()

    async def close(self) -> None:
        """Nothing is open."""


def asking(answer: Callable[[], Awaitable[Reply]], digest: str = DIGEST) -> Policy:
    return Policy("http://opa.test", digest, DATA, way=Way(answer))


def answering(body, status: int = 200, digest: str = DIGEST) -> Policy:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def answer() -> Reply:
        return Reply(status, content)

    return asking(answer, digest)


def http(body: bytes, *more: str) -> bytes:
    """A body as a server sends it."""
    head = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(head).encode() + body


async def test_a_proper_answer_of_the_right_policies_is_taken():
    answer = await answering(whole()).decide({})

    assert (answer.decision, answer.rule_ids) == ("allow", ("G1", "POL-01"))


BAD = {
    "no result": {"provenance": whole()["provenance"]},
    "result null": whole() | {"result": None},
    "result true": whole() | {"result": True},
    "result a list": whole() | {"result": [ALLOW]},
    "result a truthy string": whole() | {"result": "<undefined>"},
    "an unknown decision": whole(decision="permit"),
    "a truthy decision": whole(decision=True),
    "decision in capitals": whole(decision="ALLOW"),
    "allow with transforms": whole(transforms=["codes_only"]),
    "redacted without transforms": whole(decision="allow_redacted"),
    "allow that names no rule": whole(rule_ids=[]),
    "an unknown rule": whole(rule_ids=["POL-99"]),
    "a rule that is no text": whole(rule_ids=[1]),
    "rules as text": whole(rule_ids="POL-01"),
    "an unknown transform": whole(decision="allow_redacted", transforms=["everything"]),
    "an unknown gate": whole(gates_used=["G9"]),
    "an unknown basis": whole(basis=["XX"]),
    "an unknown obligation": whole(obligations=["hurry"]),
    "allow with somebody to defer to": whole(defer_to={"owner": "dsl", "due_h": 4}),
    "defer to nobody": whole(decision="defer"),
    "defer to somebody unknown": whole(decision="defer", defer_to={"owner": "bob", "due_h": 4}),
    "defer without a time": whole(decision="defer", defer_to={"owner": "dsl"}),
    "defer with a time as text": whole(decision="defer", defer_to={"owner": "dsl", "due_h": "4"}),
    "defer for ever": whole(decision="defer", defer_to={"owner": "dsl", "due_h": 400}),
    "a version that is a number": whole(policy_version=2026),
    "an empty version": whole(policy_version=""),
    "another version": whole(policy_version="1999.1.1"),
    "no version": {**whole(), "result": {k: v for k, v in ALLOW.items() if k != "policy_version"}},
    "a field too many": whole(allow=True),
    "no provenance": {"result": ALLOW},
    "provenance null": {"result": ALLOW, "provenance": None},
    "bundles empty": {"result": ALLOW, "provenance": {"bundles": {}}},
    "another digest": {
        "result": ALLOW,
        "provenance": {"bundles": {"homeward": {"revision": "sha256:wrong"}}},
    },
    "two bundles": {
        "result": ALLOW,
        "provenance": {"bundles": {"a": {"revision": DIGEST}, "b": {"revision": DIGEST}}},
    },
    "HTML": b"<html><body>allow</body></html>",
    "half a body": json.dumps(whole()).encode()[:-20],
    "an empty body": b"",
    "not UTF-8": b"\xff\xfe{}",
    "two answers in one": json.dumps(whole())
    .replace('"decision": "allow"', '"decision": "deny", "decision": "allow"')
    .encode(),
    "not a number": json.dumps(whole()).replace('"LO"', "NaN").encode(),
    "very deep": b'{"result":' + b"[" * 50_000,
}


@pytest.mark.parametrize("what", BAD)
async def test_an_answer_that_is_not_proper_is_no_decision(what: str):
    with pytest.raises(NoDecisionError):
        await answering(BAD[what]).decide({})


@pytest.mark.parametrize(
    ("body", "header", "code"),
    [
        (json.dumps(whole(reasons=["x" * 100_000])).encode(), "Vary: x", "too_large"),
        (gzip.compress(json.dumps(whole()).encode()), "Content-Encoding: gzip", "not_json"),
        (json.dumps(whole()).encode(), "Content-Encoding: gzip", "not_json"),
    ],
    ids=["a huge body", "a packed body", "a body that is not as its header says"],
)
async def test_a_body_that_nobody_asked_for_is_no_decision(body: bytes, header: str, code: str):
    async with listening(lambda _: http(body, header)) as server:
        policy = Policy(server.url, DIGEST, DATA)
        with pytest.raises(NoDecisionError, match=code):
            await policy.decide({})


@pytest.mark.parametrize("field", ALLOW)
@pytest.mark.parametrize("value", [None, "", "allow", 1, True, {}, [], [None]])
async def test_no_field_of_another_type_lets_something_out(field: str, value: object):
    body = copy.deepcopy(whole())
    if body["result"][field] == value:
        return
    body["result"][field] = value
    try:
        answer = await answering(body).decide({})
    except NoDecisionError:
        return

    assert answer.rule_ids
    assert not answer.transforms
    assert answer.decision == "allow"  # an empty list of reasons or bases opens nothing more


@pytest.mark.parametrize("status", [201, 204, 301, 401, 404, 500, 503])
async def test_another_status_is_no_decision(status: int):
    with pytest.raises(NoDecisionError):
        await answering(whole(), status).decide({})


async def test_an_engine_that_is_slow_is_no_decision():
    async def slow() -> Reply:
        await asyncio.sleep(5)
        return Reply(200, json.dumps(whole()).encode())

    with pytest.raises(NoDecisionError, match="time_out"):
        await asking(slow).decide({})


async def test_a_connection_that_breaks_once_is_tried_once_more():
    calls = []

    async def breaks_once() -> Reply:
        calls.append(1)
        if len(calls) == 1:
            raise BrokenError
        return Reply(200, json.dumps(whole()).encode())

    await asking(breaks_once).decide({})

    assert len(calls) == 2


async def test_an_engine_that_is_away_is_no_decision_after_two_tries():
    calls = []

    async def away() -> Reply:
        calls.append(1)
        raise BrokenError

    with pytest.raises(NoDecisionError, match="away"):
        await asking(away).decide({})
    assert len(calls) == 2


async def test_what_nobody_foresaw_is_no_decision_either():
    async def breaks() -> Reply:
        raise ZeroDivisionError

    with pytest.raises(NoDecisionError, match="unforeseen"):
        await asking(breaks).decide({})


async def test_without_a_digest_to_compare_nothing_is_a_decision():
    with pytest.raises(NoDecisionError, match="digest"):
        await answering(whole(), digest="").decide({})


async def test_a_real_engine_answers_the_empty_document_with_a_hold(engine):
    policy = Policy(engine.url, engine.digest, DATA, engine.token)

    answer = await policy.decide({})
    await policy.ready()
    await policy.close()

    assert (answer.decision, answer.rule_ids) == ("defer", ("INCOMPLETE",))


async def test_a_real_engine_with_other_policies_is_not_believed(engine):
    policy = Policy(engine.url, "sha256:" + "0" * 64, DATA, engine.token)

    with pytest.raises(NoDecisionError, match="digest"):
        await policy.decide({})
    await policy.close()


class Hanging:
    """An engine that hangs at first: it reads questions and says nothing."""

    def __init__(self) -> None:
        self.hangs = True

    def __call__(self, _question: bytes) -> bytes | None:
        return None if self.hangs else http(json.dumps(whole()).encode())


async def test_an_engine_that_hung_is_asked_again_when_it_answers():
    hanging = Hanging()
    async with listening(hanging) as server:
        policy = Policy(server.url, DIGEST, DATA)
        for _ in range(2):
            with pytest.raises(NoDecisionError, match="time_out"):
                await policy.decide({})
        hanging.hangs = False

        assert (await policy.decide({})).decision == "allow"
        await policy.close()
        await server.rests()


async def test_a_question_that_its_asker_gave_up_keeps_no_connection():
    hanging = Hanging()
    async with listening(hanging) as server:
        policy = Policy(server.url, DIGEST, DATA)
        for _ in range(2):
            asking = asyncio.create_task(policy.decide({}))
            await asyncio.sleep(0.01)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await server.rests()
        hanging.hangs = False

        assert (await policy.decide({})).decision == "allow"
        await policy.close()
