"""The oracle is itself tested: defects are put into the real code, and each of them is found."""

import pytest
import pytest_asyncio
from faults.defects import road
from faults.defects.house import House
from faults.defects.seeded import DEFECTS
from faults.oracle import violations
from sharing.conftest import engine  # noqa: F401 - a fixture

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory, issuer, engine):  # noqa: F811 - the fixture of that name
    """One house for all: what an earlier defect has left behind is known and not counted again."""
    made = await House(tmp_path_factory.mktemp("house"), issuer, engine).open()
    yield made
    await made.close()


async def _new(house, walk) -> set:
    before = set(violations(house.seen))
    await walk(house)
    return set(violations(await house.look())) - before


@pytest.mark.parametrize("walk", road.ROADS, ids=lambda walk: walk.__name__)
async def test_without_a_defect_nothing_is_found(house, walk):
    assert await _new(house, walk) == set()


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
async def test_a_seeded_defect_is_found(house, defect, monkeypatch):
    defect.seed(monkeypatch, house)
    found = await _new(house, defect.road)

    assert defect.codes <= {one.code for one in found}
