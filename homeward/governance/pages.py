"""Pages about the rules that need nothing else: no script, no network, readable on paper."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from homeward.governance import words
from homeward.governance.differ import Difference
from homeward.governance.matrix import Cell, Matrix


def table_page(matrix: Matrix) -> str:
    """Return the matrix as HTML; everything in it is escaped."""
    cells: dict[tuple[str, str], Cell | None] = {}
    for group in matrix.groups:
        for code, name in matrix.categories:
            cells[group.key, code] = next(
                (c for c in group.cells if c.category == code),
                next(
                    (
                        c
                        for c in group.cells
                        if c.category == "any" and len(group.cells) == 1 and name not in c.not_for
                    ),
                    None,
                ),
            )
    return _rendered("pages_table.html.j2", m=matrix, cells=cells, words=words)


KINDS = (
    ("row", "Rows"),
    ("data", "Lists"),
    ("plain", "Files as they are written"),
    ("rego", "Rules in Rego"),
    ("comment", "Comments"),
    ("beside", "Not loaded by the engine"),
)
"""The parts of the page of a difference, in their order."""


def diff_page(found: Difference) -> str:
    """Return what differs between two versions as HTML; everything in it is escaped."""
    kinds = [(k, title, [s for s in found.sections if s.kind == k]) for k, title in KINDS]
    return _rendered("pages_diff.html.j2", d=found, kinds=[one for one in kinds if one[2]])


def _rendered(template: str, **about: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**about)
