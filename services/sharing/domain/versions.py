"""What has to be there before a version of the policies is approved or activated, and by whom.

Two mistakes can hurt a child, and a changed rule can make either for every child at once: so its
author never lets it through alone, and what stops a warning is named and answered for by two.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from contracts.policies import STEPS, blocking

PROTECTS = "dpo"
"""Of two people who override a finding, one has this role."""
DRAFTS = ("ig_lead",)
APPROVES = ("ig_lead", "dpo")
ACTIVATES = ("ig_lead", "dpo")
OVERRIDES = (PROTECTS, "dsl", "manager")
LOCKS = ("ig_lead", "dpo", "dsl", "manager")
READS = ("ig_lead", "dpo", "dsl", "manager", "ops")

DRAFT, APPROVED, ACTIVE, SUPERSEDED = "draft", "approved", "active", "superseded"

Finding = dict[str, Any]
Missing = tuple[str, str]
"""What is missing and a code."""


@dataclass(frozen=True)
class Step:
    """One step in the life of a version, as far as later steps depend on it."""

    kind: str
    by: str | None = None
    role: str | None = None
    report: str | None = None
    against: str | None = None
    ok: bool | None = None
    findings: Sequence[Finding] = ()


@dataclass(frozen=True)
class Life:
    """A version and its steps in the order in which they were made."""

    digest: str
    author: str | None
    steps: Sequence[Step]

    def latest(self, kind: str) -> Step | None:
        """Return the last step of a kind, or None."""
        return next((step for step in reversed(self.steps) if step.kind == kind), None)

    @property
    def comes_back(self) -> bool:
        """Tell whether it has decided before and does not any more."""
        return self.latest("superseded") is not None

    @property
    def approval(self) -> Step | None:
        """Return the approval that still counts: nothing has been shown since, nor has it ended."""
        for step in reversed(self.steps):
            if step.kind == "approved":
                return step
            if step.kind in (*STEPS, "superseded"):
                return None
        return None


def state(life: Life, active: str) -> str:
    """Return where a version stands, where `active` is the digest that decides."""
    if life.digest == active:
        return ACTIVE
    if life.approval is not None:
        return APPROVED
    return SUPERSEDED if life.comes_back else DRAFT


def ends_lockdown(life: Life, against: Set[str]) -> bool:
    """Tell whether a version is the one that a lockdown locks.

    It comes back as it was and shows nothing anew, so that a lockdown can end within minutes.
    """
    return life.comes_back and life.digest in against


def missing_before_approval(life: Life, against: Set[str]) -> list[Missing]:
    """Return what has to be shown first.

    `against`: the versions with which it may have been compared, the active one and, during a
    lockdown, what that locks.
    """
    if ends_lockdown(life, against):
        return []
    found = []
    for kind in STEPS:
        step = life.latest(kind)
        if step is None:
            found.append((kind, "step.missing"))
        elif step.ok is not True:
            found.append((kind, "step.failed"))
        elif kind == "compared" and step.against not in against:
            found.append((kind, "step.stale"))
    return found


def missing_before_activation(life: Life, against: Set[str], by: str) -> list[Missing]:
    """Return what has to be there before `by` may activate it, findings aside.

    The version that ends a lockdown needs two people again: its author is long out of it.
    """
    found = missing_before_approval(life, against)
    approval = life.approval
    if approval is None:
        found.append(("approved", "step.missing"))
    elif ends_lockdown(life, against) and approval.by == by:
        found.append(("approved", "person.not_another"))
    return found


def not_overridden(life: Life) -> list[Finding]:
    """Return the blocking findings of the latest reports that two people have not overridden.

    They are two different people, one of them the DPO, and neither is the author. An override is
    of a finding in one report; where a later report finds it again, they look again.
    """
    return [
        dict(finding)
        for kind in STEPS
        if (step := life.latest(kind)) is not None
        for finding in blocking(step.findings)
        if not _by_two(_overriders(life, step.report, str(finding["id"])), life.author)
    ]


def found_by(life: Life) -> dict[str, str]:
    """Return the report in which each blocking finding stands now, by the finding's id."""
    return {
        str(finding["id"]): str(step.report)
        for kind in STEPS
        if (step := life.latest(kind)) is not None
        for finding in blocking(step.findings)
    }


def _overriders(life: Life, report: str | None, finding: str) -> set[tuple[str, str]]:
    return {
        (str(step.by), str(step.role))
        for step in life.steps
        if step.kind == "overridden"
        and any(one.get("id") == finding and one.get("report") == report for one in step.findings)
    }


def _by_two(people: Iterable[tuple[str, str]], author: str | None) -> bool:
    others = {(by, role) for by, role in people if by != author}
    protects = {by for by, role in others if role == PROTECTS}
    return bool(protects) and len({by for by, _ in others}) > 1


def role_of(roles: Set[str], allowed: Sequence[str]) -> str:
    """Return the role in which somebody acts: the first of those that count which they have."""
    return next(role for role in allowed if role in roles)
