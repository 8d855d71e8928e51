"""The data files of the policies: what types of recipients imply, who judges what.

The files are edited by information-governance leads; this is the one place that knows their form.
A file or a key that is not there gives an empty list here, and an empty list opens nothing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from services.sharing.domain.document import Law, RecipientType
from services.sharing.domain.payload import Transform
from services.sharing.policy_sources import sources

_TABLE = re.compile(r"table/[^/]+\.yaml")

NOT_TOLD_REASONS = (
    "telling_raises_risk",
    "immediate_danger",
    "child_cannot_be_reached",
    "child_not_able_to_follow",
)
"""Why a child was not told first, where policy data has no list of its own."""


@dataclass(frozen=True)
class PolicyData:
    """Everything that the gate reads of policy beside the answers of the engine."""

    types: Mapping[str, RecipientType]
    aliases: Mapping[str, str]
    codes: Mapping[str, tuple[str, ...]]
    kinds: Mapping[str, str]
    """Kind of each fact: truth, text, code, list, number."""
    law: Law
    judging: Mapping[str, tuple[str, ...]]
    """Roles that may judge each fact; `worker` is the practitioner on the case."""
    not_told_reasons: tuple[str, ...]
    rows: Mapping[tuple[str, str], tuple[str, Mapping[str, Any]]]
    """Row by recipient type and category."""
    everywhere: tuple[Mapping[str, Any], ...]
    transforms: Mapping[str, Transform]
    whole: Transform = field(default_factory=Transform)
    version: str = "unknown"

    @cached_property
    def carers(self) -> frozenset[str]:
        """Return the types to whom nothing is proposed before they were spoken of."""
        return frozenset(name for name, one in self.types.items() if one.carer)

    def turn_of(self, recipient_type: str) -> tuple[bool, int]:
        """Return when a type is told, the least first: urgent ones, and then as they are listed."""
        kind, names = self.types.get(recipient_type), list(self.types)
        place = names.index(recipient_type) if kind is not None else len(names)
        return kind is None or not kind.urgent, place

    @cached_property
    def rule_ids(self) -> frozenset[str]:
        """Return every rule that may decide."""
        rows = {name for name, _ in self.rows.values()}
        fixed = {"H1", "REQ", "SWEEP", "INCOMPLETE", "LOCKDOWN", "POL-12"}
        return frozenset(
            rows | fixed | {f"HD{n}" for n in range(1, 11)} | {f"G{n}" for n in range(1, 9)}
        )

    def paths(self, recipient_type: str, role: str | None, category: str) -> list[dict[str, Any]]:
        """Return the paths by which an item of `category` may go to such a recipient."""
        _, row = self.rows.get((recipient_type, category), ("", {}))
        needs = list(row.get("every_path_needs", ()))
        everywhere = self.everywhere if category != "aggregates" else ()
        return [
            {**path, "when": [*(needs if path in row.get("paths", ()) else ()), *path["when"]]}
            for path in (*row.get("paths", ()), *everywhere)
            if not path.get("for") or {recipient_type, role} & set(path["for"])
        ]

    def owner_of(self, name: str) -> str:
        """Return who is asked for a missing fact: whoever may judge it, else the item's worker."""
        roles = self.judging.get(name, ("worker",))
        if "worker" in roles:
            return "practitioner"
        return "_and_".join(sorted(roles))


def load(path: Path) -> PolicyData:
    """Read the data files of a folder or a bundle."""
    return of(sources(path))


def of(files: Mapping[str, bytes]) -> PolicyData:
    """Read the data files of a version of the policies."""
    codes = _read(files, "codes.yaml")
    recipients: Mapping[str, Any] = _read(files, "recipients.yaml").get("recipients", {})
    law = _read(files, "law.yaml").get("law", {})
    judging = _read(files, "judging.yaml").get("judging", {})
    transforms = _read(files, "transforms.yaml")
    return PolicyData(
        types={name: _type(one) for name, one in recipients.items()},
        aliases={a: name for name, one in recipients.items() for a in one.get("aliases", ())},
        codes={name: tuple(values) for name, values in codes.get("codes", {}).items()},
        kinds=dict(codes.get("facts", {})),
        law=Law(
            s16la_from=date.fromisoformat(
                str(law.get("s16la", {}).get("in_force_from", "9999-01-01"))
            ),
            csa_duty_in_force=bool(law.get("csa_duty", {}).get("in_force", False)),
        ),
        judging={name: tuple(one.get("roles", ())) for name, one in judging.items()},
        not_told_reasons=tuple(judging.get("child_told", {}).get("reasons", NOT_TOLD_REASONS)),
        rows=_rows(files, codes.get("codes", {}).get("category", ())),
        everywhere=tuple(_read(files, "everywhere.yaml").get("everywhere", ())),
        transforms={
            name: Transform.of(one or {}) for name, one in transforms.get("transforms", {}).items()
        },
        whole=Transform.of(transforms.get("whole", {})),
        version=str(codes.get("policy_version", "unknown")),
    )


def _read(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    if name not in files:
        return {}
    read = yaml.safe_load(files[name])
    return read if isinstance(read, dict) else {}


def _type(one: Mapping[str, Any]) -> RecipientType:
    return RecipientType(
        is_16la_body=one.get("is_16la_body") is True,
        competent_authority=one.get("competent_authority") is True,
        default_purpose=str(one.get("default_purpose", "")),
        urgent=one.get("urgent") is True,
        carer=one.get("carer") is not False,  # unsaid: treated with a carer's care
        roles=tuple(one.get("roles", ())),
    )


def _rows(
    files: Mapping[str, bytes], categories: Iterable[str]
) -> dict[tuple[str, str], tuple[str, Mapping[str, Any]]]:
    """Return the row of each recipient type and category; one for `any` fills what others leave."""
    named: dict[tuple[str, str], tuple[str, Mapping[str, Any]]] = {}
    general: dict[tuple[str, str], tuple[str, Mapping[str, Any]]] = {}
    for file in sorted(name for name in files if _TABLE.fullmatch(name)):
        for name, row in _read(files, file).items():
            if not isinstance(row, dict):
                continue
            for recipient in row.get("recipient", ()):
                if row.get("category") != "any":
                    named[recipient, str(row.get("category"))] = name, row
                    continue
                for category in set(categories) - set(row.get("not_for", ())):
                    general[recipient, category] = name, row
    return {**general, **named}
