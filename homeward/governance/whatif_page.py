"""A what-if as a page that needs nothing else: the stops, the matrix by change, examples."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from homeward.governance import words
from homeward.governance.whatif_report import ORDER

WORDS = {
    "safety_stop": ("■", "warnings stopped"),
    "against_the_childs_no": ("!", "against the child's no"),
    "newly_learns": ("+", "newly told"),
    "newly_does_not": ("−", "newly not told"),
    "newly_held": ("◔", "newly held"),
    "other_reason": ("≈", "another reason"),
}
"""How each kind is marked and called: never by its colour alone."""
TITLES = {
    "safety_stop": "Warnings that would stop",
    "against_the_childs_no": "Against the plain no of the child",
    "newly_learns": "Newly told",
    "newly_does_not": "Newly not told",
    "newly_held": "Newly held",
    "other_reason": "The same for another reason",
}


def page(report: dict[str, Any]) -> str:
    """Return a report as HTML; everything in it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    cells = report["cells"]
    categories = sorted({category for row in cells.values() for category in row})
    return environment.get_template("whatif_page.html.j2").render(
        report=report,
        kinds=ORDER,
        words=WORDS,
        titles=TITLES,
        names={name: words.category(name) for name in categories},
        categories=categories,
        types=sorted(cells),
        spaced=words.spaced,
        sections=[
            (kind, [one for one in report["findings"] if one["kind"] == kind]) for kind in ORDER
        ],
        uncertain=[one for one in report["findings"] if one["kind"] == "not_decided_again"],
    )
