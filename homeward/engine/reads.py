"""What the policies read of a document: the rest need not be sent.

Only facts are left out, of documents whose type and category are known; nothing is changed, so what
does not fit the contract still does not. A fact is kept where a condition of the row names it, or
any rule does.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_ANY_READING = re.compile(r"\binput\b")
_ONE_FIELD = re.compile(
    r"\binput\.(?:(?!item\b)\w|item\.(?!facts\b)\w|item\.facts(?:\.\w|, \"|, \[\"|\)))"
)

Read = dict[str, dict[str, list[str]]]


def facts_read(data: dict[str, Any], rego: str) -> Read:
    """Return the facts that are read, by type of recipient and by category.

    `rego` is the text of all rules that people wrote. Where one of them takes more of the input
    than a field that it names, nothing may be left out, and the answer is empty.
    """
    rules = _COMMENT.sub("", rego)
    if len(_ANY_READING.findall(rules)) != len(_ONE_FIELD.findall(rules)):
        return {}
    facts = {*data["facts"], "vir"}
    by_rules = facts & _words(rules)
    read: Read = {}
    for kind, about in data["recipients"].items():
        rows = [row for name, row in data["table"].items() if name.split("-")[0] == about["rows"]]
        for name in (kind, *about.get("aliases", ())):
            read[name] = {
                category: sorted(by_rules | facts & _conditions(rows, category))
                for category in data["row_number"]
            }
    return read


def _conditions(rows: list[dict[str, Any]], category: str) -> set[str]:
    """Return every word in the conditions of the rows that may decide about `category`."""
    words: set[str] = set()
    for row in (row for row in rows if row["category"] in (category, "any")):
        for text in (row, *row.get("earlier", ())):
            words |= _words(json.dumps([text["paths"], text.get("every_path_needs")]))
    return words


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def cutter(bundle: Path) -> Callable[[Any], Any]:
    """Return what leaves out of a document the facts that nobody reads."""
    read = json.loads((bundle / "data.json").read_bytes())["reads"]
    names = {
        (kind, category): frozenset(facts)
        for kind, categories in read.items()
        for category, facts in categories.items()
    }

    def cut(document: Any) -> Any:
        try:
            item = document["item"]
            wanted = names[document["recipient"]["type"], item["category"]]
            facts = {name: value for name, value in item["facts"].items() if name in wanted}
        except (LookupError, TypeError, AttributeError):
            return document
        return {**document, "item": {**item, "facts": facts}}

    return cut
