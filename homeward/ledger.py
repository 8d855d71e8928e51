"""`homeward ledger`: take the record of every decision out of the house, and check a copy of it."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from contracts import ledger
from homeward.home import Home, HomeError
from homeward.ledger_check import Checkpoint, Keys, WrongError, check, check_checkpoint, trusted

app = typer.Typer(no_args_is_help=True, help="The record of every decision.")

WRONG, MISUSED, AWAY = 1, 2, 75
PAGE = 1000
HomeOption = Annotated[Path | None, typer.Option("--home", help="Folder of the home.")]


def _stop(code: int, message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(code)


@app.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    home: HomeOption = None,
) -> None:
    """Write the whole ledger to a file, ending with a signed checkpoint over all of it."""
    try:
        here = Home.at(home)
        url, token = here.url("sharing"), here.token("ops", services=["sharing"])
    except HomeError as error:
        raise _stop(AWAY, str(error)) from error
    try:
        with httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            verify=here.verify(),
        ) as sharing:
            end = _answer(sharing.post("/ledger/checkpoint")).json()
            count = _write(out, _entries(sharing, int(end["seq"])), end)
    except httpx.HTTPError as error:
        raise _stop(AWAY, "sharing does not answer") from error
    except OSError as error:
        raise _stop(MISUSED, f"cannot write {out}: {error.strerror}") from error
    typer.echo(f"{count} entries written to {out}")


def _answer(response: httpx.Response) -> httpx.Response:
    if response.status_code in {401, 403}:
        raise _stop(MISUSED, "sharing refuses this home's token")
    response.raise_for_status()
    return response


def _entries(sharing: httpx.Client, last: int) -> Iterator[bytes]:
    """Give the lines of entries 1 to `last`; later ones wait for the next checkpoint."""
    after = 0
    while after < last:
        limit = min(PAGE, last - after)
        page = _answer(sharing.get("/ledger", params={"after": after, "limit": limit}))
        lines = page.content.splitlines()
        if not lines:
            raise _stop(WRONG, f"entry {after + 1} is missing in the database")
        yield from lines
        after += len(lines)


def _write(out: Path, entries: Iterator[bytes], end: dict[str, Any]) -> int:
    """Write header, entries and checkpoint, whole or not at all; return how many entries."""
    count = 0
    handle, aside = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(ledger.HEADER + b"\n")
            for line in entries:
                file.write(line + b"\n")
                count += 1
            file.write(ledger.canonical(end) + b"\n")
        Path(aside).replace(out)
    finally:
        Path(aside).unlink(missing_ok=True)
    return count


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="An export.")],
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Public keys to trust (JWKS); else those of the home."),
    ] = None,
    head: Annotated[
        Path | None, typer.Option("--head", help="A checkpoint that you hold from before.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Check an export offline: exit 0, or 1 naming the first entry that is wrong.

    The key is never taken from the file: who could change the file could change it too.
    """
    keys = _keys(key or Home.at(home).keys_dir / "ledger.jwks.json")
    held = _held(head, keys) if head else None
    try:
        with file.open("rb") as opened:
            end = check(opened, keys, held)
    except OSError as error:
        raise _stop(MISUSED, f"cannot read {file}: {error.strerror}") from error
    except WrongError as error:
        raise _stop(WRONG, str(error)) from error
    typer.echo(f"right: {end.seq} entries, signed {end.at} with key {end.kid}")


def _keys(path: Path) -> Keys:
    try:
        return trusted(json.loads(path.read_bytes()))
    except OSError as error:
        raise _stop(MISUSED, f"cannot read the key {path}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise _stop(MISUSED, f"no public key in {path}") from error


def _held(path: Path, keys: Keys) -> Checkpoint:
    """Return the checkpoint in `path`: by itself, last in an export, or in what a partner read."""
    try:
        found = json.loads(path.read_bytes().rstrip().rpartition(b"\n")[2])
        if isinstance(found, dict) and isinstance(found.get("checkpoint"), dict):
            found = found["checkpoint"]
        return check_checkpoint(ledger.canonical(found), keys)
    except OSError as error:
        raise _stop(MISUSED, f"cannot read the checkpoint {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _stop(MISUSED, f"{path} is no checkpoint") from error
    except WrongError as error:
        raise _stop(MISUSED, f"{path} is no checkpoint of these keys: {error.why}") from error
