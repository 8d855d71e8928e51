"""One home with a played case, and partners who read what it released to them."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.demo import homeward

from homeward.home import Home

DOCS = Path(__file__).parents[2] / "docs" / "partners"
OURS = Path.home() / ".cache" / "homeward" / "bin"
"""Where tools that were built for Homeward lie."""


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home that is up, after one case."""
    made = Home.at(tmp_path_factory.mktemp("partners") / "home")
    try:
        ended = homeward("demo", "S1", "--keep", "--home", str(made.path))
        assert ended.returncode == 0, f"{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
        yield made
    finally:
        homeward("down", "--home", str(made.path))


@pytest.fixture
def creds(home: Home, tmp_path: Path):
    """`creds("northshire-police")` returns a folder with that partner's four files."""

    def made(key: str) -> Path:
        ended = homeward(
            "partner", "creds", key, "--out", str(tmp_path / key), "--home", str(home.path)
        )
        assert ended.returncode == 0, ended.stderr
        return tmp_path / key

    return made


def tool(name: str) -> str:
    """Return the path of a command line tool; skips where it is not there."""
    found = shutil.which(name, path=f"{OURS}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"the command {name} is not on this machine")
    return found


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program for Node and what it needs; skips where that cannot be had."""
    npm = tool("npm")
    tool("node")
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(DOCS / "reader.mjs", folder)
    wanted = next(
        line for line in (DOCS / "reader.mjs").read_text().splitlines() if "npm install" in line
    ).split("npm install")[1]
    command = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", *wanted.split()]
    try:
        made = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=180, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not end within three minutes")
    if made.returncode:
        pytest.skip(f"npm cannot install what the program needs: {made.stderr[-200:]}")
    return folder
