"""Small services for the tests of this folder."""

import pytest
from support import postgres
from support.certificates import Authority
from support.secure import SecureBroker, SecurePostgres, Site
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


@pytest.fixture
async def site(tmp_path, issuer, secure_postgres):
    """`await site("referral")` runs a service in production settings, over TLS alone."""
    authority = Authority(tmp_path)
    (tmp_path / "nats").mkdir()
    broker = SecureBroker(tmp_path / "nats", authority.issue("nats"), authority.ca)
    broker.start()
    await broker.provision()
    if secure_postgres is not None:
        secure_postgres.change_password()
        secure_postgres.take(authority.issue("postgres"))
    made = Site(tmp_path, broker, secure_postgres, issuer, authority)
    yield made
    await made.stop()
    broker.stop()


@pytest.fixture(scope="session")
def secure_postgres(tmp_path_factory):
    """A Postgres of its own that takes TLS and a password alone; None where there is none."""
    try:
        binaries = postgres.with_tls()
    except postgres.NoPostgresError:
        yield None
        return
    with postgres.own(binaries) as plain:
        yield SecurePostgres(plain, tmp_path_factory.mktemp("postgres"))
