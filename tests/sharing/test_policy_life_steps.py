"""Every step in the life of a version over HTTP: what it refuses, of whom, and what it leaves."""

import pytest
from support_gate import NOON, Case
from support_versions import REPORT, Engine, Life, called, digest_of, known, tree

from contracts.policies import STEPS

# the statements are the same on Postgres, where test_policy_life.py runs; starting twice is slow
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

STOP = {"id": "F-1", "kind": "safety_stop", "text": "no longer told", "children": ["CH-1"]}
UNKNOWN = "f" * 64


@pytest.fixture
async def life(a_gate, engine) -> Life:
    case: Case = await a_gate()
    await case.clock(NOON)
    made = Engine.__new__(Engine)  # the engine of the session; nothing is loaded in these tests
    made.url, made.token = engine.url, engine.token
    return Life(case, made)


async def refused(answer, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def fields(answer) -> set[tuple[str, str]]:
    return {(one["field"], one["code"]) for one in answer.json().get("errors", ())}


async def test_the_version_of_the_installation_decides_from_the_first_start(life: Life):
    found = await life.all()

    assert found["active"]["version"] == "2026.11.1"
    assert [v["state"] for v in found["versions"]] == ["active"]
    assert found["loading"] is None
    files = (await life.do("GET", f"/{found['active']['digest']}/files")).json()["files"]
    assert files == tree()
    (entry,) = [one for one in await life.ledger() if one["kind"] == "policy_activated"]
    assert entry["body"]["policy_digest"] == found["active"]["digest"]


async def test_a_draft_is_kept_once_under_a_label_of_its_own(life: Life):
    draft = called("2026.12.1")
    first = await life.do("POST", "", {"files": draft})
    again = await life.do("POST", "", {"files": draft, "note": "again"}, sub="ig-2")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["digest"] == digest_of(draft)
    assert first.json()["base"] == await life.active()
    other = {**draft, "law.yaml": draft["law.yaml"] + "\n# reviewed\n"}
    await refused(await life.do("POST", "", {"files": other}), 409, "policy.label_taken")
    drafted = [one for one in await life.ledger() if one["kind"] == "policy_drafted"]
    assert len(drafted) == 1
    assert drafted[0]["body"]["role"] == "ig_lead"
    assert drafted[0]["body"]["by"].startswith("hmac-sha256:")


async def test_what_is_no_draft_is_refused(life: Life):
    draft = called("2026.12.1")
    for files, code in (
        ({}, "policy.no_files"),
        ({**draft, "lockdown.yaml": "lockdown: true\n"}, "policy.no_lockdown"),
        ({**draft, "codes.yaml": "codes: {}\n"}, "policy.no_label"),
        ({**draft, "a_test.rego": "package x\n"}, "policy.file_not_loaded"),
        ({**draft, "../x.rego": "package x\n"}, "policy.file_not_loaded"),
        (called("2026.12.1-lockdown"), "policy.label_of_a_lockdown"),
    ):
        answer = await life.do("POST", "", {"files": files})
        assert ("files", code) in await fields(answer), answer.text
    for body in ({}, {"files": None}, {"files": ["x"]}, {"files": {"a.yaml": 1}}, {"other": 1}, []):
        assert (await life.do("POST", "", body)).status_code == 422


async def test_a_step_of_an_unknown_kind_or_form_is_refused(life: Life):
    digest = await life.draft(called("2026.12.1"))
    for changes in (
        {"kind": "approved"}, {"kind": ""}, {"kind": None}, {"report": "short"}, {"report": ""},
        {"report": None}, {"against": "x"}, {"ok": "true"}, {"ok": 1}, {"ok": None},
        {"findings": None}, {"findings": [{}]}, {"findings": [{"id": "F"}]},
        {"findings": [STOP | {"kind": "two words"}]}, {"findings": [STOP, STOP]}, {"more": 1},
    ):  # fmt: skip
        answer = await life.show(digest, "checked", **changes)
        assert answer.status_code == 422, (changes, answer.text)
    await refused(await life.show(UNKNOWN, "checked"), 404, "policy.unknown")
    await refused(await life.show(await life.active(), "checked"), 409, "policy.in_use")
    assert await life.kinds(digest) == ["drafted"]


async def test_only_who_may_take_a_step_takes_it(life: Life):
    digest = await life.draft(called("2026.12.1"))
    for_nobody_else = {
        ("POST", ""): {"ig_lead"},
        ("POST", f"/{digest}/steps"): {"ig_lead"},
        ("POST", f"/{digest}/overrides"): {"dpo", "dsl", "manager"},
        ("POST", f"/{digest}/approve"): {"ig_lead", "dpo"},
        ("POST", f"/{digest}/activate"): {"ig_lead", "dpo"},
        ("POST", "/lockdown"): {"ig_lead", "dpo", "dsl", "manager"},
        ("GET", ""): {"ig_lead", "dpo", "dsl", "manager", "ops"},
        ("GET", f"/{digest}/files"): {"ig_lead", "dpo", "dsl", "manager", "ops"},
    }
    everybody = {"practitioner", "manager", "dsl", "dpo", "ig_lead", "ops", "partner", "service"}
    for (method, path), roles in for_nobody_else.items():
        for role in everybody - roles:
            answer = await life.do(method, path, None, role=role, sub="somebody")
            assert answer.status_code == 403, (method, path, role)


async def test_an_approval_needs_every_report_and_another_person(life: Life):
    label = "2026.12.1"
    digest = await life.draft(called(label))
    answer = await life.approve(digest, label)
    await refused(answer, 409, "policy.not_ready")
    assert await fields(answer) == {(kind, "step.missing") for kind in STEPS}
    for kind in STEPS:
        assert (await life.show(digest, kind)).status_code == 204
    assert (await life.show(digest, "compared", against=UNKNOWN)).status_code == 204
    assert (await life.show(digest, "proved", ok=False)).status_code == 204
    answer = await life.approve(digest, label)
    assert await fields(answer) == {("compared", "step.stale"), ("proved", "step.failed")}
    for kind in STEPS:
        assert (await life.show(digest, kind)).status_code == 204

    for author in ("ig_lead", "dpo"):
        answer = await life.approve(digest, label, sub="ig-1", role=author)
        await refused(answer, 409, "person.is_author")
    cases = known(life.engine, label)
    for wrong in ([], cases[:49], [{"input": {}}] * 50, [{"input": 1, "answer": {}}] * 50, None):
        answer = await life.do("POST", f"/{digest}/approve", {"known": wrong}, sub="ig-2")
        assert answer.status_code == 422, answer.text
    answer = await life.approve(digest, label, cases=known(life.engine, "2026.11.1"))
    assert ("known", "answer.of_another") in await fields(answer)
    await refused(await life.approve(UNKNOWN, label), 404, "policy.unknown")

    assert await life.state(digest) == "draft"
    assert (await life.approve(digest, label)).status_code == 204
    assert await life.state(digest) == "approved"
    assert (await life.show(digest, "checked")).status_code == 204
    assert await life.state(digest) == "draft"


async def override(life: Life, digest: str, role: str, sub: str, **changes):
    body = {"findings": ["F-1"], "reason": "risk_weighed"} | changes
    return await life.do("POST", f"/{digest}/overrides", body, role=role, sub=sub)


async def test_what_would_stop_a_warning_is_activated_only_where_two_have_answered_for_it(
    life: Life,
):
    digest = await life.approved(called("2026.12.1"))
    assert (await life.show(digest, "compared", findings=[STOP])).status_code == 204
    answer = await life.activate(digest)
    await refused(answer, 409, "policy.not_ready")
    assert await fields(answer) == {("approved", "step.missing")}
    assert answer.json()["findings"] == [STOP]
    assert (await life.approve(digest, "2026.12.1")).status_code == 204

    for changes in (
        {"findings": []}, {"findings": ["F-2"]}, {"findings": None}, {"reason": ""},
        {"reason": "because"}, {"reason": None}, {"more": 1},
    ):  # fmt: skip
        answer = await override(life, digest, "dpo", "dpo-1", **changes)
        assert answer.status_code == 422, (changes, answer.text)
    await refused(await override(life, digest, "dpo", "ig-1"), 409, "person.is_author")
    await refused(await override(life, UNKNOWN, "dpo", "dpo-1"), 404, "policy.unknown")

    for role, sub in (("dsl", "dsl-1"), ("manager", "manager-1"), ("dsl", "dsl-1")):
        assert (await override(life, digest, role, sub)).status_code == 204
        answer = await life.activate(digest)
        assert answer.json()["findings"] == [STOP]
    assert (await override(life, digest, "dpo", "dpo-1")).status_code == 204
    answer = await life.activate(digest)
    assert (answer.status_code, answer.json()) == (202, {"loading": digest})
    entries = [one["body"] for one in await life.ledger() if one["kind"] == "policy_overridden"]
    assert [one["role"] for one in entries] == ["dsl", "manager", "dsl", "dpo"]
    assert {one["code"] for one in entries} == {"risk_weighed"}
    assert "no longer told" not in str(await life.ledger())


async def test_what_is_not_approved_unknown_or_decides_already_is_not_activated(life: Life):
    digest = await life.draft(called("2026.12.1"))
    answer = await life.activate(digest)
    await refused(answer, 409, "policy.not_ready")
    assert ("approved", "step.missing") in await fields(answer)
    await refused(await life.activate(UNKNOWN), 404, "policy.unknown")
    await refused(await life.activate(await life.active()), 409, "policy.in_use")
    assert (await life.do("POST", "/not-a-digest/activate")).status_code == 422

    one = await life.approved(called("2026.12.2"))
    other = await life.approved(called("2026.12.3"))
    assert (await life.activate(one)).status_code == 202
    assert (await life.activate(one)).status_code == 202
    await refused(await life.activate(other), 409, "policy.loading")
    await refused(await life.show(one, "checked", report=REPORT), 409, "policy.in_use")
