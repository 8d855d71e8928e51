"""Keeping a child's facts: every change counts the version up, keeps the former one and is told."""

from dataclasses import asdict
from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.referral import ChildChanged
from messaging.app import App
from messaging.transaction import emit
from services.referral.domain import Channel, Facts
from services.referral.tables import Child, ChildVersion
from services.referral.tasks import Question, ask

_ALIKE_MAX = 5
"""Others named in one compare task: enough to look at, and a common name costs no more."""


def facts_of(child: Child) -> Facts:
    """Return a child's row as the domain has it."""
    return Facts(
        given_name=child.given_name,
        family_name=child.family_name,
        date_of_birth=child.date_of_birth,
        locality=child.locality,
        responsible_la=child.responsible_la,
        host_la=child.host_la,
        identity_status=child.identity_status,  # type: ignore[arg-type] # closed list, checked on the way in
        legal_status=child.legal_status,  # type: ignore[arg-type]
        address_confidential=child.address_confidential,
        channels=tuple(Channel(**channel) for channel in child.channels),  # type: ignore[arg-type]
    )


def _put(child: Child, facts: Facts) -> None:
    for name, value in asdict(facts).items():
        setattr(child, name, list(value) if name == "channels" else value)
    child.name_key = facts.name_key


async def add_child(app: App, session: AsyncSession, child_id: str, facts: Facts) -> Child:
    """Record a new child, and a task to compare where others have the same name and birth date."""
    child = Child(id=child_id, version=1, recorded_at=app.clock.now())
    _put(child, facts)
    session.add(child)
    await session.flush()
    await compare_alike(app, session, child)
    return child


async def change_child(
    app: App, session: AsyncSession, child: Child, facts: Facts, by: str
) -> bool:
    """Write `facts` to a child whose row is locked; return whether anything changed."""
    before = facts_of(child)
    if facts == before:
        return False
    now = app.clock.now()
    kept = asdict(before) | {"date_of_birth": before.date_of_birth.isoformat()}
    session.add(
        ChildVersion(
            child_id=child.id, version=child.version, facts=kept, replaced_by=by, replaced_at=now
        )
    )
    child.version += 1
    _put(child, facts)
    await session.flush()
    await emit(
        session,
        ChildChanged(
            id=app.ids.after("EV", "child_changed", child.id, child.version),
            occurred_at=now,
            child_id=child.id,
            version=child.version,
        ),
    )
    if (facts.name_key, facts.date_of_birth) != (before.name_key, before.date_of_birth):
        await compare_alike(app, session, child)
    return True


async def _alone_with(session: AsyncSession, child: Child) -> None:
    """Let one transaction at a time look for children like this one.

    Two that are recorded at the same moment would otherwise not see each other, and nobody would
    be asked. On SQLite a writing transaction is alone anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        cause = f"{child.name_key}\n{child.date_of_birth}"
        number = int.from_bytes(sha256(cause.encode()).digest()[:8], signed=True)
        await session.execute(select(func.pg_advisory_xact_lock(number)))


async def compare_alike(app: App, session: AsyncSession, child: Child) -> None:
    """Ask a person to compare this child with others of the same name and birth date, if any."""
    if child.name_key.strip("|") == "":  # names of signs alone say nothing
        return
    await _alone_with(session, child)
    alike = (
        await session.scalars(
            select(Child.id)
            .where(
                Child.name_key == child.name_key,
                Child.date_of_birth == child.date_of_birth,
                Child.id != child.id,
            )
            .limit(_ALIKE_MAX)
        )
    ).all()
    if alike:
        await ask(app, session, Question("alike", child.id, tuple(sorted(alike))))
