"""The decision document of one item and one recipient (design, section 6)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from services.sharing.domain import agreement
from services.sharing.domain.birthdays import LONDON
from services.sharing.domain.facts import (
    GIVEN,
    SELF,
    ChildFacts,
    Facts,
    ItemFacts,
    Judged,
    RecipientFacts,
)
from services.sharing.domain.judgements import approvals, holding

Document = dict[str, Any]

GATES = ("G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8")
ITEM_JUDGEMENTS = (
    "dsl_signoff",
    "la_lead",
    "la_agrees",
    "police_no_objection",
    "vir",
    "cell_counts",
    "inferable",
    "published",
)
"""Judgements that the contract has in `item.facts`."""


@dataclass(frozen=True)
class Law:
    """What is in force, from policy data."""

    s16la_from: date
    csa_duty_in_force: bool

    def at(self, now: datetime, controller: str) -> dict[str, Any]:
        """Return `law` of the document; the date is London's."""
        as_of = now.astimezone(LONDON).date()
        return {
            "as_of": as_of.isoformat(),
            "s16la_in_force": as_of >= self.s16la_from,
            "csa_duty_in_force": self.csa_duty_in_force,
            "controller": controller,
        }


@dataclass(frozen=True)
class RecipientType:
    """What follows from the type of a recipient alone, from policy data."""

    is_16la_body: bool
    competent_authority: bool
    default_purpose: str
    urgent: bool = False
    carer: bool = False
    roles: tuple[str, ...] = ()


def document(  # noqa: PLR0917 - the six things that a decision depends on
    facts: Facts,
    item: ItemFacts,
    recipient: RecipientFacts,
    kind: RecipientType,
    law: Law,
    now: datetime,
    pseudonym_key: str = "",
) -> Document:
    """Return the document that policy is asked; `pseudonym_key` goes to the commissioner alone."""
    judged = facts.judgements
    key = recipient.key

    def value(name: str, default: Any, about: ItemFacts | None = item) -> Any:
        one = holding(judged, name, about, key)
        return default if one is None else one.value

    return {
        "now": now.isoformat(),
        "law": law.at(now, facts.child.controller),
        "request": {"kind": "push", "instrument": None},
        "purpose": value("purpose", kind.default_purpose),
        "child": _child(facts.child, now, value("competence", "unassessed")),
        "episode": {
            "id": item.episode_id,
            "setting": facts.episodes.get(item.episode_id, "unknown"),
        },
        "item": _item(item, recipient, judged, pseudonym_key),
        "recipient": _recipient(
            recipient,
            kind,
            facts.child.adult(now),
            value("recipient_alleged_perpetrator", "unassessed"),
            value("connected_to_perpetrator", "unassessed"),
        ),
        "agreement": agreement.resolve(facts.lines, facts.child, item, key, now),
        "gates": gates(judged, item, key),
        "alleged_perpetrator": value("child_alleged_perpetrator", "unassessed"),
        "strategy_decision": value("strategy_decision", "not_held"),
    }


def _child(child: ChildFacts, now: datetime, competence: str) -> dict[str, Any]:
    return {
        "id": child.id,
        "age": child.age_at(now),
        "identity_status": child.identity_status,
        "legal_status": child.legal_status,
        "responsible_la": child.responsible_la,
        "host_la": child.host_la,
        "address_confidential": child.address_confidential,
        "competence": competence,
    }


def _item(
    item: ItemFacts, recipient: RecipientFacts, judged: Iterable[Judged], pseudonym_key: str
) -> dict[str, Any]:
    facts = {**item.facts, **recipient.facts}
    judged = tuple(judged)
    for name in ITEM_JUDGEMENTS:
        facts.pop(name, None)
        if (one := holding(judged, name, item, recipient.key)) is not None:
            facts[name] = one.value
    facts.pop("approvals", None)
    if (approved := approvals(judged, item, recipient.key)) is not None:
        facts["approvals"] = approved
    facts.pop("pseudonym_key", None)
    if recipient.type == "commissioner" and pseudonym_key:
        facts["pseudonym_key"] = pseudonym_key
    if item.category == "basic_outcome" and _harm_is_judged(judged, item, recipient.key):
        # our own item, on which nobody puts facts: the child was there, it gives nothing away.
        # Until then it waits with the rest, so that the child is told in one conversation.
        facts["would_prejudice_action"] = False
    return {
        "id": item.id,
        "category": item.category,
        "subject": item.subject,
        "provenance": item.provenance,
        "verbatim": item.verbatim,
        "third_parties": list(item.third_parties),
        "counselling": item.counselling,
        "offence_data": item.offence_data,
        "special": list(item.special),
        "facts": facts,
    }


def _harm_is_judged(judged: Iterable[Judged], item: ItemFacts, recipient: str) -> bool:
    recorded = {"gates": gates(judged, item, recipient)}
    return any(gate(recorded, name) is True for name in ("G3", "G4", "G5", "G6"))


def _recipient(
    recipient: RecipientFacts, kind: RecipientType, adult: bool, alleged: Any, connected: Any
) -> dict[str, Any]:
    """Return `recipient`. Nobody has parental responsibility for an adult; `self` harmed nobody."""
    own = recipient.key == SELF
    return {
        "id": recipient.key,
        "type": recipient.type,
        "role": recipient.role,
        "is_16la_body": kind.is_16la_body,
        "competent_authority": kind.competent_authority,
        "channel_verified": recipient.channel_verified,
        "pr": recipient.pr and not adult,
        "lives_with_child": recipient.lives_with_child,
        "alleged_perpetrator": "no" if own else alleged,
        "connected_to_perpetrator": "no" if own else connected,
    }


def gates(judged: Iterable[Judged], item: ItemFacts, recipient: str) -> dict[str, Any]:
    """Return `gates`; one that nobody judged is absent, and so unassessed."""
    judged = tuple(judged)
    found = {}
    for name in GATES:
        if (one := holding(judged, name, item, recipient)) is not None:
            found[name] = {
                "value": one.value,
                "by": one.by,
                "role": one.role,
                "at": one.at.isoformat(),
                "reason": None if one.reason is None else GIVEN,
            }
    return found


def digest(document: Document) -> str:
    """Return what changes exactly when a fact changes: times of judging and `now` left out."""
    return sha256(without_times(document).encode()).hexdigest()


def without_times(document: Document) -> str:
    """Return the text under the digest.

    `as_of` is `now` by another name; what of the law follows from it stays in.
    """
    kept: dict[str, Any] = {**document, "now": None}
    kept["law"] = {**document["law"], "as_of": None}
    kept["gates"] = {
        name: {**gate, "at": None} for name, gate in _mapping(document["gates"]).items()
    }
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def gate(document: Document, name: str) -> bool | None:
    """Return a gate as recorded, None where it is unassessed."""
    recorded = document["gates"].get(name, {})
    whole = all(recorded.get(part) for part in ("by", "role", "at", "reason"))
    value = recorded.get("value")
    return value if whole and isinstance(value, bool) else None


def urgent(document: Document) -> bool:
    """Tell whether an item is urgent: harm is judged true, or is told of and not judged yet."""
    harm = [gate(document, name) for name in ("G3", "G4", "G6")]
    return True in harm or (document["item"]["category"] == "harm" and None in harm)
