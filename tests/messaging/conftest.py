"""Small services for the tests of this folder."""

import pytest
from support.small_services import Small


@pytest.fixture
async def small(tmp_path, nats, issuer):
    """`await small("scheduling", events=…)` runs a small service and waits until it is ready."""
    made = Small(tmp_path, nats, issuer)
    yield made
    await made.stop()


@pytest.fixture
async def alone(tmp_path, issuer):
    """The same without a broker, for HTTP."""
    made = Small(tmp_path, None, issuer)
    yield made
    await made.stop()
