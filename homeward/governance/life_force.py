"""Bringing a version into force: activated, locked down, rolled back."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts import policies as contract
from homeward.engine import NoAnswerError
from homeward.governance import life_home
from homeward.governance.client import AWAY, WRONG_USE, Access, LifeError, Sharing
from homeward.governance.drafts import files_of
from homeward.governance.life import (
    Found,
    Say,
    chosen,
    drafted,
    ends_lockdown,
    fetched,
    latest,
    sources,
    state,
    unseen,
)
from homeward.governance.life_reports import Reports
from homeward.home import HomeError
from homeward.keys import write_secret

LOOK_S = 0.5
WITHIN_S = 900.0
"""`sharing` gives loading up by itself, sooner than this."""


@dataclass(frozen=True)
class InForce:
    """A version that counts from now on, and what follows from that."""

    version: Found
    before: str | None
    """Digest of the version that counted until now."""
    again: int | None
    """Children of whom something undecided or unsent is decided again; None: not said."""
    recall: list[dict[str, Any]]
    """What had been sent and would now be refused."""
    unlisted: str = ""
    """Why that could not be looked at; empty where it was."""


def activated(
    access: Access, name: str, reports: Reports, say: Say, draft: str | None = None
) -> InForce:
    """Bring an approved version into force, and wait until it is.

    Raises RefusedError with what blocks it, LifeError where no engine could load it: then the
    version before goes on deciding.
    """
    found = state(access)
    version = chosen(found, name)
    digest, before = str(version["digest"]), (found.get("active") or {}).get("digest")
    with sources(access, version, draft) as folder:
        if version["state"] == "approved" and not ends_lockdown(found, version):
            unseen(access, version, folder, reports)
        with Sharing(access) as sharing:
            sharing.post(f"/{digest}/activate", {})
        again = _load(access, version, fetched(access, digest), say).get("again")
        try:
            report = reports.whatif(folder, access, None, None)
        except (HomeError, NoAnswerError) as error:  # it is in force all the same
            return InForce(version, before, again, [], str(error))
    return InForce(version, before, again, list(report.get("recall", ())))


def list_for_recall(access: Access, done: InForce) -> Path | None:
    """Write what had been sent and would now be refused to a file; None where there is nothing."""
    if not done.recall:
        return None
    folder = access.home.path / life_home.FOLDER if access.home.exists else Path.cwd()
    file = folder / f"recall-{done.version['version']}.json"
    write_secret(file, json.dumps(done.recall, indent=2) + "\n")
    return file


def locked_down(access: Access, reason: str, say: Say) -> Found:
    """Let nothing leave any more but to save a life, at once and by one person."""
    if reason not in contract.LOCKDOWN_REASONS:
        reasons = " ".join(sorted(contract.LOCKDOWN_REASONS))
        raise LifeError(f"{reason} is no reason; there are: {reasons}", WRONG_USE)
    with Sharing(access) as sharing:
        told = sharing.post("/lockdown", {"reason": reason})
        found = sharing.get()
    digest = str(told["loading"])
    version = next(one for one in found["versions"] if one["digest"] == digest)
    _load(access, version, fetched(access, digest), say)
    return dict(version)


def rolled_back(access: Access, name: str | None, note: str = "") -> Found:
    """Draft a new version with the content of an old one; its checks and its approval follow.

    Without `name` the one before the active; out of a lockdown the one that was locked down.
    """
    found = state(access)
    old = chosen(found, name) if name else _before(found)
    if old["version"].endswith(contract.LOCKED_LABEL):
        raise LifeError(f"{old['version']} lets nothing leave; name another one", WRONG_USE)
    taken = {str(one["version"]) for one in found["versions"]}
    files = dict(fetched(access, str(old["digest"])))
    files = relabelled(files, next_label(str(old["version"]), taken))
    kept = life_home.kept(access, str(old["digest"]))
    if kept:  # with its tests and schema, which only their author has
        files = {**files_of(kept), **files}
    made = drafted(access, files, note or f"content of {old['version']}")
    return {**made, "content_of": old["version"]}


def next_label(label: str, taken: set[str]) -> str:
    """Return the label under which the content of `label` comes back: 2026.11.1-r2, then -r3."""
    plain = re.sub(r"-r\d+$", "", label)
    number = 2
    while f"{plain}-r{number}" in taken:
        number += 1
    return f"{plain}-r{number}"


def relabelled(files: Mapping[str, bytes], label: str) -> dict[str, bytes]:
    """Return the same files under another label."""
    old = re.escape(contract.label(files))
    text = files[contract.LABEL_FILE].decode()
    text = re.sub(rf"(?m)^(policy_version:[ \t]*[\"']?){old}", rf"\g<1>{label}", text, count=1)
    return {**files, contract.LABEL_FILE: text.encode()}


def _before(found: Mapping[str, Any]) -> Found:
    active = found.get("active") or {}
    label = str(active.get("version", ""))
    if label.endswith(contract.LOCKED_LABEL):
        return chosen(found, label.removesuffix(contract.LOCKED_LABEL))
    former = [
        one
        for one in found["versions"]
        if one["state"] == "superseded" and not one["version"].endswith(contract.LOCKED_LABEL)
    ]
    if not former:
        raise LifeError("no version was active before this one: name one", WRONG_USE)
    return max(former, key=_ended)


def _ended(version: Mapping[str, Any]) -> str:
    return str(latest(version)["superseded"]["at"])


def _load(access: Access, version: Found, files: Mapping[str, bytes], say: Say) -> Found:
    """Put a version where the engine loads it from, and wait until it counts or is given up."""
    digest, before = str(version["digest"]), life_home.current(access)
    if access.on_home:
        life_home.keep(access, digest, files)
        life_home.let_load(access, digest)
    else:
        say(f"now give the engine the signed bundle of {version['version']}")
    try:
        return _waited(access, version, say)
    except LifeError:
        # a lockdown is never given up: a silent engine must find it when it comes back
        if access.on_home and not version["locked"]:
            life_home.let_load(access, before)
        raise


def _waited(access: Access, version: Found, say: Say) -> Found:
    digest, end, told = version["digest"], time.monotonic() + WITHIN_S, ""
    while time.monotonic() < end:
        try:
            found = state(access)
        except LifeError as error:
            if error.code != AWAY:
                raise
            time.sleep(LOOK_S)
            continue
        active, loading = found.get("active") or {}, found.get("loading") or {}
        if active.get("digest") == digest:
            return dict(active)
        if loading.get("digest") != digest:
            raise LifeError(
                f"{version['version']} was given up: no engine could load it in time. "
                f"{active.get('version')} goes on deciding"
            )
        engines = found.get("engines", [])
        there = sum(one["digest"] == digest for one in engines)
        line = f"loading {version['version']}: {there} of {len(engines)} engines have it"
        if line != told:
            say(line)
        told = line
        time.sleep(LOOK_S)
    raise LifeError(f"{version['version']} is still being loaded: homeward policy history", AWAY)
