"""Versions of the policies as tests draft them, and an engine that loads another one when told."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import httpx
from support.broker import free_port
from support.running import eventually

from contracts import policies as contract

POLICIES = Path(__file__).parents[2] / "policies"
REPORT = "a" * 64

Files = dict[str, str]


def tree() -> Files:
    """The policies of this checkout, as an engine loads them."""
    found = (file for file in POLICIES.rglob("*") if contract.is_loaded(file.name))
    return {file.relative_to(POLICIES).as_posix(): file.read_text() for file in found}


def called(label: str, files: Files | None = None) -> Files:
    """The same files under another label."""
    files = tree() if files is None else files
    before = contract.label(as_bytes(files))
    codes = files["codes.yaml"].replace(f'"{before}"', f'"{label}"')
    return {**files, "codes.yaml": codes}


def as_bytes(files: Files) -> dict[str, bytes]:
    return {path: text.encode() for path, text in files.items()}


def digest_of(files: Files) -> str:
    return contract.digest(as_bytes(files))


class Engine:
    """A policy engine of a test's own, whose bundle is where `sharing` reads its policies too."""

    def __init__(self, folder: Path) -> None:
        self.bundle, self.token = folder / "bundle", folder / "opa.token"
        self._sources, self._port = folder / "sources", free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        self.digest = ""
        folder.mkdir(exist_ok=True)
        self.token.write_text("a-token-of-this-test")

    def load(self, files: Files) -> None:
        """Start again with these policies."""
        from homeward.engine import build_bundle, find_engine, server_command
        from homeward.engine.serving import admit

        shutil.rmtree(self._sources, ignore_errors=True)
        for path, text in files.items():
            (self._sources / path).parent.mkdir(parents=True, exist_ok=True)
            (self._sources / path).write_text(text)
        aside = self.bundle.with_name("bundle.new")
        self.digest = build_bundle(self._sources, aside)
        admit(aside, self.token)
        self.stop()
        shutil.rmtree(self.bundle, ignore_errors=True)
        aside.rename(self.bundle)
        self._process = subprocess.Popen(
            server_command(find_engine(), self.bundle, self._port, self.token),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ),
        )  # fmt: skip
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(httpx.HTTPError):
                self.ask({})  # the first answer is slow; a test's deadline would not wait for it
                return
            time.sleep(0.02)
        raise AssertionError("the engine does not answer")

    def ask(self, given: object) -> dict:
        """The answer of the engine to one input."""
        url, token = f"{self.url}/v1/data/homeward/sharing/decision", self.token.read_text()
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.post(url, json={"input": given}, headers=headers, timeout=30)
        return answer.raise_for_status().json()["result"]

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(10)
            self._process = None


def known(engine: Engine, label: str) -> list[dict]:
    """Fifty known cases whose answers are those of the engine now, but for the label."""
    answer = engine.ask({}) | {"policy_version": label}
    return [{"input": {"number": n}, "answer": answer} for n in range(contract.KNOWN_CASES)]


class Life:
    """People who take a version through its life."""

    def __init__(self, case, engine: Engine) -> None:
        self.case, self.engine = case, engine

    async def do(self, method: str, path: str = "", body=None, *, role="ig_lead", sub="ig-1"):
        return await self.case.do(method, f"/policies{path}", body, role=role, sub=sub)

    async def all(self) -> dict:
        return (await self.do("GET")).json()

    async def active(self) -> str:
        return (await self.all())["active"]["digest"]

    async def state(self, digest: str) -> str:
        (found,) = [v for v in (await self.all())["versions"] if v["digest"] == digest]
        return found["state"]

    async def kinds(self, digest: str) -> list[str]:
        (found,) = [v for v in (await self.all())["versions"] if v["digest"] == digest]
        return [step["kind"] for step in found["steps"]]

    async def draft(self, files: Files, **who) -> str:
        answer = await self.do("POST", "", {"files": files, "note": ""}, **who)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()["digest"]

    async def show(self, digest: str, kind: str, /, **changes):
        against = await self.active()
        step = {"kind": kind, "report": REPORT, "against": against, "ok": True, "findings": []}
        return await self.do("POST", f"/{digest}/steps", step | changes)

    async def approve(self, digest: str, label: str, *, sub="ig-2", role="ig_lead", cases=None):
        body = {"known": known(self.engine, label) if cases is None else cases}
        return await self.do("POST", f"/{digest}/approve", body, sub=sub, role=role)

    async def activate(self, digest: str, **who):
        return await self.do("POST", f"/{digest}/activate", **who)

    async def approved(self, files: Files, **changes) -> str:
        """Take a draft up to its approval."""
        digest = await self.draft(files)
        for kind in contract.STEPS:
            answer = await self.show(digest, kind)
            assert answer.status_code == 204, answer.text
        answer = await self.approve(digest, contract.label(as_bytes(files)), **changes)
        assert answer.status_code == 204, answer.text
        return digest

    async def brought_in(self, files: Files) -> str:
        """Take a draft all the way, and wait until it decides."""
        digest = await self.approved(files)
        answer = await self.activate(digest)
        assert answer.status_code == 202, answer.text
        await asyncio.to_thread(self.engine.load, files)
        await self.decides(digest)
        return digest

    async def decides(self, digest: str) -> None:
        async def now() -> bool:
            await asyncio.sleep(0.1)
            return await self.active() == digest

        await eventually(now, 60, "it does not decide")
        await self.case.service.until_ready(60)

    async def given_up(self) -> None:
        async def now() -> bool:
            return (await self.all())["loading"] is None

        await eventually(now, 60, "it is still being loaded")

    async def ledger(self) -> list[dict]:
        """Every entry of the ledger, in its order."""
        found, after = [], 0
        while True:
            answer = await self.case.do("GET", f"/ledger?after={after}&limit=1000", role="dpo")
            assert answer.status_code == 200, answer.text
            lines = answer.text.splitlines()
            if not lines:
                return found
            found += map(json.loads, lines)
            after = found[-1]["seq"]
