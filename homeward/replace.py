"""`homeward replace`: new keys for a home while everything runs, in three steps and no gap.

`next` makes a key and publishes it beside the present one; once everybody who verifies has both,
`use` signs with it; once nothing signed with the former is under way any more, `drop` forgets that.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from homeward import keys
from homeward.home import Home, HomeError

app = typer.Typer(no_args_is_help=True, help="Replace a key of this home while everything runs.")

WRONG = 1
PUBLISHED = {"signing": "homeward", "ledger": "ledger", "issuer": "issuer"}
"""Which key signs, and the set in which its public half is told: `<name>.jwks.json`."""

KeyArgument = Annotated[str, typer.Argument(help="signing, ledger or issuer")]
HomeOption = Annotated[Path | None, typer.Option("--home", help="Folder of the home.")]


def make_next(home: Home, name: str) -> Path:
    """Make the next key and publish it; return the set of public keys. Raises `HomeError`."""
    following, public = _files(home, name)[1:]
    if following.exists():
        raise HomeError(f"{following.name} is there: `use` it first")
    aside = public.with_suffix(".new")
    keys.make_signing_pair(following, aside)
    fresh = _read(aside)
    aside.unlink()
    _publish(public, [*_read(public), *fresh])
    return public


def use_next(home: Home, name: str) -> None:
    """Sign with the next key from now on. Raises `HomeError`."""
    present, following, _ = _files(home, name)
    if not following.exists():
        raise HomeError(f"there is no {following.name}: make it with `next`")
    following.replace(present)


def drop_former(home: Home, name: str) -> int:
    """Publish the present key alone; return how many are forgotten. Raises `HomeError`."""
    present, following, public = _files(home, name)
    kept = {
        str(json.loads(file.read_text())["kid"]) for file in (present, following) if file.exists()
    }
    before = _read(public)
    after = [key for key in before if key.get("kid") in kept]
    _publish(public, after)
    return len(before) - len(after)


def _files(home: Home, name: str) -> tuple[Path, Path, Path]:
    if name not in PUBLISHED:
        raise HomeError(f"a key is one of: {', '.join(PUBLISHED)}")
    present = home.keys_dir / f"{name}.jwk.json"
    if not present.exists():
        raise HomeError(f"there is no {present}")
    following = home.keys_dir / f"{name}.next.jwk.json"
    return present, following, home.keys_dir / f"{PUBLISHED[name]}.jwks.json"


def _read(public: Path) -> list[dict[str, Any]]:
    return list(json.loads(public.read_text())["keys"])


def _publish(public: Path, found: list[dict[str, Any]]) -> None:
    keys.write_secret(public, json.dumps({"keys": found}))


def _run(step: Any, home: Path | None, name: str) -> Any:
    try:
        return step(Home.at(home), name)
    except HomeError as error:
        typer.echo(f"homeward: {error}", err=True)
        raise typer.Exit(WRONG) from error


@app.command("next")
def next_command(name: KeyArgument, home: HomeOption = None) -> None:
    """Make the next key; both public keys are told from now on."""
    public = _run(make_next, home, name)
    typer.echo(f"Give {public} to everybody who verifies, then: homeward replace use {name}")


@app.command("use")
def use_command(name: KeyArgument, home: HomeOption = None) -> None:
    """Sign with the next key; what was signed before stays good."""
    _run(use_next, home, name)
    typer.echo(f"In use. When the former is needed no more: homeward replace drop {name}")


@app.command("drop")
def drop_command(name: KeyArgument, home: HomeOption = None) -> None:
    """Forget the former public key; what was signed with it counts no more."""
    typer.echo(f"{_run(drop_former, home, name)} forgotten")
