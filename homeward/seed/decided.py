"""The rows that a history leaves in `sharing`: facts per epoch, decisions, releases, ledger."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from contracts.ledger import GENESIS
from homeward.governance.replay_documents import Texts
from homeward.seed.cases import Moment, child_facts
from homeward.seed.history import Child, Episode, name
from homeward.seed.rows import Row
from services.sharing import ledger
from services.sharing.domain.document import Document, Documents
from services.sharing.domain.facts import ItemFacts, RecipientFacts, pairs, snapshot
from services.sharing.domain.releasing import CANCELLED, DELIVERED, SENT, SUPERSEDED
from services.sharing.policy_data import PolicyData

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
        "child_id", "name", "value", "reason", "episode_id", "item_ids", "categories",
        "recipients", "by", "role", "occurred_at", "recorded_at",
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

    def __init__(self) -> None:
        self.seq, self.hash = 0, GENESIS

    def add(self, kind: str, body: dict[str, Any], at: datetime) -> Made:
        """Yield the rows of one entry and its salt."""
        row = ledger.unchained(kind, body, at)
        entry = ledger.chained(self.seq + 1, self.hash, row)
        self.seq, self.hash = entry["seq"], entry["hash"]
        yield "ledger_entry", tuple(entry.values())
        yield "ledger_salt", (self.seq, row["salt"])


@dataclass(frozen=True)
class Version:
    """Policies that decided for a time."""

    label: str
    digest: str
    until: datetime | None = None


@dataclass
class Asked:
    """One pair that was decided."""

    moment: Moment
    item: ItemFacts
    recipient: RecipientFacts
    document: Document
    digest: str
    version: Version


def asked(
    moments: Iterable[Moment],
    data: PolicyData,
    versions: Sequence[Version],
    pseudonym: Callable[[str, str], str],
) -> Iterator[Asked]:
    """Yield each pair whose document, or whose policies, another epoch made a new one."""
    standing: dict[tuple[str, str], tuple[str, str]] = {}
    for moment in moments:
        version = next(v for v in versions if v.until is None or moment.at < v.until)
        documents, texts = Documents(moment.facts, moment.at), Texts()
        for item, recipient in pairs(moment.facts, data.carers):
            key = ""
            if recipient.type == "commissioner":
                key = pseudonym(recipient.key, item.episode_id)
            made = documents.about(item, recipient, data.types[recipient.type], data.law, key)
            about = sha256(texts.of(made).encode()).hexdigest(), version.digest
            if standing.get((item.id, recipient.key)) != about:
                standing[item.id, recipient.key] = about
                yield Asked(moment, item, recipient, made, about[0], version)


def child_rows(child: Child, last: Moment | None, until: datetime) -> Made:
    """Yield the row of a child as it stands at the end of its history."""
    identity, host, epoch = "verified", None, 1
    if last is not None:
        told = last.facts.child
        identity, host, epoch = told.identity_status, told.host_la, last.epoch + 1
    now = child_facts(child, until, identity, host)
    facts = {
        "identity_status": identity,
        "legal_status": child.legal_status,
        "address_confidential": now.address_confidential,
    }
    yield "child", (
        child.id, child.area, epoch, 1, 1, json.dumps(facts), child.area, host, now.age,
        now.next_birthday_at, now.adult_at, False,
    )  # fmt: skip


def episode_row(one: Episode) -> Made:
    """Yield the row of an episode."""
    yield "episode", (one.id, one.child.id, one.setting, 0 if one.is_open else 1)


def moment_rows(moment: Moment) -> Made:
    """Yield what is new at an epoch, and the facts as they then stood."""
    child, at = moment.facts.child.id, moment.at
    if moment.episode is not None and moment.epoch == 1:
        yield "worker_on_case", (child, moment.episode.worker, at)
    for who in moment.recipients:
        yield "recipient", (
            child, who.key, who.type, who.role, None, who.pr, who.lives_with_child,
            who.channel_verified, json.dumps(dict(who.facts)), 1, None, None, True,
        )  # fmt: skip
    for item in moment.items:
        kept = {
            "subject": item.subject, "provenance": item.provenance, "verbatim": item.verbatim,
            "third_parties": list(item.third_parties), "counselling": item.counselling,
            "offence_data": item.offence_data, "special": list(item.special),
            "facts": dict(item.facts),
        }  # fmt: skip
        worker = moment.episode.worker if moment.episode else None
        fields = json.dumps({"offered": True}) if item.interview_id is None else None
        yield "item", (
            item.id, child, item.episode_id, item.interview_id, item.category, 1,
            json.dumps(kept), fields, worker, None, item.existed_at,
        )  # fmt: skip
    for line in moment.lines:
        yield "agreement_line", (
            child, line.recipient, line.category, line.item_id, line.status, line.by,
            line.consequences_explained, at, at, "W-1", "practitioner",
        )  # fmt: skip
    for one in moment.judged:
        scopes = [
            None if codes is None else json.dumps(codes)
            for codes in (one.item_ids, one.categories, one.recipients)
        ]
        yield "judgement", (
            child, one.name, json.dumps(one.value), "seed", one.episode_id, *scopes, one.by,
            one.role, at, at,
        )  # fmt: skip
    yield "facts_snapshot", (child, moment.epoch, json.dumps(snapshot(moment.facts)), at)


def decision_rows(
    number: int, several: Sequence[Asked], answers: Sequence[Mapping[str, Any]], chain: Chain
) -> Made:
    """Yield the decisions of one child, what they released, and the ledger of both."""
    newest = {(one.item.id, one.recipient.key): place for place, one in enumerate(several)}
    for place, (one, answer) in enumerate(zip(several, answers, strict=True)):
        current = newest[one.item.id, one.recipient.key] == place
        yield from _decision_rows(number, place, one, answer, chain, current=current)


def _decision_rows(
    number: int, place: int, one: Asked, answer: Mapping[str, Any], chain: Chain, *, current: bool
) -> Made:
    item, who, moment = one.item, one.recipient, one.moment
    decision = name(number, "DE", one.moment.facts.child.id, place)
    about = {
        "child_id": moment.facts.child.id, "episode_id": item.episode_id, "item_id": item.id,
        "item_version": 1, "category": item.category, "recipient": who.key,
    }  # fmt: skip
    codes = {part: answer[part] for part in _CODES}
    epoch, purpose = moment.epoch, one.document["purpose"]
    yield "decision", (
        decision, *about.values(), epoch, epoch, one.digest, answer["decision"],
        *(json.dumps(part) for part in codes.values()),
        answer["defer_to"] and json.dumps(answer["defer_to"]), purpose, one.version.label,
        one.version.digest, moment.at, current,
    )  # fmt: skip
    told = ledger.about(who.key, who.type)
    same = {part: about[part] for part in about if part != "recipient"} | told
    policy = {"policy_version": one.version.label, "policy_digest": one.version.digest}
    del codes["reasons"]
    body = {
        "decision_id": decision, **same, "recipient_type": who.type, "epoch": epoch,
        "facts_digest": one.digest, "decision": answer["decision"], **codes,
        "purpose": purpose, **policy,
    }  # fmt: skip
    yield from chain.add("decision", body, moment.at)
    if answer["decision"] in ("allow", "allow_redacted"):
        state = _state(decision, one, current=current)
        left = moment.at if state in (SENT, DELIVERED) else None
        yield "release", (
            decision.replace("DE-", "RL-"), decision, *about.values(), None, epoch, 1,
            one.version.label, one.version.digest, state, moment.at, left,
            left if state == DELIVERED else None, "in_person" if state == DELIVERED else None,
        )  # fmt: skip


_CODES = ("rule_ids", "gates_used", "basis", "transforms", "obligations", "reasons")


def _state(decision: str, one: Asked, *, current: bool) -> str:
    """Return how far a release got: most were told, some were overtaken before they were."""
    drawn = int(decision[-2:], 16)
    if not current and drawn < 0x60:
        return SUPERSEDED if drawn < 0x20 else CANCELLED
    by_feed = one.recipient.type in {"police", "childrens_services", "commissioner"}
    return SENT if by_feed and drawn % 16 == 0 else DELIVERED
