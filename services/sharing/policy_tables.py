"""Tables of the policies' versions: what each holds, every step of its life, which one decides."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import JSON, bindparam
from sqlalchemy.orm import Mapped, mapped_column

from messaging.database import Instant, Key
from services.sharing.tables import Base

if TYPE_CHECKING:
    from alembic.operations import Operations


class PolicyVersion(Base):
    """One version of the policies, as it was drafted; nothing of it ever changes."""

    __tablename__ = "policy_version"

    digest: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(unique=True)
    """What people call it, its `policy_version`."""
    base: Mapped[str | None]
    """Digest of the version that decided when it was drafted; of a lockdown, of what it locks."""
    content: Mapped[str]
    """Digest without the label: two versions with one content rule alike."""
    author: Mapped[str | None]
    """None: it came with the installation."""
    locked: Mapped[bool]
    """Nothing leaves by it but by gate G4."""
    note: Mapped[str]
    files: Mapped[dict[str, str]] = mapped_column(JSON)
    drafted_at: Mapped[datetime] = mapped_column(Instant)


class PolicyStep(Base):
    """One step in the life of a version: append-only, as the ledger's entry beside it is."""

    __tablename__ = "policy_step"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    digest: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    by: Mapped[str | None]
    """None: the system itself."""
    role: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(Instant)
    report: Mapped[str | None]
    against: Mapped[str | None]
    ok: Mapped[bool | None]
    code: Mapped[str | None]
    """Why, from a closed list."""
    findings: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    known: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    """The known cases with the answers that an engine has to give."""


class PolicyActive(Base):
    """The one row that says which version may release; everybody who releases reads it."""

    __tablename__ = "policy_active"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str]
    version: Mapped[str]
    since: Mapped[datetime] = mapped_column(Instant)
    loading: Mapped[str | None]
    loading_since: Mapped[datetime | None] = mapped_column(Instant)
    """Real time, whatever the service's clock says: engines load in real time."""
    stopped: Mapped[bool] = mapped_column(default=False)
    """A lockdown is being loaded: until every engine has it nothing leaves at all."""


class PolicyEngine(Base):
    """A process of `sharing` and what its engine was last seen to decide by."""

    __tablename__ = "policy_engine"

    process: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str | None]
    """None: the engine gave no usable answer."""
    known: Mapped[bool]
    """It answered the known cases of this version as they are known to be right."""
    refused: Mapped[str | None]
    """Digest of a version that it loaded and whose known cases it answered otherwise."""
    seen_at: Mapped[datetime] = mapped_column(Instant)
    """Real time."""


ACTIVE: Any = PolicyActive.__table__
THE_ROW = ACTIVE.c.id == bindparam(None, 1, literal_execute=True)
ACTIVE_DIGEST = sa.select(ACTIVE.c.digest).where(THE_ROW).scalar_subquery()
"""The digest that decides, for any statement; null, and so equal to nothing, without one."""
MAY_LEAVE = sa.select(ACTIVE.c.digest).where(THE_ROW, ~ACTIVE.c.stopped).scalar_subquery()
"""The digest by which something may leave now; null where nothing may."""

_SAYS = "the life of a version is append-only"
_SQLITE = [
    f"CREATE TRIGGER policy_step_no_{what} BEFORE {what.upper()} ON policy_step "
    f"BEGIN SELECT RAISE(ABORT, '{_SAYS}'); END"
    for what in ("update", "delete")
] + [
    # INSERT OR REPLACE deletes without firing a delete trigger
    "CREATE TRIGGER policy_step_no_replace BEFORE INSERT ON policy_step "  # noqa: S608  names are ours
    "WHEN EXISTS (SELECT 1 FROM policy_step WHERE seq = NEW.seq) "
    f"BEGIN SELECT RAISE(ABORT, '{_SAYS}'); END",
    *(
        f"CREATE TRIGGER policy_version_no_{what} BEFORE {what.upper()} ON policy_version "
        f"BEGIN SELECT RAISE(ABORT, '{_SAYS}'); END"
        for what in ("update", "delete")
    ),
]
_POSTGRESQL = [
    "CREATE FUNCTION policy_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{_SAYS}'; END $$",
    *(
        statement
        for table in ("policy_step", "policy_version")
        for statement in (
            f"CREATE TRIGGER {table}_fixed BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION policy_refuse()",
            f"CREATE TRIGGER {table}_whole BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION policy_refuse()",
        )
    ),
]


def fix(op: "Operations") -> None:
    """Make what was written stay as it was written; called by migration 0007."""
    for statement in {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}[op.get_bind().dialect.name]:
        op.execute(statement)
