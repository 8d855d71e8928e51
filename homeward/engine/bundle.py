"""Policies as the engine loads them: checked, without tests, under a digest of what is inside."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from contracts.policies import digest as digest_of
from homeward.engine import builtins
from homeward.engine.faults import BrokenPoliciesError, NoAnswerError
from homeward.engine.found import Engine, find_engine, query
from homeward.engine.plain import plain_files, read_text, read_yaml
from homeward.engine.reads import facts_read
from homeward.engine.rows import compiled

AUTHZ = Path(__file__).with_name("authz.rego")
"""Who may ask OPA's server what. It is ours, not the IG leads', hence not in `policies/`."""

_PARSE = "{name: rego.parse_module(name, source) | some name, source in input}"


def policy_files(policies: Path, tests: bool = False) -> list[Path]:
    """Return the Rego and data files that are loaded, in the order of their names.

    Raises BrokenPoliciesError where one of them is no plain file of this folder.
    """
    rego = [p for p in policies.rglob("*.rego") if tests or not p.name.endswith("_test.rego")]
    found = plain_files(policies, [*rego, *policies.rglob("*.yaml")])
    return sorted(found, key=lambda p: p.relative_to(policies).parts)


def policy_digest(policies: Path) -> str:
    """Return the sha256 over name and content of every file that would be loaded."""
    return digest_of(
        {f.relative_to(policies).as_posix(): f.read_bytes() for f in policy_files(policies)}
    )


def build_bundle(policies: Path, into: Path) -> str:
    """Write the bundle of `policies` to the folder `into`; return its digest, its revision too.

    Raises BrokenPoliciesError when a file cannot be read or calls what it may not.
    """
    return _build(policies, into, find_engine(), tests=False)


def build_with_tests(policies: Path, into: Path) -> str:
    """Write a bundle that holds the policies' own tests as well: to test, never to serve."""
    return _build(policies, into, find_engine(), tests=True)


def _build(policies: Path, into: Path, engine: Engine, tests: bool) -> str:
    digest = policy_digest(policies)
    files = policy_files(policies, tests)
    if not files:
        raise BrokenPoliciesError([f"{policies}: there are no policies here"])
    parse(policies, engine, tests)
    data = read_data(policies)
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    rules = [file for file in files if file.suffix == ".rego"]
    # the data files as people wrote them too, which the engine passes over and `sharing` reads:
    # from one folder, under one digest, they cannot be of two versions
    for file in files:
        target = into / file.relative_to(policies)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    if not tests:
        shutil.copyfile(AUTHZ, into / AUTHZ.name)
    data["cells"], rows = compiled(data)
    data["reads"] = facts_read(data, "\n".join(f.read_text("utf-8") for f in rules))
    (into / "rows.rego").write_text(rows, encoding="utf-8")
    (into / "data.json").write_text(json.dumps(data), encoding="utf-8")
    manifest = {"revision": digest, "rego_version": 1}
    (into / ".manifest").write_text(json.dumps(manifest), encoding="utf-8")
    return digest


def parse(policies: Path, engine: Engine, tests: bool = True) -> dict[str, Any]:
    """Return the parsed modules by file. Raises BrokenPoliciesError, also for built-ins."""
    sources = {
        file.relative_to(policies).as_posix(): read_text(file, policies)
        for file in policy_files(policies, tests)
        if file.suffix == ".rego"
    }
    try:
        modules: dict[str, Any] = query(engine, _PARSE, sources)
    except NoAnswerError as error:
        raise BrokenPoliciesError([f"cannot be parsed: {error}"]) from error
    faults = builtins.forbidden(modules)
    faults += [f"{name}: cannot be parsed" for name in sorted(sources.keys() - modules.keys())]
    if faults:
        raise BrokenPoliciesError(faults)
    return modules


def read_data(policies: Path) -> dict[str, Any]:
    """Return all data files as one document: a folder is a key, its files are merged under it."""
    whole: dict[str, Any] = {}
    faults = []
    for file in (f for f in policy_files(policies) if f.suffix == ".yaml"):
        place = whole
        for folder in file.relative_to(policies).parts[:-1]:
            place = place.setdefault(folder, {})
        try:
            content = read_yaml(file.read_bytes())
        except (yaml.YAMLError, ValueError, TypeError) as error:
            faults.append(f"{file.relative_to(policies)}: {error}")
            continue
        faults += [
            f"{file.relative_to(policies)}: {k} is in two files" for k in content.keys() & place
        ]
        place.update(content)
    if faults:
        raise BrokenPoliciesError(faults)
    return whole
