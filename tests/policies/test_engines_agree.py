"""The two engines are one: OPA's command and OPA's library answer the same bytes alike."""

import pytest

from tests.policies.agreeing import differing, lines
from tests.policies.conftest import is_here


def test_command_and_library_answer_two_thousand_odd_inputs_alike() -> None:
    """Twenty thousand: `python -m tests.policies.agreeing`."""
    for kind in ("command", "library"):
        if not is_here(kind):
            pytest.skip(f"the engine as {kind} is not on this machine, so there is one alone")

    assert differing(lines(2_000, seed=2_000)) == []
