"""Every single change of a document that could matter, with its words."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from homeward.governance import words
from homeward.governance.vocabulary import MEASURED

Data = dict[str, Any]
ABSENT = object()

_SIGNED = {
    "by": "W-0",
    "role": "dsl",
    "at": "2026-01-01T00:00:00+00:00",
    "reason": "as it was seen",
}


@dataclass(frozen=True)
class Change:
    """One field given another value."""

    path: tuple[str, ...]
    value: Any
    phrase: str
    """As it stands after "If": `the child had agreed`."""

    def made(self, document: Data) -> Data:
        """Return `document` with this change."""
        changed = copy.deepcopy(document)
        place = changed
        for name in self.path[:-1]:
            place = place[name]
        if self.value is ABSENT:
            place.pop(self.path[-1], None)
        else:
            place[self.path[-1]] = self.value
        return changed


def changes(data: Data, document: Data) -> Iterator[Change]:
    """Yield every single change over the value classes of the fields that may decide."""
    yield from _agreement(data)
    for name in words.GATE_NAMES:
        for value, said in ((True, "been judged to be so"), (False, "been judged not to be so")):
            yield Change(
                ("gates", name), {"value": value, **_SIGNED}, f"{words.gate(name)} had {said}"
            )
        yield Change(("gates", name), ABSENT, f"nobody had judged {words.gate(name)}")
    reads = data["reads"].get(document["recipient"]["type"], {}).get(document["item"]["category"])
    for name in reads if reads is not None else (*data["facts"], "vir"):
        yield from _fact(name, data)
    yield from _child(data, document)
    yield from _recipient(data, document)
    yield from _rest(data)


def _agreement(data: Data) -> Iterator[Change]:
    said = {
        "agreed": "the child had agreed",
        "declined": "the child had said no",
        "withdrawn": "the child had taken the yes back",
        "not_asked": "the child had not been asked",
    }
    for code in data["codes"]["agreement_status"]:
        phrase = said.get(code, f"the agreement had been {words.spaced(code)}")
        yield Change(("agreement", "status"), code, phrase)
    who = {
        "child": "the answer had been the child's own",
        "pr_holder": "somebody with parental responsibility had answered",
        "la": "the authority had answered",
    }
    for code in data["codes"]["agreement_by"]:
        yield Change(("agreement", "by"), code, who.get(code, f"{words.spaced(code)} had answered"))
    for value in (True, False):
        yield Change(
            ("agreement", "consequences_explained"), value,
            f"the consequences had {'' if value else 'not '}been explained",
        )  # fmt: skip


def _fact(name: str, data: Data) -> Iterator[Change]:
    path = ("item", "facts", name)
    kind = data["facts"].get(name)
    if name == "vir":
        whole = {"line_of_enquiry": "given", "necessity": "given", "notice": "given",
                 "counselling_test": True, "senior_approval": True}  # fmt: skip
        yield Change(path, whole, "there had been a complete victim information request")
    elif name == "approvals":
        yield Change(path, ["dpo", "dsl"], "the DPO and the DSL had both approved")
    elif name == "cell_counts":
        yield Change(path, [5, None], "there had been counts, all of five and more or suppressed")
        yield Change(path, [3, 9], "there had been a count under five")
    elif kind == "truth":
        yield Change(path, True, f"it had been recorded that {words.condition(name)}")
        yield Change(path, False, f"it had been recorded that {words.condition({'not': name})}")
        yield Change(path, ABSENT, f"it had not been recorded whether {words.condition(name)}")
    elif kind in ("text", "list"):
        full, empty = ("given", "") if kind == "text" else (["given"], [])
        yield Change(path, full, f"it had been recorded that {words.condition(name)}")
        yield Change(path, empty, f"it had been recorded empty: {words.spaced(name)}")
        yield Change(path, ABSENT, f"nothing had been recorded as {words.spaced(name)}")
    elif kind == "code":
        for code in data["codes"].get(name, ()):
            yield Change(path, code, f"it had been recorded that {words.condition({name: [code]})}")
    elif kind == "number":
        for number in _limits(name, data):
            told = MEASURED.get(name, f"the {words.spaced(name)} had been {{}}")
            yield Change(path, number, told.format(number))


def _limits(name: str, data: Data) -> list[int | float]:
    """Return the numbers on both sides of every limit that the table sets for a fact."""
    found: set[int | float] = set()

    def look(node: Any) -> None:
        if isinstance(node, dict):
            for limit, number in (node.get(name) or {}).items() if name in node else ():
                found.update((number, number + 1 if limit == "at_most" else max(0, number - 1)))
            for one in node.values():
                look(one)
        elif isinstance(node, list):
            for one in node:
                look(one)

    look(data["table"])
    return sorted(found)


def _child(data: Data, document: Data) -> Iterator[Change]:
    told = {
        "competent": "the child had been judged competent",
        "not_competent": "the child had been judged not competent",
        "unassessed": "nobody had judged whether the child is competent",
    }
    for code, phrase in told.items():
        yield Change(("child", "competence"), code, phrase)
    yield Change(("child", "identity_status"), "verified", "it had been certain who the child is")
    yield Change(
        ("child", "identity_status"), "unverified", "it had not been certain who the child is"
    )
    for value in (True, False):
        phrase = f"the child's address had {'' if value else 'not '}been confidential"
        yield Change(("child", "address_confidential"), value, phrase)
    age = 17 if document["child"]["age"] >= 18 else 18
    yield Change(("child", "age"), age, f"the child had been {age}")
    where = document["item"]["facts"].get("place_la")
    if isinstance(where, str) and where:
        phrase = "the place had been in the host authority's area"
        yield Change(("child", "host_la"), where, phrase)
    stands = {
        "none": "nobody had been alleged to have harmed the child",
        "familial": "somebody in the family had been alleged to have harmed the child",
        "household": "somebody at home had been alleged to have harmed the child",
        "other": "somebody outside family and home had been alleged to have harmed the child",
        "unassessed": "nobody had judged who may have harmed the child",
    }
    for code, phrase in stands.items():
        yield Change(("alleged_perpetrator",), code, phrase)
    for code in data["codes"]["strategy_decision"]:
        phrase = f"the strategy decision had been: {words.spaced(code)}"
        yield Change(("strategy_decision",), code, phrase)


def _recipient(data: Data, document: Data) -> Iterator[Change]:
    for name, who in (
        ("alleged_perpetrator", "the recipient is the one alleged to have harmed the child"),
        ("connected_to_perpetrator", "the recipient is connected to who may have harmed the child"),
    ):
        yield Change(("recipient", name), "no", f"it had been found that it is not so that {who}")
        yield Change(("recipient", name), "yes", f"it had been found that {who}")
        yield Change(("recipient", name), "unassessed", f"nobody had looked into whether {who}")
    for name, said in (
        ("channel_verified", "the channel to the recipient had {}been verified"),
        ("pr", "the recipient had {}had parental responsibility"),
        ("is_16la_body", "the recipient had {}been a body of section 16LA"),
    ):
        for value in (True, False):
            yield Change(("recipient", name), value, said.format("" if value else "not "))
    about = data["recipients"].get(document["recipient"]["type"], {})
    for role in about.get("roles", ()):
        who = words.inside(words.recipient(role, data))
        yield Change(("recipient", "role"), role, f"the recipient had been the {who}")


def _rest(data: Data) -> Iterator[Change]:
    for code in data["codes"]["purpose"]:
        yield Change(("purpose",), code, f"the purpose had been to {words.spaced(code)}")
    asked = {
        "push": "nobody had asked for it",
        "pull": "the recipient had asked for it",
        "standing": "it had been for standing access",
        "browse": "it had been for browsing",
        "bulk": "it had been for a bulk of records",
    }
    for code in data["codes"]["request_kind"]:
        yield Change(("request", "kind"), code, asked.get(code, f"the request had been {code}"))
    yield Change(("request", "instrument"), "given", "an order or a statute had been named")
    yield Change(("request", "instrument"), None, "no order or statute had been named")
    for code in data["codes"]["provenance"]:
        phrase = f"it had been recorded as: {words.spaced(code)}"
        yield Change(("item", "provenance"), code, phrase)
    for code in data["codes"]["subject"]:
        phrase = f"it had been recorded as about: {words.spaced(code)}"
        yield Change(("item", "subject"), code, phrase)
    for value in (True, False):
        phrase = f"it had {'' if value else 'not '}been recorded as counselling"
        yield Change(("item", "counselling"), value, phrase)
