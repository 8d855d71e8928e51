"""Versions of the policies over HTTP: drafted, shown, weighed, approved, activated, locked down."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from contracts import policies as contract
from messaging.app import App, the_app
from messaging.caller import Caller, allow
from messaging.problem import Problem
from services.sharing import policy_life
from services.sharing.api.known import Body, Code
from services.sharing.domain import versions
from services.sharing.parts import gate
from services.sharing.policy_life_loading import WAKE
from services.sharing.policy_life_lockdown import lock_down
from services.sharing.policy_tables import PolicyActive, PolicyEngine, PolicyStep, PolicyVersion

router = APIRouter(tags=["policies"])

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_FINDINGS_MAX = 20_000
_KNOWN_MAX = 200


class StepOut(BaseModel):
    """One step in the life of a version; `by` is null where the system took it."""

    kind: str
    by: str | None
    role: str | None
    at: datetime
    report: str | None
    against: str | None
    ok: bool | None
    code: str | None
    findings: list[dict[str, Any]] | None


class VersionOut(BaseModel):
    """A version and where it stands."""

    digest: str
    version: str
    base: str | None
    author: str | None
    note: str
    locked: bool
    state: str
    drafted_at: datetime
    steps: list[StepOut]


class ActiveOut(BaseModel):
    """The version that decides; `again`: how many children were asked again since it does."""

    digest: str
    version: str
    since: datetime
    locked: bool
    again: int


class LoadingOut(BaseModel):
    """The version that engines are loading; `since` is real time."""

    digest: str
    since: datetime


class EngineOut(BaseModel):
    """What the engine beside one process of this service was last seen to decide by."""

    process: str
    digest: str | None
    known: bool
    seen_at: datetime


class PoliciesOut(BaseModel):
    """How all versions stand, newest first."""

    active: ActiveOut
    loading: LoadingOut | None
    engines: list[EngineOut]
    versions: list[VersionOut]


@router.get("/policies")
async def list_policies(
    app: Annotated[App, Depends(the_app)],
    _: Annotated[Caller, Depends(allow(*versions.READS))],
) -> PoliciesOut:
    """List every version with its steps, and say which one decides."""
    async with app.db.reading() as session:
        active = await session.get_one(PolicyActive, 1)
        found = select(PolicyVersion).options(defer(PolicyVersion.files))
        newest = (PolicyVersion.drafted_at.desc(), PolicyVersion.version.desc())
        rows = (await session.scalars(found.order_by(*newest))).all()
        taken = await policy_life.steps(session, rows)
        engines = await session.scalars(select(PolicyEngine).order_by(PolicyEngine.process))
        locked = next((row.locked for row in rows if row.digest == active.digest), False)
        return PoliciesOut(
            active=ActiveOut(
                digest=active.digest,
                version=active.version,
                since=active.since,
                locked=locked,
                again=gate(app).again,
            ),
            loading=LoadingOut(digest=active.loading, since=active.loading_since)
            if active.loading and active.loading_since
            else None,
            engines=[EngineOut.model_validate(one, from_attributes=True) for one in engines],
            versions=[_shown(row, taken[row.digest], active.digest) for row in rows],
        )


def _shown(row: PolicyVersion, taken: Sequence[PolicyStep], active: str) -> VersionOut:
    steps = [StepOut.model_validate(step, from_attributes=True) for step in taken]
    about = {name: getattr(row, name) for name in VersionOut.model_fields if hasattr(row, name)}
    state = versions.state(policy_life.life(row, taken), active)
    return VersionOut(**about, state=state, steps=steps)


class FilesOut(BaseModel):
    """The files of a version, by path."""

    files: dict[str, str]


@router.get("/policies/{digest}/files")
async def read_files(
    digest: Digest,
    app: Annotated[App, Depends(the_app)],
    _: Annotated[Caller, Depends(allow(*versions.READS))],
) -> FilesOut:
    """Give the files of a version as an engine loads them."""
    async with app.db.reading() as session:
        return FilesOut(files=(await _known(session, digest)).files)


class DraftIn(Body):
    """A draft: every file that an engine loads, by path."""

    files: dict[str, str] = Field(max_length=contract.ENGINE_FILES_MAX)
    note: str = Field(default="", max_length=2000)


class DraftOut(BaseModel):
    """What the draft is known by from now on."""

    digest: str
    version: str
    base: str | None


@router.post("/policies", status_code=201)
async def draft(
    body: DraftIn,
    response: Response,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow(*versions.DRAFTS))],
) -> DraftOut:
    """Keep a draft; the same files again change nothing."""
    files = {path: text.encode() for path, text in body.files.items()}
    try:
        label = contract.check(files)
    except contract.UnfitPoliciesError as error:
        raise Problem(422, "policy.unfit", fields=[("files", error.code)]) from error
    async with app.db.writing() as session:
        active = await policy_life.the_active(session)
        there = await session.get(PolicyVersion, contract.digest(files))
        if there is None:
            named = select(PolicyVersion.digest).where(PolicyVersion.version == label)
            if await session.scalar(named) is not None:
                raise Problem(409, "policy.label_taken")
            who, now = _person(caller, versions.DRAFTS), app.clock.now()
            there = await policy_life.draft(
                session, files, base=active.digest, author=who.sub, note=body.note, now=now
            )
            await policy_life.record(session, there, "drafted", who, now)
        else:
            response.status_code = 200
        return DraftOut(digest=there.digest, version=there.version, base=there.base)


class FindingIn(Body):
    """One thing that a report found; `children` by id."""

    id: str = Field(min_length=1, max_length=200)
    kind: Code
    text: str = Field(max_length=4000)
    children: list[str] = Field(default_factory=list, max_length=_FINDINGS_MAX)


class StepIn(Body):
    """That a report was made about a version, and what it found."""

    kind: Literal[*contract.STEPS]  # type: ignore[valid-type] # a closed list
    report: Digest
    against: Digest | None = None
    ok: bool = Field(strict=True)
    findings: list[FindingIn] = Field(default_factory=list, max_length=_FINDINGS_MAX)


@router.post("/policies/{digest}/steps", status_code=204)
async def show(
    digest: Digest,
    body: StepIn,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow(*versions.DRAFTS))],
) -> None:
    """Record what was shown of a version; an approval of before does not count any more."""
    if len({one.id for one in body.findings}) != len(body.findings):
        raise Problem(422, "request.malformed", fields=[("findings", "id.twice")])
    async with app.db.writing() as session:
        active = await policy_life.the_active(session)
        version = await _known(session, digest)
        if digest in (active.digest, active.loading):
            raise Problem(409, "policy.in_use")
        findings = [one.model_dump() for one in body.findings]
        await policy_life.record(
            session,
            version,
            body.kind,
            _person(caller, versions.DRAFTS),
            app.clock.now(),
            report=body.report,
            against=body.against,
            ok=body.ok,
            findings=findings,
        )


class OverrideIn(Body):
    """Which findings one person answers for, and why."""

    findings: list[str] = Field(min_length=1, max_length=_FINDINGS_MAX)
    reason: Literal[*sorted(contract.OVERRIDE_REASONS)]  # type: ignore[valid-type]


@router.post("/policies/{digest}/overrides", status_code=204)
async def override(
    digest: Digest,
    body: OverrideIn,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow(*versions.OVERRIDES))],
) -> None:
    """Answer for findings; it counts once two people have, one of them the DPO."""
    async with app.db.writing() as session:
        version = await _known(session, digest)
        who = _person(caller, versions.OVERRIDES)
        if version.author == who.sub:
            raise Problem(409, "person.is_author")
        found = versions.found_by(await policy_life.life_of(session, version))
        if set(body.findings) - found.keys():
            raise Problem(422, "request.malformed", fields=[("findings", "finding.unknown")])
        told = [{"id": one, "report": found[one]} for one in dict.fromkeys(body.findings)]
        await policy_life.record(
            session, version, "overridden", who, app.clock.now(), code=body.reason, findings=told
        )


class KnownIn(Body):
    """One input and the answer that is right."""

    input: dict[str, Any]
    answer: dict[str, Any]


class ApproveIn(Body):
    """The known cases that every engine has to answer so before the version decides."""

    known: list[KnownIn] = Field(min_length=contract.KNOWN_CASES, max_length=_KNOWN_MAX)


@router.post("/policies/{digest}/approve", status_code=204)
async def approve(
    digest: Digest,
    body: ApproveIn,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow(*versions.APPROVES))],
) -> None:
    """Approve as the second person; 409 says what has to be shown first."""
    async with app.db.writing() as session:
        active = await policy_life.the_active(session)
        version = await _known(session, digest)
        if digest in (active.digest, active.loading):
            raise Problem(409, "policy.in_use")
        if version.locked:
            raise Problem(409, "policy.is_lockdown")
        who = _person(caller, versions.APPROVES)
        if version.author == who.sub:
            raise Problem(409, "person.is_author")
        if any(one.answer.get("policy_version") != version.version for one in body.known):
            raise Problem(422, "request.malformed", fields=[("known", "answer.of_another")])
        life = await policy_life.life_of(session, version)
        against = await policy_life.comparable(session, active)
        if missing := versions.missing_before_approval(life, against):
            raise Problem(409, "policy.not_ready", fields=missing)
        known = [one.model_dump() for one in body.known]
        await policy_life.record(session, version, "approved", who, app.clock.now(), known=known)


class LoadingStarted(BaseModel):
    """Engines load it now; `GET /policies` says when it decides."""

    loading: str


@router.post("/policies/{digest}/activate", status_code=202)
async def activate(
    digest: Digest,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow(*versions.ACTIVATES))],
) -> LoadingStarted:
    """Have every engine load a version; 409 says what is missing, and which findings stand."""
    async with app.db.writing() as session:
        active = await policy_life.the_active(session)
        version = await _known(session, digest)
        if active.loading == digest:
            return LoadingStarted(loading=digest)
        if digest == active.digest:
            raise Problem(409, "policy.in_use")
        if active.loading is not None:
            raise Problem(409, "policy.loading")
        if version.locked:
            raise Problem(409, "policy.is_lockdown")
        who = _person(caller, versions.ACTIVATES)
        life = await policy_life.life_of(session, version)
        against = await policy_life.comparable(session, active)
        missing = versions.missing_before_activation(life, against, who.sub or "")
        ends = versions.ends_lockdown(life, against)
        standing = [] if ends else versions.not_overridden(life)
        if missing or standing:
            raise Problem(409, "policy.not_ready", fields=missing, members={"findings": standing})
        await policy_life.record(session, version, "loading", who, app.clock.now())
        active.loading, active.loading_since = digest, datetime.now(UTC)
    app.wake(WAKE)
    return LoadingStarted(loading=digest)


class LockdownIn(Body):
    """Why everything but immediate danger is stopped."""

    reason: Literal[*sorted(contract.LOCKDOWN_REASONS)]  # type: ignore[valid-type]


@router.post("/policies/lockdown", status_code=202)
async def lockdown(
    body: LockdownIn,
    app: Annotated[App, Depends(the_app)],
    caller: Annotated[Caller, Depends(allow(*versions.LOCKS))],
) -> LoadingStarted:
    """Stop everything but what gate G4 opens: one person may, and everybody is called."""
    try:
        digest = await lock_down(app, _person(caller, versions.LOCKS), body.reason)
    except contract.UnfitPoliciesError as error:
        raise Problem(409, "policy.no_files", fields=[("files", error.code)]) from error
    app.wake(WAKE)
    return LoadingStarted(loading=digest)


async def _known(session: AsyncSession, digest: str) -> PolicyVersion:
    version = await session.get(PolicyVersion, digest)
    if version is None:
        raise Problem(404, "policy.unknown")
    return version


def _person(caller: Caller, allowed: tuple[str, ...]) -> policy_life.Person:
    return policy_life.Person(caller.sub, versions.role_of(caller.roles, allowed))
