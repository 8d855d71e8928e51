"""`homeward policy`: ask, test, check and show the sharing policies. Needs nothing running."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from contracts import policies as contract
from homeward.engine import build_bundle
from homeward.engine.batch import CHUNK, decide_lines
from homeward.engine.fit import reader
from homeward.engine.rego_tests import run_tests
from homeward.engine.serving import admit
from homeward.engine.signing import (
    CONFIG,
    PRIVATE,
    PUBLIC,
    SUFFIX,
    WrongKeyError,
    make_keys,
    opa_config,
    pack,
)
from homeward.governance import life_command, prove_command, reading_command, whatif_command
from homeward.governance.drafts import DraftError, files_of, opened, write
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
    *,
    policies: Annotated[str, typer.Option("--policies", help="Folder or git revision.")] = str(
        POLICIES
    ),
    token: Annotated[
        Path | None, typer.Option(help="File with the token; its holder alone may ask the server.")
    ] = None,
    sign: Annotated[
        Path | None, typer.Option("--sign", help="Private key: INTO is one file, INTO.tar.gz")
    ] = None,
    keyid: Annotated[str, typer.Option("--keyid", help="Name under which OPA knows the key")] = "",
    lockdown: Annotated[
        bool, typer.Option("--lockdown", help="Its twin, in which nothing leaves but by G4")
    ] = False,
) -> None:
    """Write the bundle that an OPA server loads to the folder INTO; print its digest.

    With --sign and --keyid it is one signed file, which ends in .tar.gz.
    """
    if bool(sign) != bool(keyid) or (sign is not None) != into.name.endswith(SUFFIX):
        typer.echo(f"a bundle in one file ends in {SUFFIX} and has --sign and --keyid", err=True)
        raise typer.Exit(WRONG_USE)
    with plainly(), opened(policies) as folder, TemporaryDirectory(prefix="homeward-") as place:
        made = Path(place) / "bundle" if sign else into
        digest = build_bundle(_twin(folder, Path(place)) if lockdown else folder, made)
        try:
            if token is not None:
                admit(made, token)
            if sign is not None:
                pack(made, into, sign, keyid)
        except (OSError, ValueError, WrongKeyError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(WRONG_USE) from error
    typer.echo(digest)


@app.command("bundle-keys")
def bundle_keys(
    out: Path,
    keyid: Annotated[str, typer.Option("--keyid", help="Name under which OPA knows it")],
    url: Annotated[str, typer.Option(help="Where OPA asks for bundles")] = "http://127.0.0.1:8182",
) -> None:
    """Make the key pair that bundles are signed with, and OPA's configuration, in the folder OUT.

    The private key stays with who signs; OPA gets opa.yaml alone. What is there stays.
    """
    try:
        make_keys(out)
        config = opa_config(out / PUBLIC, keyid, url)
        (out / CONFIG).write_text(config, encoding="utf-8")
    except (OSError, WrongKeyError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_USE) from error
    typer.echo(f"Keep secret: {out / PRIVATE}\nFor OPA: {out / CONFIG}")


def _twin(folder: Path, place: Path) -> Path:
    files = {path: text for path, text in files_of(folder).items() if contract.is_loaded(path)}
    try:
        write(contract.twin(files), place / "twin")
    except contract.UnfitPoliciesError as error:
        raise DraftError(f"{folder} has no twin: {error}") from error
    return place / "twin"


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
