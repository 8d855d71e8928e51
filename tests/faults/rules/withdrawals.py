"""Nothing is readable after an acknowledged withdrawal that the acknowledgement does not name."""

from collections.abc import Iterator

from faults.rules.violation import Violation
from faults.seen import Row, Seen, Withdrawal

from contracts import feed

READABLE = {"sent", "delivered"}
NOT_STOPPED = {"waiting_child_told", "tell", "queued", "claimed"}


def _before(seen: Seen, withdrawal: Withdrawal) -> Iterator[Row]:
    """Give the releases that were permitted before a withdrawal and that it meets."""
    epochs = {
        str(one["body"]["release_id"]): one["body"]["epoch"] for one in seen.entries("release")
    }
    for row in seen.releases:
        met = withdrawal.recipients is None or row["recipient"] in withdrawal.recipients
        epoch = epochs.get(str(row["id"]), row["epoch"])
        if row["child_id"] == withdrawal.child_id and met and epoch < withdrawal.epoch:
            yield row


def what_left_is_named(seen: Seen) -> Iterator[Violation]:
    """Whatever a partner ever read of it, or can still read, is among what had `left`."""
    read = {
        str(one.event.get("subject")) for one in seen.reads if one.event.get("type") == feed.RELEASE
    }
    for withdrawal in seen.withdrawals:
        if withdrawal.answered_at is None:
            continue
        for row in _before(seen, withdrawal):
            readable = row["number"] is not None and row["state"] in READABLE
            if (row["id"] in read or readable) and row["id"] not in withdrawal.left:
                yield Violation.of("withdrawal.unnamed", withdrawal.child_id, row["id"])
            if row["state"] in NOT_STOPPED:
                yield Violation.of("withdrawal.not_stopped", withdrawal.child_id, row["id"])


def names_are_right(seen: Seen) -> Iterator[Violation]:
    """An answer names releases of that child, each in one list."""
    children = {str(row["id"]): row["child_id"] for row in seen.releases}
    for one in seen.withdrawals:
        named = [*one.cancelled, *one.erased, *one.left]
        for release_id in named:
            if children.get(release_id) != one.child_id:
                yield Violation.of("withdrawal.wrong_name", one.child_id, release_id)
        if len(named) != len(set(named)):
            yield Violation.of("withdrawal.wrong_name", one.child_id)


def on_record(seen: Seen) -> Iterator[Violation]:
    """An answer stands in the ledger as it was given."""
    if seen.ledger is None:
        return
    kinds = ("cancelled", "erased", "left")
    noted = {
        (body["epoch"], *(frozenset(body[kind]) for kind in kinds))
        for body in (one["body"] for one in seen.entries("withdrawal"))
        if body.get("action") == "answered"
    }
    for one in seen.withdrawals:
        answer = (one.epoch, one.cancelled, one.erased, one.left)
        if one.answered_at is not None and answer not in noted:
            yield Violation.of("withdrawal.unrecorded", one.child_id, one.epoch)


RULES = (what_left_is_named, names_are_right, on_record)
