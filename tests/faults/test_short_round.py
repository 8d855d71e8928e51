"""A short round of faults on each database: everything is broken a little, no promise is."""

from pathlib import Path

import pytest
from faults.homes import can_mount
from faults.plans import SHORT
from faults.round import Round, play
from support.postgres import NoPostgresError

SEED = 20261127
"""Another one draws other faults: `python -m faults.rounds --short --seed …`."""


@pytest.mark.parametrize("database", ["SQLite", "Postgres"])
def test_no_promise_is_broken_while_programs_disks_and_clocks_are(database: str, tmp_path: Path):
    try:
        found = play(SEED, SHORT, tmp_path, on_postgres=database == "Postgres")
    except NoPostgresError as reason:
        pytest.skip(f"no Postgres: {reason}")

    assert not found.violations, f"{said(found)}\n" + "\n".join(found.violations)
    assert found.kills >= SHORT.kills // 2, said(found)
    assert found.cases, said(found)
    assert found.reads, said(found)
    assert found.never, said(found)
    assert found.changes, said(found)
    # a round in which nothing was broken would prove nothing
    wanted = {"broker's data deleted", "bit flipped in a stream", "partner away for a week"}
    wanted |= {"disk full for the broker"} if can_mount() else set()
    assert wanted <= found.trials.keys(), said(found)


def said(found: Round) -> str:
    return f"seed {found.seed}: {found}"
