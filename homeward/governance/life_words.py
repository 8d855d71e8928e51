"""The life of the versions told in plain lines, newest first."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

STEPS = {
    "drafted": "drafted",
    "checked": "checked",
    "compared": "compared with history",
    "proved": "proved against the safety envelope",
    "overridden": "let some findings pass",
    "approved": "approved",
    "activated": "activated",
    "superseded": "superseded",
    "rolled_back": "rolled back",
    "locked_down": "LOCKED DOWN",
    "given_up": "could not be loaded and was given up",
}
NEXT = {
    "policy.not_ready": "Not ready. What is missing:",
    "policy.blocked": "Findings block it, until two people, one of them the DPO, override each:",
    "policy.same_person": "The same person may not take both steps: a second person has to.",
    "policy.author": "Its author may not do this: a second person has to.",
    "policy.label_taken": "Another version has this label: give the draft one of its own "
    "(policy_version in codes.yaml).",
    "policy.loading": "Another version is being loaded now: wait for it (homeward policy history).",
}
"""What is said where `sharing` refuses a step, by its code."""
CHILDREN_SHOWN = 20


def history(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each version, and below it who did what when."""
    loading = (found.get("loading") or {}).get("digest")
    for one in found["versions"]:
        mark = " (being loaded)" if one["digest"] == loading else ""
        base = f", after {one['base'][:12]}" if one.get("base") else ""
        yield f"{one['version']}  {one['state']}{mark}  {one['digest'][:12]}{base}"
        drafted = any(step["kind"].removeprefix("policy_") == "drafted" for step in one["steps"])
        if one.get("drafted_at") and not drafted:
            yield f"  {_when(one['drafted_at'])}  drafted by {one.get('author') or 'the tree'}"
        for step in sorted(one["steps"], key=lambda step: str(step["at"])):
            yield "  " + told(step)


def told(step: Mapping[str, Any]) -> str:
    """Return one step as a line: when, what, by whom, with which report and findings."""
    kind = str(step["kind"]).removeprefix("policy_")
    line = f"{_when(step['at'])}  {STEPS.get(kind, kind)}"
    if step.get("by"):
        line += f" by {step['by']} ({step.get('role')})"
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
    if findings and code == "policy.not_ready":
        code = "policy.blocked"
    yield NEXT.get(code, f"Refused: {code}")
    for name, why in fields:
        yield f"  {name}: {why}"
    for one in findings:
        yield f"  {one['id']}  {one['text']}"
        if one.get("children"):
            yield f"    children: {_some(one['children'])}"
    if findings:
        named = " ".join(f"--finding {one['id']}" for one in findings[:5])
        yield "Change the draft, or, each of the two as themselves:"
        yield f"  homeward policy override VERSION {named} --reason CODE --role dpo --sub …"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:CHILDREN_SHOWN])
    more = len(names) - CHILDREN_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _when(instant: object) -> str:
    return datetime.fromisoformat(str(instant)).strftime("%Y-%m-%d %H:%M:%S %Z")
