"""Defects that somebody could write, put into the running code by a test and nowhere else.

`seed(patch, house)` patches the module under test; the road is one on which it shows; `codes` are
what the oracle has to say about it.
"""

import contextlib
import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from faults.defects import road
from faults.defects.house import COUNCIL, POLICE, House
from joserfc import jws
from sqlalchemy import false, update

from contracts.scheduling import OfferMade
from messaging import comparing, consuming, relay, transaction
from messaging.schema import outbox
from services.interview import handlers as interview_handlers
from services.notify import handlers as notify_handlers
from services.referral import handlers as referral_handlers
from services.scheduling import handlers as scheduling_handlers
from services.sharing import (
    claiming,
    delivery,
    handlers,
    reconsider,
    releases,
    settling,
    taking_back,
)
from services.sharing.domain.answer import Answer
from services.sharing.policy import NoDecisionError

Patch = pytest.MonkeyPatch


@dataclasses.dataclass(frozen=True)
class Defect:
    """One mistake, the road on which it shows, and what the oracle then says."""

    seed: Callable[[Patch, House], None]
    road: road.Road
    codes: frozenset[str]

    @property
    def name(self) -> str:
        """Return its name in test output."""
        return self.seed.__name__


DEFECTS: list[Defect] = []


def shows(on: road.Road, *codes: str) -> Callable[[Callable], Callable]:
    """Register a defect."""

    def register(seed: Callable) -> Callable:
        DEFECTS.append(Defect(seed, on, frozenset(codes)))
        return seed

    return register


# Messages


@shows(road.referred_while_a_disk_is_full, "offer.missing")
def acknowledged_before_the_commit(patch: Patch, _: House) -> None:
    """An event counts as done when it has come, not when its effect is committed."""
    real = consuming.take

    async def take(app, delivery) -> None:
        with contextlib.suppress(Exception):
            await real(app, delivery)

    patch.setattr(consuming, "take", take)


@shows(road.told_again, "fact.told_twice")
def no_inbox(patch: Patch, _: House) -> None:
    """Nobody remembers which events were handled."""

    @contextlib.asynccontextmanager
    async def handling(db, _event, by):
        async with db.writing() as session:
            yield session

    for module in (handlers, scheduling_handlers, interview_handlers, notify_handlers):
        patch.setattr(module, "handling", handling)


@shows(road.referred_while_a_disk_is_full, "offer.missing")
def outbox_in_a_transaction_of_its_own(patch: Patch, house: House) -> None:
    """What is told is written after the commit that it tells of."""
    db = house.app("referral").db
    real = db.writing

    async def keep(session, event) -> None:
        session.info.setdefault("told", []).append(event)

    @contextlib.asynccontextmanager
    async def writing():
        async with real() as session:
            yield session
        if told := session.info.pop("told", []):
            async with real() as session:
                await transaction.emit_all(session, told)

    patch.setattr(referral_handlers, "emit", keep)
    patch.setattr(db, "writing", writing)


@shows(road.referred_without_broker, "offer.missing")
def marked_as_sent_before_the_broker_stored_it(patch: Patch, _: House) -> None:
    """The relay marks first and publishes afterwards; a failure then is nobody's.

    The comparison between services would find what is lost, and is switched off with it.
    """
    real = relay._send

    async def nothing(*_what) -> bool:
        return True

    patch.setattr(comparing, "_compared", nothing)

    async def send(app, rows):
        async with app.db.writing() as session:
            of_these = outbox.c.seq.in_([row.seq for row in rows])
            await session.execute(update(outbox).where(of_these).values(sent_at=datetime.now(UTC)))
        await real(app, rows)
        return [], None  # whatever came of it

    patch.setattr(relay, "_send", send)


@shows(road.read_and_taken_back, "bus.clear", "bus.not_thin")
def a_name_on_the_bus(patch: Patch, _: House) -> None:
    """Somebody finds it handy to send the child's name along."""
    real = OfferMade.model_dump_json

    def dumped(self) -> str:
        return real(self)[:-1] + ',"given_name":"Zarquon Family"}'

    patch.setattr(OfferMade, "model_dump_json", dumped)


# Deciding


@shows(road.never_with_a_troubled_engine, "decision.forbidden", "release.forbidden")
def allow_on_a_time_out(patch: Patch, house: House) -> None:
    """An engine that is too slow must not hold up the work."""
    policy = house.app("sharing").state["gate"].policy
    real = policy.decide

    async def decide(document) -> Answer:
        try:
            return await real(document)
        except NoDecisionError as error:
            if error.code != "time_out":
                raise
            return permitted()

    patch.setattr(policy, "decide", decide)


@shows(road.never_with_a_troubled_engine, "decision.forbidden", "release.forbidden")
def a_truthy_string_taken_for_true(patch: Patch, house: House) -> None:
    """Whatever the engine says that is not empty is a yes."""
    policy = house.app("sharing").state["gate"].policy
    real = policy._read

    def read(body: bytes) -> Answer:
        return permitted() if body == b'{"result":"allow"}' else real(body)

    patch.setattr(policy, "_read", read)


def permitted() -> Answer:
    """Return a yes that no policy gave."""
    return Answer("allow_redacted", ("POL-03",), "2026.11.1", transforms=("codes_only",))


@shows(road.harm_that_nobody_judges, "decision.twice")
def held_again_at_every_try(patch: Patch, _: House) -> None:
    """Each try without an answer is recorded as a hold of its own."""
    patch.setattr(reconsider, "_held_already", lambda _pair: False)
    count = iter(range(10_000))
    real = settling._decision

    def decision(app, proposal, pair, answer, now):
        row = real(app, proposal, pair, answer, now)
        row["id"] = f"{row['id'][:-5]}{next(count):05}"
        return row

    patch.setattr(settling, "_decision", decision)


@shows(road.harm_that_nobody_judges, "page.missing")
def nobody_is_called(patch: Patch, _: House) -> None:
    """A hold about harm waits in silence."""

    async def quiet(*_what) -> None:
        pass

    patch.setattr(settling, "page_if_urgent", quiet)


# Releasing


@shows(road.read_and_taken_back, "release.before_decision")
def decision_recorded_after_its_release(patch: Patch, _: House) -> None:
    """The ledger learns first what left and then why."""
    real = settling.ledger.append_all

    async def append_all(session, notes, at):
        return await real(session, sorted(notes, key=lambda note: note[0], reverse=True), at)

    patch.setattr(settling.ledger, "append_all", append_all)


@shows(road.read_and_taken_back, "release.unrecorded")
def a_ledger_entry_left_out(patch: Patch, _: House) -> None:
    """A release goes out without standing in the ledger."""
    real = settling.ledger.append_all

    async def append_all(session, notes, at):
        return await real(session, [note for note in notes if note[0] != "release"], at)

    patch.setattr(settling.ledger, "append_all", append_all)


@shows(road.never_with_a_troubled_engine, "release.forbidden", "release.not_allowed")
def released_to_one_who_was_refused(patch: Patch, _: House) -> None:
    """A refusal is carried out as if it were a yes."""
    real = releases._standing

    def standing(app, rows, proposal, pair, recipient, *, decision, **more):
        row = real(app, rows, proposal, pair, recipient, decision=decision, **more)
        if row is not None or decision.decision != "deny":
            return row
        pair.content = {"category": pair.item.category, "fields": {"codes": ["bored"]}}
        told = {one.name: getattr(decision, one.name) for one in decision.__table__.columns}
        as_if = SimpleNamespace(**told | {"decision": "allow_redacted", "transforms": ["codes"]})
        return real(app, rows, proposal, pair, recipient, decision=as_if, **more)

    patch.setattr(releases, "_standing", standing)
    # else the outbox refuses a second event of one decision, and with it the whole transaction
    patch.setattr(settling, "answer_releases", lambda row: row.decision != "defer")


@shows(road.declined_while_it_leaves, "release.stale")
def a_stale_epoch(patch: Patch, _: House) -> None:
    """What was permitted is sent, whatever has changed since."""
    patch.setattr(claiming, "stands", lambda *_: True)
    patch.setattr(claiming, "_QUEUED", claiming.queue(false()))
    patch.setattr(delivery, "_LOOK", delivery.look_at(false()))


@shows(road.taken_back_while_it_leaves, "withdrawal.unnamed")
def a_release_without_a_lock(patch: Patch, house: House) -> None:
    """Check, then send: what was read a moment ago is believed, and nothing is locked."""
    a_stale_epoch(patch, house)
    real = claiming.locked_rows

    def as_it_was(row):
        told = dict(row._mapping)
        if told.get("state") == "cancelled":
            told["state"] = claiming.QUEUED
        return SimpleNamespace(**told)

    async def rows_as_they_were(session, statement, ids):
        found = await real(session, statement, ids)
        return {name: as_it_was(row) for name, row in found.items()}

    patch.setattr(claiming, "locked_rows", rows_as_they_were)


# Feeds


@shows(road.read_and_taken_back, "number.missing")
def no_void_for_an_erased_number(patch: Patch, _: House) -> None:
    """What was erased leaves a gap."""

    async def nothing(_outlet, _release) -> None:
        pass

    patch.setattr(taking_back, "put_void_after", nothing)


@shows(road.read_and_taken_back, "feed.clear", "feed.unreadable")
def signed_and_not_encrypted(patch: Patch, house: House) -> None:
    """A release lies in clear on the feed, for whoever can look at it."""
    keys = house.app("sharing").state["outlet"].keys

    def signed(_keys, told, **_where) -> str:
        header = {"alg": "Ed25519", "kid": "signing"}
        return jws.serialize_compact(header, json.dumps(told), keys.signing, ["Ed25519"])

    patch.setattr(claiming, "seal", signed)


@shows(road.read_and_taken_back, "feed.unreadable")
def encrypted_to_another_partner(patch: Patch, house: House) -> None:
    """Keys are mixed up: each agency gets what only the other can open."""
    real = claiming.seal
    others = {POLICE: COUNCIL, COUNCIL: POLICE}

    def seal(keys, told, *, partner, jwk, **where) -> str:
        other = house.opened[others[partner]].as_dict(private=False)
        return real(keys, told, partner=partner, jwk=other, **where)

    patch.setattr(claiming, "seal", seal)


# Taking back


@shows(road.read_and_taken_back, "withdrawal.unnamed")
def a_list_left_out_of_the_answer(patch: Patch, _: House) -> None:
    """What had left is not said."""
    real = delivery.take_back

    async def take_back(app, ids, at):
        taken = await real(app, ids, at)
        taken.left = []
        return taken

    patch.setattr(delivery, "take_back", take_back)


@shows(road.read_and_taken_back, "withdrawal.unnamed")
def acknowledged_without_erasing(patch: Patch, _: House) -> None:
    """The rows say erased, and everything still lies in the feed."""

    async def erase(outlet, release) -> str:
        return await taking_back._end(outlet, release, taking_back.ERASED)

    patch.setattr(taking_back, "_erase", erase)


# Last: a house whose numbers have once gone wrong counts wrong from then on


@shows(road.read_by_both, "number.twice", "release.two_numbers")
def a_number_used_twice(patch: Patch, _: House) -> None:
    """Two releases of a feed go out under one number.

    The row of numbers itself refuses that, so the number is changed behind its back.
    """
    seal, envelope = claiming.seal, delivery.envelope

    def first(number: int) -> int:
        return max(1, number - 1)

    patch.setattr(claiming, "seal", lambda *a, number, **w: seal(*a, number=first(number), **w))
    patch.setattr(
        delivery, "envelope", lambda *a, number, **w: envelope(*a, number=first(number), **w)
    )
