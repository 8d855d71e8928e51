"""What a draft would have changed, over every decision on record."""

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)
