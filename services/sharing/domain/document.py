"""The decision document of one item and one recipient (design, section 6)."""

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
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
from services.sharing.domain.judgements import among, approvals, by_name

Document = dict[str, Any]

PUSH: Mapping[str, Any] = {"kind": "push", "instrument": None}
"""The only kind of request there is so far."""
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
    return Documents(facts, now).about(item, recipient, kind, law, pseudonym_key)


class Documents:
    """The documents of one child at one moment; what several of them share is made once.

    Their parts are the same objects, so they are read and never changed.
    """

    def __init__(self, facts: Facts, now: datetime) -> None:
        self._facts, self._now = facts, now
        self._now_said = now.isoformat()
        self.adult = facts.child.adult(now)
        self._named = by_name(facts.judgements)
        self._narrow = {
            name
            for name, several in self._named.items()
            if any(one.recipients is not None for one in several)
        }
        """Names of judgements of which one is about certain recipients only."""
        self._items_differ = not self._narrow.isdisjoint(
            (*ITEM_JUDGEMENTS, "approvals", "G3", "G4", "G5", "G6")
        )
        self._lines_of_items = any(line.item_id is not None for line in facts.lines)
        self._holding: dict[tuple[str, str, str | None], Judged | None] = {}
        self._made: dict[Hashable, dict[str, Any]] = {}

    def about(
        self,
        item: ItemFacts,
        recipient: RecipientFacts,
        kind: RecipientType,
        law: Law,
        pseudonym_key: str = "",
    ) -> Document:
        """Return the document about `item` for `recipient`."""
        key, value = recipient.key, self._value
        purpose = self.holding("purpose", item, key)
        child_of, decided = (
            self.holding("child_alleged_perpetrator", item, key),
            self.holding("strategy_decision", item, key),
        )
        return {
            "now": self._now_said,
            "law": self._once(
                ("law", law), lambda: law.at(self._now, self._facts.child.controller)
            ),
            "request": PUSH,
            "purpose": kind.default_purpose if purpose is None else purpose.value,
            "child": self._child(self.holding("competence", item, key)),
            "episode": self._once(("episode", item.episode_id), lambda: self._episode(item)),
            "item": self._item(item, recipient, pseudonym_key),
            "recipient": self._recipient(
                recipient,
                kind,
                self.holding("recipient_alleged_perpetrator", item, key),
                self.holding("connected_to_perpetrator", item, key),
            ),
            "agreement": self.agreement(item, key),
            "gates": self.gates(item, key),
            "alleged_perpetrator": value(child_of, "unassessed"),
            "strategy_decision": value(decided, "not_held"),
        }

    def holding(self, name: str, item: ItemFacts, recipient: str) -> Judged | None:
        """Return the judgement `name` that holds for an item and a recipient."""
        named = self._named.get(name)
        if named is None:
            return None
        asked = name, item.id, recipient if name in self._narrow else None
        try:
            return self._holding[asked]
        except KeyError:
            found = self._holding[asked] = among(named, name, item, recipient)
            return found

    def gates(self, item: ItemFacts, recipient: str) -> dict[str, Any]:
        """Return `gates`; one that nobody judged is absent, and so unassessed."""
        return {
            name: self._once(("gate", id(one)), partial(_gate, one))
            for name in GATES
            if (one := self.holding(name, item, recipient)) is not None
        }

    def _once(self, name: Hashable, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return self._made[name]
        except KeyError:
            made = self._made[name] = make()
            return made

    @staticmethod
    def _value(one: Judged | None, default: Any) -> Any:
        return default if one is None else one.value

    def _child(self, competence: Judged | None) -> dict[str, Any]:
        return self._once(
            ("child", id(competence)),
            lambda: _child(self._facts.child, self._now, self._value(competence, "unassessed")),
        )

    def _episode(self, item: ItemFacts) -> dict[str, Any]:
        setting = self._facts.episodes.get(item.episode_id, "unknown")
        return {"id": item.episode_id, "setting": setting}

    def _recipient(
        self,
        recipient: RecipientFacts,
        kind: RecipientType,
        alleged: Judged | None,
        connected: Judged | None,
    ) -> dict[str, Any]:
        """Return `recipient`. Nobody has parental responsibility for an adult."""
        return self._once(
            ("recipient", recipient.key, id(kind), id(alleged), id(connected)),
            lambda: _recipient(
                recipient,
                kind,
                self.adult,
                self._value(alleged, "unassessed"),
                self._value(connected, "unassessed"),
            ),
        )

    def agreement(self, item: ItemFacts, recipient: str) -> dict[str, Any]:
        """Return what of all that was said about sharing holds."""
        return self._once(
            ("agreement", item.id if self._lines_of_items else item.category, recipient),
            lambda: agreement.resolve(
                self._facts.lines, self._facts.child, item, recipient, self._now
            ),
        )

    def _item(
        self, item: ItemFacts, recipient: RecipientFacts, pseudonym_key: str
    ) -> dict[str, Any]:
        own = self._items_differ or bool(recipient.facts or pseudonym_key)
        name = "item", item.id, recipient.key if own else None, pseudonym_key
        return self._once(
            name, lambda: _item(item, self._facts_of_item(item, recipient, pseudonym_key))
        )

    def _facts_of_item(
        self, item: ItemFacts, recipient: RecipientFacts, pseudonym_key: str
    ) -> dict[str, Any]:
        facts = {**item.facts, **recipient.facts}
        for name in ITEM_JUDGEMENTS:
            facts.pop(name, None)
            if (one := self.holding(name, item, recipient.key)) is not None:
                facts[name] = one.value
        facts.pop("approvals", None)
        approved = approvals(self._named.get("approvals", ()), item, recipient.key)
        if approved is not None:
            facts["approvals"] = approved
        facts.pop("pseudonym_key", None)
        if recipient.type == "commissioner" and pseudonym_key:
            facts["pseudonym_key"] = pseudonym_key
        if item.category == "basic_outcome" and self._harm_is_judged(item, recipient.key):
            # our own item, on which nobody puts facts: the child was there, it gives nothing away.
            # Until then it waits with the rest, so that the child is told in one conversation.
            facts["would_prejudice_action"] = False
        return facts

    def _harm_is_judged(self, item: ItemFacts, recipient: str) -> bool:
        recorded = {"gates": self.gates(item, recipient)}
        return any(gate(recorded, name) is True for name in ("G3", "G4", "G5", "G6"))


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


def _item(item: ItemFacts, facts: dict[str, Any]) -> dict[str, Any]:
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


def _recipient(
    recipient: RecipientFacts, kind: RecipientType, adult: bool, alleged: Any, connected: Any
) -> dict[str, Any]:
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


def _gate(one: Judged) -> dict[str, Any]:
    return {
        "value": one.value,
        "by": one.by,
        "role": one.role,
        "at": one.at.isoformat(),
        "reason": None if one.reason is None else GIVEN,
    }


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
