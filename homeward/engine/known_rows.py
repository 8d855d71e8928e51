"""Which rows the table has to have, and what a type of recipient needs before it can be told."""

from collections.abc import Iterable, Iterator
from typing import Any

Data = dict[str, Any]

SHIPPED = frozenset(
    {
        f"{of}-{n:02}"
        for of in ("POL", "CSC", "LSC", "CAR", "SCH", "HEA", "COM")
        for n in range(1, 12)
    }
    | {"POL-12", "YP-01"}
)
"""The 79 rows of sharing-rules.md 3.3: none may vanish, whatever types of recipients there are."""

_ONE_ROW_FOR_ALL = "YP"
"""The young person has one row for every category (policies/paths.rego)."""


def required(data: Data) -> dict[str, tuple[str, str]]:
    """Return every row that must be there: the types it is for, and its category.

    The rules find a row by the letters of the recipient's type and the number of the category, so
    a new type needs one for each category, also where it says never.
    """
    rows = dict.fromkeys(SHIPPED, ("", ""))
    for letters, types in _by_letters(data).items():
        if letters != _ONE_ROW_FOR_ALL:
            for category, number in data["row_number"].items():
                rows[f"{letters}-{number}"] = (" and ".join(types), category)
    return rows


def faults_of_rows(data: Data) -> Iterator[str]:
    """Yield what is missing, what nobody would look up, and what stands under a wrong name."""
    table, wanted, letters_of = data["table"], required(data), _by_letters(data)
    for name in sorted(wanted.keys() - table.keys()):
        types, category = wanted[name]
        yield f"table: row {name} is missing" + (f" ({types}: {category})" if types else "")
    yield from (
        f"table: {name} is no row that is known" for name in sorted(table.keys() - wanted.keys())
    )
    for name, row in table.items():
        of = letters_of.get(name.split("-", maxsplit=1)[0], [])
        yield from (
            f"table: {name} is not a row of {kind}" for kind in row["recipient"] if kind not in of
        )
        yield from (
            f"table: {name} leaves out {kind}" for kind in of if kind not in row["recipient"]
        )
        category = wanted.get(name, ("", ""))[1]
        if category and row["category"] != category:
            yield f"table: {name} is the row for {category} and says {row['category']}"


def faults_of_recipients(data: Data) -> Iterator[str]:
    """Yield every place where a type of recipient is not, or not yet, spoken of."""
    kinds = data["recipients"]
    feeds = _may_have_a_feed(kinds)
    listed = {*data["codes"]["recipient_type"]}
    aliases = {alias for one in kinds.values() for alias in one.get("aliases", ())}
    for name in sorted((kinds.keys() | aliases) - listed):
        yield f"codes.yaml: recipient_type lacks {name}, which recipients.yaml has"
    for name in sorted(listed - kinds.keys() - aliases):
        yield f"recipients.yaml: {name} is missing, which recipient_type of codes.yaml has"
    for name, one in kinds.items():
        if one["default_purpose"] not in data["codes"]["purpose"]:
            yield f"recipients.yaml: {name} has a default_purpose that is no purpose of codes.yaml"
        if one["channel"] == "feed" and name not in feeds:
            yield (
                f"recipients.yaml: {name} has the channel feed, but services/sharing/sealing.py "
                "does not say what it may know of a child: until it does, the channel is worker"
            )
    for name, used_by in sorted(_uses_by_type(data).items()):
        fields = data["transforms"].get(name, {}).get("fields")
        if isinstance(fields, dict):
            for kind in sorted(used_by - fields.keys()):
                yield f"transforms.yaml: {name} has no fields for {kind}, so nothing would pass"


def _may_have_a_feed(kinds: Iterable[str]) -> frozenset[str]:
    """Return the types of which the code says what a feed may tell them of a child.

    Where the services are not installed (an image that only checks) nothing is found missing.
    """
    try:
        from services.sharing.sealing import CHILD_PARTS, PSEUDONYMOUS  # noqa: PLC0415 - see above
    except ModuleNotFoundError:
        return frozenset(kinds)
    return PSEUDONYMOUS | CHILD_PARTS.keys()


def _by_letters(data: Data) -> dict[str, list[str]]:
    letters: dict[str, list[str]] = {}
    for name, one in data["recipients"].items():
        letters.setdefault(one["rows"], []).append(name)
    return letters


def _uses_by_type(data: Data) -> dict[str, set[str]]:
    """Return by transform the types of recipients that a path with it is for."""
    uses: dict[str, set[str]] = {}
    for row in data["table"].values():
        for text in (row, *row.get("earlier", ())):
            for path in text["paths"]:
                types = set(row["recipient"]) & set(path.get("for", row["recipient"]))
                for name in path["transforms"]:
                    uses.setdefault(name, set()).update(types)
    return uses
