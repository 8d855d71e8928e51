"""The command `homeward`: one small function per command, each loading only what it needs."""

import logging
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from homeward.home import Home, HomeError

WRONG, USAGE, LATER = 1, 2, 75
"""Exit codes: something is wrong; the call was wrong; not now, or not on this machine."""

SUB_COMMANDS = {
    "policy": "Ask, check, test and show the sharing policies",
    "ledger": "Export the decision ledger and verify an export",
    "partner": "Add partner agencies, give them other keys, show them, put them out",
    "feed": "Read a partner's feed with that partner's own keys",
    "replace": "Replace a key of this home while everything runs",
    "quarantine": "Bring a restored system back to work, step by step",
    "dlq": "Look at what services have put aside, and hand it to them again",
    "site": "Make the secrets of a site that runs under Docker Compose",
}
"""Command groups in modules of their own, loaded when one is called."""


commands = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Return home interviews for children who went missing. The law in it is illustrative: "
    "an adopting body's own DPO must approve the policies first.",
)

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="HOMEWARD_HOME", help="Folder of this home [.homeward]"),
]


def app() -> None:
    """Run the command line; a group in a module of its own is loaded only when it is called."""
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of each TLS connection's end
    called = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    for name, text in SUB_COMMANDS.items():
        group = import_module(f"homeward.{name}").app if name == called else _unloaded()
        commands.add_typer(group, name=name, help=text)
    commands()


def _unloaded() -> typer.Typer:
    group = typer.Typer()
    group.callback()(lambda: None)
    return group


def _run(where: str, *args: Any, **options: Any) -> NoReturn:
    """Call `module:function` and end with the code it returns.

    Loading the module here and not above keeps each command quick to start. What a home cannot do
    ends with 1 and its reason.
    """
    module, function = where.split(":")
    try:
        code = getattr(import_module(f"homeward.{module}"), function)(*args, **options)
    except HomeError as error:
        typer.echo(f"homeward: {error}", err=True)
        code = WRONG
    raise typer.Exit(code)


@commands.command()
def up(
    home: HomeOption = None,
    detach: Annotated[bool, typer.Option(help="Return once all is ready")] = False,
) -> None:
    """Start broker, policy engine and all services; print the addresses."""
    _run("up:up", Home.at(home), detach=detach)


@commands.command()
def down(home: HomeOption = None) -> None:
    """Stop what `up` started in this home, and nothing else."""
    _run("up:down", Home.at(home))


@commands.command()
def status(
    home: HomeOption = None,
    json: Annotated[bool, typer.Option("--json", help="For programs")] = False,
) -> None:
    """Show what runs where; exit 0 only when everything is ready."""
    _run("status:show", Home.at(home), as_json=json)


@commands.command()
def doctor(home: HomeOption = None) -> None:
    """Say what this machine has, what is used and why, and how to get what is missing."""
    _run("doctor:examine", Home.at(home))


@commands.command()
def token(
    role: Annotated[
        str,
        typer.Argument(help="practitioner manager dsl dpo ig_lead ops partner service"),
    ],
    home: HomeOption = None,
    sub: Annotated[str | None, typer.Option(help="Who calls, e.g. W-1 [the role]")] = None,
    service: Annotated[str | None, typer.Option(help="For one service only")] = None,
    ttl: Annotated[float | None, typer.Option(help="Seconds it lasts [12 hours]")] = None,
) -> None:
    """Print a bearer token of this home."""
    _run("tokens:show", Home.at(home), role, sub=sub, service=service, ttl_s=ttl)


@commands.command()
def demo(
    cases: Annotated[list[str] | None, typer.Argument(help="S1 S4 S5 [all]")] = None,
    home: Annotated[
        Path | None, typer.Option("--home", help="A new or empty folder [a temporary one]")
    ] = None,
    keep: Annotated[bool, typer.Option(help="Leave it running afterwards")] = False,
    json: Annotated[Path | None, typer.Option("--json", help="Write the results here")] = None,
    site: Annotated[
        Path | None, typer.Option("--site", help="Play against the new Compose site of this folder")
    ] = None,
) -> None:
    """Play worked cases through the public APIs and show who was told what, and why."""
    _run("demo.play:demo", cases or [], folder=home, keep=keep, json_file=json, site=site)


@commands.command()
def reconcile(
    home: HomeOption = None,
    json: Annotated[bool, typer.Option("--json", help="For programs")] = False,
    repair: Annotated[
        bool, typer.Option(help="Have what is missing told again, and wait for it")
    ] = False,
    within: Annotated[float, typer.Option(help="Seconds to wait for what is on its way")] = 60,
) -> None:
    """Compare what services told each other, and the feeds, with what each holds.

    Exit 0 where nothing is missing or double, 1 where something is (after a repair: still is).
    """
    _run("reconcile:reconcile", Home.at(home), as_json=json, repair=repair, within_s=within)


@commands.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder")],
    home: HomeOption = None,
) -> None:
    """Copy a home, running or not: databases, keys, partners, localities, policies."""
    _run("backup:backup", Home.at(home), folder)


@commands.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="A backup")],
    home: HomeOption = None,
) -> None:
    """Make a new home from a backup; nothing leaves it until two people have ended a quarantine."""
    _run("backup:restore", Home.at(home), folder)


@commands.command()
def seed(
    home: HomeOption = None,
    databases: Annotated[
        str | None, typer.Option(help="URL with {service} in it [the databases of the home]")
    ] = None,
    episodes: Annotated[int, typer.Option(min=0, help="So many missing episodes")] = 10_000,
    decisions: Annotated[int, typer.Option(min=0, help="So many sharing decisions")] = 10_000,
    number: Annotated[int, typer.Option(help="The same number makes the same history")] = 1,
) -> None:
    """Fill empty databases with a made-up history, to see what years of cases cost."""
    _run(
        "seed.command:seed",
        Home.at(home),
        databases=databases,
        episodes=episodes,
        decisions=decisions,
        number=number,
    )
