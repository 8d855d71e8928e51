"""What everybody means by a version of the policies, a report about one, and a step in its life.

Standard library alone, so that a service, the command line and an auditor compute the same digest.
Files are given as a mapping from path (with `/`, from the folder of policies) to content.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

ENGINE_FILES_MAX = 200
ENGINE_BYTES_MAX = 900_000
"""A version is handed over in one request, and a service takes no body of a mebibyte."""

STEPS = ("checked", "compared", "proved")
"""What is shown about a draft before a second person may approve it: by check, what-if, prove."""

SAFETY_STOP, INVARIANT, KNOWN_CASE = "safety_stop", "invariant", "known_case"
BLOCKING = frozenset({SAFETY_STOP, INVARIANT, KNOWN_CASE})
"""Kinds of findings that keep a version from being activated until two people have overridden each:
something that a harm gate opened would no longer go; a counter-example to the safety envelope; an
input of the known cases that is answered otherwise than it is known to be right. Findings of other
kinds are for a person to read and weigh."""

OVERRIDE_REASONS = frozenset(
    {
        "risk_weighed",
        "other_route_protects",
        "law_requires",
        "history_was_wrong",
        "finding_mistaken",
    }
)
"""Why two people let a version be activated in spite of a finding."""
LOCKDOWN_REASONS = frozenset(
    {"wrong_releases", "rules_in_doubt", "breach_suspected", "ordered", "exercise"}
)
"""Why one person stopped everything but what saves a life."""

KNOWN_CASES = 50
"""How many inputs with their answers a version is approved with and every engine is asked."""

LABEL_FILE, LOCKDOWN_FILE = "codes.yaml", "lockdown.yaml"
LOCKED_LABEL = "-lockdown"
"""What the label of a version ends with in which nothing leaves but by gate G4."""

_LABEL = re.compile(
    r"^policy_version:[ \t]*(?P<quote>[\"']?)(?P<label>[A-Za-z0-9][A-Za-z0-9_.+-]{0,59})"
    r"(?P=quote)[ \t]*(?:#.*)?$",
    re.MULTILINE,
)
_OPEN = re.compile(r"^lockdown:[ \t]*(?P<value>false)[ \t]*(?:#.*)?$", re.MULTILINE)


class UnfitPoliciesError(ValueError):
    """These files are no version of the policies; `code` says why, and `file` where."""

    def __init__(self, code: str, file: str = "") -> None:
        super().__init__(f"{file}: {code}" if file else code)
        self.code = code
        self.file = file


def is_loaded(path: str) -> bool:
    """Tell whether an engine loads the file: Rego that is no test, and data."""
    return path.endswith(".yaml") or (path.endswith(".rego") and not path.endswith("_test.rego"))


def digest(files: Mapping[str, bytes]) -> str:
    """Return the sha256 over name and content of every file that an engine loads."""
    whole = hashlib.sha256()
    for path in sorted(filter(is_loaded, files), key=lambda one: PurePosixPath(one).parts):
        for part in (path.encode(), files[path]):
            whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()


def label(files: Mapping[str, bytes]) -> str:
    """Return the `policy_version` that people call these files by. Raises UnfitPoliciesError."""
    return _label_in(files)["label"]


def twin(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the same files with the lockdown on, under the label `<label>-lockdown`.

    Raises UnfitPoliciesError where the switch or the label does not stand where it belongs: such a
    version could not be locked down in a hurry.
    """
    found = _label_in(files)
    opened = _only_one(_OPEN, files, LOCKDOWN_FILE, "policy.no_lockdown")
    return {
        **files,
        LABEL_FILE: _replaced(found, "label", found["label"] + LOCKED_LABEL),
        LOCKDOWN_FILE: _replaced(opened, "value", "true"),
    }


def check(files: Mapping[str, bytes]) -> str:
    """Return the label of files that are a whole version. Raises UnfitPoliciesError.

    Says nothing about what the rules do: that is for the checks, the what-if and the proof.
    """
    if not 0 < len(files) <= ENGINE_FILES_MAX:
        raise UnfitPoliciesError("policy.too_many_files" if files else "policy.no_files")
    if sum(map(len, files.values())) > ENGINE_BYTES_MAX:
        raise UnfitPoliciesError("policy.too_large")
    for path in files:
        if not is_loaded(path) or not _plain(path):
            raise UnfitPoliciesError("policy.file_not_loaded", path)
    if label(files).endswith(LOCKED_LABEL):
        raise UnfitPoliciesError("policy.label_of_a_lockdown", LABEL_FILE)
    twin(files)
    return label(files)


def report_digest(report: Mapping[str, Any]) -> str:
    """Return the sha256 of a report, the same for each run that found the same."""
    told = {name: value for name, value in report.items() if name not in _OF_THE_RUN}
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


_OF_THE_RUN = frozenset({"took_s", "at", "machine"})


def blocking(findings: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the findings that keep a version from being activated; one without a kind is one."""
    return [one for one in findings if one.get("kind") in BLOCKING or not one.get("kind")]


def _label_in(files: Mapping[str, bytes]) -> "re.Match[str]":
    return _only_one(_LABEL, files, LABEL_FILE, "policy.no_label")


def _only_one(
    pattern: "re.Pattern[str]", files: Mapping[str, bytes], file: str, code: str
) -> "re.Match[str]":
    try:
        found = list(pattern.finditer(files[file].decode()))
    except (KeyError, UnicodeDecodeError):
        raise UnfitPoliciesError(code, file) from None
    if len(found) != 1:
        raise UnfitPoliciesError(code, file)
    return found[0]


def _replaced(found: "re.Match[str]", group: str, value: str) -> bytes:
    start, end = found.span(group)
    return (found.string[:start] + value + found.string[end:]).encode()


def _plain(path: str) -> bool:
    """Tell whether `path` stays inside the folder however it is joined."""
    return re.fullmatch(r"[a-z0-9_]+(/[a-z0-9_]+)*\.(rego|yaml)", path) is not None
