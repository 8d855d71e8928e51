"""`homeward policy table|diff|explain|schema`: the rules as people read and write them."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from homeward.engine.bundle import read_data
from homeward.engine.fit import reader
from homeward.engine.table import as_text, read_table
from homeward.engine.table_schema import PUBLISHED, filled
from homeward.engine.table_schema import as_text as schema_text
from homeward.governance.drafts import files_of, opened
from homeward.governance.saying import POLICIES, WRONG_USE, plainly, write

app = typer.Typer(no_args_is_help=True, add_completion=False)

Draft = Annotated[
    str, typer.Option("--policies", help="A folder of policies, or a git revision that holds them.")
]


@app.command()
def table(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write it as a page.")] = None,
    policies: Draft = str(POLICIES),
) -> None:
    """Show who may be told what: when agreed, when not, never; and why."""
    with plainly(), opened(policies) as folder:
        if html is not None:
            from homeward.governance import matrix, pages  # noqa: PLC0415 - slow to load

            write(html, pages.table_page(matrix.matrix(folder)))
            return
        rows = read_table(folder)
    typer.echo(json.dumps(rows, indent=2, ensure_ascii=False) if as_json else as_text(rows))


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="A folder or a git revision.")],
    after: Annotated[str, typer.Argument(help="The other: a folder or a git revision.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write it as a page.")] = None,
) -> None:
    """Say in words what differs between two versions; rules in Rego as Rego."""
    from homeward.governance.differ import difference  # noqa: PLC0415 - only here

    with plainly():
        found = difference(files_of(before), files_of(after))
    if html is not None:
        from homeward.governance import pages  # noqa: PLC0415 - slow to load

        write(html, pages.diff_page(found))
    elif as_json:
        typer.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        typer.echo(found.as_text())


@app.command()
def explain(
    file: Annotated[str, typer.Argument(help="A decision document; `-` for standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    policies: Draft = str(POLICIES),
) -> None:
    """Tell one decision as sentences, and what would have had to be different for another."""
    from homeward.governance import explain as told  # noqa: PLC0415 - only here

    with plainly(), opened(policies) as folder:
        try:
            written = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        except OSError as error:
            typer.echo(f"cannot read {file}: {error.strerror}", err=True)
            raise typer.Exit(WRONG_USE) from error
        document, fault = reader(folder, raw=False)(written)
        if fault:
            typer.echo(f"{fault['field'] or file}: {fault['code'].replace('_', ' ')}", err=True)
            raise typer.Exit(WRONG_USE)
        found = told.explain(folder, document)
    text = json.dumps(found, indent=2, ensure_ascii=False) if as_json else told.as_text(found)
    typer.echo(text)


@app.command()
def schema(
    policies: Annotated[Path, typer.Option("--policies", help="Folder of the draft.")] = POLICIES,
) -> None:
    """Write the schema from which editors complete rows, with the draft's own closed lists."""
    with plainly():
        told = schema_text(filled(read_data(policies)))
    write(policies / PUBLISHED, told)
