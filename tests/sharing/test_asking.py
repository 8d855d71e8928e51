"""What calls of people get: who may do what, and what bad input is answered."""

import pytest
from support_gate import NOON, an_item, judged

# the statements are the same on Postgres, where test_gate.py runs; starting twice is slow
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def case(a_gate):
    made = await a_gate()
    await made.clock(NOON)
    await made.referred()
    await made.interviewed(an_item("IT-n", "narrative"))
    return made


async def test_who_may_do_what_and_what_bad_input_gets(case):
    async def judge(role, *what, sub="", **more):
        body = {"judgements": list(what)} | more
        answer = await case.do("PUT", "+/judgements", body, role, sub)
        return answer.status_code, answer.json()

    status, body = await judge("practitioner", judged("G3", True))
    assert (status, body["detail"]) == (403, "G3")
    assert body["errors"] == [{"field": "judgements.0.name", "code": "judgement.role"}]

    status, body = await judge("dsl", judged("G2", True), judged("G1", True))
    assert (status, body["detail"]) == (403, "G1")

    status, body = await judge("practitioner", judged("G1", True), sub="W-9")
    assert (status, body["code"]) == (403, "judgement.not_on_case")

    status, body = await judge("dsl", judged("G2", "Zarquon-value"))
    assert status == 422
    assert "Zarquon" not in str(body)

    status, body = await judge("dsl", {"name": "G2", "value": True})
    assert body["errors"] == [{"field": "judgements.0.reason", "code": "reason.missing"}]

    status, body = await judge("dsl", judged("more_detrimental", True))
    assert body["errors"] == [{"field": "judgements.0.name", "code": "judgement.unknown"}]

    status, body = await judge("dsl", judged("G2", True), occurred_at="2027-11-30T12:00:00Z")
    assert body["errors"] == [{"field": "occurred_at", "code": "time.in_future"}]
    status, body = await judge("dsl", judged("G2", True), occurred_at="0001-01-01T00:00:00+14:00")
    assert body["errors"] == [{"field": "occurred_at", "code": "time.too_early"}]

    status, body = await judge("dsl", judged("G2", True, item_ids=["IT-unknown"]))
    assert status == 404

    status, _ = await judge("manager", judged("cell_counts", [None, 7]))
    assert status == 200

    for role in ("practitioner", "dsl", "manager", "dpo", "ig_lead"):
        assert (await case.do("GET", "/tasks", role=role)).status_code == 200
    assert (await case.do("PUT", "+/agreement", {}, role="dsl")).status_code == 403
    assert (await case.do("POST", "/partners", {}, role="manager")).status_code == 403


async def test_recipients_and_agreement_are_checked(case):
    async def put(key, **body):
        answer = await case.do("PUT", f"+/recipients/{key}", body)
        return answer.status_code, answer.json()

    assert (await put("mother", type="carer_parent", role="mother"))[0] == 200
    first = (await put("mother", type="carer_parent", role="mother", pr=True))[1]
    again = (await put("mother", type="carer_parent", role="mother", pr=True))[1]
    assert (first["epoch"], first["version"]) == (again["epoch"], again["version"])

    assert (await put("x", type="lscb"))[0] == 200
    status, body = await put("x", type="enemy")
    assert body["errors"] == [{"field": "type", "code": "type.unknown"}]
    status, body = await put("x", type="young_person")
    assert status == 422
    status, body = await put("x", type="health", facts={"dsl_signoff": True})
    assert body["errors"] == [{"field": "facts.dsl_signoff", "code": "fact.judged_elsewhere"}]
    status, body = await put("Mrs Zarquon", type="health")
    assert status == 422
    assert "Zarquon" not in str(body)

    answer = await case.do(
        "PUT", "+/agreement",
        {"by": "child", "items": [{"category": "Zarquon", "recipient": "x", "status": "agreed"}]},
    )  # fmt: skip
    assert answer.json()["errors"] == [{"field": "items.0.category", "code": "category.unknown"}]
    assert (await case.do("GET", "/decisions?child_id=CH-9")).json()["items"] == []
    gone = await case.do("PUT", "/children/CH-9/recipients/x", {"type": "health"})
    assert (gone.status_code, gone.json()["code"]) == (404, "child.unknown")


async def test_a_practitioner_sees_own_cases_and_a_manager_all(case):
    await case.settled()

    mine = (await case.do("GET", "/decisions")).json()["items"]
    others = (await case.do("GET", "/decisions", sub="W-9")).json()["items"]
    every = (await case.do("GET", "/decisions?limit=1", role="manager")).json()

    assert mine
    assert others == []
    assert len(every["items"]) == 1
    assert (await case.tasks("practitioner", sub="W-9")) == []
