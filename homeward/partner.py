"""`homeward partner`: agencies that read on a feed are added, changed, shown, and put out."""

import json
from pathlib import Path
from typing import Annotated

import typer

from homeward import partner_change
from homeward.enrolment import (
    AWAY,
    PartnerError,
    add,
    listed,
    make_keys,
    read_public,
    write_context,
    write_creds,
)
from homeward.home import Home, HomeError

app = typer.Typer(no_args_is_help=True, help="Agencies that read on a feed of their own.")

HomeOption = Annotated[Path | None, typer.Option("--home", help="Folder of the home.")]


def _stop(error: Exception) -> typer.Exit:
    typer.echo(f"homeward: {error}", err=True)
    return typer.Exit(error.code if isinstance(error, PartnerError) else AWAY)


@app.command("keys")
def keys_command(
    key: Annotated[str, typer.Argument(help="e.g. northshire-police")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the keys.")],
) -> None:
    """Make a partner's keys, on the partner's own machine; send us the .public.json alone."""
    try:
        made = make_keys(key, out)
    except PartnerError as error:
        raise _stop(error) from error
    except OSError as error:
        raise _stop(PartnerError(f"cannot write to {out}: {error.strerror}")) from error
    typer.echo(f"Keep secret: {made[0]} and {made[1]}\nTo be sent: {made[2]}")


@app.command("add")
def add_command(
    key: Annotated[str, typer.Argument(help="e.g. northshire-police")],
    *,
    public: Annotated[Path, typer.Option("--public", help="The partner's .public.json.")],
    kind: Annotated[str, typer.Option("--type", help="e.g. police")],
    role: Annotated[str | None, typer.Option("--role", help="e.g. missing_unit")] = None,
    area: Annotated[
        str | None, typer.Option("--area", help="It belongs to every child of this area.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for what the partner needs [that of --public]"),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Register an agency while everything runs, and write what it needs to read its feed."""
    here = Home.at(home)
    try:
        add(here, key, read_public(public), type=kind, role=role, area=area)
        files = write_context(here, key, out or public.parent)
    except (PartnerError, HomeError) as error:
        raise _stop(error) from error
    except OSError as error:
        raise _stop(PartnerError(f"{error.filename}: {error.strerror}")) from error
    typer.echo(f"{key} is registered. It needs: {' and '.join(map(str, files))}")


@app.command("rotate")
def rotate_command(
    key: Annotated[str, typer.Argument(help="e.g. northshire-police")],
    *,
    public: Annotated[
        Path | None, typer.Option("--public", help="The partner's new .public.json.")
    ] = None,
    lost: Annotated[
        bool, typer.Option(help="The former decryption key is lost: release anew what is unread.")
    ] = False,
    now: Annotated[
        bool, typer.Option(help="Somebody else may have the former key: let it in no more.")
    ] = False,
    done: Annotated[bool, typer.Option(help="The new key is in use: forget the former.")] = False,
    home: HomeOption = None,
) -> None:
    """Give a partner other keys while everything runs; call it again with --done afterwards."""
    if done is (public is not None):
        raise _stop(PartnerError("one of --public and --done"))
    here = Home.at(home)
    try:
        if public is None:
            typer.echo(f"{partner_change.finish(here, key)} former keys are let in no more")
            return
        told = partner_change.rotate(here, key, read_public(public), lost=lost, now=now)
    except (PartnerError, HomeError) as error:
        raise _stop(error) from error
    typer.echo(f"{key} has new keys. Numbers up to {told['sealed_before']} open with the former.")
    for one in told["void"]:
        typer.echo(f"released anew: number {one['number']} is void")
    for one in told["left"]:
        typer.echo(f"handed out before: number {one['number']}")
    if not now:
        typer.echo(f"The former lets in too, until: homeward partner rotate {key} --done")


@app.command("revoke")
def revoke_command(
    key: Annotated[str, typer.Argument(help="e.g. northshire-police")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    home: HomeOption = None,
) -> None:
    """Put a partner out at once; say what it has, what it may have, and what was erased unread."""
    try:
        told = partner_change.revoke(Home.at(home), key)
    except (PartnerError, HomeError) as error:
        raise _stop(error) from error
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    typer.echo(f"{key} is out. Recipient of {told['children']} children, now of none.")
    typer.echo(f"It has acknowledged {told['delivered']} releases.")
    for what, text in (
        ("left", "had left, or may have"),
        ("erased", "erased unread"),
        ("cancelled", "never left"),
    ):
        for one in told[what]:
            number = one["number"] or "-"
            typer.echo(f"{text}: {one['release_id']} (number {number})")
    if not told["successor"]:
        typer.echo("Nobody of its type is there for its area: add one, or nobody is told.")


@app.command("ls")
def ls_command(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    home: HomeOption = None,
) -> None:
    """Show the registered agencies."""
    try:
        found = listed(Home.at(home))
    except (PartnerError, HomeError) as error:
        raise _stop(error) from error
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for agency in found:
        typer.echo("  ".join(str(agency.get(n) or "-") for n in ("key", "type", "role", "area")))


@app.command("creds")
def creds_command(
    key: Annotated[str, typer.Argument(help="e.g. northshire-police")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the four files.")],
    home: HomeOption = None,
) -> None:
    """Write all that a partner of a demo home reads with, its private keys included."""
    try:
        files = write_creds(Home.at(home), key, out)
    except (PartnerError, HomeError) as error:
        raise _stop(error) from error
    typer.echo("\n".join(map(str, files)))
