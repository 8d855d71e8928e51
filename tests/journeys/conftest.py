"""What journeys share: one demo of all cases, played once, and its results."""

import json
from collections.abc import Iterator

import pytest
from support.demo import Played, homeward

from homeward.home import Home


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """All cases, played through `homeward demo --json`, and the home kept up while tests look."""
    folder = tmp_path_factory.mktemp("demo")
    home, results = Home.at(folder / "home"), folder / "results.json"
    try:
        ended = homeward("demo", "--keep", "--home", str(home.path), "--json", str(results))
        assert ended.returncode == 0, f"{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
        yield Played(home, json.loads(results.read_text()), ended.stdout)
    finally:
        homeward("down", "--home", str(home.path))
