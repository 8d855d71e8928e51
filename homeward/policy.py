"""`homeward policy`: ask, test, check and show the sharing policies. Needs nothing running."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from homeward.engine import build_bundle
from homeward.engine.batch import CHUNK, decide_lines
from homeward.engine.fit import reader
from homeward.engine.rego_tests import run_tests
from homeward.engine.serving import admit
from homeward.governance import life_command, prove_command, reading_command, whatif_command
from homeward.governance.saying import NO, OK, POLICIES, WRONG_USE, plainly

app = typer.Typer(no_args_is_help=True, add_completion=False)
for part in (reading_command, whatif_command, prove_command, life_command):
    app.add_typer(part.app)

Folder = Annotated[Path, typer.Option("--policies", help="Folder of the policies.")]


@app.command("eval")
def evaluate(
    batch: Annotated[
        bool, typer.Option("--batch", help="JSON lines in, a decision a line.")
    ] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Hand it to the policy unchecked.")] = False,
    policies: Folder = POLICIES,
) -> None:
    """Decide the document on standard input; exit 2 where it does not fit the contract."""
    with plainly():
        if batch:
            for answers in decide_lines(_lines(), policies, raw):
                sys.stdout.buffer.write(answers)
                sys.stdout.buffer.flush()
            return
        document, error = reader(policies, raw)(sys.stdin.buffer.read())
        if error:
            typer.echo(json.dumps({"error": error}), err=True)
            raise typer.Exit(WRONG_USE)
        (answer,) = decide_lines([[json.dumps(document).encode()]], policies, raw, cores=1)
    typer.echo(answer, nl=False)
    if "error" in json.loads(answer):
        raise typer.Exit(NO)


@app.command("test")
def run_rego_tests(policies: Folder = POLICIES) -> None:
    """Run the policies' own tests."""
    with plainly():
        passed, failed = run_tests(policies)
    for name in failed:
        typer.echo(f"FAIL {name}", err=True)
    typer.echo(f"{len(passed)} passed, {len(failed)} failed")
    raise typer.Exit(NO if failed or not passed else OK)


@app.command()
def bundle(
    into: Path,
    policies: Folder = POLICIES,
    token: Annotated[
        Path | None, typer.Option(help="File with the token; its holder alone may ask the server.")
    ] = None,
) -> None:
    """Write the bundle that an OPA server loads to the folder INTO; print its digest."""
    with plainly():
        digest = build_bundle(policies, into)
    if token is not None:
        admit(into, token)
    typer.echo(digest)


def _lines() -> Iterator[list[bytes]]:
    """Yield what has come so far, at most a chunk at a time, not waiting for it to fill."""
    rest = b""
    while received := os.read(sys.stdin.fileno(), 1 << 20):
        *lines, rest = (rest + received).split(b"\n")
        yield from _chunks(lines)
    yield from _chunks([rest])


def _chunks(lines: list[bytes]) -> Iterator[list[bytes]]:
    told = [line for line in lines if line.strip()]
    for start in range(0, len(told), CHUNK):
        yield told[start : start + CHUNK]
