"""Reading the rules: the matrix, one decision in sentences, two versions compared."""

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)
