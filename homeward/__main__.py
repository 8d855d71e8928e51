"""`python -m homeward`: the command line."""

from homeward.cli import app

app()
