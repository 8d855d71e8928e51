"""The life of the versions told in plain lines, newest first."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

STEPS = {
    "drafted": "drafted",
    "checked": "checked",
    "compared": "compared with history",
    "proved": "proved against the safety envelope",
    "overridden": "findings answered for",
    "approved": "approved",
    "loading": "engines were told to load it",
    "activated": "active",
    "superseded": "superseded",
    "rolled_back": "rolled back",
    "locked_down": "LOCKED DOWN",
    "given_up": "no engine could load it in time: given up",
}
REFUSED = {
    "policy.not_ready": "Not ready. What is missing:",
    "policy.blocked": "Blocked until two people, one of them the DPO, answer for each of these:",
    "policy.history_brought_more": "Since it was drafted, more has happened that it would stop. "
    "Draft it again under a new label, so that this is weighed:",
    "policy.unfit": "This is no whole version of the policies:",
    "policy.label_taken": "Another version has this label: give the draft one of its own "
    "(policy_version in codes.yaml).",
    "policy.loading": "Another version is being loaded: wait for it (homeward policy history).",
    "policy.in_use": "This version decides already, or is being loaded.",
    "policy.is_lockdown": "A lockdown has a command of its own: homeward policy lockdown",
    "policy.unknown": "sharing does not know this version: homeward policy draft DRAFT",
    "person.is_author": "Its author may not take this step: a second person has to.",
    "role.not_allowed": "Your role may not take this step.",
}
"""What is said where `sharing` refuses a step, by its code."""
MISSING = {
    "step.missing": "nobody has done this yet",
    "step.failed": "it was done, and found faults",
    "step.stale": "it was compared with a version that is not active any more: do it again",
    "person.not_another": "whoever approved it may not activate it: a second person has to",
}
CHILDREN_SHOWN = 20


def history(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each version, and below it who did what when."""
    loading = (found.get("loading") or {}).get("digest")
    for one in found["versions"]:
        mark = " (being loaded)" if one["digest"] == loading else ""
        base = f", after {one['base'][:12]}" if one.get("base") else ""
        yield f"{one['version']}  {one['state']}{mark}  {one['digest'][:12]}{base}"
        if one.get("note"):
            yield f"  {one['note']}"
        yield from (f"  {told(step)}" for step in one["steps"])


def told(step: Mapping[str, Any]) -> str:
    """Return one step as a line: when, what, by whom, with which report and findings."""
    kind = str(step["kind"])
    line = f"{_when(step['at'])}  {STEPS.get(kind, kind)}"
    if step.get("by"):
        line += f" by {step['by']} ({step['role']})"
    if step.get("code"):
        line += f", {step['code']}"
    if step.get("report"):
        line += f", report {str(step['report'])[:12]}"
    if step.get("ok") is False:
        line += ", WITH FAULTS"
    findings = step.get("findings") or ()
    if findings:
        ids = [one if isinstance(one, str) else one["id"] for one in findings]
        line += f", {len(ids)} findings: {_some(ids)}"
    return line


def refusal(
    code: str, fields: Sequence[tuple[str, str]], findings: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield what a person reads of a refusal: why, the children by id, and what to do next."""
    if code == "policy.not_ready" and findings and not fields:
        code = "policy.blocked"
    yield REFUSED.get(code, f"Refused: {code}")
    for name, why in fields:
        yield f"  {name}: {MISSING.get(why, why)}"
    for one in findings:
        yield f"  {one['id']}  {one['text']}"
        if one.get("children"):
            yield f"    children: {_some(one['children'])}"
    if code in ("policy.blocked", "policy.not_ready") and findings:
        named = " ".join(f"--finding {one['id']}" for one in findings[:5])
        yield "Change the draft, or, each of the two as themselves:"
        yield f"  homeward policy override VERSION {named} --reason CODE --role dpo --sub …"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:CHILDREN_SHOWN])
    more = len(names) - CHILDREN_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _when(instant: object) -> str:
    return datetime.fromisoformat(str(instant)).strftime("%Y-%m-%d %H:%M:%S %Z")
