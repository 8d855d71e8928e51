"""A wrong row would be noticed: some thirty of the mutants, others whenever the policies change.

All of them: `python -m tests.policies.mutants`; what came of it is in docs/policy-mutants.md.
"""

from hashlib import sha256

import pytest
import yaml

from homeward.engine import policy_digest
from tests.policies.conftest import POLICIES, is_here
from tests.policies.mutants import rows, run
from tests.policies.mutants.judge import SURVIVORS, Judge


@pytest.fixture(scope="module")
def judge() -> Judge:
    if not is_here("library"):
        pytest.skip("mutants are tried with OPA's library, which is not on this machine")
    return Judge()


def test_thirty_wrong_rows_are_each_noticed(judge: Judge) -> None:
    digest = policy_digest(POLICIES)
    order = sorted(
        rows.of_table(judge.data), key=lambda m: sha256(f"{digest} {m.name}".encode()).digest()
    )
    one_of_each_row = list({mutant.row: mutant for mutant in order}.values())[:30]

    fates = list(run.of_rows(judge, one_of_each_row))

    explained = yaml.safe_load(SURVIVORS.read_text())
    assert len(fates) == 30
    assert [f.name for f in fates if f.by == run.SURVIVED and f.name not in explained] == []


def test_names_of_mutants_are_all_different(judge: Judge) -> None:
    names = [mutant.name for mutant in rows.of_table(judge.data)]

    assert len(names) == len(set(names)) > 200
    explained = {name for name in yaml.safe_load(SURVIVORS.read_text()) if ".rego" not in name}
    assert explained <= set(names)
