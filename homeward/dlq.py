"""`homeward dlq`: look at what services have put aside, and hand it to them again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import typer

from homeward.asking import NotThereError, RefusedError, Services
from homeward.home import SERVICES, Home, HomeError

app = typer.Typer(no_args_is_help=True, help="What services have put aside.")

DONE, WRONG, MISUSED, AWAY = 0, 1, 2, 75
HomeOption = Annotated[
    Path | None, typer.Option("--home", envvar="HOMEWARD_HOME", help="Folder of this home")
]
Json = Annotated[bool, typer.Option("--json", help="For programs")]
Service = Annotated[str, typer.Argument(help=" ".join(SERVICES))]


@app.command()
def ls(
    home: HomeOption = None,
    service: Annotated[str | None, typer.Option(help="Of one service only")] = None,
    json: Json = False,
) -> None:
    """List dead letters: ids and codes.

    With --json a list of {"service", "id", "event_id", "subject", "at", "reason", "error",
    "stream", "seq", "tries"}.
    """
    with _asking(home) as services:
        names = [service] if service else SERVICES
        found = [
            {"service": name, **letter}
            for name in names
            for letter in services.all(name, "/dead-letters")
        ]
    if json:
        _print(found)
    elif found:
        for one in found:
            typer.echo(_line(one))
    else:
        typer.echo("nothing was put aside")


@app.command()
def show(service: Service, id: int, home: HomeOption = None) -> None:  # noqa: A002 - its name outside
    """Show one with the bytes that came; they hold ids, codes and times where all is well."""
    with _asking(home) as services:
        _print(services.get(service, f"/dead-letters/{id}"))


@app.command()
def retry(
    service: Service,
    ids: Annotated[list[int] | None, typer.Argument(help="As `ls` gives them")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of this service")] = False,
    home: HomeOption = None,
) -> None:
    """Hand dead letters to the service's handlers again. Exit 1 where one was not handled.

    What is handled is gone from here; anything else stays. Nothing is ever done twice.
    """
    if every == bool(ids):
        raise _stop(MISUSED, "name the ids, or say --all")
    with _asking(home) as services:
        chosen = ids or [int(one["id"]) for one in services.all(service, "/dead-letters")]
        results = [_retry(services, service, one) for one in chosen]
    if not chosen:
        typer.echo("nothing was put aside")
    raise typer.Exit(DONE if all(result == "handled" for result in results) else WRONG)


def _retry(services: Services, service: str, letter_id: int) -> str:
    try:
        answer = services.post(service, f"/dead-letters/{letter_id}/retry")
    except RefusedError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        answer = {"result": "unknown", "error": ""}
    because = f" ({answer['error']})" if answer["error"] else ""
    typer.echo(f"{service} {letter_id}: {answer['result']}{because}")
    return str(answer["result"])


@contextmanager
def _asking(home: Path | None) -> Iterator[Services]:
    """Give the services of the home that was named; an error ends the command with its code."""
    try:
        with Services(Home.at(home)) as services:
            yield services
    except NotThereError as error:
        raise _stop(AWAY, str(error)) from error
    except HomeError as error:
        raise _stop(MISUSED, str(error)) from error


def _line(one: dict[str, Any]) -> str:
    return "  ".join(
        str(one[key])
        for key in ("service", "id", "reason", "error", "tries", "subject", "event_id", "at")
    )


def _print(found: Any) -> None:
    typer.echo(json.dumps(found, indent=2))


def _stop(code: int, message: str) -> typer.Exit:
    typer.echo(f"homeward: {message}", err=True)
    return typer.Exit(code)
