"""The client of the policy engine: all but one proper answer of the right policies is none."""

import asyncio
import copy
import json
from pathlib import Path

import httpx
import pytest

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


def asking(handler) -> Policy:
    return Policy("http://opa.test", DIGEST, DATA, transport=httpx.MockTransport(handler))


def answering(body, status: int = 200) -> Policy:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return asking(lambda _: httpx.Response(status, content=content))


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
    "a huge body": json.dumps(whole(reasons=["x" * 100_000])).encode(),
    "very deep": b'{"result":' + b"[" * 50_000,
}


@pytest.mark.parametrize("what", BAD)
async def test_an_answer_that_is_not_proper_is_no_decision(what: str):
    with pytest.raises(NoDecisionError):
        await answering(BAD[what]).decide({})


async def test_a_body_in_no_encoding_that_its_header_names_is_no_decision():
    async def sent():
        yield b"no gzip at all"

    headers = {"content-encoding": "gzip"}
    policy = asking(lambda _: httpx.Response(200, headers=headers, content=sent()))

    with pytest.raises(NoDecisionError):
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
    async def slow(_):
        await asyncio.sleep(5)
        return httpx.Response(200, json=whole())

    with pytest.raises(NoDecisionError, match="time_out"):
        await asking(slow).decide({})


async def test_a_connection_that_breaks_once_is_tried_once_more():
    calls = []

    def breaks_once(_):
        calls.append(1)
        if len(calls) == 1:
            raise httpx.RemoteProtocolError("gone")
        return httpx.Response(200, json=whole())

    await asking(breaks_once).decide({})

    assert len(calls) == 2


async def test_an_engine_that_is_away_is_no_decision_after_two_tries():
    calls = []

    def away(_):
        calls.append(1)
        raise httpx.ConnectError("refused")

    with pytest.raises(NoDecisionError, match="away"):
        await asking(away).decide({})
    assert len(calls) == 2


async def test_what_nobody_foresaw_is_no_decision_either():
    def breaks(_):
        raise ZeroDivisionError

    with pytest.raises(NoDecisionError, match="unforeseen"):
        await asking(breaks).decide({})


async def test_without_a_digest_to_compare_nothing_is_a_decision():
    policy = Policy(
        "http://opa.test", "", DATA,
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json=whole())),
    )  # fmt: skip

    with pytest.raises(NoDecisionError, match="digest"):
        await policy.decide({})


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


class Leaking(httpx.AsyncBaseTransport):
    """Two connections to an engine that hangs at first; a question cut off keeps its own."""

    def __init__(self) -> None:
        self.hangs = True
        self.kept = 0

    async def handle_async_request(self, _: httpx.Request) -> httpx.Response:
        if self.kept == 2:
            await asyncio.Event().wait()
        if self.hangs:
            self.kept += 1
            await asyncio.Event().wait()
        return httpx.Response(200, json=whole())

    async def aclose(self) -> None:
        self.kept = 0


async def test_an_engine_that_hung_is_asked_again_when_it_answers():
    transport = Leaking()
    policy = Policy("http://opa.test", DIGEST, DATA, transport=transport)
    for _ in range(2):
        with pytest.raises(NoDecisionError, match="time_out"):
            await policy.decide({})
    transport.hangs = False

    assert (await policy.decide({})).decision == "allow"


async def test_a_question_that_its_asker_gave_up_keeps_no_connection():
    transport = Leaking()
    policy = Policy("http://opa.test", DIGEST, DATA, transport=transport)
    for _ in range(2):
        asking = asyncio.create_task(policy.decide({}))
        await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    transport.hangs = False

    assert (await policy.decide({})).decision == "allow"
