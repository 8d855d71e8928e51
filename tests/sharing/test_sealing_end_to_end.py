"""The whole gate with real engine, broker and databases: what leaves, what is taken back, kept."""

import asyncio
import io
import json

import pytest
from joserfc.jwk import OKPKey
from support import feeds
from support_gate import NOON, judged
from typer.testing import CliRunner

from contracts import feed
from contracts import ledger as form
from homeward.feed_open import Opener
from homeward.home import Home
from homeward.ledger import app as ledger_app
from homeward.ledger_check import check, trusted

POLICE = "northshire-police"


class Agency:
    """A partner with keys of its own that reads its feed."""

    def __init__(self, gate, tmp_path):
        self.gate = gate
        self.key = OKPKey.generate_key("X25519", auto_kid=True)
        signing = OKPKey.import_key(json.loads((tmp_path / "signing.jwk.json").read_text()))
        self.opener = Opener(
            POLICE, self.key.as_dict(private=True), {"keys": [signing.as_dict(private=False)]}
        )

    async def join(self):
        await self.gate.nats.add_partner(POLICE)
        public = {
            "nkey": self.gate.nats.partners[POLICE],
            "jwk": self.key.as_dict(private=False),
        }
        body = {"key": POLICE, "type": "police", "role": "missing_unit", "area": "northshire"}
        answer = await self.gate.service.call("POST", "/partners", body | {"public": public})
        assert answer.status_code == 201, answer.text

    async def read(self):
        client = await self.gate.nats.connect(POLICE)
        subscription = await client.jetstream(prefix="JSC.API").pull_subscribe_bind(
            POLICE, f"FEED_{POLICE}"
        )
        found = [self.opener.open(one.data) for one in await feeds.read(subscription)]
        await client.close()
        return found


@pytest.fixture
async def case(a_gate, tmp_path):
    """A gate with a child who agrees that the police know how the offer ended."""
    gate = await a_gate()
    await gate.clock(NOON)
    gate.agency = Agency(gate, tmp_path)
    await gate.agency.join()
    await gate.referred()
    await gate.agrees((None, POLICE, "agreed"))
    await gate.judges("practitioner", judged("competence", "competent"))
    return gate


async def delivered(case):
    """Have the outcome reported, judged, decided and delivered."""
    await case.outcome()
    await case.judges("practitioner", judged("G1", True))
    await case.no_harm()
    await case.settled()
    await case.service.at_rest()


async def test_a_release_goes_from_an_outcome_to_the_partner_who_opens_it(case):
    await delivered(case)
    (opened,) = await case.agency.read()

    assert opened["type"] == feed.RELEASE
    assert opened["item"]["category"] == "basic_outcome"
    assert opened["child"]["id"] == case.child_id
    assert opened["number"] == 1


async def test_a_withdrawal_over_http_erases_what_lies_unread_and_names_what_was_read(case):
    await delivered(case)
    first = await case.do("POST", f"/children/{case.child_id}/withdrawals", {"recipients": "all"})
    opened = await case.agency.read()

    assert [named["number"] for named in first.json()["erased"]] == [1]
    assert first.json()["left"] == []
    assert all(event["type"] == feed.VOID for event in opened if event["number"] == 1)


async def export_of(case):
    end = (await case.service.call("POST", "/ledger/checkpoint", role="ig_lead")).content
    limit = json.loads(end)["seq"]  # the gate goes on writing
    lines = (await case.service.call("GET", f"/ledger?limit={limit}", role="dpo")).content
    return form.HEADER + b"\n" + lines + end + b"\n"


async def test_the_ledger_over_http_is_an_export_that_verifies_and_names_nobody(case, tmp_path):
    await delivered(case)
    await case.agency.read()
    await case.do("POST", f"/children/{case.child_id}/withdrawals", {"recipients": "all"})
    exported = await export_of(case)
    key = OKPKey.import_key(json.loads((tmp_path / "ledger.jwk.json").read_text()))
    end = check(io.BytesIO(exported), trusted({"keys": [key.as_dict(private=False)]}))

    kinds = {json.loads(line).get("kind") for line in exported.splitlines()}
    assert {"partner", "decision", "delivered", "withdrawal"} <= kinds
    assert end.seq == exported.count(b'"kind"')
    for personal in (case.child_id, "EP-1", "W-1", "Zarquon", "in words"):
        assert personal.encode() not in exported


@pytest.mark.parametrize(
    ("method", "path", "let_in"),
    [
        ("GET", "/ledger", {"ops", "ig_lead", "dpo", "manager"}),
        ("POST", "/ledger/checkpoint", {"ops", "ig_lead", "dpo"}),
    ],
)
async def test_only_those_who_oversee_may_see_or_sign_the_ledger(case, method, path, let_in):
    roles = ("practitioner", "manager", "dsl", "dpo", "ig_lead", "ops", "partner", "service")
    answers = await asyncio.gather(*(case.service.call(method, path, role=r) for r in roles))

    assert {r for r, a in zip(roles, answers, strict=True) if a.status_code == 200} == let_in


async def test_the_ledger_is_read_in_pages(case):
    whole = (await case.service.call("GET", "/ledger")).content.splitlines()
    first = (await case.service.call("GET", "/ledger?limit=1")).content.splitlines()
    rest = (await case.service.call("GET", "/ledger?after=1&limit=1000")).content.splitlines()

    assert len(whole) > 1
    assert first + rest == whole
    assert (await case.service.call("GET", "/ledger?limit=0")).status_code == 422


async def test_what_moved_on_after_its_claim_becomes_a_void_and_is_decided_and_sent_anew(case):
    """Another fact changes while the claimed release waits: the same content, a new release."""
    outlet = case.app.state["outlet"]
    once = iter([True])

    async def something_changes(place, _release_id):
        if place == "claimed" and next(once, False):
            await case.add("mother", "carer_parent", role="mother", pr=True)

    outlet.pause = something_changes
    await delivered(case)
    opened = sorted(await case.agency.read(), key=lambda event: event["number"])

    assert [(e["type"], e["number"]) for e in opened] == [(feed.VOID, 1), (feed.RELEASE, 2)]
    assert opened[0]["jti"] != opened[1]["jti"]


async def test_the_command_exports_what_the_command_verifies(case, tmp_path, monkeypatch):
    await delivered(case)
    ledger_key = OKPKey.import_key(json.loads((tmp_path / "ledger.jwk.json").read_text()))
    public, out = tmp_path / "ledger.jwks.json", tmp_path / "out.jsonl"
    public.write_text(json.dumps({"keys": [ledger_key.as_dict(private=False)]}))
    token = case.service._issuer.token("ops", sub="ops-1", audience="sharing")
    monkeypatch.setattr(Home, "url", lambda _self, _service: case.service.url)
    monkeypatch.setattr(Home, "token", lambda _self, _role, **_: token)

    async def run(*words):
        return await asyncio.to_thread(CliRunner().invoke, ledger_app, list(map(str, words)))

    exported = await run("export", "--out", out, "--home", tmp_path)
    verified = await run("verify", out, "--key", public)

    assert (exported.exit_code, verified.exit_code) == (0, 0), exported.output + verified.output
    assert out.read_bytes().startswith(form.HEADER)
