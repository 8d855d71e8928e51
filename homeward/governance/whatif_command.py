"""`homeward policy whatif`: what a draft would have changed, over every decision on record."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homeward.governance.drafts import opened
from homeward.governance.saying import WRONG_USE, plainly, write
from homeward.home import Home, HomeError

if TYPE_CHECKING:  # what decides needs the services, which are not where `policy check` runs
    from homeward.governance.whatif import Asked

app = typer.Typer(no_args_is_help=True, add_completion=False)

_SHOWN = 12
"""Children that are named on a line; the report has all."""


@app.command()
def whatif(  # noqa: PLR0917 - each is an option of its own
    draft: Annotated[str, typer.Argument(help="A folder of policies, or a git revision.")],
    since: Annotated[
        str | None, typer.Option(help="Decisions from this day on (YYYY-MM-DD, UTC) [all].")
    ] = None,
    home: Annotated[
        Path | None, typer.Option(envvar="HOMEWARD_HOME", help="Folder of the home.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="URL of sharing's database [that of the home].")
    ] = None,
    to_json: Annotated[
        Path | None, typer.Option("--json", help="Write the report, for programs and `approve`.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write it as a page.")] = None,
    recalls: Annotated[
        Path | None, typer.Option(help="Write what had left and would be refused, a line each.")
    ] = None,
    child: Annotated[str | None, typer.Option(help="Every change about one child.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where one that was stopped had got to.")
    ] = False,
    cores: Annotated[int | None, typer.Option(min=1, help="How many to use [all].")] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Put the report on record as a step of the draft.")
    ] = False,
    role: Annotated[str, typer.Option(help="With --record: as whom (on a home).")] = "ig_lead",
    sub: Annotated[str | None, typer.Option(help="With --record: who you are.")] = None,
) -> None:
    """Decide every recorded decision again under DRAFT, with its own facts, time and law.

    Four kinds of change, never one number; what would stop a warning comes first. Exit code 0
    whatever is found: to weigh it is for people.
    """
    from homeward.governance.whatif import Asked  # noqa: PLC0415 - see above

    asked = Asked(
        Home.at(home), database, _day(since), child=child, cores=cores, resume=resume,
    )  # fmt: skip
    with plainly(), opened(draft) as folder:
        try:
            report = _recorded(folder, asked, role, sub) if record else _made(folder, asked)
        except HomeError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(getattr(error, "code", WRONG_USE)) from error
    if to_json is not None:
        write(to_json, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    if recalls is not None:
        write(recalls, "".join(json.dumps(one) + "\n" for one in report["recall"]))
    if html is not None:
        from homeward.governance.whatif_page import page  # noqa: PLC0415 - slow to load

        write(html, page(report))
    _say(report)


def _day(since: str | None) -> datetime | None:
    try:
        return None if since is None else datetime.fromisoformat(since).replace(tzinfo=UTC)
    except ValueError as error:
        typer.echo(f"--since {since}: a day is written 2026-11-30", err=True)
        raise typer.Exit(WRONG_USE) from error


def _made(folder: Path, asked: "Asked") -> dict[str, Any]:
    from homeward.governance import whatif as decides  # noqa: PLC0415 - see above

    bar: Any = None

    def begin(count: int) -> None:
        nonlocal bar
        bar = typer.progressbar(length=count, label="decisions", file=sys.stderr)
        bar.__enter__()

    def tick(done: int) -> None:
        bar.update(done)

    try:
        return decides.whatif(folder, asked, tick, begin)
    finally:
        if bar is not None:
            bar.__exit__(None, None, None)


def _recorded(folder: Path, asked: "Asked", role: str, sub: str | None) -> dict[str, Any]:
    """Make the report of history before the draft was handed over, and put it on record."""
    from dataclasses import replace  # noqa: PLC0415 - only here

    from homeward.governance import life  # noqa: PLC0415 - it needs the services' client
    from homeward.governance.life_command import living  # noqa: PLC0415

    with living(asked.home.path, role, sub, None) as access:
        until = life.drafted_at(folder, access)
        report = _made(folder, replace(asked, until=until))
        life.recorded(report, access)
    return report


def _say(report: dict[str, Any]) -> None:
    typer.echo(
        f"{report['decisions']:,} decisions about {report['children']:,} children decided again "
        f"under {report['version']}: {report['questions']:,} distinct questions."
    )
    for finding in report["findings"]:
        mark = "STOP " if finding["kind"] == "safety_stop" else ""
        names = finding["children"][:_SHOWN]
        more = len(finding["children"]) - len(names)
        told = ", ".join(names) + (f" and {more:,} more" if more > 0 else "")
        typer.echo(f"{mark}{finding['id']}: {finding['text']} {told}".rstrip())
    for what, text in (
        ("unanswered", "had no answer of the rules then and are not compared"),
        ("no_content", "were held because nothing in them could be read: only their words tell"),
        ("unchecked", "name a pseudonym whose key is not here, so their facts were not checked"),
    ):
        if report[what]:
            typer.echo(f"{report[what]:,} decisions {text}.")
    if report["recall"]:
        typer.echo(
            f"{len(report['recall']):,} releases had left and would now be refused: --recalls FILE "
            "lists them for recall."
        )
    if not any(one["kind"] != "not_decided_again" for one in report["findings"]):
        typer.echo("Nothing would have been decided otherwise.")
    if report["child"] is not None:
        _say_child(report)


def _say_child(report: dict[str, Any]) -> None:
    for type_, categories in sorted(report["cells"].items()):
        for _, cell in sorted(categories.items()):
            for kind, found in sorted(cell["kinds"].items()):
                for one in found["examples"]:
                    before, after = one["before"], one["after"]
                    typer.echo(
                        f"  {one['decided_at'][:16]} {type_} {one['recipient']} {one['category']} "
                        f"{one['item']}: {kind}, {one['move']}; {' '.join(before['rule_ids'])} "
                        f"{before['transforms']} -> {' '.join(after['rule_ids'])} "
                        f"{after['transforms']} ({one['decision']})"
                    )
