"""Run the policies' own tests, `test_…` rules, with whichever engine there is."""

import json
import subprocess
import tempfile
from pathlib import Path

from homeward.engine.bundle import build_with_tests, parse
from homeward.engine.faults import BrokenPoliciesError
from homeward.engine.found import Engine, find_engine, query


def run_tests(policies: Path) -> tuple[list[str], list[str]]:
    """Return the names of the tests that passed and of those that failed."""
    engine = find_engine()
    with tempfile.TemporaryDirectory(prefix="homeward-") as folder:
        bundle = Path(folder) / "bundle"
        build_with_tests(policies, bundle)
        if engine.kind == "command":
            return _by_command(engine, bundle)
        return _by_library(engine, policies, bundle)


def _by_command(engine: Engine, bundle: Path) -> tuple[list[str], list[str]]:
    done = subprocess.run(  # noqa: S603 - the engine that was found
        [str(engine.path), "test", "--bundle", "--format", "json", str(bundle)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        results = json.loads(done.stdout)
    except ValueError as error:
        raise BrokenPoliciesError([done.stderr.strip() or done.stdout.strip()]) from error
    failed = [r["name"] for r in results if r.get("fail") or r.get("error")]
    return [r["name"] for r in results if r["name"] not in failed], failed


def _by_library(engine: Engine, policies: Path, bundle: Path) -> tuple[list[str], list[str]]:
    names = {
        ".".join(part["value"] for part in module["package"]["path"]) + "." + rule["head"]["name"]
        for module in parse(policies, engine).values()
        for rule in module["rules"]
        if rule["head"].get("name", "").startswith("test_")
    }
    # a test passes when it is defined and nothing but true
    answers = ", ".join(f'"{name}": [true | {name} == true]' for name in sorted(names))
    found = query(engine, f"{{{answers}}}", None, bundle)
    passed = [name for name, truths in sorted(found.items()) if truths]
    return (
        [name.rsplit(".", 1)[1] for name in passed],
        [name.rsplit(".", 1)[1] for name in sorted(names - set(passed))],
    )
