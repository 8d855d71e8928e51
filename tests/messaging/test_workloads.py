"""A platform's tokens for its workloads stand beside people's tokens, and for services alone."""

import json
import time

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey
from support.tokens import ISSUER, Issuer

from messaging.caller import Verifier
from messaging.problem import Problem
from messaging.workloads import TwoIssuers, WorkloadVerifier

CLUSTER = "https://kubernetes.default.svc.cluster.local"
SHARING = "system:serviceaccount:homeward:sharing"


class Cluster:
    """Signs tokens as a cluster does: a subject, no roles."""

    def __init__(self, directory) -> None:
        self.key = OKPKey.generate_key("Ed25519", {"kid": "cluster-1"})
        self.jwks = directory / "cluster.jwks.json"
        self.jwks.write_text(json.dumps({"keys": [self.key.as_dict(private=False)]}))

    def token(self, **changes) -> str:
        now = int(time.time())
        claims = {"iss": CLUSTER, "sub": SHARING, "aud": ["referral"], "exp": now + 600} | changes
        header = {"alg": "Ed25519", "kid": "cluster-1"}
        return jwt.encode(header, claims, self.key, algorithms=["Ed25519"])


@pytest.fixture
def cluster(tmp_path):
    """The platform on which the services run."""
    return Cluster(tmp_path)


@pytest.fixture
def people(tmp_path):
    """The issuer of people's tokens."""
    return Issuer(tmp_path)


@pytest.fixture
def verifier(cluster, people):
    """What guards `referral`."""
    return TwoIssuers(
        Verifier(ISSUER, "referral", str(people.jwks)),
        WorkloadVerifier(CLUSTER, "referral", str(cluster.jwks), {SHARING: "sharing"}),
        CLUSTER,
    )


async def test_a_service_account_is_the_service_it_stands_for(verifier, cluster):
    caller = await verifier.caller("Bearer " + cluster.token())

    assert ("sharing", frozenset({"service"})) == (caller.sub, caller.roles)


async def test_people_come_in_as_before(verifier, people):
    assert (await verifier.caller("Bearer " + people.token("dsl", sub="D-1"))).has("dsl")


async def test_a_workload_never_gets_a_persons_role(verifier, cluster):
    caller = await verifier.caller("Bearer " + cluster.token(roles=["manager", "dsl"]))

    assert not caller.has("manager", "dsl")


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "system:serviceaccount:elsewhere:sharing"},
        {"sub": "system:serviceaccount:homeward:default"},
        {"aud": ["interview"]},
        {"exp": 1_700_000_000},  # long past; the same for every worker that collects
        {"iss": ISSUER},
        {"iss": None},
    ],
    ids=str,
)
async def test_any_other_workload_stays_outside(verifier, cluster, changes):
    with pytest.raises(Problem):
        await verifier.caller("Bearer " + cluster.token(**changes))


async def test_people_cannot_say_that_they_are_workloads(verifier, people):
    with pytest.raises(Problem):
        await verifier.caller("Bearer " + people.token("manager", sub=SHARING, iss=CLUSTER))


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer a.b.c", "Bearer a.W10.c", "Bearer x"]
)
async def test_what_is_no_token_stays_outside(verifier, header):
    with pytest.raises(Problem):
        await verifier.caller(header)
