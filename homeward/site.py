"""`homeward site`: make and renew the secrets of a site that runs under Docker Compose."""

from pathlib import Path
from typing import Annotated

import typer

from homeward.compose import RENEWABLE, Site
from homeward.engine import BrokenPoliciesError, EngineMissingError
from homeward.governance import life_site
from homeward.home import HomeError

app = typer.Typer(no_args_is_help=True, help="A site that runs under Docker Compose.")

MISUSED, PART_MISSING = 2, 75


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
    """Make what is missing: keys, passwords, certificates, the bundle; what is there stays."""
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
        if not made.bundle.exists() or {"opa-token", "bundle-key"} & set(renew or ()):
            life_site.publish(made)
    except (OSError, HomeError, BrokenPoliciesError) as error:
        typer.echo(f"homeward: {error}", err=True)
        raise typer.Exit(MISUSED) from error
    except EngineMissingError as error:
        typer.echo(f"homeward: the bundle of policies is still missing. {error}", err=True)
        raise typer.Exit(PART_MISSING) from error
    typer.echo(f"{made.path} holds the secrets of a site. Keep it, and a copy of it, safe.")
