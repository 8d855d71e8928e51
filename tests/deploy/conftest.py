"""What checks of deployment files need: the tools, and the manifests as they would be applied."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def tool(name: str) -> str:
    """Return the path of a checking tool; skips, and says how to get it, where there is none."""
    found = ROOT / ".venv-deploy/bin" / name
    if found.exists():
        return str(found)
    other = shutil.which(name)
    if other is None:
        pytest.skip(f"no {name}: run tools/deploy-tools")
    return other


def rendered(overlay: str) -> str:
    """Return all manifests of an overlay as kustomize renders them."""
    command = [tool("kubectl"), "kustomize", str(ROOT / "deploy/overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def manifests():
    """`manifests("production")`: the manifests of an overlay, rendered once."""
    known: dict[str, list[dict]] = {}

    def of(overlay: str) -> list[dict]:
        if overlay not in known:
            known[overlay] = list(yaml.safe_load_all(rendered(overlay)))
        return known[overlay]

    return of
