"""A real policy engine, peers that say what a test wants, and the gate running against both."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from joserfc.jwk import OKPKey
from support.broker import free_port
from support.running import Quiet, Runner, eventually

sys.path.insert(0, str(Path(__file__).parent))  # `support_gate` is imported by name

from support_gate import Case

POLICIES = Path(__file__).parents[2] / "policies"


class Engine:
    """The policy engine as it runs in a home."""

    def __init__(self, url: str, token: Path, digest: str) -> None:
        self.url, self.token, self.digest = url, token, digest


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """OPA with this checkout's policies, on a port of its own."""
    from homeward.engine import build_bundle, find_engine, server_command

    folder = tmp_path_factory.mktemp("opa")
    token = folder / "opa.token"
    token.write_text("a-token-of-this-test")
    digest = build_bundle(POLICIES, folder / "bundle")
    port = free_port()
    command = server_command(find_engine(), folder / "bundle", port, token)
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ)
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(500):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/health").status_code == 200:
                    break
            assert process.poll() is None, "the engine has ended"
            time.sleep(0.02)
        # the first question is slow, and on a busy machine would miss the deadline of a test
        asked = {"Authorization": f"Bearer {token.read_text()}"}
        decision = f"{url}/v1/data/homeward/sharing/decision"
        httpx.post(decision, json={"input": {}}, headers=asked, timeout=30).raise_for_status()
        yield Engine(url, token, digest)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


class Peers:
    """Referral, interview and notify, as far as the gate asks them."""

    def __init__(self) -> None:
        self.children: dict[str, dict] = {}
        self.interviews: dict[str, list[dict]] = {}
        self.parts: dict[str, dict] = {}
        self.pages: list[dict] = []
        self.asked: list[tuple[str, list[str]]] = []
        self.away = False
        self.url = f"http://127.0.0.1:{free_port()}"
        api = FastAPI()

        @api.middleware("http")
        async def sometimes(request: Request, call_next):
            if self.away:
                return JSONResponse({}, 503)
            return await call_next(request)

        @api.get("/children/{child_id}")
        async def child(child_id: str):
            return self.children.get(child_id) or JSONResponse({}, 404)

        @api.get("/interviews/{interview_id}/items")
        async def items(interview_id: str):
            if interview_id not in self.interviews:
                return JSONResponse({}, 404)
            return {"interview_id": interview_id, "items": self.interviews[interview_id]}

        @api.post("/items/{item_id}/fields")
        async def fields(item_id: str, request: Request):
            wanted = (await request.json())["parts"]
            self.asked.append((item_id, wanted))
            given = self.parts.get(item_id)
            if given is None:
                return JSONResponse({}, 404)
            return {"parts": {name: given[name] for name in wanted if name in given}}

        @api.post("/items/fields")
        async def fields_of_items(request: Request):
            items = []
            for one in (await request.json())["items"]:
                self.asked.append((one["item_id"], one["parts"]))
                given = self.parts.get(one["item_id"])
                if given is not None:
                    told = {name: given[name] for name in one["parts"] if name in given}
                    items.append({"item_id": one["item_id"], "parts": told})
            return {"items": items}

        @api.post("/pages", status_code=202)
        async def pages(request: Request):
            self.pages.append(await request.json())
            return {}

        config = uvicorn.Config(
            api, port=int(self.url.rpartition(":")[2]), log_config=None, access_log=False
        )
        self.server = Quiet(config)


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    """The services that the gate asks, in one."""
    made = Peers()
    serving = asyncio.create_task(made.server.serve())
    await eventually(lambda: made.server.started)
    yield made
    made.server.leave()
    await serving


@pytest.fixture
async def a_gate(  # noqa: PLR0917 - fixtures come by name
    nats, issuer, tmp_path: Path, database_url: str, engine: Engine, peers: Peers
):
    """`g = await a_gate(opa_url=…)` runs `sharing` on the given database and returns a Case."""
    runner = Runner(tmp_path, nats, issuer, database_url)
    for name in ("signing", "ledger"):
        key = OKPKey.generate_key("Ed25519", {"kid": name, "use": "sig"})
        (tmp_path / f"{name}.jwk.json").write_text(json.dumps(key.as_dict(private=True)))
    localities = tmp_path / "localities.yaml"
    localities.write_text("localities: {northshire: {controller: charity}}\n")

    async def run(**changes) -> Case:
        settings = {
            "opa_url": engine.url,
            "opa_token": engine.token,
            "policy_digest": engine.digest,
            "policies": POLICIES,
            "signing_key": tmp_path / "signing.jwk.json",
            "ledger_key": tmp_path / "ledger.jwk.json",
            "localities": localities,
            "peers": json.dumps(dict.fromkeys(("referral", "interview", "notify"), peers.url)),
            "wait": changes.pop("wait", True),
        } | changes
        service = await runner("sharing", **settings)
        return Case(service, peers, nats)

    yield run
    await runner.stop()
