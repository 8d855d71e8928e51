"""Versions of the policies as they are kept: drafted, shown, approved; each step in the ledger too.

Digests, codes and counts alone go into the ledger: what a report says about children stays here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from contracts import policies as contract
from messaging.app import App
from messaging.database import lock
from messaging.statements import NewRow
from services.sharing import ledger
from services.sharing.domain.versions import Life, Step
from services.sharing.policy_sources import NoPoliciesError, sources
from services.sharing.policy_tables import PolicyActive, PolicyStep, PolicyVersion

_FIRST = NewRow(PolicyActive.__table__)
_LABEL = re.compile(rb"^policy_version:.*$", re.MULTILINE)


@dataclass(frozen=True)
class Person:
    """Who takes a step, and in which role; both from the token."""

    sub: str | None
    role: str | None


NOBODY = Person(None, None)
"""The system itself."""


async def record(
    session: AsyncSession,
    version: PolicyVersion,
    kind: str,
    who: Person,
    now: datetime,
    **what: Any,
) -> None:
    """Add a step to the life of a version, and its entry to the ledger, in this transaction."""
    session.add(
        PolicyStep(digest=version.digest, kind=kind, by=who.sub, role=who.role, at=now, **what)
    )
    entry = {
        "policy_digest": version.digest,
        "policy_version": version.version,
        "by": who.sub,
        "role": who.role,
        "base_digest": version.base if kind in ("drafted", "locked_down") else None,
        "report_digest": what.get("report"),
        "against_digest": what.get("against"),
        "ok": what.get("ok"),
        "code": what.get("code"),
        "count": len(what["findings"]) if what.get("findings") is not None else None,
        "findings_digest": _digest_of(what.get("findings")),
        "known_digest": _digest_of(what.get("known")),
    }
    told = {name: value for name, value in entry.items() if value is not None}
    await session.flush()
    await ledger.append(session, f"policy_{kind}", told, now)


def _digest_of(value: Sequence[Any] | None) -> str | None:
    return None if value is None else contract.report_digest({"of": value})


async def draft(
    session: AsyncSession,
    files: Mapping[str, bytes],
    *,
    base: str | None,
    author: str | None,
    note: str,
    now: datetime,
) -> PolicyVersion:
    """Keep a new version; its label must be new too."""
    label = contract.label(files)
    version = PolicyVersion(
        digest=contract.digest(files),
        version=label,
        base=base,
        content=content_of(files),
        author=author,
        locked=label.endswith(contract.LOCKED_LABEL),
        note=note,
        files={path: content.decode() for path, content in files.items()},
        drafted_at=now,
    )
    session.add(version)
    await session.flush()
    return version


def content_of(files: Mapping[str, bytes]) -> str:
    """Return the digest of files without their label: what they rule, whatever they are called."""
    plain = _LABEL.sub(b"policy_version:", files.get(contract.LABEL_FILE, b""))
    return contract.digest({**files, contract.LABEL_FILE: plain})


def bytes_of(version: PolicyVersion) -> dict[str, bytes]:
    """Return the files of a version as an engine loads them."""
    return {path: text.encode() for path, text in version.files.items()}


async def life_of(session: AsyncSession, version: PolicyVersion) -> Life:
    """Return the steps of a version in their order."""
    return life(version, (await steps(session, [version]))[version.digest])


def life(version: PolicyVersion, taken: Sequence[PolicyStep]) -> Life:
    """Return the life of a version from its steps, in their order."""
    return Life(version.digest, version.author, [_step(one) for one in taken])


async def steps(
    session: AsyncSession, versions: Sequence[PolicyVersion]
) -> dict[str, list[PolicyStep]]:
    """Return the steps of each version by its digest, in their order, known cases left out."""
    taken: dict[str, list[PolicyStep]] = {version.digest: [] for version in versions}
    chosen = select(PolicyStep).options(defer(PolicyStep.known))
    chosen = chosen.where(PolicyStep.digest.in_(taken)).order_by(PolicyStep.seq)
    for step in await session.scalars(chosen):
        taken[step.digest].append(step)
    return taken


def _step(row: PolicyStep) -> Step:
    return Step(row.kind, row.by, row.role, row.report, row.against, row.ok, row.findings or ())


async def the_active(session: AsyncSession) -> PolicyActive:
    """Return the row that says which version decides, locked until the end of the transaction."""
    row = await lock(session, PolicyActive, 1)
    assert row is not None  # noqa: S101 - written at the first start, before any request
    return row


async def comparable(session: AsyncSession, active: PolicyActive) -> set[str]:
    """Return the versions with which a draft may have been compared: what decides, or decided.

    During a lockdown that is the version that it locks; nobody changes rules by the lockdown's.
    """
    version = await session.get(PolicyVersion, active.digest)
    locks = version.base if version is not None and version.locked else None
    return {active.digest, *([locks] if locks else [])}


async def known_cases(session: AsyncSession, version: PolicyVersion) -> list[dict[str, Any]]:
    """Return the known cases with which a version was approved last, none for one that was not."""
    chosen = select(PolicyStep.known).where(
        PolicyStep.digest == version.digest, PolicyStep.kind == "approved"
    )
    return list(await session.scalar(chosen.order_by(PolicyStep.seq.desc()).limit(1)) or ())


async def begin(app: App) -> PolicyActive:
    """Return which version decides; at the first start of all that is the engine's own.

    Its files are kept where they are at hand, so that it can be locked down and compared with.
    """
    settings, now = app.settings, app.clock.now()
    async with app.db.reading() as session:
        found = await session.get(PolicyActive, 1)
    if found is not None:
        return found
    files = files_at_hand(app, settings.policy_digest)
    label = contract.label(files) if files else f"first-{settings.policy_digest[:12]}"
    async with app.db.writing() as session:
        values = {"id": 1, "digest": settings.policy_digest, "version": label, "since": now}
        values["stopped"] = False
        if not await _FIRST.add(session, values):
            return await the_active(session)  # another process has started at the same time
        version = PolicyVersion(
            digest=settings.policy_digest,
            version=label,
            base=None,
            content=content_of(files) if files else settings.policy_digest,
            author=None,
            locked=label.endswith(contract.LOCKED_LABEL),
            note="",
            files={path: content.decode() for path, content in files.items()},
            drafted_at=now,
        )
        session.add(version)
        await session.flush()
        await record(session, version, "activated", NOBODY, now)
        return await the_active(session)


def files_at_hand(app: App, digest: str) -> dict[str, bytes]:
    """Return the files of the version `digest` where the engine's own are these, else none."""
    try:
        files = sources(app.settings.policies)
        contract.label(files)
    except (OSError, NoPoliciesError, contract.UnfitPoliciesError):
        return {}
    return files if contract.digest(files) == digest else {}
