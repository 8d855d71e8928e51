"""All five services in one process, on a real broker, engine and databases, seen from outside.

Only here can a test put a defect into the real code; whatever it observes it observes as anybody
could: through the APIs, a partner's own credentials, the bus as operators see it, the ledger.
"""

import asyncio
import json
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from faults.defects.trouble import TroubledEngine
from faults.seen import Answered, Change, ClockSet, Read, Referral, Seen, Told, Withdrawal
from joserfc.jwk import OKPKey
from support import feeds
from support.broker import Broker
from support.running import Runner, Running
from support.tokens import Issuer

from contracts import ledger as form
from homeward.feed_open import BadEventError, Opener
from services.sharing import reconsider

POLICIES = Path(__file__).parents[3] / "policies"
POLICE, COUNCIL = "northshire-police", "northshire-council"
LOCALITIES = """
localities:
  northshire: {name: Northshire, authority: northshire, area: northshire, controller: charity,
    dsl: dsl@northshire.example, on_call: call@northshire.example,
    manager: manager@northshire.example}
"""
MARKED = frozenset({"Zarquon", "marmalade"})
"""In every name and every story of this run."""
SERVICES = ("referral", "scheduling", "interview", "notify", "sharing")
AT_REST_WITHIN_S = 30.0
AGAIN_S = 0.2
"""How soon a child that could not be decided is looked at again."""
TRIES = 5
"""Of a call that meets a database which refuses a commit."""


class House:
    """What people, partners and operators can do, and what they saw."""

    def __init__(self, folder: Path, issuer: Issuer, engine: Any) -> None:
        self.folder, self.issuer, self.engine = folder, issuer, engine
        (folder / "nats").mkdir()
        self.broker = Broker(folder / "nats")
        self.running: dict[str, Running] = {}
        self.opened: dict[str, OKPKey] = {}
        self.seen = Seen(offers=[], messages=[], marked=MARKED)
        self.seen.clocks = [ClockSet(time.monotonic(), datetime.now(UTC))]
        self.engine_trouble: Any = None
        self._told: dict[str, int] = {}
        self._runner = Runner(folder, self.broker, issuer)
        self._impatience = pytest.MonkeyPatch()

    async def open(self, **engine: Any) -> "House":
        """Start everything; `engine` may put another engine's address in the place of ours.

        What could not be decided is tried again soon: here nobody waits for an engine to recover.
        """
        self._impatience.setattr(reconsider, "_SAFETY_S", AGAIN_S)
        self._impatience.setattr(reconsider, "_DELAY_MAX_S", AGAIN_S)
        self.broker.start()
        await self.broker.provision()
        (self.folder / "localities.yaml").write_text(LOCALITIES)
        for name in ("signing", "ledger"):
            key = OKPKey.generate_key("Ed25519", {"kid": name, "use": "sig"})
            (self.folder / f"{name}.jwk.json").write_text(json.dumps(key.as_dict(private=True)))
        for name in SERVICES:
            self.running[name] = await self._runner(name, **self._settings(name, engine))
        await self.add_partner(POLICE, "police", "missing_unit")
        await self.add_partner(COUNCIL, "childrens_services")
        policy = self.app("sharing").state["gate"].policy
        self.engine_trouble = policy.way = TroubledEngine(policy.way)
        return self

    def _settings(self, name: str, engine: dict[str, Any]) -> dict[str, Any]:
        shared = {"localities": self.folder / "localities.yaml", "clock": "real"}
        if name == "notify":
            return shared | {"smtp_url": f"file://{self.folder}/mail"}
        if name == "sharing":
            return (
                shared
                | {
                    "opa_url": self.engine.url,
                    "opa_token": self.engine.token,
                    "policy_digest": self.engine.digest,
                    "policies": POLICIES,
                    "signing_key": self.folder / "signing.jwk.json",
                    "ledger_key": self.folder / "ledger.jwk.json",
                }
                | engine
            )
        return shared

    async def close(self) -> None:
        """Stop everything, side by side: each service finishes what it has begun."""
        await asyncio.gather(*(one.stop() for one in self._runner.running))
        self.broker.stop()
        self._impatience.undo()

    def app(self, name: str) -> Any:
        """Return the inside of a service, for those who break it."""
        return self.running[name].app

    # What people do

    async def call(
        self, service: str, method: str, path: str, body: Any = None, role="practitioner", **how
    ) -> Any:
        """Call as somebody with `role`; return the answer's body. Fails on a refusal."""
        sub = how.pop("sub", "") or {"practitioner": "W-1"}.get(role, f"{role}-1")
        for _ in range(TRIES):
            answer = await self.running[service].call(method, path, body, role=role, sub=sub, **how)
            if answer.status_code < 500:
                break
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def add_partner(self, key: str, kind: str, role: str | None = None) -> None:
        """Have operators register an agency of the area, with keys of its own."""
        await self.broker.add_partner(key)
        self.opened[key] = OKPKey.generate_key("X25519", {"use": "enc"})
        public = {
            "nkey": self.broker.partners[key],
            "jwk": self.opened[key].as_dict(private=False),
        }
        body = {"key": key, "type": kind, "role": role, "area": "northshire", "public": public}
        await self.call("sharing", "POST", "/partners", body, role="ops")

    async def refer(self, times: int = 1) -> Answered:
        """Police refer a child not known yet; sent until so many answers came, with one key."""
        number = len(self.seen.referrals) + 1
        missing = datetime.now(UTC) - timedelta(days=2, minutes=number)
        body = {
            "source": "police",
            "police_reference": f"NP/26/{number:04}",
            "locality": "northshire",
            "child": {
                "given_name": "Zarquon",
                "family_name": f"Family-{number}",
                "date_of_birth": "2012-05-03",
                "identity_status": "verified",
                "legal_status": "home",
            },
            "episode": {
                "setting": "home",
                "missing_from": missing.isoformat(),
                "returned_at": (missing + timedelta(hours=20)).isoformat(),
            },
            "received_at": (missing + timedelta(hours=21)).isoformat(),
        }
        referral = Referral(key=f"key-{number}")
        self.seen.referrals.append(referral)
        headers = {"Idempotency-Key": referral.key}
        while len(referral.taken) < times:
            referral.sent += 1
            answer = await self.running["referral"].call(
                "POST", "/referrals", body, role="manager", headers=headers
            )
            told = answer.json() if answer.is_success else {}
            names = ("referral_id", "child_id", "episode_id")
            ids = {name: str(told.get(name, "")) for name in names}
            referral.answers.append(Answered(answer.status_code, **ids))
        return referral.answers[-1]

    async def talk(self, case: Answered, *categories: str, key: str = "") -> dict[str, str]:
        """A worker talks with the child and writes down one item per category; return their ids."""
        now = datetime.now(UTC)
        body = {
            "kind": "interview",
            "episode_ids": [case.episode_id],
            "started_at": (now - timedelta(hours=1)).isoformat(),
            "ended_at": now.isoformat(),
            "outcome": "completed_engaged",
            "items": [an_item(category) for category in categories],
        }
        headers = {"Idempotency-Key": key or f"talk-{case.episode_id}"}
        found = await self.call("interview", "POST", "/interviews", body, headers=headers)
        pairs = {(item, one) for item in found["item_ids"] for one in (POLICE, COUNCIL)}
        self.seen.expected |= pairs
        return dict(zip(categories, found["item_ids"], strict=True))

    async def told(
        self, *categories: str, status: str = "agreed", troubled: bool = False
    ) -> tuple[Answered, dict[str, str]]:
        """A child is referred, talks, and says yes or no to both agencies; nobody judges yet."""
        case = await self.refer()
        await self.rest()
        if troubled:
            self.engine_trouble.children.add(case.child_id)
        items = await self.talk(case, *(categories or ("push_pull",)))
        await self.rest()
        for recipient in (POLICE, COUNCIL):
            await self.agree(case, recipient, status)
        await self.rest()
        return case, items

    async def agree(self, case: Answered, recipient: str, status: str, category=None) -> None:
        """The child says whether somebody may be told."""
        one = {
            "recipient": recipient,
            "category": category,
            "status": status,
            "consequences_explained": True,
        }
        await self._change(case, "agreement", {"by": "child", "items": [one]})

    async def judge(self, case: Answered, role: str, **values: Any) -> None:
        """Somebody judges; a value for everything there is of the child."""
        rows = [{"name": n, "value": v, "reason": "marmalade"} for n, v in values.items()]
        await self._change(case, "judgements", {"judgements": rows}, role=role)

    async def no_harm(self, case: Answered) -> None:
        """The DSL sees no sign of harm, and the worker sees a child who knows what they say."""
        await self.judge(case, "dsl", G2=False, G3=False, G4=False, G5=False, G6=False)
        await self.judge(case, "dsl", child_alleged_perpetrator="none")
        await self.judge(case, "practitioner", competence="competent")
        self.seen.harm_judged |= {case.child_id}

    async def _change(self, case: Answered, what: str, body: Any, **who: Any) -> None:
        path = f"/children/{case.child_id}/{what}"
        answer = await self.call("sharing", "PUT", path, body, **who)
        self.seen.changes.append(Change(case.child_id, answer["epoch"], time.monotonic()))

    async def withdraw(self, case: Answered, recipients: Any = "all") -> Withdrawal:
        """The child takes their yes back."""
        asked_at = time.monotonic()
        path, body = f"/children/{case.child_id}/withdrawals", {"recipients": recipients}
        answer = await self.call("sharing", "POST", path, body)
        made = Withdrawal.of(case.child_id, recipients, asked_at, time.monotonic(), answer)
        self.seen.withdrawals.append(made)
        return made

    # What partners do

    async def read(self, partner: str, count: int = 100, *, unread: bool = False) -> list[Read]:
        """A partner reads its feed with its own credentials, and acknowledges."""
        client = await self.broker.connect(partner)
        try:
            js = client.jetstream(prefix="JSC.API", timeout=5)
            subscription = await js.pull_subscribe_bind(partner, f"FEED_{partner}")
            found = [
                Read(
                    partner,
                    message.data,
                    time.monotonic(),
                    message.metadata.sequence.stream,
                    self._opened(partner, message.data),
                    unread,
                )
                for message in await feeds.read(subscription, count)
            ]
        finally:
            await client.close()
        self.seen.reads += found
        return found

    def _opened(self, partner: str, raw: bytes) -> dict[str, Any] | None:
        jwk = self.opened[partner].as_dict(private=True)
        try:
            return Opener(partner, jwk, {"keys": [self._public("signing")]}).open(raw)
        except BadEventError:
            return None

    def _public(self, name: str) -> dict[str, Any]:
        key = OKPKey.import_key(json.loads((self.folder / f"{name}.jwk.json").read_text()))
        return {"kid": name, **key.as_dict(private=False)}

    # What anybody can see in the end

    async def rest(self, within_s: float = AT_REST_WITHIN_S) -> bool:
        """Wait until nothing is pending anywhere, twice in a row; tell whether it came to that."""
        still, until = 0, time.monotonic() + within_s
        while still < 2 and time.monotonic() < until:
            self.seen.pending = {n: await one.pending() for n, one in self.running.items()}
            quiet = all(v == 0 for kinds in self.seen.pending.values() for v in kinds.values())
            still = still + 1 if quiet else 0
            await asyncio.sleep(0.05)
        return still > 1

    async def look(self, within_s: float = AT_REST_WITHIN_S) -> Seen:
        """Wait for rest, read every feed to its end and every list; return all that was seen."""
        await self.rest(within_s)
        for partner in self.opened:
            await self.read(partner, unread=True)
        seen = self.seen
        seen.drained = frozenset(self.opened)
        seen.episodes = await self._all("referral", "/episodes")
        seen.offers = await self._all("scheduling", "/offers")
        seen.decisions = await self._all("sharing", "/decisions")
        seen.releases = await self._all("sharing", "/releases")
        seen.messages = await self._all("notify", "/messages")
        seen.ledger_keys = {"keys": [self._public("ledger")]}
        seen.ledger = await self._export()
        await self._look_at_bus()
        vars(seen).pop("chain", None)  # it was read from an earlier export
        return seen

    async def _all(self, service: str, path: str) -> list[Any]:
        found: list[Any] = []
        after = ""
        while True:
            more = f"&after={after}" if after else ""
            page = await self.call(service, "GET", f"{path}?limit=200{more}", role="manager")
            found += page["items"]
            after = page["next"]
            if not after:
                return found

    async def _export(self) -> bytes:
        sharing = self.running["sharing"]
        signed = (await sharing.call("POST", "/ledger/checkpoint", role="ops")).content
        lines, after, end = [form.HEADER], 0, json.loads(signed)["seq"]
        while after < end:
            page = await sharing.call(
                "GET", f"/ledger?after={after}&limit={min(1000, end - after)}", role="ops"
            )
            lines += page.content.splitlines()
            after = json.loads(lines[-1])["seq"]
        return b"\n".join((*lines, signed, b""))

    async def _look_at_bus(self) -> None:
        client = await self.broker.connect("provisioner")
        js = client.jetstream(timeout=5)
        try:
            for name in SERVICES:
                for message in await messages(js, f"EVT_{name.upper()}", self._told):
                    self.seen.told.append(Told(message.subject, message.data or b""))
                for message in await messages(js, f"DLQ_{name.upper()}", self._told):
                    self.seen.told.append(Told(message.subject, message.data or b""))
                    about = {"service": name, "subject": message.subject}
                    self.seen.dead_letters.append(about)
        finally:
            await client.close()


async def messages(js: Any, stream: str, known: dict[str, int] | None = None) -> list[Any]:
    """Return the messages of a stream in order, from where `known` says on, and say so there."""
    known = {} if known is None else known
    state = (await js.stream_info(stream)).state
    found = []
    for seq in range(known.get(stream, 0) + 1, state.last_seq + 1):
        with suppress(Exception):  # one that was deleted leaves a hole
            found.append(await js.get_msg(stream, seq))
    known[stream] = state.last_seq
    return found


def an_item(category: str, **changes: Any) -> dict[str, Any]:
    """Return one thing that the child said, as a worker writes it down."""
    return {
        "category": category,
        "text": f"marmalade, said about {category}",
        "fields": {"codes": ["bored"], "place_type": "public_place"},
        "extracts": ["marmalade, an extract"],
        "summary": "marmalade, in two lines",
        "subject": "child",
        "provenance": "child_said",
        "facts": {},
    } | changes
