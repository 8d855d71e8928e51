"""`homeward quarantine`: the way of a restored system back to work, step by step."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from contracts import feed, ledger
from homeward.home import Home, HomeError
from homeward.ledger_check import WrongError, check, trusted

app = typer.Typer(no_args_is_help=True, help="The way of a restored system back to work.")

NO, MISUSED, AWAY = 1, 2, 75
PAGE = 1000
CHECKPOINTS_MAX = 200

HomeOption = Annotated[
    Path | None, typer.Option("--home", envvar="HOMEWARD_HOME", help="Folder of this home")
]
RoleOption = Annotated[str, typer.Option("--role", help="dpo, dsl or manager")]
SubOption = Annotated[str, typer.Option("--sub", help="Who you are, e.g. D-1")]
WORDS = {
    "partner.not_asked": "nobody has said yet what this partner holds",
    "partner.revoked_since": "it was revoked after the backup: revoke it again",
    "partner.keys_replaced_since": "it got other keys after the backup: replace them again",
    "ledger.entries_missing": "somebody outside holds a checkpoint of entries that are not here",
    "ledger.other_chain": "somebody outside holds a checkpoint that contradicts this ledger",
    "withdrawals.not_confirmed": "nobody has confirmed that all withdrawals were entered",
    "withdrawal.not_entered": "it was not entered again",
    "withdrawal.not_looked_at": "confirm it by --seq",
    "ledger.not_these": "other entries are missing, or none",
}


class StepError(Exception):
    """A step was refused; `code` is the exit code."""

    def __init__(self, why: str, code: int = NO) -> None:
        super().__init__(why)
        self.code = code


class Sharing:
    """The running `sharing` of a home, asked as somebody."""

    def __init__(self, home: Home, role: str, sub: str | None = None) -> None:
        token = home.token(role, sub, services=["sharing"])
        self._client = httpx.Client(
            base_url=home.url("sharing"),
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,  # no proxy of the surroundings may see these calls
            verify=home.verify(),
        )

    def ask(self, method: str, path: str = "", body: Any = None) -> dict[str, Any]:
        """Return the answer. Raises StepError."""
        try:
            answer = self._client.request(method, f"/quarantine{path}", json=body)
            told: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise StepError("sharing does not answer: see `homeward status`", AWAY) from error
        if answer.is_success:
            return told
        if answer.status_code in {401, 403}:
            raise StepError(f"sharing does not let this role do that: {told.get('code')}", MISUSED)
        lines = [
            f"  {e['field']}: {WORDS.get(e['code'], e['code'])}" for e in told.get("errors", [])
        ]
        raise StepError("\n".join([f"not yet ({told.get('code')})", *lines]))


@contextmanager
def _asking(home: Path | None, role: str = "ops", sub: str | None = None) -> Iterator[Sharing]:
    try:
        yield Sharing(Home.at(home), role, sub)
    except StepError as error:
        typer.echo(f"homeward: {error}", err=True)
        raise typer.Exit(error.code) from error
    except HomeError as error:
        typer.echo(f"homeward: {error}", err=True)
        raise typer.Exit(AWAY) from error
    except OSError as error:
        typer.echo(f"homeward: cannot read {error.filename}: {error.strerror}", err=True)
        raise typer.Exit(MISUSED) from error


def _show(found: dict[str, Any]) -> None:
    if not found["quarantined"]:
        typer.echo("no quarantine: what is permitted leaves")
        return
    typer.echo(f"QUARANTINE ({found['cause']}) since {found['began_at']}: nothing leaves")
    if found["taken_at"]:
        typer.echo(f"  the backup was taken at {found['taken_at']}")
    outside = found["outside"]["seq"] if found["outside"] else "none known"
    typer.echo(f"  ledger: {found['head']} entries here, {outside} outside")
    for one in found["withdrawals"]:
        whose = one["child_id"] or "of a child that your own papers name"
        state = "entered" if one["entered"] else "to be entered"
        typer.echo(f"  withdrawal {one['seq']} {whose}, {one['occurred_at']}: {state}")
    for kind, count in found["facts"].items():
        typer.echo(f"  {count} entries of {kind} came after the backup: enter these again as well")
    for one in found["missing"]:
        typer.echo(f"  missing: {one['what']}: {WORDS.get(one['code'], one['code'])}")
    if found["second_person"]:
        typer.echo("  a first person has asked that it end; a second one has to")


@app.command()
def show(
    home: HomeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs")] = False,
) -> None:
    """Tell whether anything may leave, and if not, what is left to do; exit 1 while it lasts."""
    with _asking(home) as sharing:
        found = sharing.ask("GET")
    typer.echo(json.dumps(found, indent=2)) if as_json else _show(found)
    raise typer.Exit(NO if found["quarantined"] else 0)


@app.command()
def outside(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="What partners kept of `homeward feed get`, or checkpoints"),
    ] = None,
    highest: Annotated[
        list[str] | None,
        typer.Option(help="PARTNER=N: the highest number it has read, as it told you; 0 for none"),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Take in what those outside hold; every partner has to be asked."""
    with _asking(home) as sharing:
        found = sharing.ask("GET")
        for body in _pages(files or []):
            found = sharing.ask("POST", "/outside", body)
        for one in highest or []:
            key, _, number = one.partition("=")
            if not number.isdecimal():
                raise StepError("--highest takes PARTNER=NUMBER", MISUSED)
            found = sharing.ask("POST", "/outside", {"partner": key, "highest": int(number)})
        _show(found)


def _pages(files: list[Path]) -> Iterator[dict[str, Any]]:
    """Give what the files hold in pages that one call takes, partner by partner."""
    held: dict[str, dict[int, dict[str, Any]]] = {}
    signed: dict[int, dict[str, Any]] = {}
    for file in files:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                _take(file, line, held, signed)
    newest = [signed[seq] for seq in sorted(signed)][-CHECKPOINTS_MAX:]
    if newest:
        yield {"checkpoints": newest}
    for key, numbers in held.items():
        all_ = [numbers[number] for number in sorted(numbers)]
        for start in range(0, len(all_), PAGE):
            yield {"partner": key, "held": all_[start : start + PAGE], "listed": True}


def _take(
    file: Path,
    line: str,
    held: dict[str, dict[int, dict[str, Any]]],
    signed: dict[int, dict[str, Any]],
) -> None:
    try:
        told = json.loads(line)
        if told.get("checkpoint") == ledger.FORMAT:
            signed[told["seq"]] = told
        if "aud" not in told:
            return  # an entry of an export
        if told.get("checkpoint"):
            signed[told["checkpoint"]["seq"]] = told["checkpoint"]
        number, void = int(told["number"]), told.get("type") == feed.VOID
        there = held.setdefault(str(told["aud"]), {})
        if not void or number not in there:  # where it has both, it has read the release
            there[number] = {"number": number, "release_id": str(told["jti"]), "void": void}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StepError(f"{file} is not what `homeward feed get` prints", MISUSED) from error


@app.command("ledger")
def ledger_command(
    export: Annotated[Path, typer.Argument(help="An export that somebody outside kept")],
    home: HomeOption = None,
) -> None:
    """Bring entries back that the backup lacks, from an export; it is verified first."""
    with _asking(home) as sharing:
        try:
            keys = trusted(json.loads((Home.at(home).keys_dir / "ledger.jwks.json").read_bytes()))
            with export.open("rb") as opened:
                check(opened, keys)
        except WrongError as error:
            raise StepError(f"the export does not hold: {error}") from error
        head = int(sharing.ask("GET")["head"])
        lines = export.read_bytes().splitlines()
        end, entries = json.loads(lines[-1]), lines[1 + head : -1]
        if not entries:
            raise StepError(f"the export ends at entry {end['seq']}, and {head} are here")
        found: dict[str, Any] = {}
        for start in range(0, len(entries), PAGE):
            page = [json.loads(line) for line in entries[start : start + PAGE]]
            last = start + PAGE >= len(entries)
            found = sharing.ask(
                "POST", "/entries", {"entries": page, "checkpoint": end if last else None}
            )
        typer.echo(f"{len(entries)} entries were brought back")
        _show(found)


@app.command()
def loss(first: int, last: int, role: RoleOption, sub: SubOption, home: HomeOption = None) -> None:
    """State that nobody has these entries of the ledger any more; two people have to."""
    with _asking(home, role, sub) as sharing:
        _show(sharing.ask("POST", "/loss", {"first": first, "last": last}))


@app.command()
def withdrawals(
    role: RoleOption,
    sub: SubOption,
    seq: Annotated[list[int] | None, typer.Option(help="An entry that `show` lists")] = None,
    on_paper: Annotated[int, typer.Option(help="How many more your own papers told of")] = 0,
    home: HomeOption = None,
) -> None:
    """Confirm that every withdrawal since the backup has been entered again."""
    with _asking(home, role, sub) as sharing:
        _show(sharing.ask("POST", "/withdrawals", {"seqs": seq or [], "on_paper": on_paper}))


@app.command()
def end(role: RoleOption, sub: SubOption, home: HomeOption = None) -> None:
    """Ask that it end: the DPO and, as another person, the DSL or a manager."""
    with _asking(home, role, sub) as sharing:
        ended = sharing.ask("POST", "/end")["ended"]
    typer.echo("it has ended: what is permitted leaves" if ended else "a second person has to ask")
