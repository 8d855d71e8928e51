"""`homeward site`: make and renew the secrets of a site that runs under Docker Compose."""

from pathlib import Path
from typing import Annotated

import typer

from homeward.compose import RENEWABLE, Site
from homeward.home import HomeError

app = typer.Typer(no_args_is_help=True, help="A site that runs under Docker Compose.")

MISUSED = 2


@app.callback()
def site() -> None:
    """A site that runs under Docker Compose."""


@app.command()
def make(
    folder: Annotated[Path, typer.Argument(help="The site's folder, e.g. site")],
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="Host name under which partners reach the broker."),
    ] = None,
    renew: Annotated[
        list[str] | None, typer.Option("--renew", help=f"One of: {' '.join(RENEWABLE)}")
    ] = None,
) -> None:
    """Make every key, password and certificate that is missing; what is there stays as it is."""
    unknown = [one for one in renew or () if one not in RENEWABLE]
    if unknown:
        typer.echo(f"homeward: nothing to renew is called {unknown[0]}", err=True)
        raise typer.Exit(MISUSED)
    made = Site(folder.expanduser().resolve())
    if made.exists and not (made.path / "site.json").exists():
        typer.echo(f"homeward: {made.path} is a home, not a site", err=True)
        raise typer.Exit(MISUSED)
    try:
        made.make_site(tuple(name or ()), tuple(renew or ()))
    except (OSError, HomeError) as error:
        typer.echo(f"homeward: {error}", err=True)
        raise typer.Exit(MISUSED) from error
    typer.echo(f"{made.path} holds the secrets of a site. Keep it, and a copy of it, safe.")
