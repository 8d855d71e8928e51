"""The life of a version of the policies up to its approval: drafted, shown, weighed, approved."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from contracts import policies as contract
from homeward.engine.checks import faults_of
from homeward.engine.fit import SCHEMA
from homeward.governance import known, life_home
from homeward.governance.client import WRONG_USE, Access, LifeError, RefusedError, Sharing
from homeward.governance.drafts import DraftError, files_of, opened, write
from homeward.governance.life_reports import Reports
from homeward.governance.saying import POLICIES

STEP = {"check": "checked", "whatif": "compared", "prove": "proved"}
"""Which step in the life of a version each kind of report is."""
HOW = {
    "checked": "homeward policy check {draft} --record",
    "compared": "homeward policy whatif {draft} --record",
    "proved": "homeward policy prove {draft} --record",
}

Say = Callable[[str], None]
Found = dict[str, Any]


def state(access: Access) -> Found:
    """Return every version with its steps, which one is active and which one is being loaded."""
    with Sharing(access) as sharing:
        return sharing.get()


def chosen(found: Mapping[str, Any], name: str) -> Found:
    """Return the version that is called `name`: its label, or its digest from 8 digits on."""
    versions: list[Found] = list(found["versions"])
    named = [one for one in versions if one["version"] == name]
    if not named and len(name) >= 8:
        named = [one for one in versions if one["digest"].startswith(name)]
    if len(named) == 1:
        return named[0]
    there = ", ".join(str(one["version"]) for one in versions) or "none"
    why = "is more than one" if named else "is none"
    raise LifeError(f"{name} {why} of the versions that are drafted: {there}", WRONG_USE)


def loaded(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files that an engine loads; tests and schemas stay with their author."""
    return {path: content for path, content in files.items() if contract.is_loaded(path)}


def drafted(access: Access, files: Mapping[str, bytes], note: str = "") -> Found:
    """Register a draft; doing so again changes nothing. Raises LifeError, DraftError."""
    told = loaded(files)
    try:
        contract.check(told)
    except contract.UnfitPoliciesError as error:
        raise DraftError(f"this is no whole version of the policies: {error}") from error
    with Sharing(access) as sharing:
        body = {"files": {path: told[path].decode() for path in told}, "note": note}
        made = sharing.post("", body)
    life_home.keep(access, str(made["digest"]), files)
    return made


def drafted_at(folder: Path, access: Access) -> datetime:
    """Return when the draft in `folder` was registered: history before it no longer changes.

    What-if for the record looks at that history, so that a second person finds the same.
    Raises LifeError where it is not registered.
    """
    return _when(_registered(state(access), contract.digest(loaded(files_of(folder)))))


def checked(folder: Path) -> Found:
    """Return the report of the checks and of the known cases on the policies in `folder`."""
    files = files_of(folder)
    faults = [one.replace(f"{folder}/", "").replace(str(folder), ".") for one in faults_of(folder)]
    findings = [
        {"id": f"FAULT-{place:02}", "kind": "fault", "text": fault, "children": []}
        for place, fault in enumerate(faults, 1)
    ]
    if not faults:
        cases = known.cases()
        findings += known.findings(cases, known.answers(folder, cases))
    return {
        "kind": "check",
        "policy": contract.digest(loaded(files)),
        "version": contract.label(files),
        "against": None,
        "findings": findings,
    }


def recorded(report: Mapping[str, Any], access: Access) -> Found:
    """Record that a report of a drafted version was made. Raises LifeError."""
    step = {
        "kind": STEP[str(report["kind"])],
        "report": contract.report_digest(report),
        "against": report.get("against"),
        "ok": _whole(report),
        "findings": [
            {"id": one["id"], "kind": one["kind"], "text": one["text"],
             "children": list(one.get("children", ()))}
            for one in report["findings"]
        ],
    }  # fmt: skip
    with Sharing(access) as sharing:
        _registered(sharing.get(), str(report["policy"]))
        sharing.post(f"/{report['policy']}/steps", step)
    life_home.keep_report(access, report)
    return step


def record_all(access: Access, version: Mapping[str, Any], reports: Reports) -> Iterator[str]:
    """Make and record every report of a drafted version; yield which one is done."""
    found = _registered(state(access), str(version["digest"]))
    with sources(access, found, None) as folder:
        for kind, report in _again(folder, access, found, reports):
            recorded(report, access)
            yield kind


def overridden(access: Access, name: str, findings: Sequence[str], reason: str) -> Found:
    """Say, as one of two people, that a version may be activated in spite of these findings."""
    if reason not in contract.OVERRIDE_REASONS:
        reasons = " ".join(sorted(contract.OVERRIDE_REASONS))
        raise LifeError(f"{reason} is no reason; there are: {reasons}", WRONG_USE)
    with Sharing(access) as sharing:
        version = chosen(sharing.get(), name)
        body = {"findings": list(findings), "reason": reason}
        sharing.post(f"/{version['digest']}/overrides", body)
    return version


@contextmanager
def sources(access: Access, version: Mapping[str, Any], draft: str | None) -> Iterator[Path]:
    """Give the files of a version in a folder: of `draft`, else as this home or `sharing` has them.

    Whichever it is, what is loaded of it has the digest that is to be approved. Raises LifeError.
    """
    digest = str(version["digest"])
    with ExitStack() as opened_here:
        kept = life_home.kept(access, digest)
        if draft or kept:
            folder = opened_here.enter_context(opened(draft or str(kept)))
        else:
            place = opened_here.enter_context(TemporaryDirectory(prefix="homeward-"))
            folder = Path(place) / "policies"
            write({**fetched(access, digest), SCHEMA.as_posix(): _schema()}, folder)
        if contract.digest(loaded(files_of(folder))) != digest:
            where = draft or str(kept or "what sharing gave")
            raise LifeError(f"{where} is not the version {version['version']} that was drafted")
        yield folder


def fetched(access: Access, digest: str) -> dict[str, bytes]:
    """Return the files of a version as `sharing` keeps them."""
    with Sharing(access) as sharing:
        told = sharing.get(f"/{digest}/files")["files"]
    return {path: text.encode() for path, text in told.items()}


def approved(
    access: Access, name: str, reports: Reports, say: Say, draft: str | None = None
) -> Found:
    """Compute every report again, as the second person, and approve with the known answers.

    The version that a lockdown locks is approved as it was, so that it can end within minutes.
    Raises LifeError where a report is missing, differs, or history has brought something since.
    """
    found = state(access)
    version = chosen(found, name)
    if access.sub and version["author"] == access.sub:
        raise RefusedError(409, "person.is_author", [], [])
    recorded_steps, ends = latest(version), ends_lockdown(found, version)
    missing = [] if ends else [kind for kind in contract.STEPS if kind not in recorded_steps]
    if missing:
        how = "\n".join(f"  {HOW[kind].format(draft='DRAFT')}" for kind in missing)
        raise LifeError(
            f"{version['version']} cannot be approved yet. Its author still has to:\n{how}"
        )
    with sources(access, version, draft) as folder:
        for kind, again in () if ends else _again(folder, access, version, reports):
            say(f"{kind}: computed again")
            before = str(recorded_steps[kind]["report"])
            if contract.report_digest(again) != before:
                raise LifeError(
                    f"what was {kind} came out otherwise than its author recorded "
                    f"({before[:12]}): two people have to find the same. "
                    f"The author records it again: {HOW[kind].format(draft='DRAFT')}"
                )
        if not ends:
            unseen(access, version, folder, reports)
        cases = known.cases()
        say(f"asking {len(cases)} known cases")
        answers = known.answers(folder, cases)
    told = [{"input": c.document, "answer": a} for c, a in zip(cases, answers, strict=True)]
    with Sharing(access) as sharing:
        sharing.post(f"/{version['digest']}/approve", {"known": told})
    return version


def ends_lockdown(found: Mapping[str, Any], version: Found) -> bool:
    """Tell whether `version` is the one that the active lockdown locks."""
    locked = str(version["version"]) + contract.LOCKED_LABEL
    return bool((found.get("active") or {}).get("version") == locked)


def _again(
    folder: Path, access: Access, version: Found, reports: Reports
) -> Iterator[tuple[str, Found]]:
    yield "checked", checked(folder)
    yield "proved", reports.prove(folder)
    yield "compared", reports.whatif(folder, access, None, _when(version))


def unseen(access: Access, version: Found, folder: Path, reports: Reports) -> None:
    """Raise RefusedError where history since the draft holds what would block it, unrecorded."""
    report = reports.whatif(folder, access, _when(version), None)
    seen: dict[str, set[str]] = {}
    for step in version["steps"]:
        for one in step["findings"] or ():
            seen.setdefault(one["id"], set()).update(one.get("children", ()))
    new = [
        dict(one)
        for one in contract.blocking(report["findings"])
        if one["id"] not in seen or set(one["children"]) - seen[one["id"]]
    ]
    if new:
        raise RefusedError(409, "policy.history_brought_more", [], new)


def latest(version: Mapping[str, Any]) -> dict[str, Found]:
    """Return the newest step of each kind that was recorded."""
    return {str(step["kind"]): step for step in version["steps"]}


def _whole(report: Mapping[str, Any]) -> bool:
    """Tell whether a report counts; what what-if could not decide again, it says, and it counts."""
    faults = [one for one in report["findings"] if one["kind"] == "fault"]
    return not faults or report["kind"] == "whatif"


def _registered(found: Mapping[str, Any], digest: str) -> Found:
    for one in found["versions"]:
        if one["digest"] == digest:
            return dict(one)
    raise LifeError(
        f"this version ({digest[:12]}) is not drafted: homeward policy draft DRAFT", WRONG_USE
    )


def _when(version: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(version["drafted_at"]))


def _schema() -> bytes:
    return (POLICIES / SCHEMA).read_bytes()


def as_json(told: object) -> str:
    """Return what a program reads."""
    return json.dumps(told, indent=2, ensure_ascii=False, default=str)
