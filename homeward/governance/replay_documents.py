"""Building the document of a recorded decision again, and checking that it is the very one."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

from homeward.governance.history import ChildHistory, Recorded
from messaging.ids import Ids
from services.sharing.domain.document import Document, Documents, digest
from services.sharing.domain.facts import Facts, ItemFacts, RecipientFacts, of_snapshot
from services.sharing.policy_data import PolicyData

UNKNOWN_KEY = "given"
"""Stands for a pseudonym where the key of the site is not at hand: that there is one is known."""

NO_FACTS, NO_SUCH, NOT_THE_SAME = "no_facts", "no_such_pair", "not_the_same"
"""Why a decision cannot be made again: its facts are gone; they do not have its item or recipient;
another document comes of them."""

_BEFORE = timedelta(seconds=30)
"""A document is made ready some time before its answer is recorded."""

Part = Mapping[str, Any]


class Again:
    """One child's recorded documents, built again."""

    def __init__(
        self, child: ChildHistory, versions: Mapping[str, PolicyData], ids: Ids | None
    ) -> None:
        self._child, self._versions, self._ids = child, versions, ids
        self._facts: dict[int, _OfEpoch] = {}

    def built(self, one: Recorded) -> "Built | str":
        """Return the case of a decision, or why it cannot be had again."""
        epoch = self._facts.get(one.snapshot_epoch)
        if epoch is None:
            told = self._child.snapshots.get(one.snapshot_epoch)
            if told is None:
                return NO_FACTS
            epoch = self._facts[one.snapshot_epoch] = _OfEpoch(of_snapshot(json.loads(told)))
        item, recipient = epoch.items.get(one.item_id), epoch.recipients.get(one.recipient)
        if item is None or recipient is None or item.version != one.item_version:
            return NO_SUCH
        return self._built(one, epoch, item, recipient)

    def _built(
        self, one: Recorded, epoch: "_OfEpoch", item: ItemFacts, recipient: RecipientFacts
    ) -> "Built | str":
        pseudonym = ""
        if recipient.type == "commissioner":
            pseudonym = UNKNOWN_KEY
            if self._ids is not None:
                pseudonym = self._ids.after("PS", recipient.key, item.episode_id)
        found = Built(epoch, item, recipient, pseudonym, one)
        own = self._versions.get(one.policy_digest)
        for data in [own] if own is not None else self._versions.values():
            if recipient.type in data.types and found.is_the_same(data):
                return found
        if pseudonym == UNKNOWN_KEY:
            found.unchecked = True
            return found
        return NOT_THE_SAME


class _OfEpoch:
    """The facts of one epoch, and what was made of them."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.items = {one.id: one for one in facts.items}
        self.recipients = {one.key: one for one in facts.recipients}
        self.asked = {line.recipient for line in facts.lines if line.recipient is not None}
        self.asked_all = any(
            line.recipient is None and line.status != "withdrawn" for line in facts.lines
        )
        self.moments: dict[Any, tuple[Documents, Texts]] = {}


class Built:
    """One recorded decision with the facts it was made on."""

    def __init__(
        self,
        epoch: _OfEpoch,
        item: ItemFacts,
        recipient: RecipientFacts,
        pseudonym: str,
        one: Recorded,
    ) -> None:
        self._epoch, self._pseudonym, self._one = epoch, pseudonym, one
        self.item, self.recipient = item, recipient
        self._asked: tuple[PolicyData, Document] | None = None
        self.unchecked = False
        """Only the site's key makes the pseudonym in it, so the digest cannot be compared."""

    def is_the_same(self, data: PolicyData) -> bool:
        """Tell whether under the policies' data the very document comes out that was asked."""
        documents, texts = self._at(self._one.decided_at)
        asked = self._document(documents, data)
        self._asked = data, asked
        if sha256(texts.of(asked).encode()).hexdigest() == self._one.document:
            return True
        if digest(asked) == self._one.document:  # never met: the short way and the real one agree
            return True
        earlier, _ = self._at(self._one.decided_at - _BEFORE)
        return digest(self._document(earlier, data)) == self._one.document

    def document(self, data: PolicyData) -> Document | None:
        """Return what would be asked under `data`; None where nothing would be proposed."""
        kind = data.types.get(self.recipient.type)
        if kind is None:
            return None
        if self._asked is not None:
            own, asked = self._asked
            if own.law == data.law and own.types.get(self.recipient.type) == kind:
                return asked  # nothing that the policies say about it differs
        if kind.carer and not self._epoch.asked_all and self.recipient.key not in self._epoch.asked:
            return None
        documents, _ = self._at(self._one.decided_at)
        return self._document(documents, data)

    def plain_no(self) -> bool:
        """Tell whether the child said no, or took a yes back, and could."""
        documents, _ = self._at(self._one.decided_at)
        told = documents.agreement(self.item, self.recipient.key)
        if told["status"] not in ("declined", "withdrawn"):
            return False
        able = documents.holding("competence", self.item, self.recipient.key)
        return documents.adult or (able is not None and able.value == "competent")

    def moment(self) -> Documents:
        """Return what holds the parts of the document, which another decision may share."""
        return self._at(self._one.decided_at)[0]

    def _document(self, documents: Documents, data: PolicyData) -> Document:
        kind = data.types[self.recipient.type]
        return documents.about(self.item, self.recipient, kind, data.law, self._pseudonym)

    def _at(self, now: Any) -> "tuple[Documents, Texts]":
        found = self._epoch.moments.get(now)
        if found is None:
            found = self._epoch.moments[now] = Documents(self._epoch.facts, now), Texts()
        return found


class Texts:
    """The text under a document's digest, of which each part is written once for a child.

    It is `document.without_times`, written from parts that many documents share; that it is the
    same text shows in the digest of every decision.
    """

    def __init__(self) -> None:
        self._parts: dict[int, str] = {}

    def of(self, document: Document) -> str:
        """Return the text of `document`, whose parts live as long as this."""
        gates: Iterable[str] = (
            f'"{name}":{self._once(gate, _gate)}'
            for name, gate in sorted(document["gates"].items())
        )
        return (
            f'{{"agreement":{self._once(document["agreement"], _plain)},'
            f'"alleged_perpetrator":{_plain(document["alleged_perpetrator"])},'
            f'"child":{self._once(document["child"], _plain)},'
            f'"episode":{self._once(document["episode"], _plain)},'
            f'"gates":{{{",".join(gates)}}},'
            f'"item":{self._once(document["item"], _plain)},'
            f'"law":{self._once(document["law"], _law)},"now":null,'
            f'"purpose":{_plain(document["purpose"])},'
            f'"recipient":{self._once(document["recipient"], _plain)},'
            f'"request":{self._once(document["request"], _plain)},'
            f'"strategy_decision":{_plain(document["strategy_decision"])}}}'
        )

    def _once(self, part: Part, write: Callable[[Any], str]) -> str:
        found = self._parts.get(id(part))
        if found is None:
            found = self._parts[id(part)] = write(part)
        return found


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def _plain(part: Any) -> str:
    if type(part) is str and part.isidentifier():
        return f'"{part}"'
    return _encode(part)


def _law(part: Part) -> str:
    return _encode({**part, "as_of": None})


def _gate(part: Part) -> str:
    return _encode({**part, "at": None})
