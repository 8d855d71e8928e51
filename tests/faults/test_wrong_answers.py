"""However the policy engine answers wrong: nothing leaves, somebody is called, and it ends well."""

import pytest
import pytest_asyncio
from faults.defects.house import COUNCIL, POLICE, House
from faults.oracle import violations
from faults.wrong_engine import WRONG, WrongEngine
from sharing.conftest import engine  # noqa: F401 - a fixture
from support.running import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broken(engine):  # noqa: F811 - the fixture of that name
    """A server where the engine is expected."""
    made = WrongEngine(engine)
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory, issuer, engine, broken):  # noqa: F811 - as above
    """All services, with that server for an engine."""
    folder = tmp_path_factory.mktemp("house")
    made = await House(folder, issuer, engine).open(opa_url=broken.url)
    yield made
    broken.wrong = None
    assert violations(await made.look()) == []  # of all that these tests did in this house
    await made.close()


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_answer_holds_calls_somebody_and_is_asked_again(house, broken, name):
    case = await house.refer()
    await house.rest()
    broken.wrong, broken.asked = WRONG[name], 0
    item = (await house.talk(case, "harm"))["harm"]
    pairs = {(item, recipient) for recipient in (POLICE, COUNCIL, "self")}

    async def listed() -> list[dict]:
        path = f"/decisions?limit=200&item_id={item}"
        return (await house.call("sharing", "GET", path, role="manager"))["items"]

    async def held() -> bool:
        return {(one["item_id"], one["recipient"]) for one in await listed()} == pairs

    await eventually(held, 20, "it was not recorded")
    asked = broken.asked
    await eventually(lambda: broken.asked > asked + 1, 20, "it was not asked again")
    found = await listed()
    assert len(found) == len(pairs)
    assert {(one["decision"], *one["rule_ids"]) for one in found} == {("defer", "NO_DECISION")}
    path = f"/releases?limit=200&child_id={case.child_id}"
    assert (await house.call("sharing", "GET", path, role="manager"))["items"] == []

    async def called() -> bool:
        messages = await house._all("notify", "/messages")
        return any(
            (one["child_id"], one["code"]) == (case.child_id, "urgent_hold") for one in messages
        )

    await eventually(called, 20, "nobody was called")

    broken.wrong = None

    async def decided() -> bool:
        return {"NO_DECISION"} not in [set(o["rule_ids"]) for o in await listed() if o["current"]]

    await eventually(decided, 20, "it was not decided when the engine was back")
