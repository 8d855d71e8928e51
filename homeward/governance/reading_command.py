"""`homeward policy table`: the matrix, for a terminal, for programs and as a page."""

import json
from typing import Annotated

import typer

from homeward.engine.table import as_text, read_table
from homeward.governance.drafts import opened
from homeward.governance.saying import POLICIES, plainly

app = typer.Typer(no_args_is_help=True, add_completion=False)

Draft = Annotated[
    str, typer.Option("--policies", help="A folder of policies, or a git revision that holds them.")
]


@app.command()
def table(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    policies: Draft = str(POLICIES),
) -> None:
    """Show who may be told what: when agreed, when not, never; and why."""
    with plainly(), opened(policies) as folder:
        rows = read_table(folder)
    typer.echo(json.dumps(rows, indent=2, ensure_ascii=False) if as_json else as_text(rows))
