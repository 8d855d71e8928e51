"""Both engines, where they are here; a test that needs one says so when it is skipped."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from homeward.engine import EngineMissingError, find_engine
from homeward.engine.batch import CHUNK, decide_lines

Doc = dict[str, Any]
Decide = Callable[..., list[Doc]]

POLICIES = Path(__file__).parents[2] / "policies"


def is_here(kind: str) -> bool:
    before = os.environ.get("HOMEWARD_OPA")
    os.environ["HOMEWARD_OPA"] = kind
    try:
        find_engine()
    except EngineMissingError:
        return False
    finally:
        if before is None:
            del os.environ["HOMEWARD_OPA"]
        else:
            os.environ["HOMEWARD_OPA"] = before
    return True


def decide_all(documents: Iterable[Any], policies: Path = POLICIES) -> list[Doc]:
    """Decide documents as they are (`--raw`) with the engine that is chosen."""
    lines = [json.dumps(one).encode() for one in documents]
    chunks = [lines[at : at + CHUNK] for at in range(0, len(lines), CHUNK)]
    answers = b"".join(decide_lines(chunks, policies, raw=True))
    return [json.loads(line) for line in answers.splitlines()]


@pytest.fixture(params=["command", "library"])
def engine_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each engine in turn."""
    kind: str = request.param
    if not is_here(kind):
        pytest.skip(f"the engine as {kind} is not on this machine")
    monkeypatch.setenv("HOMEWARD_OPA", kind)
    return kind


@pytest.fixture
def decide() -> Decide:
    """Whichever engine there is."""
    return decide_all
