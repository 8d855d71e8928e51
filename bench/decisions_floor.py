"""The floor of the gate: the same questions, commits, cryptography and publishes, no code of ours.

Reads what to ask from a file of JSON lines (a child each: documents, items, whom they go to), asks
OPA, writes decisions, ledger and releases in one transaction per child, asks who the child is,
seals, claims and publishes in batches per partner, marks, and sends its events on. Run by
bench.decisions in a process of its own; one line on its standard input lets so many children in.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiosqlite
import httpx
import nats
from joserfc import jwe, jws
from joserfc.jwk import OKPKey
from joserfc.util import to_bytes

DECISION = (
    "INSERT INTO decision (id, child_id, episode_id, item_id, item_version, category, recipient, "
    "epoch, snapshot_epoch, document, decision, rule_ids, gates_used, basis, transforms, "
    "obligations, reasons, defer_to, purpose, policy_version, policy_digest, decided_at, current) "
    "VALUES (?, ?, ?, ?, 1, ?, ?, 3, 3, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
)
RELEASE = (
    "INSERT INTO release (id, decision_id, child_id, episode_id, item_id, item_version, category, "
    "recipient, partner_key, epoch, recipient_version, policy_version, policy_digest, state, "
    "content, permitted_at) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, 3, 1, ?, ?, 'queued', ?, ?)"
)
ENTRY = "INSERT INTO ledger_entry (seq, at, kind, body, prev, hash) VALUES (?, ?, ?, ?, ?, ?)"
SALT = "INSERT INTO ledger_salt (seq, salt) VALUES (?, ?)"
TELL = (
    "INSERT INTO outbox (event_id, subject, body, occurred_at, written_at) VALUES (?, ?, ?, ?, ?)"
)
CLAIM = "UPDATE release SET state='claimed', claimed_at=?, number=?, sealed=?, content=NULL " \
    "WHERE id=?"  # fmt: skip
SENT = "UPDATE release SET state='sent', stream_seq=?, sent_at=?, how='feed' WHERE id=?"
PERSONAL = ("child_id", "episode_id", "item_id", "purpose")
SIGNED, WRAPPED, ENCRYPTED = "Ed25519", "ECDH-ES+A256KW", "A256GCM"
CODES = ("rule_ids", "gates_used", "basis", "transforms", "obligations", "reasons")
BATCH = 16


def stored(moment: datetime) -> str:
    """Return a moment as the database keeps it."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def canonical(value: object) -> bytes:
    """Return the text that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class Floor:
    """One process that decides and delivers."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.lock, self.opa_slots = asyncio.Lock(), asyncio.Semaphore(2)
        self.token = Path(plan["opa_token"]).read_text().strip()
        self.opa = httpx.AsyncClient(base_url=plan["opa"], timeout=5, trust_env=False)
        self.peers = {
            name: httpx.AsyncClient(base_url=plan[name], timeout=5, trust_env=False)
            for name in ("interview", "referral")
        }
        self.signing = OKPKey.import_key(json.loads(Path(plan["signing"]).read_text()))
        self.keys = {key: OKPKey.import_key(jwk) for key, jwk in plan["partners"].items()}
        self.ends = dict.fromkeys(self.keys, 0)
        self.numbers = dict.fromkeys(self.keys, 1)
        self.queued: dict[str, list[tuple[str, str, dict[str, Any]]]] = defaultdict(list)
        self.delivering = {key: asyncio.Lock() for key in self.keys}
        self.chain = (0, "0" * 64)

    async def open(self) -> None:
        """Connect to the database and the broker."""
        self.db = await aiosqlite.connect(self.plan["database"], isolation_level=None)
        for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL",
                       "foreign_keys=ON", "secure_delete=ON"):  # fmt: skip
            await self.db.execute(f"PRAGMA {pragma}")
        client = await nats.connect(
            self.plan["nats"], nkeys_seed=self.plan["nkey"], inbox_prefix=b"_INBOX_sharing"
        )
        self.js = client.jetstream(prefix="JSC.API", timeout=5)

    async def ask(self, document: dict[str, Any]) -> dict[str, Any]:
        """Ask OPA one question."""
        async with self.opa_slots:
            answer = await self.opa.post(
                "/v1/data/homeward/sharing/decision",
                params={"strict-builtin-errors": "true", "provenance": "true"},
                content=json.dumps({"input": document}, separators=(",", ":")).encode(),
                headers={
                    "Content-Type": "application/json", "Authorization": f"Bearer {self.token}",
                },
            )  # fmt: skip
        found: dict[str, Any] = json.loads(answer.content)["result"]
        return found

    async def append(self, notes: list[tuple[str, dict[str, Any]]], now: str) -> None:
        """Append ledger entries in the open transaction."""
        async with self.db.execute("SELECT seq, hash FROM ledger_head WHERE id = 1") as cursor:
            await cursor.fetchone()
        seq, prev = self.chain
        entries, salts = [], []
        for kind, body in notes:
            seq, salt = seq + 1, secrets.token_bytes(32)
            told = {
                key: hmac.new(salt, canonical([key, value]), hashlib.sha256).hexdigest()
                if key in PERSONAL else value
                for key, value in body.items()
            }  # fmt: skip
            digest = hashlib.sha256(canonical([seq, now, kind, told, prev])).hexdigest()
            entries.append((seq, now[:27], kind, canonical(told).decode(), prev, digest))
            salts.append((seq, salt))
            prev = digest
        await self.db.executemany(ENTRY, entries)
        await self.db.executemany(SALT, salts)
        await self.db.execute("UPDATE ledger_head SET seq=?, hash=? WHERE id=1", (seq, prev))
        self.chain = (seq, prev)

    async def tell(self, events: list[tuple[str, str, dict[str, Any]]], now: str) -> None:
        """Write events to the outbox in the open transaction."""
        rows = [(name, subject, json.dumps(body), now, now) for name, subject, body in events]
        await self.db.executemany(TELL, rows)

    async def decide(self, child: dict[str, Any]) -> None:
        """Decide about one child and record it."""
        pairs = child["pairs"]
        answers = await asyncio.gather(*(self.ask(pair["document"]) for pair in pairs))
        items = {p["item"] for p, a in zip(pairs, answers, strict=True) if a["transforms"] or
                 a["decision"].startswith("allow")}  # fmt: skip
        words = await self.words(sorted(items))
        now = stored(datetime.now(UTC))
        rows, releases, notes, events = [], [], [], []
        for pair, answer in zip(pairs, answers, strict=True):
            name = f"DE-{secrets.token_hex(10)}"
            about = (child["id"], child["episode"], pair["item"])
            codes = [json.dumps(answer[part]) for part in CODES]
            digest = hashlib.sha256(canonical(pair["document"])).hexdigest()
            rows.append((
                name, *about, pair["category"], pair["recipient"], digest, answer["decision"],
                *codes, json.dumps(answer["defer_to"]), pair["document"]["purpose"],
                answer["policy_version"], "floor", now,
            ))  # fmt: skip
            body = dict(zip(("child_id", "episode_id", "item_id"), about, strict=True)) | {
                "decision_id": name, "recipient": pair["recipient"], "facts_digest": digest,
                "decision": answer["decision"], "rule_ids": answer["rule_ids"],
                "transforms": answer["transforms"], "obligations": answer["obligations"],
                "purpose": pair["document"]["purpose"],
                "policy_version": answer["policy_version"],
            }  # fmt: skip
            notes.append(("decision", body))
            subject = "evt.sharing.release_permitted.v1"
            events.append((f"EV-{name}", subject, {"id": f"EV-{name}", "occurred_at": now}))
            if not answer["decision"].startswith("allow"):
                continue
            content = {"item": {"category": pair["category"], "fields": words[pair["item"]]},
                       "obligations": answer["obligations"]}  # fmt: skip
            release = f"RL-{secrets.token_hex(10)}"
            releases.append((
                release, name, *about, pair["category"], pair["recipient"], pair["recipient"],
                answer["policy_version"], "floor", json.dumps(content), now,
            ))  # fmt: skip
            notes.append(("release", {**body, "release_id": release}))
            self.queued[pair["recipient"]].append((release, child["id"], content))
        async with self.lock:
            await self.db.execute("BEGIN IMMEDIATE")
            async with self.db.execute(
                "SELECT * FROM child WHERE id=?", (child["id"],)
            ) as cursor:  # fmt: skip
                await cursor.fetchone()
            facts = json.dumps(child)
            await self.db.execute(
                "INSERT INTO facts_snapshot (child_id, epoch, facts, taken_at) "
                "VALUES (?, 3, ?, ?)", (child["id"], facts, now),
            )  # fmt: skip
            await self.db.executemany(DECISION, rows)
            await self.db.executemany(RELEASE, releases)
            await self.tell(events, now)
            await self.append(notes, now)
            await self.db.execute("UPDATE child SET dirty=0 WHERE id=?", (child["id"],))
            await self.db.commit()

    async def words(self, items: list[str]) -> dict[str, Any]:
        """Ask for the words of some items at once."""
        if not items:
            return {}
        wanted = {"version": 1, "parts": ["fields", "summary", "text"]}
        asked = {"items": [{"item_id": item, **wanted} for item in items]}
        answer = await self.peers["interview"].post("/items/fields", json=asked)
        return {one["item_id"]: one["parts"] for one in answer.json()["items"]}

    def seal(self, partner: str, release: str, number: int, told: dict[str, Any]) -> bytes:
        """Sign and encrypt."""
        claims = {"iss": "floor", "aud": partner, "jti": release, "number": number, **told}
        header = {"alg": SIGNED, "kid": "floor"}
        text = json.dumps(claims, separators=(",", ":"))
        signed = jws.serialize_compact(header, text, self.signing, algorithms=[SIGNED])
        outer = {"alg": WRAPPED, "enc": ENCRYPTED, "cty": "JWT"}
        key = self.keys[partner]
        sealed = jwe.encrypt_compact(outer, to_bytes(signed), key, algorithms=[WRAPPED, ENCRYPTED])
        return sealed.encode()

    async def deliver(self, partner: str) -> None:
        """Claim, seal, publish and mark what is queued for one partner, a batch at a time."""
        async with self.delivering[partner]:
            while self.queued[partner]:
                batch, self.queued[partner] = (
                    self.queued[partner][:BATCH], self.queued[partner][BATCH:],
                )  # fmt: skip
                await self._batch(partner, batch)

    async def _batch(self, partner: str, batch: list[tuple[str, str, dict[str, Any]]]) -> None:
        who = {}
        for _, child, _ in batch:
            if child not in who:
                who[child] = (await self.peers["referral"].get(f"/children/{child}")).json()
        now, sealed = stored(datetime.now(UTC)), []
        async with self.lock:
            await self.db.execute("BEGIN IMMEDIATE")
            for release, child, content in batch:
                number = self.numbers[partner]
                self.numbers[partner] += 1
                told = self.seal(partner, release, number, {**content, "child": who[child]})
                sealed.append((release, number, told))
            rows = [(now, number, told, release) for release, number, told in sealed]
            await self.db.executemany(CLAIM, rows)
            await self.db.execute(
                "UPDATE partner SET next_number=? WHERE key=?", (self.numbers[partner], partner)
            )
            await self.db.commit()
        marks, notes, events = [], [], []
        for release, number, told in sealed:
            event = {"specversion": "1.0", "id": release, "type": "homeward.release.v1",
                     "source": "floor", "subject": release, "time": now, "number": number,
                     "data": told.decode()}  # fmt: skip
            headers = {"Nats-Msg-Id": release,
                       "Nats-Expected-Last-Sequence": str(self.ends[partner])}  # fmt: skip
            ack = await self.js.publish(
                f"feed.{partner}.release", json.dumps(event).encode(), timeout=5,
                stream=f"FEED_{partner}", headers=headers,
            )  # fmt: skip
            self.ends[partner] = ack.seq
            marks.append((ack.seq, now, release))
            digest = hashlib.sha256(told).hexdigest()
            notes.append(("delivered", {"release_id": release, "sealed_digest": digest}))
            name = f"EV-{release}"
            subject = "evt.sharing.release_delivered.v1"
            events.append((name, subject, {"id": name, "occurred_at": now}))
        async with self.lock:
            await self.db.execute("BEGIN IMMEDIATE")
            await self.db.executemany(SENT, marks)
            await self.tell(events, now)
            await self.append(notes, now)
            await self.db.commit()

    async def send_on(self) -> int:
        """Publish what waits in the outbox and mark it."""
        async with self.db.execute(
            "SELECT * FROM outbox WHERE sent_at IS NULL ORDER BY seq LIMIT 256"
        ) as cursor:
            rows = list(await cursor.fetchall())
        if not rows:
            return 0
        slots = asyncio.Semaphore(64)

        async def publish(row: Any) -> None:
            async with slots:
                await self.js.publish(
                    row[2], str(row[3]).encode(), timeout=5, stream="EVT_SHARING",
                    headers={"Nats-Msg-Id": row[1], "ce-id": row[1], "ce-type": row[2]},
                )  # fmt: skip

        await asyncio.gather(*(publish(row) for row in rows))
        now = stored(datetime.now(UTC))
        async with self.lock:
            await self.db.execute("BEGIN IMMEDIATE")
            await self.db.executemany(
                "UPDATE outbox SET sent_at=? WHERE seq=?", [(now, row[0]) for row in rows]
            )
            await self.db.commit()
        return len(rows)

    async def round(self, children: list[dict[str, Any]]) -> None:
        """Take so many children through the whole gate, four at a time as the product does."""
        slots, woken, over = asyncio.Semaphore(4), asyncio.Event(), asyncio.Event()

        async def one(child: dict[str, Any]) -> None:
            async with slots:
                await self.decide(child)
            woken.set()
            await asyncio.gather(*map(self.deliver, list(self.queued)))
            woken.set()

        async def relay() -> None:
            while not over.is_set():
                await woken.wait()
                woken.clear()
                while await self.send_on():
                    pass

        relaying = asyncio.create_task(relay())
        await asyncio.gather(*map(one, children))
        over.set()
        woken.set()
        await relaying  # not cut off: that would leave its transaction open
        while await self.send_on():
            pass


async def main(plan: dict[str, Any]) -> None:
    """Do a round for each line of standard input: its first and its last child."""
    floor = Floor(plan)
    await floor.open()
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        first, last = map(int, line.split())
        await floor.round(plan["children"][first:last])
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
