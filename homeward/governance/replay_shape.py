"""The shape of a question: two documents of one shape get one answer under the draft.

Ids, times and other values that no rule of the draft can tell apart give way to stand-ins
(replay_reads.py says which), and facts that no row or rule reads are left out. What two documents
have in common is looked at once: their parts are the same objects.
"""

import json
from bisect import bisect_right
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from homeward.engine.bundle import parse
from homeward.engine.found import find_engine
from homeward.governance import replay_reads

Document = Mapping[str, Any]
Part = Any

_WORD = "w"
_ADULT = 18
_SIGNED = dict.fromkeys(("by", "role", "at", "reason"), _WORD)
_JUDGED = {value: {**_SIGNED, "value": value} for value in (True, False)}
_text = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode
"""Members of objects in order: the text must not hang on how a document was written down."""
_WORDS = (
    ("child", "id"), ("child", "responsible_la"), ("episode", "id"), ("episode", "setting"),
    ("item", "id"), ("recipient", "id"),
)  # fmt: skip
_TRUTHS = (
    ("law", "csa_duty_in_force"), ("item", "offence_data"), ("recipient", "competent_authority"),
    ("recipient", "lives_with_child"),
)  # fmt: skip


class Shape:
    """How policies look at documents; `data` is that of their bundle."""

    def __init__(self, policies: Path, data: Mapping[str, Any]) -> None:
        modules = parse(policies, find_engine(), tests=False)
        self._free = replay_reads.free(modules)
        lists = {
            name: frozenset(one for one in codes if isinstance(one, str))
            for name, codes in data.get("codes", {}).items()
        }
        self._legal_status = lists.get("legal_status", frozenset())
        self.codes: dict[replay_reads.Path, frozenset[str]] = {}
        """Codes of each field, one of which is as good as another to the rule that checks them."""
        if replay_reads.has_known_codes(modules):
            self.codes = {
                path: lists.get(name, frozenset()) for path, name in replay_reads.CODES.items()
            }
        self._days = sorted(_days(data))
        self._made: dict[tuple[str, bytes], Part] = {}
        """Parts that were made, so that what looks alike is one object."""
        self._wanted = {
            (kind, category): frozenset(facts)
            for kind, categories in data["reads"].items()
            for category, facts in categories.items()
        }

    def seen(self) -> "Seen":
        """Return what looks at the documents of one child at one moment."""
        return Seen(self)

    def part(self, head: str, part: Part, type_: Any) -> tuple[Part, bytes]:
        """Return what is asked in place of all parts that look alike, and a digest of it."""
        made = self._stand_in(head, part, type_)
        told = blake2b(_text(made).encode(), digest_size=16).digest()
        return self._made.setdefault((head, told), made), told

    def _stand_in(self, head: str, part: Part, type_: Any) -> Part:
        """Return what a part of a document to a recipient of `type_` looks like to the draft."""
        if head == "now":
            return _WORD if ("now",) in self._free and isinstance(part, str) else part
        if head == "gates":
            return self._gates(part)
        if not isinstance(part, dict):
            return part
        made = {
            **part,
            **{name: _WORD for at, name in _WORDS if self._has(at, name, head, part, str)},
            **{name: True for at, name in _TRUTHS if self._has(at, name, head, part, bool)},
        }
        match head:
            case "law" if self._has("law", "as_of", head, part, str):
                made["as_of"] = self._first_day(part["as_of"])
            case "child":
                if self._has("child", "age", head, part, int) and part["age"] >= 0:
                    made["age"] = _ADULT if part["age"] >= _ADULT else 0
                known = part["legal_status"] in self._legal_status
                if known and ("child", "legal_status") in self._free:
                    made["legal_status"] = min(self._legal_status)
            case "item":
                if self._has("item", "third_parties", head, part, list):
                    made["third_parties"] = [_WORD] if part["third_parties"] else []
                if self._has("item", "special", head, part, list):
                    made["special"] = []
                wanted = self._wanted.get((type_, part["category"]))
                if wanted is not None:
                    made["facts"] = {n: v for n, v in part["facts"].items() if n in wanted}
        return made

    def _has(self, at: str, name: str, head: str, part: Part, kind: type) -> bool:
        """Tell whether the draft cannot tell apart what such a part has there."""
        return at == head and (at, name) in self._free and type(part.get(name)) is kind

    def _gates(self, part: Part) -> Part:
        """Return the gates that are recorded; whoever stands for one, somebody does."""
        if ("gates",) not in self._free:
            return part
        return {
            name: _JUDGED[gate["value"]]
            for name, gate in part.items()
            if isinstance(gate["value"], bool)
            and all(isinstance(gate[one], str) and gate[one] for one in _SIGNED)
        }

    def _first_day(self, day: str) -> str:
        """Return the first day on which the policies say the same as on this one."""
        place = bisect_right(self._days, day)
        return self._days[place - 1] if place else ""


class Seen:
    """The parts of documents of one child at one moment, each looked at once."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._parts: dict[Any, tuple[Part, bytes]] = {}
        self._last: dict[str, Part] = {}

    def question(self, document: Document) -> bytes:
        """Return 16 bytes that are the same exactly when two documents look alike to the draft.

        `document` and its parts must live as long as this: parts are known by what they are.
        """
        type_, told = document["recipient"]["type"], []
        self._last = {}
        for head, part in document.items():
            self._last[head], text = self._once(head, part, type_)
            told.append(text)
        return blake2b(b"".join(told), digest_size=16).digest()

    def stand_in(self) -> Document:
        """Return what is asked in place of the document that was looked at last."""
        return self._last

    def _once(self, head: str, part: Part, type_: Any) -> tuple[Part, bytes]:
        name = head, part if type(part) is str else id(part), type_ if head == "item" else None
        found = self._parts.get(name)
        if found is None:
            found = self._parts[name] = self._shape.part(head, part, type_)
        return found


def _days(data: Mapping[str, Any]) -> set[str]:
    """Return every day on which something of these policies begins."""
    days = {str(data.get("law", {}).get("s16la", {}).get("in_force_from", ""))}
    for row in data.get("table", {}).values():
        days |= {str(text.get("valid_from", "")) for text in (row, *row.get("earlier", ()))}
    return days
