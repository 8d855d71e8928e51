"""The proof of a version of the policies: the whole space under the safety envelope.

Functions only; `prove_command` prints. What is counted and found does not depend on how many
processes share the work; how long it took and what the engine was asked does.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import contracts.policies as contract
from homeward.engine.bundle import policy_files
from homeward.engine.faults import NoAnswerError
from homeward.engine.fit import SCHEMA
from homeward.governance.drafts import write
from homeward.governance.envelope import is_locked, read_envelope
from homeward.governance.prove_cell import Looked
from homeward.governance.prove_found import Finding, coverage, finding, found_in, held, space
from homeward.governance.prove_share import Job, Version, fields_of, shared
from homeward.governance.questions import Questions, build
from homeward.governance.space import FULL, REDUCED, TWIN, Sizes, cell_names

__all__ = ["FULL", "REDUCED", "report"]

Told = Callable[[int, int], None]
"""Told after every cell: how many are done, and of how many."""
OPEN, LOCKED = "", "lockdown"
"""The version as it is, and its twin with the lockdown on."""


def report(  # noqa: PLR0917 - one call
    draft: Path,
    sizes: Sizes = FULL,
    cores: int = 2,
    told: Told | None = None,
    history: Mapping[str, int] | None = None,
    cells: Sequence[str] = (),
) -> dict[str, Any]:
    """Prove the policies in the folder `draft`, and their twin in which the lockdown is on.

    `history` says how often each rule decided on record. With `cells` only these are looked at, and
    nothing is said about rules that never decide. Raises BrokenPoliciesError for policies
    that may not be loaded, before anything of them is evaluated.
    """
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="homeward-") as place:
        versions = {OPEN: Version(draft, build(draft, Path(place) / "built"))}
        with Questions(versions[OPEN].built) as questions:
            fields, unread = fields_of(questions, draft)
            data, digest = questions.data, questions.digest
        findings = _unknown_fields(unread)
        if not is_locked(data):
            try:
                versions[LOCKED] = _twin(versions[OPEN], Path(place))
            except contract.UnfitPoliciesError as error:
                findings.append(_no_twin(error))
        how = {OPEN: sizes, LOCKED: TWIN}
        names = cells or cell_names(data)
        jobs = [Job(version, name, how[version]) for name in names for version in versions]
        looked, stopped = _look(versions, jobs, cores, told)
    sections: dict[str, dict[str, Any]] = {}
    for version in versions:
        its_data = data if version == OPEN else {**data, "lockdown": True}
        invariants, over = read_envelope(its_data)
        what = looked[version]
        found = list(
            found_in(what, its_data, invariants, () if stopped or cells else over, version)
        )
        findings += found
        sections[version] = {
            "inputs": what.inputs.total(),
            "space": space(what, fields, how[version]),
            "invariants": held(what, invariants, over, found),
        }
    findings += _cut_off(stopped)
    memory_kb = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {
        "kind": "prove",
        "policy": digest,
        "version": data.get("policy_version", ""),
        "against": None,
        **sections[OPEN],
        "coverage": coverage(looked[OPEN], history),
        "lockdown": sections.get(LOCKED),
        "findings": findings,
        "took_s": round(time.monotonic() - start, 1),
        "machine": {
            "cores": cores,
            "questions": sum(one.asked for one in looked.values()),
            "memory_mb": memory_kb // 1024,
        },
    }


def _twin(version: Version, folder: Path) -> Version:
    """Make the twin with the lockdown on. Raises UnfitPoliciesError where there is none."""
    files = [*policy_files(version.policies), version.policies / SCHEMA]
    names = [file.relative_to(version.policies).as_posix() for file in files]
    twin = contract.twin({name: file.read_bytes() for name, file in zip(names, files, strict=True)})
    write(twin, folder / "twin")
    return Version(folder / "twin", build(folder / "twin", folder / "locked"))


def _look(
    versions: Mapping[str, Version], jobs: Sequence[Job], cores: int, told: Told | None
) -> tuple[dict[str, Looked], str]:
    """Return what was found by version, in the order of the cells, and why it ended early."""
    looked, stopped = dict[int, Looked](), ""
    try:
        for place, one in shared(versions, jobs, cores):
            looked[place] = one
            if told is not None:
                told(len(looked), len(jobs))
    except NoAnswerError as error:  # a policy that loops is cut off
        stopped = str(error)
    found = {OPEN: Looked(), LOCKED: Looked()}
    for place in sorted(looked):
        found[jobs[place].version].add(looked[place])
    return found, stopped


def _unknown_fields(unread: Sequence[Sequence[str]]) -> list[Finding]:
    names = [".".join(path) for path in unread]
    return [
        finding(
            f"fields_known:{name}",
            f"The rules read {name}, which neither the contract nor codes.yaml describes, so "
            "nothing can be proved about it.",
        )
        for name in names
    ]


def _no_twin(error: contract.UnfitPoliciesError) -> Finding:
    return finding(
        "lockdown:twin",
        f"This version could not be locked down, so nothing is proved of it: {error}",
    )


def _cut_off(stopped: str) -> list[Finding]:
    if not stopped:
        return []
    return [
        finding(
            "always_answered:cut_off",
            f"The rules were cut off, which is no decision, and the proof ends here: {stopped}",
        )
    ]
