"""Run the policies' own tests, `test_…` rules, with whichever engine there is."""

import json
import tempfile
from pathlib import Path

from homeward.engine.bundle import build_with_tests, parse
from homeward.engine.faults import BrokenPoliciesError
from homeward.engine.found import Engine, find_engine, query
from homeward.engine.patience import CutOffError, Loss, Patience, run

ALL_S = 60.0
"""Of work, for all tests, or for all that is cut off of them; today's take about one."""
ONE_WITHIN_S = 5
"""By the clock, for one test: the command counts so."""
SOME_S, EACH_S = 5.0, 0.05
"""Of work, for some tests that are asked at once, and for each of them."""


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
    command = [str(engine.path), "test", "--bundle", "--format", "json"]
    done = run([*command, "--timeout", f"{ONE_WITHIN_S}s", str(bundle)], "", ALL_S)
    try:
        results = json.loads(done.stdout)
    except (ValueError, RecursionError) as error:
        said = done.stderr.strip() or done.stdout.strip() or "the engine ended without an answer"
        raise BrokenPoliciesError([said[:2000]]) from error
    failed = [r["name"] for r in results if r.get("fail") or r.get("error")]
    return [r["name"] for r in results if r["name"] not in failed], failed


def _by_library(engine: Engine, policies: Path, bundle: Path) -> tuple[list[str], list[str]]:
    names = {
        ".".join(part["value"] for part in module["package"]["path"]) + "." + rule["head"]["name"]
        for module in parse(policies, engine).values()
        for rule in module["rules"]
        if rule["head"].get("name", "").startswith("test_")
    }
    passed = _passed(engine, sorted(names), bundle, Loss(Patience(lost_s=ALL_S)))
    return (
        [name.rsplit(".", 1)[1] for name in passed],
        [name.rsplit(".", 1)[1] for name in sorted(names - set(passed))],
    )


def _passed(engine: Engine, names: list[str], bundle: Path, loss: Loss) -> list[str]:
    """Return those that are defined and nothing but true; one that loops takes no other along."""
    if not names or loss.is_too_much():
        return []
    answers = ", ".join(f'"{name}": [true | {name} == true]' for name in names)
    limit_s = SOME_S + EACH_S * len(names)
    try:
        found = query(engine, f"{{{answers}}}", None, bundle, limit_s)
    except CutOffError:
        loss.add(limit_s)
        half = len(names) // 2
        return [
            *(_passed(engine, names[:half], bundle, loss) if half else ()),
            *(_passed(engine, names[half:], bundle, loss) if half else ()),
        ]
    return [name for name in names if found[name]]
