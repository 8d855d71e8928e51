"""The end of a quarantine: in order, with nothing left out, and by two different people."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from messaging.database import wake
from messaging.telemetry import get_logger
from services.sharing import ledger
from services.sharing.children import RECONSIDER
from services.sharing.domain.releasing import STOPPABLE
from services.sharing.numbers import go_on
from services.sharing.outside import head_of, not_asked
from services.sharing.quarantine_tables import Quarantine
from services.sharing.since_backup import partners_changed, withdrawals
from services.sharing.tables import CLAIMED, Child, Release

log = get_logger()

PROTECTS, SAFEGUARDS = "dpo", ("dsl", "manager")
"""One who answers for the data, and one who answers for the child."""


class Person(NamedTuple):
    """Who asks, in the role that counts here."""

    sub: str
    role: str


class NotInOrderError(Exception):
    """Something has to be done first; `missing` says what, as (what, code)."""

    def __init__(self, missing: list[tuple[str, str]]) -> None:
        super().__init__("not in order")
        self.missing = missing


class SecondPersonError(Exception):
    """The second person is the first one again, or answers for the same thing."""


def pair(first: dict[str, Any], second: Person) -> None:
    """Refuse a second person who is not another one. Raises SecondPersonError."""
    roles = {str(first["role"]), second.role}
    if first["by"] == second.sub or not (PROTECTS in roles and roles & set(SAFEGUARDS)):
        raise SecondPersonError


async def missing_before(session: AsyncSession, found: Quarantine) -> list[tuple[str, str]]:
    """Return what has to be known before anybody can confirm withdrawals."""
    missing = [(f"partners.{key}", "partner.not_asked") for key in await not_asked(session, found)]
    if (lost := await lost_range(session, found)) is not None and not stated(found):
        code = "ledger.other_chain" if found.forked else "ledger.entries_missing"
        missing.append((f"entries.{lost['first']}-{lost['last']}", code))
    return missing


async def missing(session: AsyncSession, found: Quarantine) -> list[tuple[str, str]]:
    """Return everything that is left to do before a first person can ask for the end."""
    first = await missing_before(session, found)
    changed = await partners_changed(session, found)
    first += [(f"partners.{key}", f"partner.{action}_since") for key, action in changed]
    if not found.confirmed:
        first.append(("withdrawals", "withdrawals.not_confirmed"))
    return first


async def lost_range(session: AsyncSession, found: Quarantine) -> dict[str, Any] | None:
    """Return which entries those outside hold a checkpoint of and this ledger does not have."""
    if found.outside is None:
        return None
    head, _ = await head_of(session)
    last = int(found.outside["seq"])
    if found.forked:
        return {
            "first": found.agreed_seq + 1,
            "last": max(last, found.agreed_seq + 1),
            "digest": found.outside["hash"],
        }
    if last <= head:
        return None
    return {"first": head + 1, "last": last, "digest": found.outside["hash"]}


def stated(found: Quarantine) -> bool:
    """Tell whether two people have stated that entries are lost."""
    return bool(found.loss and found.loss.get("second"))


async def state_loss(
    session: AsyncSession, found: Quarantine, who: Person, first: int, last: int
) -> None:
    """Take one person's word that nobody has these entries any more; it needs two of them.

    Raises NotInOrderError where other entries, or none, are missing; SecondPersonError.
    """
    asked = [(f"partners.{key}", "partner.not_asked") for key in await not_asked(session, found)]
    if asked:
        raise NotInOrderError(asked)
    lost = await lost_range(session, found)
    if lost is None or (lost["first"], lost["last"]) != (first, last):
        raise NotInOrderError([("entries", "ledger.not_these")])
    said = {"by": who.sub, "role": who.role}
    if not found.loss or (found.loss["first"], found.loss["last"]) != (first, last):
        found.loss = {**lost, "one": said, "second": None}
        return
    if not found.loss["second"]:
        pair(found.loss["one"], who)
        found.loss = {**found.loss, "second": said}


async def confirm(
    session: AsyncSession,
    found: Quarantine,
    who: Person,
    *,
    seqs: set[int],
    on_paper: int,
    at: datetime,
) -> None:
    """Take a person's word that all withdrawals since the backup have been entered.

    `seqs`: the entries they looked at; `on_paper`: how many more their own papers told of.
    Raises NotInOrderError naming each that is not entered or was not looked at.
    """
    left = await missing_before(session, found)
    if left:
        raise NotInOrderError(left)
    for one in await withdrawals(session, found):
        if one.child_id is not None and not one.entered:
            left.append((f"withdrawals.{one.seq}", "withdrawal.not_entered"))
        elif one.seq not in seqs:
            left.append((f"withdrawals.{one.seq}", "withdrawal.not_looked_at"))
    if left:
        raise NotInOrderError(left)
    found.confirmed = {
        "by": who.sub,
        "role": who.role,
        "count": len(seqs) + on_paper,
        "at": at.isoformat(),
    }
    found.ending = None


async def end(app: App, session: AsyncSession, found: Quarantine, who: Person) -> bool:
    """End it, where `who` is the second of two; tell whether it has ended.

    Raises NotInOrderError, SecondPersonError.
    """
    left = await missing(session, found)
    if left:
        raise NotInOrderError(left)
    now = app.clock.now()
    if not found.ending:
        found.ending = {"by": who.sub, "role": who.role}
        return False
    pair(found.ending, who)
    await go_on(app, session, found)
    waiting = select(Release.child_id).where(Release.state.in_((*STOPPABLE, CLAIMED)))
    await session.execute(
        update(Child)
        .where(Child.id.in_(waiting))
        .values(dirty=True)
        .execution_options(synchronize_session=False)
    )
    found.ended_at = now
    await session.flush()
    await _tell_ledger(session, found, who, now)
    for name in (RECONSIDER, "delivery"):
        wake(session, name)
    log.warning("quarantine.ended", reason=found.cause)
    return True


async def _tell_ledger(
    session: AsyncSession, found: Quarantine, who: Person, now: datetime
) -> None:
    """Write down how it went: the beginning, what is lost, what waited meanwhile, who ended it."""
    began = {"action": "began", "cause": found.cause, "value": found.taken_at}
    await ledger.append(session, "quarantine", began, found.began_at)
    if stated(found) and found.loss is not None:
        lost, people = found.loss, (found.loss["one"], found.loss["second"])
        note = {
            "action": "lost",
            "first": lost["first"],
            "last": lost["last"],
            "digest": lost["digest"],
            "by": [one["by"] for one in people],
            "roles": [one["role"] for one in people],
        }
        await ledger.append(session, "quarantine", note, now)
    await ledger.chain_waiting(session)
    assert found.confirmed is not None  # noqa: S101 - `end` has looked
    assert found.ending is not None  # noqa: S101 - the first person is kept there
    for action, one in (
        ("withdrawals_entered", found.confirmed),
        ("asked_to_end", found.ending),
        ("ended", {"by": who.sub, "role": who.role}),
    ):
        note = {"action": action, "by": one["by"], "role": one["role"], "count": one.get("count")}
        await ledger.append(session, "quarantine", note, now)
