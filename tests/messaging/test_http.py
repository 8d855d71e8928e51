"""Who is let in, and what a refusal gives away: nothing."""

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Literal

import httpx
import pytest
from fastapi import APIRouter, Depends, Header
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from pydantic import BaseModel, ConfigDict
from support.tokens import ISSUER, Issuer, bearer

from messaging.app import service
from messaging.caller import Caller, Verifier, allow
from messaging.database import new_base
from messaging.errors import AwayError
from messaging.problem import Problem

CANARY = "Wren Ashdown of 4 Mill Lane"


class Words(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: int
    kind: Literal["a", "b"] = "a"
    notes: dict[str, int] = {}


def routes() -> APIRouter:
    router = APIRouter()

    @router.post("/things/{number}")
    async def make(
        number: int,
        words: Words,
        caller: Annotated[Caller, Depends(allow("practitioner", edges=("sharing", "notify")))],
        limit: int = 1,
        x_count: Annotated[int, Header()] = 1,
    ) -> dict[str, str]:
        return {"sub": caller.sub}

    @router.get("/broken")
    async def broken(_: Annotated[Caller, Depends(allow("ops"))]) -> None:
        raise RuntimeError(CANARY)

    @router.get("/away")
    async def away(_: Annotated[Caller, Depends(allow("ops"))]) -> None:
        raise AwayError("engine")

    @router.get("/edge-only")
    async def edge_only(_: Annotated[Caller, Depends(allow(edges=("sharing",)))]) -> str:
        return "yes"

    return router


@pytest.fixture
async def client(alone):
    api = await alone.api("referral", routers=[routes()])
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as made:
        yield made


async def post(client, token: str | None, body=None, path: str = "/things/1", **how):
    headers = (bearer(token) if token else {}) | how.pop("headers", {})
    return await client.post(path, json=body or {"count": 1}, headers=headers, **how)


async def test_a_practitioner_is_let_in(client, a_token):
    answer = await post(client, a_token("practitioner", sub="W-1"))

    assert (answer.status_code, answer.json()) == (200, {"sub": "W-1"})
    assert answer.headers["cache-control"] == "no-store"


def unsigned(claims: dict) -> str:
    def part(value: dict) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none', 'kid': 'test-1'})}.{part(claims)}."


def claims_of(**changes) -> dict:
    return {
        "iss": ISSUER,
        "sub": "W-1",
        "aud": ["referral"],
        "roles": ["practitioner"],
        "exp": int(time.time()) + 60,
    } | changes


def signed(key, claims: dict) -> str:
    return jwt.encode({"alg": "Ed25519", "kid": "test-1"}, claims, key, algorithms=["Ed25519"])


def signed_as(issuer: Issuer, algorithm: str, key, **header) -> str:
    named = {"alg": algorithm, "kid": "test-1"} | header
    return jwt.encode(named, claims_of(), key, algorithms=[algorithm])


WRONG = {
    "no token": lambda i: None,
    "no token at all": lambda i: "x",
    "three dots": lambda i: "...",
    "expired": lambda i: i.token("practitioner", ttl=-60),
    "not yet": lambda i: i.token("practitioner", nbf=time.time() + 600),
    "without an end": lambda i: i.token("practitioner", exp=None),
    "an end that is no number": lambda i: i.token("practitioner", exp="never"),
    "a foreign issuer's name": lambda i: i.token("practitioner", iss="https://other.example"),
    "another audience": lambda i: i.token("practitioner", audience="sharing"),
    "an audience that only begins so": lambda i: i.token("practitioner", audience="referrals"),
    "no audience": lambda i: i.token("practitioner", aud=None),
    "no subject": lambda i: signed(i.key, claims_of(sub=None)),
    "alg none": lambda i: unsigned(claims_of()),
    "a foreign key under our key's name": lambda i: signed_as(
        i, "Ed25519", OKPKey.generate_key("Ed25519")
    ),
    "an unknown key": lambda i: signed_as(i, "Ed25519", i.key, kid="other"),
    "our public key as a shared secret": lambda i: signed_as(
        i, "HS256", OctKey.import_key(i.key.as_dict(private=False)["x"].ljust(64, "x"))
    ),
    "its own key in the header": lambda i: signed_as(
        i, "Ed25519", (k := OKPKey.generate_key("Ed25519")), jwk=k.as_dict(private=False)
    ),
    "another algorithm than the key's": lambda i: signed_as(
        i, "ES256", ECKey.generate_key("P-256")
    ),
    "an RSA key under our key's name": lambda i: signed_as(i, "RS256", RSAKey.generate_key(2048)),
    "too long": lambda i: i.token("practitioner", padding="x" * 9000),
}


@pytest.mark.parametrize("how", WRONG)
async def test_a_wrong_token_is_refused(client, issuer, how):
    answer = await post(client, WRONG[how](issuer))

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"].startswith("token.")


async def test_a_changed_claim_breaks_the_signature(client, a_token):
    head, body, tail = a_token("dsl").split(".")
    claims = json.loads(urlsafe_b64decode(body + "=="))
    claims["roles"] = ["practitioner"]
    forged = urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")

    assert (await post(client, f"{head}.{forged}.{tail}")).status_code == 401


@pytest.mark.parametrize("role", ["manager", "dsl", "dpo", "ig_lead", "ops", "partner", "service"])
async def test_a_wrong_role_is_refused(client, a_token, role):
    answer = await post(client, a_token(role))

    assert (answer.status_code, answer.json()["code"]) == (403, "role.not_allowed")


@pytest.mark.parametrize("roles", ["practitioner", {"practitioner": 1}, None, [1], []])
async def test_roles_that_are_no_list_of_names_give_none(client, a_token, roles):
    assert (await post(client, a_token("ops", roles=roles))).status_code == 403


async def test_a_service_comes_in_along_its_edge_only(client, a_token):
    assert (await post(client, a_token("service", sub="sharing"))).status_code == 200
    # named by the route, but without an edge it would be refused; here both exist
    assert (await post(client, a_token("service", sub="notify"))).status_code == 200
    # an edge of nobody's, and a person who calls themself like a service
    assert (await post(client, a_token("service", sub="scheduling"))).status_code == 403
    assert (await post(client, a_token("ops", sub="sharing"))).status_code == 403
    assert (await client.get("/edge-only", headers=bearer(a_token("service", sub="notify")))
            ).status_code == 403  # fmt: skip


async def test_an_edge_that_the_topology_does_not_have_is_none(alone, a_token):
    api = await alone.api("scheduling", routers=[routes()])
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answer = await post(client, a_token("service", sub="sharing"))

    assert answer.status_code == 403


async def test_a_token_ends_in_real_time_whatever_the_clock_says(client, a_token):
    set_back = {"now": "2020-01-01T00:00:00Z"}
    answer = await client.put("/clock", json=set_back, headers=bearer(a_token("ops")))
    assert answer.status_code == 200

    assert (await post(client, a_token("practitioner", ttl=-60))).status_code == 401
    assert (await post(client, a_token("practitioner"))).status_code == 200


@pytest.mark.filterwarnings("ignore:EdDSA")
async def test_a_new_key_of_the_issuer_is_found_without_a_restart(tmp_path):
    first = Issuer(tmp_path)
    verifier = Verifier(ISSUER, "referral", str(first.jwks))
    assert await verifier.caller("Bearer " + first.token("ops"))
    key = OKPKey.generate_key("Ed25519", {"kid": "test-2"})
    both = [first.key.as_dict(private=False), key.as_dict(private=False)]
    first.jwks.write_text(json.dumps({"keys": both}))
    verifier._tried_at -= 10
    token = jwt.encode({"alg": "EdDSA", "kid": "test-2"}, claims_of(), key, algorithms=["EdDSA"])

    assert (await verifier.caller("Bearer " + token)).sub == "W-1"


@pytest.mark.parametrize(("algorithm", "made"), [
    ("ES256", lambda: ECKey.generate_key("P-256", {"kid": "k"})),
    ("RS256", lambda: RSAKey.generate_key(2048, {"kid": "k"})),
])  # fmt: skip
async def test_other_providers_algorithms_work(tmp_path, algorithm, made):
    key = made()
    secret = OctKey.generate_key(256, {"kid": "shared"}).as_dict()
    (tmp_path / "keys").write_text(json.dumps({"keys": [key.as_dict(private=False), secret]}))
    verifier = Verifier(ISSUER, "referral", str(tmp_path / "keys"))
    token = jwt.encode({"alg": algorithm, "kid": "k"}, claims_of(), key, algorithms=[algorithm])

    assert (await verifier.caller("Bearer " + token)).has("practitioner")
    shared = OctKey.import_key(secret)
    forged = jwt.encode({"alg": "HS256", "kid": "shared"}, claims_of(), shared)
    with pytest.raises(Problem):
        await verifier.caller("Bearer " + forged)


async def test_without_the_issuers_keys_nobody_comes_in(tmp_path):
    verifier = Verifier(ISSUER, "referral", str(tmp_path / "none"))
    with pytest.raises(AwayError):
        await verifier.caller("Bearer " + Issuer(tmp_path).token("ops"))


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/things/1", {"count": CANARY}, {}),
        ("/things/1", {"count": 1, "kind": CANARY}, {}),
        ("/things/1", {"count": 1, CANARY: 1}, {}),
        ("/things/1", {"count": 1, "notes": {CANARY: CANARY}}, {}),
        (f"/things/{CANARY}", {"count": 1}, {}),
        (f"/things/1?limit={CANARY}", {"count": 1}, {}),
        ("/things/1", {"count": 1}, {"X-Count": CANARY}),
        ("/things/1", CANARY, {}),
        ("/things/1", [CANARY], {}),
    ],
)
async def test_a_malformed_request_is_refused_without_saying_what_was_in_it(
    client, a_token, path, body, headers
):
    answer = await post(client, a_token("practitioner"), body, path, headers=headers)

    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "request.malformed"
    assert all(set(error) == {"field", "code"} for error in problem["errors"])
    for word in (CANARY, "Wren", "Mill"):
        assert word not in answer.text


async def test_json_that_is_none_is_refused_without_echo(client, a_token):
    headers = bearer(a_token("practitioner")) | {"Content-Type": "application/json"}
    answer = await client.post("/things/1", content=f'{{"count": {CANARY}', headers=headers)

    assert answer.status_code == 422
    assert "Wren" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"/{CANARY}", 404, "route.unknown"),
        ("DELETE", "/things/1", 405, "method.unknown"),
        ("GET", "/docs", 404, "route.unknown"),
        ("GET", "/redoc", 404, "route.unknown"),
        ("GET", "/broken", 500, "internal.error"),
        ("GET", "/away", 503, "dependency.away"),
    ],
)
async def test_every_refusal_is_a_problem(  # noqa: PLR0917 - a row of the table above
    client, a_token, method, path, status, code, capsys
):
    answer = await client.request(method, path, headers=bearer(a_token("ops")))

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Wren" not in answer.text + capsys.readouterr().out


async def test_unknown_paths_tell_nothing_to_strangers(client):
    assert (await client.get("/nothing-here")).status_code == 401


@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/metrics"])
async def test_health_and_metrics_need_no_token(client, path):
    assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("stated", [True, False])
async def test_more_than_a_mebibyte_is_refused(client, a_token, stated):
    body = b'{"count": 1, "notes": {"x": ' + b"1" * (1 << 20) + b"}}"

    async def piecewise():
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    headers = bearer(a_token("practitioner")) | {"Content-Type": "application/json"}
    content = body if stated else piecewise()
    answer = await client.post("/things/1", content=content, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (413, "body.too_large")


async def test_the_clock_can_be_set_in_test_mode_alone_and_by_ops_alone(alone, a_token):
    for clock, role, status in (
        ("test", "ops", 200),
        ("test", "manager", 403),
        ("real", "ops", 404),
    ):
        api = await alone.api("referral", settings=alone.settings("referral", clock=clock))
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            answer = await client.put(
                "/clock", json={"now": "2026-11-24T12:00:00Z"}, headers=bearer(a_token(role))
            )
        assert answer.status_code == status


async def test_setting_the_clock_answers_when_all_due_work_has_run(alone, a_token):
    from datetime import UTC, datetime, timedelta

    start = datetime(2026, 11, 24, 12, tzinfo=UTC)
    ran = []

    async def hourly(app):
        following = start + timedelta(hours=len(ran))
        if following <= app.clock.now():
            ran.append(following)
        return start + timedelta(hours=len(ran))

    api = await alone.api("referral", due=[hourly])
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        ran.clear()
        now = (start + timedelta(hours=5, minutes=1)).isoformat()
        answer = await client.put("/clock", json={"now": now}, headers=bearer(a_token("ops")))

    assert answer.status_code == 200
    assert len(ran) == 6


async def test_a_route_that_does_not_say_who_may_call_it_is_not_built(alone):
    router = APIRouter()

    @router.get("/open")
    async def open_to_all() -> str:
        return CANARY

    with pytest.raises(RuntimeError, match="/open"):
        service("referral", settings=alone.settings("referral"), base=new_base(), routers=[router])


async def test_ready_names_what_is_away(alone):
    async def engine(app) -> None:
        raise AwayError("engine", CANARY)

    api = await alone.api("referral", ready=[engine])
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answer = await client.get("/ready")

    assert answer.status_code == 503
    assert {e["field"] for e in answer.json()["errors"]} == {"broker", "engine"}
    assert CANARY not in answer.text
