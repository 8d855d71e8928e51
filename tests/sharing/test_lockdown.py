"""One person stops everything but what saves a life; everybody hears of it, two people end it."""

import asyncio

import pytest
from sqlalchemy import select
from support.running import eventually
from support_gate import NOON, Case, an_item, judged
from support_versions import Engine, Life, called, digest_of, known, tree

from contracts import policies as contract
from messaging.schema import outbox
from services.sharing.tables import Decision, Page, Release

POLICE, ITEM = "northshire-police", "IT-reasons"
sqlite_alone = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def locked(files: dict[str, str] | None = None) -> dict[str, str]:
    files = tree() if files is None else files
    twin = contract.twin({path: text.encode() for path, text in files.items()})
    return {path: text.decode() for path, text in twin.items()}


@pytest.fixture
async def a_life(a_gate, tmp_path):
    """Opens a gate with an engine of its own, and police to whom a child agreed to tell why."""
    engine = Engine(tmp_path / "opa")
    engine.load(tree())

    async def opened(**settings) -> Life:
        case: Case = await a_gate(
            opa_url=engine.url, opa_token=engine.token, policies=engine.bundle,
            policy_digest=engine.digest, **settings,
        )  # fmt: skip
        await case.clock(NOON)
        await case.partner(POLICE, "police", role="missing_unit")
        return Life(case, engine)

    yield opened
    engine.stop()


@pytest.fixture
async def life(a_life):
    return await a_life()


async def lock_down(life: Life, role="dsl", **changes):
    return await life.do(
        "POST", "/lockdown", {"reason": "wrong_releases"} | changes, role=role, sub=f"{role}-1"
    )


async def locked_down(life: Life) -> str:
    answer = await lock_down(life)
    assert answer.status_code == 202, answer.text
    await asyncio.to_thread(life.engine.load, locked())
    await life.decides(answer.json()["loading"])
    return answer.json()["loading"]


async def tells_her_reasons(life: Life, *, danger: bool) -> None:
    case = life.case
    await case.referred()
    await case.interviewed(an_item(ITEM, "push_pull", facts={"police_purpose": "prevention"}))
    await case.agrees(("push_pull", POLICE, "agreed"))
    await case.no_harm()
    await case.judges("practitioner", judged("competence", "competent"))
    if danger:
        await case.judges("dsl", judged("G4", True))


async def decision(life: Life) -> Decision | None:
    async with life.case.app.db.reading() as session:
        chosen = select(Decision).where(
            Decision.current, Decision.item_id == ITEM, Decision.recipient == POLICE
        )
        return await session.scalar(chosen)


async def sent(life: Life) -> bool:
    async with life.case.app.db.reading() as session:
        gone = select(Release.id).where(
            Release.item_id == ITEM, Release.recipient == POLICE, Release.sent_at.is_not(None)
        )
        return await session.scalar(gone) is not None


async def test_nothing_leaves_but_by_immediate_danger_until_two_people_end_it(life: Life):
    first = await life.active()
    twin = await locked_down(life)
    assert twin == digest_of(locked())
    await tells_her_reasons(life, danger=False)

    async def held() -> bool:
        found = await decision(life)
        return found is not None and found.rule_ids == ["LOCKDOWN", "POL-03"]

    await eventually(held, 30)
    assert not await sent(life)

    again = await life.approve(
        first, "2026.11.1", sub="ig-1", cases=known(life.engine, "2026.11.1")
    )
    assert again.status_code == 204, again.text
    same = await life.activate(first, sub="ig-1")
    assert (same.status_code, same.json()["code"]) == (409, "policy.not_ready")
    assert (await life.activate(first, sub="ig-2")).status_code == 202
    await asyncio.to_thread(life.engine.load, tree())
    await life.decides(first)
    await eventually(lambda: sent(life), 30, "what was held is not asked again")


@sqlite_alone
async def test_immediate_danger_is_told(life: Life):
    await locked_down(life)
    await tells_her_reasons(life, danger=True)
    await eventually(lambda: sent(life), 30)
    found = await decision(life)
    assert found is not None
    assert found.rule_ids == ["G4", "POL-03"]


@sqlite_alone
async def test_nothing_leaves_from_the_moment_it_is_asked_for_and_it_is_not_given_up(a_life):
    life = await a_life(policy_loading_s=1.0)
    twin = (await lock_down(life)).json()["loading"]
    await tells_her_reasons(life, danger=False)

    async def queued() -> bool:
        async with life.case.app.db.reading() as session:
            of_police = Release.state == "queued", Release.recipient == POLICE
            return await session.scalar(select(Release.id).where(*of_police)) is not None

    await eventually(queued, 30)
    await asyncio.sleep(2.0)  # longer than any other version is waited for
    assert not await sent(life)
    assert (await life.all())["loading"]["digest"] == twin

    await asyncio.to_thread(life.engine.load, locked())
    await life.decides(twin)
    assert not await sent(life)


@sqlite_alone
async def test_everybody_hears_of_it(life: Life):
    answer = await lock_down(life)
    assert answer.status_code == 202

    async def measured() -> bool:
        text = (await life.case.service._client.get("/metrics")).text
        return "homeward_policy_lockdown 1.0" in text

    await eventually(measured, 30)
    async with life.case.app.db.reading() as session:
        pages = (await session.scalars(select(Page).where(Page.code == "policy_lockdown"))).all()
        told = select(outbox.c.event_id).where(outbox.c.subject.like("%urgent_hold_raised%"))
        assert len((await session.execute(told)).all()) == 2
    assert {page.to for page in pages} == {"dsl", "on_call"}
    (entry,) = [one["body"] for one in await life.ledger() if one["kind"] == "policy_locked_down"]
    assert (entry["role"], entry["code"]) == ("dsl", "wrong_releases")

    twice = await lock_down(life, role="manager")
    assert twice.json() == answer.json()
    kinds = [one["kind"] for one in await life.ledger()]
    assert kinds.count("policy_locked_down") == 1


@sqlite_alone
async def test_it_takes_the_place_of_a_version_that_is_being_loaded_and_needs_a_reason(life: Life):
    for reason in ({"reason": ""}, {"reason": None}, {"reason": "because"}, {"more": 1}):
        assert (await lock_down(life, **reason)).status_code == 422
    assert (await life.do("POST", "/lockdown", {}, role="dsl")).status_code == 422
    draft = await life.approved(called("2026.12.1"))
    assert (await life.activate(draft)).status_code == 202
    answer = await lock_down(life)

    assert answer.json() == {"loading": digest_of(locked())}
    assert (await life.all())["loading"]["digest"] == digest_of(locked())
    assert (await life.kinds(draft))[-1] == "given_up"
    late = await life.activate(draft)
    assert (late.status_code, late.json()["code"]) == (409, "policy.loading")


@sqlite_alone
async def test_a_lockdown_is_never_approved_or_activated_as_a_version(life: Life):
    twin = (await lock_down(life)).json()["loading"]
    await asyncio.to_thread(life.engine.load, locked())
    await life.decides(twin)
    assert (await lock_down(life)).json() == {"loading": twin}
    first = next(v["digest"] for v in (await life.all())["versions"] if not v["locked"])
    approved = await life.approve(first, "2026.11.1", sub="ig-1")
    assert approved.status_code == 204, approved.text
    assert (await life.activate(first, sub="dpo-1", role="dpo")).status_code == 202
    await asyncio.to_thread(life.engine.load, tree())
    await life.decides(first)
    answer = await life.approve(twin, "2026.11.1-lockdown", sub="ig-1")
    assert (answer.status_code, answer.json()["code"]) == (409, "policy.is_lockdown")
    answer = await life.activate(twin)
    assert (answer.status_code, answer.json()["code"]) == (409, "policy.is_lockdown")
