"""The safety envelope, over an enumerated space."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.policies import report_digest
from homeward.governance.coverage import history as read_history
from homeward.governance.drafts import opened
from homeward.governance.prove import FULL, REDUCED, report
from homeward.governance.saying import NO, OK, POLICIES, WRONG_USE, plainly, write

app = typer.Typer(no_args_is_help=True, add_completion=False)

_SHOWN = 40


@app.command()
def prove(  # noqa: PLR0917 - each is an option of its own
    draft: Annotated[str, typer.Argument(help="A folder or a revision; else the tree's.")] = str(
        POLICIES
    ),
    as_json: Annotated[Path | None, typer.Option("--json", help="Write the report here.")] = None,
    cores: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 2,
    reduced: Annotated[bool, typer.Option("--reduced", help="A small part of the space.")] = False,
    history: Annotated[
        Path | None, typer.Option(help='JSON lines {"rule_ids": [...], "count": n} of decisions.')
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Put the report on record as a step of the draft.")
    ] = False,
    role: Annotated[str, typer.Option(help="With --record: as whom (on a home).")] = "ig_lead",
    sub: Annotated[str | None, typer.Option(help="With --record: who you are.")] = None,
    home: Annotated[
        Path | None, typer.Option(envvar="HOMEWARD_HOME", help="With --record: which home.")
    ] = None,
) -> None:
    """Look for any case in which the rules would do what no rules may do."""
    if record and (reduced or history is not None):
        typer.echo("--record takes the whole space and nothing beside it", err=True)
        raise typer.Exit(WRONG_USE)
    with plainly(), opened(draft) as folder:
        known = None
        if history is not None:
            lines = history.read_text(encoding="utf-8").splitlines()
            known = read_history(json.loads(line) for line in lines if line.strip())
        told = report(folder, REDUCED if reduced else FULL, cores, _progress, known)
        if record:
            _recorded(told, home, role, sub)
    if as_json is not None:
        write(as_json, json.dumps(told, indent=2, ensure_ascii=False))
    for line in as_text(told):
        typer.echo(line)
    raise typer.Exit(NO if told["findings"] else OK)


def _recorded(told: dict[str, Any], home: Path | None, role: str, sub: str | None) -> None:
    from homeward.governance import life  # noqa: PLC0415 - it needs the client of a home
    from homeward.governance.life_command import living  # noqa: PLC0415

    with living(home, role, sub, None) as access:
        life.recorded(told, access)


def as_text(told: dict[str, Any]) -> list[str]:
    """Return the report as lines for a person."""
    machine, space = told["machine"], told["space"]
    lines = [
        f"Policy {told['version']} ({told['policy'][:12]})",
        f"{told['inputs']:,} inputs over {len(space['fields'])} fields that the rules read; "
        f"{machine['questions']:,} distinct questions to OPA; {told['took_s']} s on "
        f"{machine['cores']} cores, {machine['memory_mb']} MB",
        *(f"  {count:>12,}  {how}" for how, count in space["by"].items()),
        "",
    ]
    lines += _held(told["invariants"])
    if told["lockdown"]:
        lines += ["", f"With the lockdown on ({told['lockdown']['inputs']:,} inputs more):", ""]
        lines += _held(told["lockdown"]["invariants"])
    findings = told["findings"]
    lines += ["", *(f"- {one['text']}" for one in findings[:_SHOWN])]
    if len(findings) > _SHOWN:
        lines.append(f"and {len(findings) - _SHOWN} more; see --json")
    silent = [path for path, count in told["coverage"]["paths"].items() if not count["decided"]]
    if silent:
        lines += ["", "Paths that were open and never decided (another one asks for less):"]
        lines += [f"  {path}" for path in silent]
    lines += ["", f"report {report_digest(told)}"]
    return lines


def _held(invariants: list[dict[str, Any]]) -> Iterator[str]:
    for one in invariants:
        mark = "held  " if one["held"] else "BROKEN"
        yield f"{mark}  {one['title']} ({one['looked_at']:,} looked at)"


def _progress(done: int, of: int) -> None:
    sys.stderr.write(f"\r{done} of {of} cells")
    sys.stderr.write("\n" if done == of else "")
    sys.stderr.flush()
