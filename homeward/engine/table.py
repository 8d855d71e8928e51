"""The table of the sharing rules as people read it."""

import textwrap
from pathlib import Path
from typing import Any

from homeward.engine.bundle import read_data
from homeward.engine.rows import GATES

_WORDS = {
    "always": "always",
    "agreed": "agreed",
    "objects": "the child objects",
    "competent": "the child is competent",
    "counts": "counts of five and more",
    "pr": "parental responsibility",
    "professional_carer": "a professional carer",
    "la_has_decided": "the authority has decided who tells",
    "approved": "approved by DPO and DSL",
    "a_person_decides": "a person decides",
    "purpose_locate_child": "to find the child",
    "place_in_host_area": "the place is in the host's area",
    "instrument": "an order is named",
}


def read_table(policies: Path) -> list[dict[str, Any]]:
    """Return all rows in the order of recipients and categories, with the paths in words."""
    data = read_data(policies)
    titles = {name: one["title"] for name, one in data["recipients"].items()}
    order = list(dict.fromkeys(one["rows"] for one in data["recipients"].values()))
    return [
        _row(name, data["table"][name], titles)
        for name in sorted(data["table"], key=lambda n: (order.index(n.split("-")[0]), n))
    ]


def _row(name: str, row: dict[str, Any], titles: dict[str, str]) -> dict[str, Any]:
    shared = row.get("every_path_needs", [])
    agreed: list[str] = []
    otherwise: list[str] = []
    for path in row["paths"]:
        told = _path(path, shared)
        (agreed if "agreed" in path["when"] else otherwise).append(told)
    return {
        "id": name,
        "recipient": [titles[one] for one in row["recipient"]],
        "category": row["category"],
        "agreed": agreed,
        "not_agreed": otherwise,
        "never": row["never"],
        "why": row["why"],
        "source": row["source"],
        "valid_from": row["valid_from"],
        "basis": row["basis"],
    }


def _path(path: dict[str, Any], shared: list[Any]) -> str:
    when = [in_words(one) for one in [*path["when"], *shared] if one not in ("agreed", "always")]
    told = ", ".join(path["transforms"]).replace("_", " ") or "whole"
    for_whom = f"{' or '.join(path['for']).replace('_', ' ')}: " if path.get("for") else ""
    return for_whom + (f"{told}, if {' and '.join(when)}" if when else told)


def in_words(condition: Any) -> str:
    """Return a condition of the table as a phrase."""
    if isinstance(condition, str):
        return condition if condition in GATES else _WORDS.get(condition, _spaced(condition))
    ((name, wanted),) = condition.items()
    if name == "any":
        return "(" + " or ".join(in_words(one) for one in wanted) + ")"
    if name == "not":
        return "not " + in_words(wanted)
    if isinstance(wanted, list):
        return f"{_spaced(name)} {' or '.join(_spaced(str(one)) for one in wanted)}"
    ((limit, number),) = wanted.items()
    return f"{_spaced(name)} {_spaced(limit)} {number}"


def _spaced(name: str) -> str:
    return name.replace("_", " ").replace("vir.", "request says ")


def as_text(rows: list[dict[str, Any]], width: int = 110) -> str:
    """Return the rows for a terminal, a heading per group of recipients."""
    lines: list[str] = []
    before: list[str] = []
    for row in rows:
        if row["recipient"] != before:
            before = row["recipient"]
            lines += ["", " / ".join(before).upper(), "=" * width]
        lines.append(f"{row['id']}  {_spaced(row['category'])}")
        nothing = ["nothing"]
        for label, told in (
            ("agreed", row["agreed"] or (["as when not agreed"] if row["not_agreed"] else nothing)),
            ("not agreed", row["not_agreed"] or nothing),
            ("never", [row["never"]] if row["never"] else []),
            ("why", [row["why"]]),
            ("source", [f"{row['source']}; basis {', '.join(row['basis']) or 'none'}; "
                        f"text of {row['valid_from']}"]),
        ):  # fmt: skip
            for place, one in enumerate(told):
                lead = f"  {label if place == 0 else '':<11} "
                lines += textwrap.wrap(
                    one, width, initial_indent=lead, subsequent_indent=" " * len(lead)
                )
        lines.append("")
    return "\n".join(lines).strip("\n")
