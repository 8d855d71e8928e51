"""Nothing is released but what a decision in the ledger allows, named there after it, and once."""

import io
from collections import Counter, defaultdict
from collections.abc import Iterator

from faults.rules.decisions import ALLOWS, pair_of
from faults.rules.violation import Violation
from faults.seen import Row, Seen

from contracts import feed
from homeward import ledger_check

GONE = {"cancelled", "superseded", "erased", "void"}
"""The recipient has it not and never will: the same may be released once more."""


def chain_verifies(seen: Seen) -> Iterator[Violation]:
    """The export is whole and ends with a checkpoint over all of it."""
    if seen.ledger is None or seen.ledger_keys is None:
        return
    try:
        ledger_check.check(io.BytesIO(seen.ledger), ledger_check.trusted(seen.ledger_keys))
    except ledger_check.WrongError as error:
        yield Violation.of("ledger.broken", error.where)


def allowed(seen: Seen) -> Iterator[Violation]:
    """A release names the decision that stood for its pair just before, and that one allows it."""
    if seen.ledger is None:
        return
    listed = {str(row["id"]): row for row in seen.decisions}
    every = {str(one["body"]["decision_id"]) for one in seen.entries("decision")}
    decided: dict[str, Row] = {}
    standing: dict[tuple[str, str], str] = {}
    for entry in seen.entries("decision", "release"):
        body = entry["body"]
        decision_id = str(body["decision_id"])
        if entry["kind"] == "decision":
            decided[decision_id] = body
            if decision_id in listed:
                standing[pair_of(listed[decision_id])] = decision_id
            continue
        release_id = str(body["release_id"])
        its = decided.get(decision_id)
        if its is None:
            before = "release.before_decision" if decision_id in every else "release.no_decision"
            yield Violation.of(before, release_id)
            continue
        same = ("recipient", "recipient_type", "item_version", "category", "transforms")
        if its["decision"] not in ALLOWS or any(its.get(n) != body.get(n) for n in same):
            yield Violation.of("release.not_allowed", release_id)
        row = listed.get(decision_id)
        if row is not None and standing[pair_of(row)] != decision_id:
            yield Violation.of("release.stale", release_id)


def on_record(seen: Seen) -> Iterator[Violation]:
    """Every release that is listed, or was read, stands in the ledger; so does that it left."""
    if seen.ledger is None:
        return
    noted = Counter(str(one["body"]["release_id"]) for one in seen.entries("release"))
    left = {str(one["body"]["release_id"]) for one in seen.entries("delivered", "taken_back")}
    listed = {str(row["id"]) for row in seen.releases}
    read = {
        str(one.event.get("subject")) for one in seen.reads if one.event.get("type") == feed.RELEASE
    }
    for release_id in (listed | read) - noted.keys():
        yield Violation.of("release.unrecorded", release_id)
    for release_id, count in noted.items():
        if count > 1:
            yield Violation.of("release.twice", release_id)
    out = {str(r["id"]) for r in seen.releases if r["number"] and r["state"] in _HAS_LEFT}
    for release_id in (out | read) - left:
        yield Violation.of("delivery.unrecorded", release_id)


_HAS_LEFT = {"sent", "delivered", "erased"}


def in_order(seen: Seen) -> Iterator[Violation]:
    """A release is named before it is said to have been delivered."""
    named: set[str] = set()
    for entry in seen.entries("release", "delivered", "receipt"):
        release_id = str(entry["body"].get("release_id"))
        if entry["kind"] == "release":
            named.add(release_id)
        elif release_id not in named:
            yield Violation.of("delivery.before_release", release_id)


def once_for_the_same_facts(seen: Seen) -> Iterator[Violation]:
    """One content of one version of an item reaches a recipient under one release."""
    states = {str(row["id"]): row for row in seen.releases}
    same = defaultdict(set)
    for entry in seen.entries("release"):
        row = states.get(str(entry["body"]["release_id"]))
        if row is not None and row["state"] not in GONE:
            same[(*pair_of(row), row["item_version"], entry["body"]["digest"])].add(str(row["id"]))
    for (item_id, recipient, *_), ids in same.items():
        if len(ids) > 1:
            yield Violation.of("release.twice", item_id, recipient, *sorted(ids))


def after_what_changed(seen: Seen) -> Iterator[Violation]:
    """What got its number after a change was answered had been looked at since that change.

    The listed epoch of a release that left is the one for which it was let go, and the time in its
    event is the moment at which it was, by a clock that may have been set wrong.
    """
    rows = {str(row["id"]): row for row in seen.releases}
    for read in seen.reads:
        row = rows.get(str(read.event.get("subject")))
        if row is None or read.event.get("type") != feed.RELEASE:
            continue
        try:
            let_go = seen.not_before(feed.FeedEvent.model_validate(read.event).time)
        except ValueError:
            continue
        if let_go is None:
            continue
        for change in seen.changes:
            if (
                change.child_id == row["child_id"]
                and change.epoch > row["epoch"]
                and change.answered_at < let_go
            ):
                yield Violation.of("release.stale", row["id"])


RULES = (
    chain_verifies,
    allowed,
    on_record,
    in_order,
    once_for_the_same_facts,
    after_what_changed,
)
