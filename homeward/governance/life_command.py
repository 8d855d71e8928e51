"""From a draft to a version in force, and back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts import policies as contract
from homeward.governance import life, life_force, life_words
from homeward.governance.client import (
    Access,
    HomeOption,
    LifeError,
    RefusedError,
    RoleOption,
    SubOption,
    UrlOption,
)
from homeward.governance.drafts import files_of, opened
from homeward.governance.life_reports import Ours
from homeward.governance.saying import NO, OK, POLICIES, plainly

app = typer.Typer(no_args_is_help=True, add_completion=False)

DraftArgument = Annotated[str, typer.Argument(help="A folder, or a git revision: git:REV")]
NameArgument = Annotated[str, typer.Argument(help="Label or digest of a drafted version")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs")]
RepoOption = Annotated[Path | None, typer.Option("--repo", help="Repository of the revision")]
SourceOption = Annotated[
    str | None, typer.Option("--draft", help="Its sources: folder or revision [those kept here]")
]
HistoryOption = Annotated[
    str | None, typer.Option("--databases", help="URL of the history, with {service} in it")
]


@contextmanager
def living(home: Path | None, role: str, sub: str | None, url: str | None) -> Iterator[Access]:
    """Give access; turn what is refused into sentences and an exit code."""
    try:
        with plainly():
            yield Access.of(home, role, sub, url)
    except RefusedError as error:
        for line in life_words.refusal(error.told, error.fields, error.findings):
            typer.echo(line, err=True)
        raise typer.Exit(error.code) from error
    except LifeError as error:
        typer.echo(f"homeward: {error}", err=True)
        raise typer.Exit(error.code) from error


def _progress(line: str) -> None:
    typer.echo(line, err=True)


def _tell(told: Mapping[str, Any], as_json: bool, *lines: str) -> None:
    typer.echo(life.as_json(told) if as_json else "\n".join(lines))


@app.command()
def draft(
    named: DraftArgument,
    *,
    note: Annotated[str, typer.Option(help="What is changed, and why")] = "",
    repo: RepoOption = None,
    role: RoleOption = "ig_lead",
    sub: SubOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a draft of the policies; nothing is decided with it yet."""
    with living(home, role, sub, url) as access:
        made = life.drafted(access, files_of(named, repo), note)
    steps = [how.format(draft=named) for how in life.HOW.values()]
    _tell(made, as_json, f"{made['version']} is drafted: {made['digest']}", "Next:", *steps)


@app.command()
def check(
    named: Annotated[
        str | None, typer.Argument(help="Draft: folder or revision [the tree]")
    ] = None,
    *,
    policies: Annotated[
        Path, typer.Option("--policies", help="Folder of the policies.")
    ] = POLICIES,
    record: Annotated[bool, typer.Option("--record", help="As a step of the draft")] = False,
    repo: RepoOption = None,
    role: RoleOption = "ig_lead",
    sub: SubOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check built-ins, compilation, the table, sources, closed lists and fifty known cases."""
    with plainly(), opened(named or policies, repo) as folder:
        report = life.checked(folder)
    if record:
        with living(home, role, sub, url) as access:
            life.recorded(report, access)
    faults = [one for one in report["findings"] if one["kind"] == "fault"]
    if as_json:
        typer.echo(life.as_json(report))
    else:
        for one in report["findings"]:
            line = one["text"] if one["kind"] == "fault" else f"{one['id']}: {one['text']}"
            typer.echo(line, err=True)
        where = named or policies
        found = report["findings"]
        wrong = f"{where}: {len(faults)} faults, {len(found) - len(faults)} known cases"
        typer.echo(wrong if found else "The policies are in order.")
    raise typer.Exit(NO if report["findings"] else OK)


@app.command()
def override(
    name: NameArgument,
    *,
    finding: Annotated[list[str], typer.Option("--finding", help="Its id, once for each")],
    reason: Annotated[
        str, typer.Option("--reason", help=" ".join(sorted(contract.OVERRIDE_REASONS)))
    ],
    role: RoleOption,
    sub: SubOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let findings pass, as one of two people who answer for it; one of them is the DPO."""
    with living(home, role, sub, url) as access:
        version = life.overridden(access, name, finding, reason)
    told = {"version": version["version"], "findings": finding, "reason": reason}
    _tell(told, as_json, f"{version['version']}: you answer for {', '.join(finding)} ({reason})")


@app.command()
def approve(
    name: NameArgument,
    *,
    source: SourceOption = None,
    databases: HistoryOption = None,
    role: RoleOption = "ig_lead",
    sub: SubOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute all reports again as the second person, and approve where they are the same."""
    with living(home, role, sub, url) as access:
        version = life.approved(access, name, Ours(databases), _progress, source)
    label = version["version"]
    _tell(version, as_json, f"{label} is approved. Next: homeward policy activate {label}")


@app.command()
def activate(
    name: NameArgument,
    *,
    source: SourceOption = None,
    databases: HistoryOption = None,
    role: RoleOption = "ig_lead",
    sub: SubOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring an approved version into force; every engine has to answer with it first."""
    with living(home, role, sub, url) as access:
        done = life_force.activated(access, name, Ours(databases), _progress, source)
        listed = life_force.list_for_recall(access, done)
    label, many = (
        done.version["version"],
        "" if done.again is None else f" of {done.again} children",
    )
    lines = [f"{label} decides from now on.",
             f"What was undecided or unsent{many} is decided again."]  # fmt: skip
    if done.recall:
        lines.append(
            f"{len(done.recall)} releases had been sent and would now be refused: look at each, "
            f"and recall it where it has to be: {listed}"
        )
    if done.unlisted:
        lines.append(
            "What had been sent and would now be refused is NOT listed: "
            f"{done.unlisted}. Look at it: homeward policy whatif"
        )
    _tell({"version": label, "digest": done.version["digest"], "before": done.before,
           "again": done.again, "recall": None if done.unlisted else done.recall}, as_json,
          *lines)  # fmt: skip


@app.command()
def rollback(
    name: Annotated[str | None, typer.Argument(help="Old version [the one before]")] = None,
    *,
    note: Annotated[str, typer.Option(help="Why")] = "",
    databases: HistoryOption = None,
    role: RoleOption = "ig_lead",
    sub: SubOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft a new version with old content, with all its reports; a second person goes on."""
    with living(home, role, sub, url) as access:
        made = life_force.rolled_back(access, name, note)
        _progress(f"{made['version']} has the content of {made['content_of']}")
        for kind in life.record_all(access, made, Ours(databases)):
            _progress(f"{kind}")
    label = made["version"]
    _tell(made, as_json, f"{label} is ready for a second person:",
          f"  homeward policy approve {label}", f"  homeward policy activate {label}")  # fmt: skip


@app.command()
def lockdown(
    *,
    reason: Annotated[
        str, typer.Option("--reason", help=" ".join(sorted(contract.LOCKDOWN_REASONS)))
    ],
    role: RoleOption,
    sub: SubOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """At once, by one person: nothing leaves any more but to save a life (gate G4)."""
    with living(home, role, sub, url) as access:
        version = life_force.locked_down(access, reason, _progress)
    said = f"LOCKED DOWN ({version['version']}): nothing leaves but by gate G4."
    more = "All else is held, and urgent holds page. Out of it two people approve and activate"
    locks = version["version"].removesuffix(contract.LOCKED_LABEL)
    _tell(version, as_json, said, f"{more} {locks}, or a better version:",
          f"  homeward policy approve {locks}", f"  homeward policy activate {locks}")  # fmt: skip


@app.command()
def history(
    *,
    role: RoleOption = "ig_lead",
    sub: SubOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell every version: who did what with it, and when."""
    with living(home, role, sub or "history", url) as access:
        found = life.state(access)
    _tell(found, as_json, *life_words.history(found))
