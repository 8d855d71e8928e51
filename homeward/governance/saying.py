"""What the policy commands share: where the policies are, how commands end, faults in sentences."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from homeward.engine import BrokenPoliciesError, EngineMissingError, NoAnswerError
from homeward.governance.drafts import DraftError

POLICIES = Path(__file__).parents[2] / "policies"
"""The policies of the tree, which a command takes where no draft is named."""

OK, NO, WRONG_USE, PART_MISSING = 0, 1, 2, 75


def write(file: Path, text: str) -> None:
    """Write a page or a report and say where; where that cannot be, the call was wrong."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        typer.echo(f"cannot write {file}: {error.strerror}", err=True)
        raise typer.Exit(WRONG_USE) from error
    typer.echo(f"Written: {file}")


@contextmanager
def plainly() -> Iterator[None]:
    """Turn what can go wrong into a sentence and an exit code."""
    try:
        yield
    except EngineMissingError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(PART_MISSING) from error
    except DraftError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_USE) from error
    except (BrokenPoliciesError, NoAnswerError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NO) from error
