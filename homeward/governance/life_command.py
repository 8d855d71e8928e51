"""From a draft to a version in force, and back."""

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)
