"""The oracle is silent about a run in which all is well, and finds each thing changed in it."""

import ast
import json
import re
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from faults.oracle import Violation, violations
from faults.seen import Answered, Change, ClockSet, Read, Referral, Seen, Told, Withdrawal
from joserfc.jwk import OKPKey

from contracts import feed, ledger
from contracts.referral import EpisodeReferred
from contracts.sharing import AgreementWithdrawn, ReleaseDelivered, UrgentHoldRaised
from homeward.feed_open import Opener
from services.sharing import sealing

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
POLICE, COUNCIL = "northshire-police", "northshire-council"
TYPES = {POLICE: "police", COUNCIL: "childrens_services"}
PUSH, PLAN, WISH, HARM = "IT-PUSH", "IT-PLAN", "IT-WISH", "IT-HARM"
CATEGORIES = {PUSH: "push_pull", PLAN: "safety_plan", WISH: "wishes", HARM: "harm"}
COMMITTED = ("child_id", "episode_id", "item_id", "purpose")
MARKED = "Zarquon"

LEDGER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LEDGER_JWK = {**OKPKey.import_key(LEDGER_KEY).as_dict(private=False), "kid": "ledger"}
SIGNING = OKPKey.generate_key("Ed25519", {"kid": "signing", "use": "sig"})
OURS = sealing.Keys(SIGNING, b"p" * 32)
THEIRS = {partner: OKPKey.generate_key("X25519", {"use": "enc"}) for partner in TYPES}


class Run:
    """What happens is noted here on all sides that somebody can look at; `look` signs the ledger.

    Between the two, a test changes one thing.
    """

    def __init__(self) -> None:
        self.seen = Seen(offers=[], messages=[], marked=frozenset({MARKED}))
        self.entries: list[tuple[str, dict[str, Any]]] = []
        self.after_signing: Callable[[bytes], bytes] = bytes

    def decide(self, name: str, item: str, recipient: str, answer: str, *, rule: str, epoch: int):
        """Policy answers about a pair; what it answered before stands no more."""
        for row in self.seen.decisions:
            row["current"] &= (row["item_id"], row["recipient"]) != (item, recipient)
        row = a_decision(name, item, recipient)
        row |= {"decision": answer, "rule_ids": [rule], "epoch": epoch}
        self.seen.decisions.append(row)
        self.seen.expected |= {(item, recipient)}
        self.entries.append(("decision", on_record(row)))

    def release(self, name: str, decision: str, state: str, number: int | None, digest="school"):
        """What was allowed is let go; where it has a number it was put on the feed."""
        row, body = row_of(self.seen.decisions, decision), note(self, "decision", decision)
        copied = ("recipient", "recipient_type", "item_version", "category", "transforms", "epoch")
        about = {"release_id": name, "decision_id": decision, "digest": f"sha256:{digest}"}
        self.entries.append(("release", about | {one: body[one] for one in copied}))
        copied = ("child_id", "item_id", "recipient", "item_version", "category", "epoch")
        made = {"id": name, "decision_id": decision, "partner": row["recipient"], "state": state}
        made |= {"number": number, "how": "feed" if number else None}
        self.seen.releases.append(made | {one: row[one] for one in copied})
        if state in {"sent", "delivered"}:
            place = {"release_id": name, "recipient": row["recipient"], "number": number}
            self.entries.append(("delivered", place))

    def read(self, name: str, at: datetime, fields: dict[str, str]) -> None:
        """Its partner opens a release."""
        row = row_of(self.seen.releases, name)
        partner, number = row["partner"], row["number"]
        item = {"category": row["category"], "fields": fields, "provenance": "child_said"}
        content = {"item": item, "purpose": "prevent_harm", "basis": ["LO"], "obligations": []}
        content |= {"transforms": ["codes_only"], "policy_version": "2026.11.1"}
        child = {"given_name": MARKED, "family_name": "Ames", "identity_status": "verified"}
        told = sealing.body(
            OURS, content, partner=partner, recipient_type=TYPES[partner], child_id="CH-1",
            episode_id="EP-1", item_id=row["item_id"], child=child,
        )  # fmt: skip
        jwk = THEIRS[partner].as_dict(private=False)
        where = {"partner": partner, "release_id": name, "number": number, "at": at}
        self._take(feed.RELEASE, sealing.seal(OURS, told, jwk=jwk, **where), **where)

    def read_void(self, name: str, at: datetime, number: int) -> None:
        """The police find that something was taken back."""
        where = {"partner": POLICE, "release_id": name, "number": number, "at": at}
        self._take(feed.VOID, sealing.sign_void(OURS, **where), **where)

    def _take(self, kind: str, data: str, *, partner: str, release_id: str, number: int, at):
        raw = sealing.envelope(
            kind, data, event_id=f"{release_id}.{kind}", release_id=release_id, number=number,
            at=at, source="homeward.northshire",
        )  # fmt: skip
        ours = {"keys": [{**SIGNING.as_dict(private=False), "kid": "signing"}]}
        opened = Opener(partner, THEIRS[partner].as_dict(private=True), ours).open(raw)
        self.seen.reads.append(Read(partner, raw, float(number), number, opened))

    def look(self) -> Seen:
        """Return what is seen of the run, with its ledger signed."""
        lines, prev = [ledger.HEADER], ledger.GENESIS
        for seq, (kind, body) in enumerate(self.entries, start=1):
            entry = ledger.entry(seq, later(seq), kind, body, prev)
            lines.append(ledger.canonical(entry))
            prev = entry["hash"]
        signed = (len(self.entries), prev, later(60), "ledger")
        signature = LEDGER_KEY.sign(ledger.signing_input(*signed))
        lines.append(ledger.canonical(ledger.checkpoint(*signed, signature)))
        self.seen.ledger = self.after_signing(b"".join(line + b"\n" for line in lines))
        return self.seen


def a_decision(name: str, item: str, recipient: str) -> dict[str, Any]:
    """Return a line of the list of decisions."""
    return {
        "id": name, "child_id": "CH-1", "episode_id": "EP-1", "item_id": item, "item_version": 1,
        "category": CATEGORIES[item], "recipient": recipient, "epoch": 1, "decision": "deny",
        "rule_ids": [], "gates_used": [], "basis": ["LO"], "transforms": ["codes_only"],
        "obligations": [], "purpose": "prevent_harm", "policy_version": "2026.11.1",
        "policy_digest": "sha256:policy", "current": True,
    }  # fmt: skip


def on_record(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the ledger says of a decision that is listed so."""
    body = {name: value for name, value in row.items() if name not in {"id", "current"}}
    body |= {name: a_commitment(row[name]) for name in COMMITTED}
    about = {"decision_id": row["id"], "recipient_type": TYPES[row["recipient"]]}
    return (
        body
        | about
        | {"facts_digest": "-".join((row["item_id"], row["recipient"], str(row["epoch"])))}
    )


def a_commitment(value: str) -> str:
    return f"hmac-sha256:{sha256(value.encode()).hexdigest()}"


def later(minutes: int) -> str:
    return ledger.instant(NOON + timedelta(minutes=minutes))


def a_run() -> Run:
    """Return the one valid run: a child agrees, takes it back, and agrees again to less."""
    run = Run()
    seen = run.seen
    one = Answered(201, "RF-1", "CH-1", "EP-1")
    seen.referrals = [Referral("key-1", 3, [one, replace(one, status=200)]), Referral("key-2", 1)]
    for number in (1, 2):  # the answer to the second was lost on the way
        whose = {"episode_id": f"EP-{number}", "child_id": f"CH-{number}"}
        seen.episodes.append({"id": f"EP-{number}", **whose, "missing_from": later(-number)})
        seen.offers.append({"id": f"OF-{number}", **whose})

    run.decide("DE-ASKED", PUSH, POLICE, "defer", rule="NO_DECISION", epoch=1)
    for item, recipient, name, state, number in (
        (PUSH, POLICE, "PUSH-POLICE", "delivered", 1),
        (PUSH, COUNCIL, "PUSH-COUNCIL", "delivered", 7),
        (PLAN, POLICE, "PLAN-POLICE", "erased", 2),
        (PLAN, COUNCIL, "PLAN-COUNCIL", "erased", 8),
        (WISH, COUNCIL, "WISH-COUNCIL", "cancelled", None),
    ):
        run.decide(f"DE-{name}", item, recipient, "allow_redacted", rule="R64", epoch=1)
        run.release(f"RE-{name}", f"DE-{name}", state, number)
    run.decide("DE-HARM-POLICE", HARM, POLICE, "refuse", rule="R66", epoch=1)
    run.decide("DE-HARM-COUNCIL", HARM, COUNCIL, "defer", rule="H3", epoch=1)
    school = {"push": "school", "place_type": "public_place"}
    run.read("RE-PUSH-POLICE", NOON, school)
    run.read("RE-PUSH-COUNCIL", NOON, school)
    seen.reads.append(seen.reads[0])  # its acknowledgement was lost

    answer = {
        "cancelled": ["RE-WISH-COUNCIL"],
        "erased": ["RE-PLAN-POLICE", "RE-PLAN-COUNCIL"],
        "left": ["RE-PUSH-POLICE", "RE-PUSH-COUNCIL"],
    }
    run.entries.append(("withdrawal", {"epoch": 2, "cancelled": answer["cancelled"]}))
    for name in answer["erased"]:
        run.entries.append(("taken_back", {"release_id": name, "action": "erased"}))
    run.entries.append(("withdrawal", {"action": "answered", "epoch": 2, **answer}))
    named = {kind: [{"release_id": name} for name in names] for kind, names in answer.items()}
    seen.withdrawals = [Withdrawal.of("CH-1", "all", 10.0, 10.5, {"epoch": 2, **named})]
    run.read_void("RE-PLAN-POLICE", NOON + timedelta(minutes=11), number=2)
    for item, recipient in [(row["item_id"], row["recipient"]) for row in seen.releases]:
        run.decide(f"DE-{item}-{recipient}", item, recipient, "refuse", rule="R64", epoch=2)

    run.decide("DE-AGAIN", PUSH, POLICE, "allow_redacted", rule="R64", epoch=3)
    run.release("RE-AGAIN", "DE-AGAIN", "sent", 3, digest="less")
    run.read("RE-AGAIN", NOON + timedelta(minutes=30), {"push": "school"})
    seen.changes = [Change("CH-1", n, 60.0 * (10 * n - 10)) for n in (2, 3)]
    seen.clocks = [ClockSet(0.0, NOON)]

    seen.drained = frozenset({POLICE})  # the council has not come to read on
    seen.never = frozenset({(HARM, POLICE)})
    seen.messages = [
        {"id": "ME-1", "kind": "page", "cause_id": "PG-1", "child_id": "CH-1", "to_role": "dsl",
         "code": "urgent_hold"},
    ]  # fmt: skip
    told = (
        EpisodeReferred(
            id="EV-1", occurred_at=NOON, referral_id="RF-1", child_id="CH-1", episode_id="EP-1",
            locality="northshire", setting="home", missing_from=NOON, returned_at=NOON,
            received_at=NOON,
        ),
        UrgentHoldRaised(
            id="EV-2", occurred_at=NOON, page_id="PG-1", child_id="CH-1", locality="northshire",
            to="dsl", code="urgent_hold", due_at=NOON,
        ),
        ReleaseDelivered(
            id="EV-3", occurred_at=NOON, release_id="RE-AGAIN", child_id="CH-1", recipient=POLICE,
            how="feed", number=3,
        ),
        AgreementWithdrawn(
            id="EV-4", occurred_at=NOON, child_id="CH-1", recipients=(POLICE, COUNCIL), epoch=2
        ),
    )  # fmt: skip
    seen.told = [Told(event.subject, event.model_dump_json().encode()) for event in told]
    seen.told.append(Told(EpisodeReferred.subject, b'{"id":"POISON-1","padding":"x x"}'))
    seen.dead_letters = [{"service": "scheduling", "event_id": "POISON-1"}]
    seen.poison = frozenset({"POISON-1"})
    seen.pending = {"sharing": {"delivery": 0.0, "dirty": 0.0}, "notify": {"unsent": 0.0}}
    seen.ledger_keys = {"keys": [LEDGER_JWK]}
    return run


def test_nothing_is_found_where_all_is_well():
    assert violations(a_run().look()) == []


# One change each

CASES: dict[str, tuple[str, Callable[[Run], object]]] = {}
"""What is changed, as a sentence: the one code that has to show, and how the change is made."""


def breaks(code: str, *ways: str) -> Callable[[Callable], Callable]:
    """Register a change by the code that it has to show; one that takes a way, in each of them."""

    def register(change: Callable) -> Callable:
        sentence = change.__name__.replace("_", " ")
        CASES.update({f"{sentence}: {way}": (code, partial(change, way=way)) for way in ways})
        if not ways:
            CASES[sentence] = code, change
        return change

    return register


def row_of(rows: Any, name: str) -> dict[str, Any]:
    return next(row for row in rows if row["id"] == name)


def decided(run: Run, name: str, **changes: Any) -> None:
    """A decision was another one, and list and ledger say so."""
    listed(run, name).update(changes)
    note(run, "decision", name).update(changes)


def listed(run: Run, name: str) -> dict[str, Any]:
    return row_of([*run.seen.decisions, *run.seen.releases], name)


def place(run: Run, kind: str, name: str) -> int:
    """Return where the ledger has the entry of this kind about a decision or release."""
    about = "decision_id" if kind == "decision" else "release_id"
    return next(n for n, (k, body) in enumerate(run.entries) if k == kind and body[about] == name)


def note(run: Run, kind: str, name: str) -> dict[str, Any]:
    return run.entries[place(run, kind, name)][1]


def answered(run: Run) -> dict[str, Any]:
    """Return what the ledger says was answered to the withdrawal."""
    return next(body for _, body in run.entries if body.get("action") == "answered")


def earlier(run: Run, kind: str, name: str, to: int) -> None:
    """Move an entry of the ledger up."""
    run.entries.insert(to, run.entries.pop(place(run, kind, name)))


def in_hand(run: Run, name: str) -> Read:
    """Return what was read of a release, the last time."""
    return [read for read in run.seen.reads if read.event["subject"] == name][-1]


def read_as(run: Run, name: str, **changes: Any) -> None:
    """What was read of a release is another thing; all other readings stay."""
    read = in_hand(run, name)
    run.seen.reads[run.seen.reads.index(read)] = replace(read, **changes)


def with_envelope(run: Run, name: str, **changes: Any) -> bytes:
    return json.dumps({**in_hand(run, name).event, **changes}).encode()


def with_claims(run: Run, name: str, **changes: Any) -> dict[str, Any]:
    return {**in_hand(run, name).opened, **changes}


def with_event(run: Run, number: int, **changes: Any) -> Told:
    told = run.seen.told[number]
    return replace(told, raw=json.dumps({**json.loads(told.raw), **changes}).encode())


# Cases


@breaks("referral.two_answers")
def a_referral_that_is_sent_again_gets_another_child(run):
    run.seen.referrals[0].answers[1] = Answered(200, "RF-1", "CH-9", "EP-1")


@breaks("episode.missing")
def a_referral_was_taken_and_its_episode_is_nowhere(run):
    run.seen.referrals.append(Referral("key-3", 1, [Answered(201, "RF-3", "CH-3", "EP-3")]))


@breaks("episode.double")
def two_episodes_have_one_id(run):
    run.seen.episodes.append({**run.seen.episodes[0], "missing_from": later(-3)})


@breaks("episode.double")
def there_is_an_episode_for_which_nobody_asked(run):
    del run.seen.referrals[1]


@breaks("episode.double")
def a_child_went_missing_twice_at_one_instant(run):
    run.seen.episodes[1] |= {"child_id": "CH-1", "missing_from": later(-1)}


@breaks("offer.missing")
def an_episode_has_no_offer(run):
    del run.seen.offers[1]


@breaks("offer.double")
def an_episode_has_two_offers(run):
    run.seen.offers.append({**run.seen.offers[0], "id": "OF-9"})


@breaks("offer.orphan")
def there_is_an_offer_without_an_episode(run):
    run.seen.offers.append({"id": "OF-9", "episode_id": "EP-9"})


@breaks("decision.twice")
def the_same_facts_are_judged_twice_in_a_row(run):
    before = note(run, "decision", "DE-PUSH-POLICE")
    note(run, "decision", f"DE-{PUSH}-{POLICE}")["facts_digest"] = before["facts_digest"]


@breaks("decision.twice")
def an_answer_that_did_not_come_is_noted_twice(run):
    decided(run, "DE-PUSH-POLICE", rule_ids=["NO_DECISION"])


@breaks("decision.twice")
def a_pair_is_judged_twice_for_one_epoch(run):
    decided(run, f"DE-{PUSH}-{POLICE}", epoch=1)


@breaks("decision.twice")
def a_decision_stands_in_the_ledger_twice(run):
    at = place(run, "decision", "DE-HARM-COUNCIL")
    run.entries.insert(at, run.entries[at])


@breaks("decision.unrecorded")
def a_refusal_is_not_in_the_ledger(run):
    del run.entries[place(run, "decision", "DE-HARM-POLICE")]


@breaks("decision.unlisted")
def a_decision_of_the_ledger_is_not_listed(run):
    run.seen.decisions.remove(listed(run, "DE-ASKED"))


@breaks("decision.not_as_recorded", "decision", "rule_ids", "gates_used", "basis", "transforms",
        "obligations", "category", "item_version", "epoch", "policy_version",
        "policy_digest")  # fmt: skip
def a_decision_is_listed_otherwise_than_the_ledger_has_it(run, way):
    note(run, "decision", "DE-HARM-POLICE")[way] = "other"


@breaks("decision.not_as_recorded", "child_id", "episode_id", "item_id", "purpose")
def the_ledger_says_in_clear_whom_a_decision_is_about(run, way):
    note(run, "decision", "DE-HARM-POLICE")[way] = listed(run, "DE-HARM-POLICE")[way]


@breaks("decision.not_as_recorded")
def a_decision_is_listed_with_a_purpose_of_which_the_ledger_knows_nothing(run):
    note(run, "decision", "DE-HARM-POLICE")["purpose"] = None


@breaks("decision.not_as_recorded", "another", "nobody", "a person in clear", "two")
def the_ledger_names_another_recipient_of_a_decision(run, way):
    body = note(run, "decision", "DE-HARM-POLICE")
    named = body.pop("recipient")
    match way:
        case "another":
            body["recipient"] = COUNCIL
        case "a person in clear":
            body["person"] = named
        case "two":
            body |= {"recipient": named, "person": a_commitment(named)}


@breaks("decision.two_current")
def a_decision_that_was_replaced_still_stands(run):
    listed(run, "DE-PUSH-POLICE")["current"] = True


@breaks("pair.undecided")
def nothing_was_ever_decided_about_a_pair(run):
    run.seen.expected |= {(WISH, POLICE)}


@breaks("pair.undecided")
def policy_has_not_answered_in_the_end(run):
    decided(run, "DE-HARM-POLICE", rule_ids=["NO_DECISION"])


@breaks("decision.forbidden")
def what_no_facts_allow_is_allowed(run):
    decided(run, "DE-HARM-POLICE", decision="allow")


@breaks("decision.no_rule")
def a_yes_names_no_rule(run):
    decided(run, "DE-AGAIN", rule_ids=[])


@breaks("release.forbidden")
def what_no_facts_allow_is_released(run):
    listed(run, "RE-AGAIN")["item_id"] = HARM


@breaks("ledger.broken")
def an_entry_is_changed_after_it_was_signed(run):
    run.after_signing = lambda text: text.replace(b'"IT-HARM-', b'"IT-PLAN-')


@breaks("ledger.broken")
def the_ledger_is_signed_with_a_key_that_nobody_knows(run):
    other = OKPKey.generate_key("Ed25519").as_dict(private=False)
    run.seen.ledger_keys = {"keys": [{**other, "kid": "ledger"}]}


@breaks("release.no_decision")
def a_release_names_a_decision_that_is_nowhere(run):
    note(run, "release", "RE-AGAIN")["decision_id"] = "DE-9"


@breaks("release.before_decision")
def a_release_is_noted_before_its_decision(run):
    earlier(run, "release", "RE-AGAIN", to=place(run, "decision", "DE-AGAIN"))


@breaks("release.not_allowed")
def a_release_names_a_refusal(run):
    decided(run, "DE-AGAIN", decision="refuse")


@breaks("release.not_allowed", "recipient", "recipient_type", "item_version", "category")
def a_release_is_not_for_what_was_decided(run, way):
    note(run, "release", "RE-AGAIN")[way] = "other"


@breaks("release.not_allowed")
def a_release_tells_more_than_was_decided(run):
    decided(run, "DE-AGAIN", transforms=["codes_only", "street_level"])


@breaks("release.stale")
def a_release_names_a_decision_that_had_been_replaced(run):
    refused = f"DE-{WISH}-{COUNCIL}"
    earlier(run, "decision", refused, to=place(run, "release", "RE-WISH-COUNCIL"))


@breaks("release.stale")
def a_release_gets_its_number_after_a_change_that_it_does_not_know(run):
    run.seen.changes[1] = replace(run.seen.changes[1], epoch=4)


@breaks("release.unrecorded")
def a_release_is_not_in_the_ledger(run):
    del run.entries[place(run, "release", "RE-WISH-COUNCIL")]


@breaks("release.twice")
def a_release_stands_in_the_ledger_twice(run):
    at = place(run, "release", "RE-AGAIN")
    run.entries.insert(at, run.entries[at])


@breaks("release.twice")
def the_same_content_goes_out_under_two_releases(run):
    note(run, "release", "RE-AGAIN")["digest"] = "sha256:school"


@breaks("release.twice")
def a_partner_reads_the_same_of_two_releases(run):
    item = in_hand(run, "RE-PUSH-POLICE").opened["item"]
    read_as(run, "RE-AGAIN", opened=with_claims(run, "RE-AGAIN", item=item))


@breaks("release.not_as_decided")
def a_partner_reads_more_than_was_decided(run):
    read_as(run, "RE-AGAIN", opened=with_claims(run, "RE-AGAIN", transforms=[]))


@breaks("delivery.unrecorded")
def that_a_release_left_is_not_in_the_ledger(run):
    del run.entries[place(run, "delivered", "RE-AGAIN")]


@breaks("delivery.unrecorded")
def that_a_release_was_taken_back_is_not_in_the_ledger(run):
    del run.entries[place(run, "taken_back", "RE-PLAN-POLICE")]


@breaks("delivery.unrecorded", "sent", "delivered")
def that_a_release_lies_unread_is_not_in_the_ledger(run, way):
    listed(run, "RE-PUSH-COUNCIL")["state"] = way
    run.seen.reads.remove(in_hand(run, "RE-PUSH-COUNCIL"))
    del run.entries[place(run, "delivered", "RE-PUSH-COUNCIL")]


@breaks("delivery.before_release")
def a_release_is_delivered_before_it_is_named(run):
    earlier(run, "delivered", "RE-AGAIN", to=place(run, "release", "RE-AGAIN"))


@breaks("delivery.before_release")
def a_release_that_was_never_named_is_acknowledged(run):
    run.entries.append(("receipt", {"release_id": "RE-9"}))


@breaks("feed.clear")
def a_release_is_signed_and_not_encrypted(run):
    read_as(run, "RE-AGAIN", raw=with_envelope(run, "RE-AGAIN", data="e30.e30.e30"))


@breaks("feed.clear")
def a_release_is_encrypted_in_another_way(run):
    read_as(run, "RE-AGAIN", raw=with_envelope(run, "RE-AGAIN", data="e30.e30.e30.e30.e30"))


@breaks("feed.clear")
def a_name_stands_in_the_envelope(run):
    read_as(run, "RE-AGAIN", raw=with_envelope(run, "RE-AGAIN", source=MARKED))


@breaks("feed.clear")
def a_void_says_whose_release_was_taken_back(run):
    signed = urlsafe_b64encode(MARKED.encode()).decode().rstrip("=")
    raw = with_envelope(run, "RE-PLAN-POLICE", data=f"e30.{signed}.e30")
    read_as(run, "RE-PLAN-POLICE", raw=raw)


@breaks("feed.not_thin", "words", "a long code", "a list")
def an_envelope_holds_what_is_no_code(run, way):
    note = {"words": "she said that", "a long code": "x" * 601, "a list": ["x"]}[way]
    read_as(run, "RE-AGAIN", raw=with_envelope(run, "RE-AGAIN", note={"of": note}))


@breaks("feed.not_thin")
def something_on_a_feed_has_no_envelope(run):
    run.seen.reads.append(Read(COUNCIL, b"[]", 60.0, 9, opened={"aud": COUNCIL}))


@breaks("feed.unreadable")
def a_partner_cannot_open_what_is_on_its_feed(run):
    read_as(run, "RE-AGAIN", opened=None)


@breaks("feed.wrong_partner")
def a_partner_reads_what_was_sealed_for_another(run):
    read_as(run, "RE-PLAN-POLICE", opened=with_claims(run, "RE-PLAN-POLICE", aud=COUNCIL))


@breaks("feed.wrong_partner")
def a_partner_reads_what_was_released_to_another(run):
    read = in_hand(run, "RE-AGAIN")
    run.seen.reads.append(replace(read, partner=COUNCIL, opened=read.opened | {"aud": COUNCIL}))


@breaks("release.unknown")
def a_partner_reads_a_release_that_is_not_listed(run):
    run.seen.releases.remove(listed(run, "RE-AGAIN"))


@breaks("number.twice")
def a_number_stands_for_two_releases(run):
    run.read_void("RE-9", NOON, number=3)


@breaks("release.two_numbers")
def a_release_comes_under_two_numbers(run):
    run.read_void("RE-9", NOON, number=4)
    run.read_void("RE-9", NOON, number=5)


@breaks("release.two_numbers")
def a_release_has_another_number_than_is_listed(run):
    listed(run, "RE-AGAIN")["number"] = 2


@breaks("release.other_bytes")
def a_release_comes_again_in_other_bytes(run):
    run.read("RE-AGAIN", NOON + timedelta(minutes=30), {"push": "school"})


@breaks("number.missing")
def a_void_was_not_read(run):
    run.seen.reads.remove(in_hand(run, "RE-PLAN-POLICE"))


@breaks("number.missing")
def a_number_was_given_and_never_read(run):
    listed(run, "RE-WISH-COUNCIL").update(number=4, partner=POLICE)


@breaks("release.lost", "sent", "delivered")
def a_void_lies_in_the_place_of_what_is_said_to_be_on_a_feed(run, way):
    listed(run, "RE-AGAIN")["state"] = way
    run.seen.reads.remove(in_hand(run, "RE-AGAIN"))
    run.read_void("RE-AGAIN", NOON, number=3)


@breaks("withdrawal.unnamed")
def a_partner_has_read_what_was_said_to_be_erased(run):
    run.read("RE-PLAN-COUNCIL", NOON, {"plan": "aunt"})


@breaks("withdrawal.unnamed", "sent", "delivered")
def a_partner_can_still_read_what_was_said_to_be_erased(run, way):
    listed(run, "RE-PLAN-COUNCIL")["state"] = way


@breaks("withdrawal.not_stopped", "waiting_child_told", "tell", "queued", "claimed")
def what_was_said_to_be_cancelled_is_still_on_its_way(run, way):
    listed(run, "RE-WISH-COUNCIL")["state"] = way


@breaks("withdrawal.not_stopped")
def what_was_withdrawn_from_one_recipient_is_on_its_way_to_it(run):
    run.seen.withdrawals[0] = replace(run.seen.withdrawals[0], recipients=frozenset({COUNCIL}))
    listed(run, "RE-WISH-COUNCIL")["state"] = "queued"


@breaks("withdrawal.wrong_name")
def an_answer_names_a_release_of_another_child(run):
    listed(run, "RE-WISH-COUNCIL")["child_id"] = "CH-2"


@breaks("withdrawal.wrong_name")
def an_answer_names_a_release_as_cancelled_and_left(run):
    withdrawal = run.seen.withdrawals[0]
    left = withdrawal.left | withdrawal.cancelled
    run.seen.withdrawals[0] = replace(withdrawal, left=left)
    answered(run)["left"] = sorted(left)


@breaks("withdrawal.unrecorded", "epoch", "cancelled", "erased", "left")
def an_answer_to_a_withdrawal_is_not_in_the_ledger_as_given(run, way):
    answered(run)[way] = 3 if way == "epoch" else []


@breaks("bus.not_thin")
def an_event_has_a_field_that_its_contract_lacks(run):
    run.seen.told[0] = with_event(run, 0, given="Zoe")


@breaks("bus.not_thin")
def an_event_holds_a_sentence(run):
    run.seen.told[0] = with_event(run, 0, setting="she said that")


@breaks("bus.not_thin")
def an_event_holds_a_sentence_in_a_list(run):
    run.seen.told[3] = with_event(run, 3, recipients=[POLICE, "she said that"])


@breaks("bus.clear")
def a_name_stands_in_an_event(run):
    run.seen.told[0] = with_event(run, 0, locality=MARKED)


@breaks("ledger.clear")
def a_name_stands_in_the_ledger(run):
    decided(run, "DE-AGAIN", basis=[MARKED])


@breaks("fact.told_twice")
def one_fact_is_told_under_two_ids(run):
    run.seen.told.append(with_event(run, 2, id="EV-9"))


@breaks("rest.pending", "1", "nan")
def something_still_waits_in_the_end(run, way):
    run.seen.pending["sharing"]["delivery"] = float(way)


@breaks("dead_letter.unexpected")
def an_event_was_put_aside_that_nobody_had_broken(run):
    run.seen.dead_letters.append({"service": "notify", "event_id": "EV-2"})


@breaks("page.missing", "police", "childrens_services", "health")
def nobody_is_called_about_harm_that_waits(run, way):
    note(run, "decision", "DE-HARM-COUNCIL")["recipient_type"] = way
    run.seen.messages.clear()


@breaks("page.missing")
def somebody_is_called_about_something_else(run):
    run.seen.messages[0]["code"] = "child_not_told"


@breaks("message.double")
def a_call_is_written_twice(run):
    run.seen.messages.append({**run.seen.messages[0], "id": "ME-2"})


@pytest.mark.parametrize("case", CASES)
def test_it_is_found_and_called_by_its_name_that(case):
    code, change = CASES[case]
    run = a_run()
    change(run)

    assert {one.code for one in violations(run.look())} == {code}


# Near to a violation, and none


@pytest.mark.parametrize("name", ["item_version", "policy_digest"])
def test_the_same_facts_may_be_judged_again_under_another(name):
    run = a_run()
    before = note(run, "decision", "DE-PUSH-POLICE")
    note(run, "decision", f"DE-{PUSH}-{POLICE}")["facts_digest"] = before["facts_digest"]
    decided(run, f"DE-{PUSH}-{POLICE}", **{name: "other"})

    assert violations(run.look()) == []


@pytest.mark.parametrize("state", ["cancelled", "superseded", "erased", "void"])
def test_the_same_content_may_be_released_again_once_the_first_is(state):
    run = a_run()
    note(run, "release", "RE-AGAIN")["digest"] = "sha256:school"
    listed(run, "RE-PUSH-POLICE")["state"] = state

    assert violations(run.look()) == []


@pytest.mark.parametrize("whose", ["another child's", "another recipient's", "permitted later"])
def test_an_answer_to_a_withdrawal_need_not_name_what_is(whose):
    run = a_run()
    note(run, "release", "RE-AGAIN")["epoch"] = 2 if whose == "permitted later" else 1
    if whose == "another child's":
        listed(run, "RE-AGAIN").update(child_id="CH-2", epoch=1)
    if whose == "another recipient's":
        run.seen.withdrawals[0] = replace(run.seen.withdrawals[0], recipients=frozenset({COUNCIL}))

    assert violations(run.look()) == []


@pytest.mark.parametrize("why", ["not harm", "refused", "H1", "a school", "judged"])
def test_nobody_need_be_called_about_what_is(why):
    run = a_run()
    run.seen.messages.clear()
    hold = partial(decided, run, "DE-HARM-COUNCIL")
    match why:
        case "not harm":
            hold(category="wishes")
        case "refused":
            hold(decision="refuse")
        case "H1":
            hold(rule_ids=["H1"])
        case "a school":
            note(run, "decision", "DE-HARM-COUNCIL")["recipient_type"] = "school_dsl"
        case "judged":
            run.seen.harm_judged = frozenset({"CH-1"})

    assert violations(run.look()) == []


def test_the_ledger_names_a_person_by_a_commitment_alone():
    run = a_run()
    body = note(run, "decision", "DE-HARM-POLICE")
    body["person"] = a_commitment(body.pop("recipient"))

    assert violations(run.look()) == []


@pytest.mark.parametrize("set_to", ["a day slow", "a day fast", "nobody knows what"])
def test_what_left_before_a_change_is_told_by_whatever_the_clock_was_set_to(set_to):
    """RE-AGAIN left half an hour after noon, by one of the clocks that there were."""
    run = a_run()
    a_release_gets_its_number_after_a_change_that_it_does_not_know(run)
    match set_to:
        case "a day slow":  # what then says half past twelve had been let go a day later
            run.seen.clocks.append(ClockSet(10.0, NOON - timedelta(days=1)))
        case "a day fast":  # as it was set back to
            run.seen.clocks = [ClockSet(0.0, NOON + timedelta(days=1)), ClockSet(0.0, NOON)]
        case _:
            run.seen.clocks = []

    found = {one.code for one in violations(run.look())}
    assert found == ({"release.stale"} if run.seen.clocks else set())


def test_what_left_may_have_been_before_a_change_where_the_clock_was_set_meanwhile():
    run = a_run()
    a_release_gets_its_number_after_a_change_that_it_does_not_know(run)
    run.seen.clocks.append(ClockSet(60.0, NOON + timedelta(minutes=29)))  # a minute later it left

    assert violations(run.look()) == []


# No rule without a case

SOURCES = {
    source.name: ast.parse(source.read_text())
    for source in (Path(__file__).parent / "rules").glob("*.py")
}
CODE = re.compile(r"[a-z_]+\.[a-z_]+")


def test_each_code_that_a_rule_can_report_has_a_case():
    written = {
        node.value
        for tree in SOURCES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and CODE.fullmatch(str(node.value))
    }

    assert written == {code for code, _ in CASES.values()}


def test_each_place_that_reports_is_the_only_one_to_do_so_in_some_case(monkeypatch):
    """Else a rule could be lost, and its case still be found by another."""
    places = {
        (name, node.lineno)
        for name, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Violation.of"
    }
    reached: set[tuple[str, int]] = set()
    make = Violation.of

    def noted(*about: object) -> Violation:
        rule = sys._getframe(1)
        reached.add((Path(rule.f_code.co_filename).name, rule.f_lineno))
        return make(*about)

    monkeypatch.setattr(Violation, "of", noted)
    alone = set()
    for _, change in CASES.values():
        reached.clear()
        run = a_run()
        change(run)
        violations(run.look())
        alone |= reached if len(reached) == 1 else set()

    assert places == alone
