"""The shape of a question: two documents of one shape get one answer under the draft.

Ids, times and other values that no rule of the draft can tell apart give way to stand-ins
(replay_reads.py says which), and facts that no row or rule reads are left out. What two documents
have in common is looked at once: their parts are the same objects.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from homeward.engine.bundle import parse
from homeward.engine.found import find_engine
from homeward.engine.rows import compiled
from homeward.governance import replay_reads

Document = Mapping[str, Any]
Part = Mapping[str, Any]

_ROW = re.compile(r'worth\["([^"]+)"\]')
_ASKED = re.compile(r"data\.homeward\.sharing\.(\w+)")
_HEADS = (
    "now", "law", "request", "purpose", "child", "episode", "item", "recipient", "agreement",
    "gates",
)  # fmt: skip
_NAMED = frozenset({"child", "episode", "item", "recipient"})
_ADULT, _BOTH = 18, 2
_AUTHORITIES = frozenset({"police", "childrens_services"})
_LABELLED = frozenset({"narrative", "associates"})
_NO_YES = frozenset({"declined", "withdrawn", "not_asked"})
_NOT_CONNECTED = frozenset(
    {"police", "childrens_services", "lscp_panel", "lscp_strategic", "commissioner"}
)
_AGREED = frozenset({
    ("agreement", "by"), ("agreement", "consequences_explained"), ("agreement", "status"),
    (replay_reads.RULE, "able_to_agree"),
})  # fmt: skip
_COMPETENCE = _AGREED | {
    ("child", "competence"), (replay_reads.RULE, "competent"), (replay_reads.RULE, "objects"),
}  # fmt: skip
_PERPETRATOR = frozenset({
    ("alleged_perpetrator",), (replay_reads.RULE, "inside"),
    (replay_reads.RULE, "perpetrator_elsewhere"), (replay_reads.RULE, "la_has_decided"),
})  # fmt: skip
_DUTY = frozenset({
    ("gates",), (replay_reads.RULE, "recorded"), (replay_reads.RULE, "in_rows"),
})  # fmt: skip
_SIGNED = {"by": "w", "role": "w", "at": "w", "reason": "w"}
_AGREEMENT = ("status", "by", "consequences_explained")


class Shape:
    """How policies look at documents; `data` is that of their bundle."""

    def __init__(self, policies: Path, data: Mapping[str, Any]) -> None:
        modules = parse(policies, find_engine(), tests=False)
        self._free = replay_reads.free(modules)
        self.codes: dict[replay_reads.Path, frozenset[str]] = {}
        """Codes of each field, one of which is as good as another to the rule that checks them."""
        if replay_reads.has_known_codes(modules):
            lists = data.get("codes", {})
            self.codes = {
                path: frozenset(one for one in lists.get(name, ()) if isinstance(one, str))
                for path, name in replay_reads.CODES.items()
            }
        self._codes = {k: frozenset(map(str, v)) for k, v in data.get("codes", {}).items()}
        self._days = sorted(_days(data))
        self._wanted = {
            (kind, category): frozenset(facts)
            for kind, categories in data["reads"].items()
            for category, facts in categories.items()
        }
        self._types = {
            alias: kind
            for kind, about in data["recipients"].items()
            for alias in (kind, *about.get("aliases", ()))
            if ("recipient", "type") in self._free
        }
        self._about: Mapping[str, Mapping[str, Any]] = data["recipients"]
        self._conditions = _conditions(data)
        self._agreements: dict[tuple[Any, ...], str] = {}
        self.made: dict[tuple[Any, ...], Any] = {}
        """Stand-ins for parts, by what they look like."""

    def seen(self) -> "Seen":
        """Return what looks at the documents of one child at one moment."""
        return Seen(self)

    # each part of a document as the draft sees it

    def moment(self, now: Any) -> str:
        """Return `now`: nobody reads the clock."""
        return self._word(("now",), now)

    def law(self, part: Part) -> str:
        """Return the law: between two dates that the policies name every day is the same."""
        day = part["as_of"]
        if ("law", "as_of") in self._free and isinstance(day, str):
            day = bisect_right(self._days, day)
        csa = self._truth(("law", "csa_duty_in_force"), part["csa_duty_in_force"])
        return repr((part["s16la_in_force"], csa, part["controller"], day))

    def child(self, part: Part, place: bool, asked: bool, category: str) -> str:
        """Return the child. `place`: the item is about some area; `asked`: they said something."""
        free = self._free
        age, legal, host = part["age"], part["legal_status"], part["host_la"]
        competence, confidential = part["competence"], part["address_confidential"]
        if ("child", "age") in free and type(age) is int and age >= 0:
            age = _ADULT if age >= _ADULT else 0
            if free >= _COMPETENCE and competence in self._codes["competence"]:
                competence = "" if age or not asked else competence
        if ("child", "legal_status") in free and legal in self._codes["legal_status"]:
            legal = ""
        if ("child", "host_la") in free and isinstance(host, str) and not place:
            host = ""
        if ("child", "address_confidential") in free and category != "contact_address":
            confidential = isinstance(confidential, bool) or confidential
        words = [self._word(("child", name), part[name]) for name in ("id", "responsible_la")]
        return repr((words, age, legal, host, part["identity_status"], confidential, competence))

    def episode(self, part: Part) -> str:
        """Return the episode."""
        return self._word(("episode", "id"), part["id"]) + self._word(
            ("episode", "setting"), part["setting"]
        )

    def item(self, part: Part, type_: Any) -> str:
        """Return the item with the facts that are read for such a recipient."""
        free, facts, category = self._free, part["facts"], part["category"]
        wanted = self._wanted.get((type_, category))
        if wanted is not None:
            facts = {name: value for name, value in facts.items() if name in wanted}
        kind = self._types.get(type_)
        others, special, source = part["third_parties"], part["special"], part["provenance"]
        verbatim, counselling = part["verbatim"], part["counselling"]
        if ("item", "third_parties") in free and isinstance(others, list):
            others = bool(others) and not (
                kind in _AUTHORITIES and (replay_reads.RULE, "to_an_authority") in free
            )
        if ("item", "special") in free and isinstance(special, list):
            special = True
        if ("item", "provenance") in free and source in self._codes["provenance"]:
            source = source == "other_child_said"
        if ("item", "verbatim") in free and category in _LABELLED and isinstance(verbatim, bool):
            verbatim = True
        if (
            ("item", "counselling") in free
            and kind not in (None, "police")
            and isinstance(counselling, bool)
        ):
            counselling = True
        rest = (
            self._word(("item", "id"), part["id"]), category, part["subject"], source, verbatim,
            others, counselling, self._truth(("item", "offence_data"), part["offence_data"]),
            special,
        )  # fmt: skip
        return repr((rest, sorted(facts.items())))

    def recipient(self, part: Part, category: str) -> str:
        """Return the recipient as it matters for an item of `category`."""
        free, type_, role, pr = self._free, part["type"], part["role"], part["pr"]
        kind = self._types.get(type_)
        if (
            ("recipient", "role") in free
            and kind not in (None, "childrens_services")
            and isinstance(role, str)
            and role in self._about[kind or ""].get("roles", ())
        ):
            role = ""
        if self._unasked("pr", ("recipient", "pr"), type_, category) and isinstance(pr, bool):
            pr = True
        rest = (
            type_, role, part["is_16la_body"], part["channel_verified"], pr,
            part["alleged_perpetrator"], part["connected_to_perpetrator"],
            self._word(("recipient", "id"), part["id"]),
            self._truth(("recipient", "competent_authority"), part["competent_authority"]),
            self._truth(("recipient", "lives_with_child"), part["lives_with_child"]),
        )  # fmt: skip
        return repr(rest)

    def purpose(self, purpose: Any, type_: Any, category: str) -> str:
        """Return the purpose: one of the list is as good as another, but to find the child."""
        if (
            self._unasked("purpose_locate_child", ("purpose",), type_, category)
            and isinstance(purpose, str)
            and purpose in self._codes["purpose"]
        ):
            return "p"
        return repr(purpose)

    def perpetrator(self, document: Document) -> str:
        """Return where the alleged perpetrator stands, and what was decided about the carer."""
        who, decided = document["alleged_perpetrator"], document["strategy_decision"]
        recipient, category = document["recipient"], document["item"]["category"]
        type_ = recipient["type"]
        kind = self._types.get(type_)
        no_carer = kind is not None and self._about[kind].get("carer") is False
        if no_carer and self._unasked("la_has_decided", ("strategy_decision",), type_, category):
            if isinstance(decided, str) and decided in self._codes["strategy_decision"]:
                decided = ""
            sides = (recipient["alleged_perpetrator"], recipient["connected_to_perpetrator"])
            if (
                self._free >= _PERPETRATOR
                and (sides == ("no", "no") or kind in _NOT_CONNECTED)
                and isinstance(who, str)
                and who in self._codes["alleged_perpetrator"]
            ):
                who = "e" if who in {"none", "other"} else "n"
                if self._harm_is_known(document):
                    who = ""
        return repr((who, decided))

    def _harm_is_known(self, document: Document) -> bool:
        """Tell whether G3 is true or false, and so whether a perpetrator's place sets the hour."""
        gates = document["gates"]
        values = [
            gates[name]["value"]
            for name in ("G3", "G6")
            if name in gates and self.gate(name, gates[name])
        ]
        return self._free >= _DUTY and (
            True in values or len([one for one in values if one is False]) == _BOTH
        )

    def _unasked(self, rule: str, field: replay_reads.Path, type_: Any, category: str) -> bool:
        """Tell whether only rows could ask about a field, by `rule`, and that of this item not."""
        return (
            field in self._free
            and (replay_reads.RULE, rule) in self._free
            and rule not in self._conditions.get((type_, category), {rule})
        )

    def competence_counts(self, status: Any, type_: Any, category: str) -> bool:
        """Tell whether it matters here who can agree or object."""
        return status != "not_asked" or "competent" in self._conditions.get(
            (type_, category), {"competent"}
        )

    def duty(self, document: Document) -> bool:
        """Tell whether G1 may count; where it does not it need not be looked at."""
        kind = self._types.get(document["recipient"]["type"])
        return not (
            self._free >= _DUTY
            and kind is not None
            and (
                self._about[kind].get("g1_counts") is False
                or document["recipient"]["is_16la_body"] is False
            )
        )

    def gate(self, name: str, part: Part) -> str:
        """Return a gate: its value, where somebody stands for it; else it is not recorded."""
        if ("gates",) not in self._free:
            return repr((name, sorted(part.items())))
        signed = all(
            isinstance(part[one], str) and part[one] for one in ("by", "role", "at", "reason")
        )
        value = part["value"]
        return f"{name}{value:d}" if signed and isinstance(value, bool) else ""

    def agreement(self, part: Part) -> str:
        """Return what was said about sharing."""
        status = part["status"]
        told = tuple(part[name] for name in _AGREEMENT)
        found = self._agreements.get(told)
        if found is None:
            if (
                self._free >= _AGREED
                and status in _NO_YES
                and part["by"] in self._codes["agreement_by"]
                and isinstance(part["consequences_explained"], bool)
            ):
                told = (status,)
            found = self._agreements[tuple(part[name] for name in _AGREEMENT)] = repr(told)
        return found

    def stand_in(self, head: str, part: Any, type_: Any, category: str) -> Any:
        """Return the part that is asked for all parts that look alike."""
        match head:
            case "now":
                return self._instead(("now",), part, "w")
            case "law":
                return {**part, "as_of": self._first_day(part["as_of"])}
            case "gates" if ("gates",) in self._free:
                return {
                    name: {**_SIGNED, "value": gate["value"]}
                    for name, gate in part.items()
                    if self.gate(name, gate)
                }
            case "item":
                wanted = self._wanted.get((type_, category))
                if wanted is not None:
                    facts = {n: value for n, value in part["facts"].items() if n in wanted}
                    part = {**part, "facts": facts}
        if head in _NAMED:
            words = {
                name: self._instead((head, name), part[name], "w")
                for name in ("id", "setting", "responsible_la")
                if name in part
            }
            return {**part, **words}
        return part

    def _first_day(self, day: Any) -> Any:
        if ("law", "as_of") not in self._free or not isinstance(day, str):
            return day
        place = bisect_right(self._days, day)
        return self._days[place - 1] if place else ""

    def _instead(self, field: replay_reads.Path, value: Any, word: str) -> Any:
        return word if field in self._free and isinstance(value, str) else value

    def _word(self, field: replay_reads.Path, value: Any) -> str:
        return "w" if field in self._free and isinstance(value, str) else repr(value)

    def _truth(self, field: replay_reads.Path, value: Any) -> Any:
        return True if field in self._free and isinstance(value, bool) else value


class Seen:
    """The parts of documents of one child at one moment, each looked at once."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._parts: dict[Any, str] = {}
        self._pieces: tuple[str, ...] = ()

    def question(self, document: Document) -> bytes:
        """Return 16 bytes that are the same exactly when the draft cannot tell two documents apart.

        `document` and its parts must live as long as this: parts are known by what they are.
        """
        self._pieces = pieces = self._of_parts(document)
        return blake2b("\n".join(pieces).encode(), digest_size=16).digest()

    def stand_in(self, document: Document) -> Document:
        """Return what is asked in place of the document that was looked at last."""
        shape, type_ = self._shape, document["recipient"]["type"]
        category, made = document["item"]["category"], {}
        for (head, part), piece in zip(
            ((head, document[head]) for head in _HEADS), self._pieces, strict=False
        ):
            name = head, piece, type_, category, "place_la" in document["item"]["facts"]
            found = shape.made.get(name)
            if found is None:
                found = shape.made[name] = shape.stand_in(head, part, type_, category)
            made[head] = found
        made["alleged_perpetrator"] = document["alleged_perpetrator"]
        made["strategy_decision"] = document["strategy_decision"]
        return made

    def _of_parts(self, document: Document) -> tuple[str, ...]:
        """Return each part as the draft sees it, in the order of _HEADS, then the perpetrator."""
        shape, item = self._shape, document["item"]
        type_, category = document["recipient"]["type"], item["category"]
        place = "place_la" in item["facts"]
        agreement, gates = document["agreement"], document["gates"]
        asked = shape.competence_counts(agreement["status"], type_, category)
        duty = "G1" in gates and shape.duty(document)
        return (
            shape.moment(document["now"]),
            self._once(document["law"], None, shape.law),
            self._once(document["request"], None, _plain),
            shape.purpose(document["purpose"], type_, category),
            self._once(
                document["child"],
                (place, asked, category),
                lambda one: shape.child(one, place, asked, category),
            ),
            self._once(document["episode"], None, shape.episode),
            self._once(item, type_, lambda one: shape.item(one, type_)),
            self._once(document["recipient"], category, lambda one: shape.recipient(one, category)),
            shape.agreement(agreement),
            "".join([self._gate(n, one) for n, one in gates.items() if n != "G1" or duty]),
            shape.perpetrator(document),
        )

    def _gate(self, name: str, part: Part) -> str:
        return self._once(part, name, lambda one: self._shape.gate(name, one))

    def _once(self, part: Part, also: Any, look: Callable[[Any], str]) -> str:
        name = id(part), also
        found = self._parts.get(name)
        if found is None:
            found = self._parts[name] = look(part)
        return found


def _plain(part: Part) -> str:
    return repr(sorted(part.items()))


def _conditions(data: Mapping[str, Any]) -> dict[tuple[str, str], frozenset[str]]:
    """Return the rules that the rows ask, by type of recipient and category of the item."""
    _, rows = compiled(dict(data))
    asked: dict[str, set[str]] = {}
    for line in rows.splitlines():
        row = _ROW.match(line)
        if row:
            asked.setdefault(row[1], set()).update(_ASKED.findall(line))
    found = {}
    for kind, about in data["recipients"].items():
        for category in data["row_number"]:
            rules = [
                asked.get(name, set())
                for name, row in data["table"].items()
                if name.split("-")[0] == about["rows"] and row["category"] in (category, "any")
            ]
            for alias in (kind, *about.get("aliases", ())):
                found[alias, category] = frozenset().union(*rules)
    return found


def _days(data: Mapping[str, Any]) -> set[str]:
    """Return every day on which something of these policies begins."""
    days = {str(data.get("law", {}).get("s16la", {}).get("in_force_from", ""))}
    for row in data.get("table", {}).values():
        days |= {str(text.get("valid_from", "")) for text in (row, *row.get("earlier", ()))}
    return days
