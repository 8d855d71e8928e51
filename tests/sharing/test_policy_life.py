"""A version comes into force while the gate works: every release is of the version that decides."""

import asyncio
import json
from itertools import pairwise

import httpx
import pytest
from joserfc.jwk import OKPKey
from sqlalchemy import select
from support.running import eventually
from support_gate import NOON, Case, an_item, judged
from support_versions import Engine, Life, called, digest_of, known, tree

from contracts import feed as contract
from homeward.feed_open import Opener
from messaging.database import lock
from services.sharing.policy_life_active import VersionMovedError
from services.sharing.policy_tables import PolicyActive
from services.sharing.proposal import propose
from services.sharing.settling import settle
from services.sharing.tables import Child, Decision, Release

COUNCIL, POLICE = "northshire-council", "northshire-police"
sqlite_alone = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def own_engine(tmp_path):
    made = Engine(tmp_path / "opa")
    made.load(tree())
    yield made
    made.stop()


@pytest.fixture
async def a_life(a_gate, own_engine):
    """`await a_life(…)` runs the gate with an engine that may load another version."""

    async def run(**changes) -> Life:
        settings = {
            "opa_url": own_engine.url,
            "opa_token": own_engine.token,
            "policies": own_engine.bundle,
            "policy_digest": own_engine.digest,
        } | changes
        case: Case = await a_gate(**settings)
        return Life(case, own_engine)

    return run


class Council:
    """A council with keys of its own, that reads what it was sent."""

    def __init__(self, case: Case, tmp_path) -> None:
        self.case, self.key = case, OKPKey.generate_key("X25519", auto_kid=True)
        signing = OKPKey.import_key(json.loads((tmp_path / "signing.jwk.json").read_text()))
        keys = {"keys": [signing.as_dict(private=False)]}
        self.opener = Opener(COUNCIL, self.key.as_dict(private=True), keys)

    async def join(self) -> None:
        await self.case.nats.add_partner(COUNCIL)
        public = {"nkey": self.case.nats.partners[COUNCIL], "jwk": self.key.as_dict(private=False)}
        body = {"key": COUNCIL, "type": "childrens_services", "area": "northshire"}
        answer = await self.case.service.call("POST", "/partners", body | {"public": public})
        assert answer.status_code == 201, answer.text

    async def read(self, names: set[str]) -> dict[str, dict]:
        """Read the feed until all these releases were there; a void took the place of any other."""
        client = await self.case.nats.connect(COUNCIL)
        context = client.jetstream(prefix="JSC.API")
        feed = await context.pull_subscribe_bind(COUNCIL, f"FEED_{COUNCIL}")
        found: dict[str, dict] = {}
        while not names <= found.keys():
            for message in await feed.fetch(10, timeout=10):
                opened = self.opener.open(message.data)
                if opened["type"] == contract.RELEASE:
                    found[opened["jti"]] = opened
                await message.ack_sync()
        await client.close()
        return found


async def a_child(case: Case, n: int) -> str:
    """One more child, whose offer has ended and whom somebody has told what follows."""
    case.child_id = child = f"CH-{n}"
    await case.referred(f"EP-{n}", id=child)
    case.child_id = child
    await case.outcome(id=f"EV-outcome-{n}", episode_id=f"EP-{n}", child_id=child)
    case.child_id = child
    await case.judges("practitioner", judged("child_told", True))
    return child


async def sent(case: Case) -> dict[str, list[Release]]:
    """What the council was sent, by child."""
    async with case.app.db.reading() as session:
        chosen = select(Release).where(Release.recipient == COUNCIL, Release.sent_at.is_not(None))
        found: dict[str, list[Release]] = {}
        for row in await session.scalars(chosen):
            found.setdefault(row.child_id, []).append(row)
        return found


async def test_under_load_no_release_is_of_a_version_that_does_not_decide_and_none_is_lost(
    a_life, tmp_path
):
    life = await a_life()
    case, council = life.case, Council(life.case, tmp_path)
    await council.join()
    children: list[str] = []
    stop = asyncio.Event()

    async def keep_coming() -> None:
        while not stop.is_set():
            children.append(await a_child(case, len(children)))
            await asyncio.sleep(0.2)  # the machine is wanted for the engine as well

    coming = asyncio.create_task(keep_coming())
    first = await life.active()
    await more(coming, children, 3)
    new = called("2026.12.1")
    second = await life.brought_in(new)
    await more(coming, children, 3)
    back = called("2026.12.2")  # a new version with the old content
    third = await life.brought_in(back)
    await more(coming, children, 3)
    stop.set()
    await coming

    async def all_sent() -> bool:
        return set(children) <= set(await sent(case))

    await eventually(all_sent, 60, "a release was lost")
    await case.settled()
    labels = {first: "2026.11.1", second: "2026.12.1", third: "2026.12.2"}
    await each_was_of_the_version_that_decided(life, labels)

    rows = [row for several in (await sent(case)).values() for row in several]
    told = await council.read({row.id for row in rows})
    assert {row.id: row.policy_version for row in rows} == {
        name: one["policy_version"] for name, one in told.items()
    }
    assert all(labels[row.policy_digest] == row.policy_version for row in rows)
    assert {row.policy_digest for row in rows} == {first, second, third}
    assert await life.state(first) == await life.state(second) == "superseded"
    kinds = [one["kind"] for one in await life.ledger()]
    assert kinds.count("policy_rolled_back") == 2  # both rule as the first did


async def more(coming: asyncio.Task[None], children: list[str], count: int) -> None:
    """Wait for so many more children; what went wrong with one is said."""
    wanted = len(children) + count

    def there() -> bool:
        if coming.done():
            coming.result()
        return len(children) >= wanted

    await eventually(there, 90)


async def each_was_of_the_version_that_decided(life: Life, labels: dict[str, str]) -> None:
    """In the order of the ledger, and for numbers by the time of their being given."""
    active, since = None, []
    for entry in await life.ledger():
        body = entry["body"]
        if entry["kind"] == "policy_activated":
            active = body["policy_digest"]
            since.append((entry["at"], active))
        elif entry["kind"] in ("decision", "release"):
            assert body["policy_digest"] == active, entry
    assert [digest for _, digest in since] == list(labels)
    ends = [*since[1:], ("9999", None)]
    for rows in (await sent(life.case)).values():
        for row in rows:
            at = row.claimed_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            (held,) = [
                digest
                for (began, digest), (ended, _) in zip(since, ends, strict=True)
                if began <= at < ended
            ]
            assert row.policy_digest == held
    assert all(one <= other for (one, _), (other, _) in pairwise(since))


@sqlite_alone
async def test_a_child_of_whom_something_is_held_is_asked_again_and_others_wait_for_a_fact(a_life):
    """The draft tells the police extracts of what every child said, whoever agreed."""
    life = await a_life()
    case = life.case
    await case.clock(NOON)
    await case.partner(POLICE, "police", role="missing_unit")
    await case.partner(COUNCIL, "childrens_services")

    async def refused_to_police(child: str, *about: str) -> dict:
        case.child_id = child
        await case.referred(f"EP-{child}", id=child)
        case.child_id = child
        await case.interviewed(an_item(f"IT-{child}", "narrative"), interview_id=f"IN-{child}")
        await case.judges("practitioner", judged("G1", False, recipients=list(about)))
        await case.no_harm()
        return await case.decisions()

    before = await refused_to_police("CH-1", POLICE, COUNCIL)
    before |= await refused_to_police("CH-2", POLICE)  # whether to tell the council is open
    mine = (await case.releases())["self", "IT-CH-1"]["id"]
    told = await case.do("POST", f"/releases/{mine}/delivered", {"how": "in_person"}, role="dsl")
    assert told.status_code == 200, told.text
    outcomes = {(who, item): one["decision"] for (who, item), one in before.items()}
    assert outcomes[POLICE, "IT-CH-1"] == outcomes[POLICE, "IT-CH-2"] == "deny"
    assert outcomes[COUNCIL, "IT-CH-1"] == "deny"
    assert outcomes[COUNCIL, "IT-CH-2"] == "defer"

    files = called("2026.12.1")
    path = "    - when: [agreed]\n      transforms: [extract_only]\n"
    row = files["table/police.yaml"].index("POL-02:")
    for_all = files["table/police.yaml"][row:].replace(path, path.replace("agreed", "always"), 1)
    files["table/police.yaml"] = files["table/police.yaml"][:row] + for_all
    digest = await life.brought_in(files)

    async def asked_again() -> bool:
        return (await case.decisions())[COUNCIL, "IT-CH-2"]["policy_digest"] == digest

    await eventually(asked_again, 30)
    now = await case.decisions()
    assert now[POLICE, "IT-CH-2"]["decision"] == "allow_redacted"  # whoever is asked is asked whole
    assert now[POLICE, "IT-CH-1"]["id"] == before[POLICE, "IT-CH-1"]["id"]

    case.child_id = "CH-1"
    await case.judges("practitioner", judged("competence", "competent"))
    then = (await case.decisions())[POLICE, "IT-CH-1"]
    assert (then["decision"], then["policy_digest"]) == ("allow_redacted", digest)


@sqlite_alone
async def test_an_engine_that_never_loads_it_is_given_up_and_the_old_version_stays(a_life):
    life = await a_life(policy_loading_s=1.5)
    before = await life.active()
    digest = await life.approved(called("2026.12.1"))
    assert (await life.activate(digest)).status_code == 202
    assert (await life.all())["loading"]["digest"] == digest
    await life.given_up()

    assert await life.active() == before
    assert (await life.kinds(digest))[-1] == "given_up"
    assert await life.state(digest) == "approved"
    (entry,) = [one["body"] for one in await life.ledger() if one["kind"] == "policy_given_up"]
    assert (entry["policy_digest"], entry["code"]) == (digest, "not_loaded")
    await life.case.service.until_ready()


@sqlite_alone
async def test_an_engine_that_answers_a_known_case_otherwise_does_not_decide(a_life):
    life = await a_life()
    before, files = await life.active(), called("2026.12.1")
    cases = known(life.engine, "2026.12.1")
    cases[49]["answer"] = cases[49]["answer"] | {"rule_ids": ["POL-01"]}
    digest = await life.approved(files, cases=cases)
    assert (await life.activate(digest)).status_code == 202
    await asyncio.to_thread(life.engine.load, files)
    await life.given_up()

    assert await life.active() == before
    (entry,) = [one["body"] for one in await life.ledger() if one["kind"] == "policy_given_up"]
    assert entry["code"] == "known_case"
    answer = await life.case.service._client.get("/ready")
    assert answer.status_code == 503  # its engine decides by what was not let in
    await asyncio.to_thread(life.engine.load, tree())
    await life.case.service.until_ready(30)


@sqlite_alone
async def test_an_engine_of_another_version_at_a_later_start_holds_everything(
    a_life, a_gate, own_engine
):
    life = await a_life()
    case = life.case
    await case.partner(COUNCIL, "childrens_services")
    await case.service.stop()
    other = called("2026.12.1")
    await asyncio.to_thread(own_engine.load, other)
    life = await a_life(policy_digest=digest_of(other), wait=False, url=case.service.url)

    async def noticed() -> bool:
        gate = life.case.app.state.get("gate")
        return gate is not None and not gate.serves

    async def not_ready() -> bool:
        try:
            return (await life.case.service._client.get("/ready")).status_code == 503
        except httpx.ConnectError:
            return False  # it does not listen yet

    await eventually(noticed, 30)
    await eventually(not_ready, 30)
    assert await life.active() == digest_of(tree())
    await a_child(life.case, 0)

    async def held() -> bool:
        async with life.case.app.db.reading() as session:
            rows = (await session.scalars(select(Decision).where(Decision.current))).all()
            return bool(rows) and all("NO_DECISION" in row.rule_ids for row in rows)

    await eventually(held, 30)
    assert await sent(life.case) == {}
    await asyncio.to_thread(own_engine.load, tree())
    await life.case.service.until_ready(30)

    async def leaves() -> bool:
        return bool(await sent(life.case))

    await eventually(leaves, 30)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_it_decides_once_the_engine_of_every_process_has_it(a_life, own_engine, tmp_path):
    life, slow = await a_life(), Engine(tmp_path / "slow")
    slow.load(tree())
    try:
        await a_life(opa_url=slow.url, opa_token=slow.token, policies=slow.bundle)
        before, files = await life.active(), called("2026.12.1")
        digest = await life.approved(files)
        assert (await life.activate(digest)).status_code == 202
        await asyncio.to_thread(own_engine.load, files)

        async def one_has_it() -> bool:
            engines = (await life.all())["engines"]
            return [one["digest"] for one in engines if one["known"]] == [digest]

        await eventually(one_has_it, 30)
        await asyncio.sleep(1)
        assert await life.active() == before
        await asyncio.to_thread(slow.load, files)
        await life.decides(digest)
    finally:
        slow.stop()


@sqlite_alone
async def test_what_was_asked_of_the_version_before_is_not_recorded_once_another_decides(a_life):
    """A process that lags behind: it asked, and before it could record, the others moved on."""
    life = await a_life()
    app = life.case.app
    await life.case.partner(COUNCIL, "childrens_services")
    child = await a_child(life.case, 0)
    await life.case.settled()
    async with app.db.writing() as session:
        (await lock(session, Child, child)).epoch += 1
    async with app.db.reading() as session:
        proposal = await propose(app, session, child)
        before = (await session.scalars(select(Decision.id))).all()
    for pair in proposal.pairs:
        pair.answer, pair.decided = await proposal.policy.decide(pair.document), True
    async with app.db.writing() as session:
        (await lock(session, PolicyActive, 1)).digest = "f" * 64
    with pytest.raises(VersionMovedError):
        await settle(app, proposal)

    async with app.db.reading() as session:
        after = select(Decision.id).where(Decision.policy_digest == proposal.policy.digest)
        assert set(await session.scalars(after)) == set(before)


@sqlite_alone
async def test_killed_while_it_loads_it_goes_on_when_it_is_started_again(a_life, own_engine):
    life = await a_life(process=True, wait=False)
    await life.case.service.until_ready(60)
    files = called("2026.12.1")
    digest = await life.approved(files)
    assert (await life.activate(digest)).status_code == 202
    await life.case.service.stop(hard=True)
    await asyncio.to_thread(own_engine.load, files)
    life = await a_life(process=True, wait=False)
    await life.case.service.until_ready(60)
    await life.decides(digest)

    activated = [one for one in await life.ledger() if one["kind"] == "policy_activated"]
    assert [one["body"]["policy_digest"] for one in activated] == [digest_of(tree()), digest]
