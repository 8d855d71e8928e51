"""The rows that a history leaves in `sharing`: facts per epoch, decisions, releases, ledger."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from contracts.ledger import GENESIS
from homeward.seed.history import Child, Episode, name
from homeward.seed.kinds import (
    ADULT,
    AREA,
    BIRTHDAY,
    CHILD,
    EPISODE,
    EXISTED,
    INTERVIEW,
    ITEM,
    PSEUDONYM,
    SAID,
    Kind,
    Told,
)
from homeward.seed.rows import Row
from services.sharing import ledger

COLUMNS: dict[str, tuple[str, ...]] = {
    "child": (
        "id", "locality", "epoch", "version", "wanted_version", "facts", "responsible_la",
        "host_la", "age", "next_birthday_at", "adult_at", "dirty",
    ),
    "episode": ("id", "child_id", "setting", "outcome_version"),
    "worker_on_case": ("child_id", "worker", "since"),
    "recipient": (
        "child_id", "key", "type", "role", "name", "pr", "lives_with_child", "channel_verified",
        "facts", "version", "partner_key", "added_by", "active",
    ),
    "item": (
        "id", "child_id", "episode_id", "interview_id", "category", "version", "facts", "fields",
        "worker", "event_at", "existed_at",
    ),
    "agreement_line": (
        "child_id", "recipient", "category", "item_id", "status", "by", "consequences_explained",
        "occurred_at", "recorded_at", "recorded_by", "role",
    ),
    "judgement": (
        "child_id", "name", "value", "reason", "episode_id", "by", "role", "occurred_at",
        "recorded_at",
    ),
    "facts_snapshot": ("child_id", "epoch", "facts", "taken_at"),
    "decision": (
        "id", "child_id", "episode_id", "item_id", "item_version", "category", "recipient",
        "epoch", "snapshot_epoch", "document", "decision", "rule_ids", "gates_used", "basis",
        "transforms", "obligations", "reasons", "defer_to", "purpose", "policy_version",
        "policy_digest", "decided_at", "current",
    ),
    "release": (
        "id", "decision_id", "child_id", "episode_id", "item_id", "item_version", "category",
        "recipient", "partner_key", "epoch", "recipient_version", "policy_version",
        "policy_digest", "state", "permitted_at", "sent_at", "delivered_at", "how",
    ),
    "ledger_entry": ("seq", "at", "kind", "body", "prev", "hash"),
    "ledger_salt": ("seq", "salt"),
}  # fmt: skip
Made = Iterator[tuple[str, Row]]


class Chain:
    """The ledger as it grows."""

    def __init__(self, digest: str) -> None:
        self.seq, self.hash = 0, GENESIS
        self.digest = digest
        """Of the policies that decided what is entered."""

    def add(self, kind: str, body: dict[str, Any], at: datetime) -> Made:
        """Yield the rows of one entry and its salt."""
        row = ledger.unchained(kind, body, at)
        entry = ledger.chained(self.seq + 1, self.hash, row)
        self.seq, self.hash = entry["seq"], entry["hash"]
        yield "ledger_entry", tuple(entry.values())
        yield "ledger_salt", (self.seq, row["salt"])


def child_rows(child: Child, epoch: int, until: datetime) -> Made:
    """Yield the row of a child as it stands at the end of its history."""
    facts = {
        "identity_status": "verified",
        "legal_status": child.legal_status,
        "address_confidential": True,
    }
    turned = (until.date() - child.born_on).days // 365
    yield "child", (
        child.id, child.area, epoch, 1, 1, json.dumps(facts), child.area, None, min(turned, 17),
        until + timedelta(days=200), until + timedelta(days=900), False,
    )  # fmt: skip


def episode_row(one: Episode) -> Made:
    """Yield the row of an episode."""
    yield "episode", (one.id, one.child.id, one.setting, 0 if one.is_open else 1)


def interview_rows(
    seed: int, one: Episode, kind: Kind, epoch: int, chain: Chain, *, most: int
) -> Made:
    """Yield what an interview of this kind left, with at most so many decisions."""
    child, at = one.child.id, one.returned_at + timedelta(days=2, hours=3)
    interview, item = name(seed, "IN", one.number), name(seed, "IT", one.number)
    stand_ins = {
        CHILD: child, EPISODE: one.id, INTERVIEW: interview, ITEM: item, AREA: one.child.area,
        PSEUDONYM: name(seed, "PS", one.number),
        SAID.isoformat(): at.isoformat(),
        EXISTED.isoformat(): (at - timedelta(hours=1)).isoformat(),
        BIRTHDAY.isoformat(): (at + timedelta(days=200)).isoformat(),
        ADULT.isoformat(): (at + timedelta(days=900)).isoformat(),
    }  # fmt: skip

    def real(text: str) -> str:
        for stand_in, value in stand_ins.items():
            text = text.replace(stand_in, value)
        return text

    if epoch == 1:
        yield "worker_on_case", (child, one.worker, at)
        for who in kind.facts.recipients:
            yield "recipient", (
                child, real(who.key), who.type, who.role, None, who.pr, False,
                who.channel_verified, "{}", 1, None, None, True,
            )  # fmt: skip
    for fact in kind.facts.items:
        kept = {
            "subject": fact.subject, "provenance": fact.provenance, "verbatim": fact.verbatim,
            "third_parties": [], "counselling": False, "offence_data": False, "special": [],
            "facts": dict(fact.facts),
        }  # fmt: skip
        yield "item", (
            real(fact.id), child, one.id, interview, fact.category, 1, json.dumps(kept), None,
            one.worker, None, at - timedelta(hours=1),
        )  # fmt: skip
    for line in kind.facts.lines:
        yield "agreement_line", (
            child, line.recipient and real(line.recipient), None, None, line.status, line.by,
            True, at, at, one.worker, "practitioner",
        )  # fmt: skip
    for judged in kind.facts.judgements:
        yield "judgement", (
            child, judged.name, json.dumps(judged.value), "seed", one.id, judged.by, judged.role,
            at, at,
        )  # fmt: skip
    yield "facts_snapshot", (child, epoch, real(kind.snapshot), at)
    for place, told in enumerate(kind.told[:most]):
        decision = name(seed, "DE", one.number, place)
        digest = sha256(real(told.text).encode()).hexdigest()
        about = {
            "child_id": child, "episode_id": one.id, "item_id": f"{item}{told.item}",
            "item_version": 1, "category": kind.facts.items[told.item].category,
            "recipient": real(told.recipient),
        }  # fmt: skip
        yield from _decision_rows(decision, about, told, epoch, digest, at=at, chain=chain)


def _decision_rows(
    decision: str,
    about: dict[str, Any],
    told: Told,
    epoch: int,
    digest: str,
    *,
    at: datetime,
    chain: Chain,
) -> Made:
    answer = told.answer
    codes = [
        json.dumps(answer[part])
        for part in ("rule_ids", "gates_used", "basis", "transforms", "obligations", "reasons")
    ]
    yield "decision", (
        decision, *about.values(), epoch, epoch, digest, answer["decision"], *codes,
        answer["defer_to"] and json.dumps(answer["defer_to"]), told.purpose,
        answer["policy_version"], chain.digest, at, True,
    )  # fmt: skip
    who = ledger.about(about["recipient"], told.type)
    same = {part: about[part] for part in about if part != "recipient"} | who
    policy = {"policy_version": answer["policy_version"], "policy_digest": chain.digest}
    parts = ("decision", "rule_ids", "gates_used", "basis", "transforms", "obligations")
    body = {
        "decision_id": decision, **same, "recipient_type": told.type, "epoch": epoch,
        "facts_digest": digest, **{part: answer[part] for part in parts},
        "purpose": told.purpose, **policy,
    }  # fmt: skip
    yield from chain.add("decision", body, at)
    if answer["decision"] in ("allow", "allow_redacted"):
        release = decision.replace("DE-", "RL-")
        yield "release", (
            release, decision, *about.values(), None, epoch, 1, answer["policy_version"],
            chain.digest, "delivered", at, at, at, "in_person",
        )  # fmt: skip
