"""No pair of item and recipient is decided twice for the same facts, and none is left undecided."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from faults.rules.violation import Violation
from faults.seen import Row, Seen

NO_DECISION = "NO_DECISION"
ALLOWS = {"allow", "allow_redacted"}
SAID_TWICE = (
    "decision",
    "rule_ids",
    "gates_used",
    "basis",
    "transforms",
    "obligations",
    "category",
    "item_version",
    "epoch",
    "policy_version",
    "policy_digest",
)
"""Of a decision: what the list and the ledger both say in clear."""
COMMITTED_TO = ("child_id", "episode_id", "item_id", "purpose")
"""Of a decision: what the list says in clear, and the ledger to whoever holds the entry's salt."""
COMMITMENT = re.compile(r"hmac-sha256:[0-9a-f]{64}")


def pair_of(row: Row) -> tuple[str, str]:
    """Return the item and the recipient that a decision or a release is about."""
    return str(row["item_id"]), str(row["recipient"])


def _in_order(seen: Seen) -> Iterator[tuple[Row, Any]]:
    """Give decisions in the order of the ledger, with the digest of the facts that were judged."""
    listed = {str(row["id"]): row for row in seen.decisions}
    if seen.ledger is None:
        for row in seen.decisions:
            yield row, row["epoch"]
        return
    for entry in seen.entries("decision"):
        row = listed.get(str(entry["body"]["decision_id"]))
        if row is not None:
            yield row, entry["body"]["facts_digest"]


def once_for_the_same_facts(seen: Seen) -> Iterator[Violation]:
    """Facts that return after others were true may be judged again; the same in a row may not.

    A hold for want of an answer is no judgement: it is recorded once, and an answer may follow.
    """
    last: dict[tuple[str, str], tuple[Row, Any]] = {}
    judged: set[tuple[Any, ...]] = set()
    for row, facts in _in_order(seen):
        pair, held = pair_of(row), NO_DECISION in row["rule_ids"]
        if pair in last:
            before, its_facts = last[pair]
            same = its_facts == facts and all(
                before[name] == row[name] for name in ("item_version", "policy_digest")
            )
            if same and (held or NO_DECISION not in before["rule_ids"]):
                yield Violation.of("decision.twice", *pair, row["id"])
        last[pair] = row, facts
        moment = (*pair, row["item_version"], row["epoch"], row["policy_digest"], held)
        if moment in judged:
            yield Violation.of("decision.twice", *pair, row["id"])
        judged.add(moment)


def on_record(seen: Seen) -> Iterator[Violation]:
    """What was decided, to share or not to share, stands in the ledger, and nothing else does."""
    if seen.ledger is None:
        return
    noted = {str(one["body"]["decision_id"]) for one in seen.entries("decision")}
    listed = {str(row["id"]) for row in seen.decisions}
    for decision_id in listed - noted:
        yield Violation.of("decision.unrecorded", decision_id)
    for decision_id in noted - listed:
        yield Violation.of("decision.unlisted", decision_id)


def as_recorded(seen: Seen) -> Iterator[Violation]:
    """A list says of a decision what the ledger says, and neither says it of anybody else.

    What is personal is a commitment in the ledger, which nobody outside can open: there only that
    it is one is seen.
    """
    noted = {str(one["body"]["decision_id"]): one["body"] for one in seen.entries("decision")}
    for row in seen.decisions:
        body = noted.get(str(row["id"]))
        if body is not None and not _same(row, body):
            yield Violation.of("decision.not_as_recorded", row["id"])


def _same(row: Row, body: Row) -> bool:
    return (
        all(row[name] == body.get(name) for name in SAID_TWICE)
        and all(_commits(body.get(name), row[name]) for name in COMMITTED_TO)
        and (
            _commits(body.get("person"), row["recipient"])
            if "recipient" not in body
            else "person" not in body and body["recipient"] == row["recipient"]
        )
    )


def _commits(said: Any, value: Any) -> bool:
    """Tell whether `said` can be the commitment to `value`; to nothing there is none."""
    return said is None if value is None else bool(COMMITMENT.fullmatch(str(said)))


def all_final(seen: Seen) -> Iterator[Violation]:
    """Once a run rests, each pair has one decision that stands, and policy itself gave it."""
    current = defaultdict(list)
    for row in seen.decisions:
        if row["current"]:
            current[pair_of(row)].append(row)
    for pair, rows in current.items():
        if len(rows) > 1:
            yield Violation.of("decision.two_current", *pair)
    for pair in seen.expected - current.keys():
        yield Violation.of("pair.undecided", *pair)
    for pair, rows in current.items():
        if any(NO_DECISION in row["rule_ids"] for row in rows):
            yield Violation.of("pair.undecided", *pair)


def never_allowed(seen: Seen) -> Iterator[Violation]:
    """What the facts forbid is not allowed, whatever the engine answered, and is not released."""
    for row in seen.decisions:
        if pair_of(row) in seen.never and row["decision"] in ALLOWS:
            yield Violation.of("decision.forbidden", *pair_of(row), row["id"])
        if row["decision"] in ALLOWS and not row["rule_ids"]:
            yield Violation.of("decision.no_rule", row["id"])
    for row in seen.releases:
        if pair_of(row) in seen.never:
            yield Violation.of("release.forbidden", *pair_of(row), row["id"])


RULES = (once_for_the_same_facts, on_record, as_recorded, all_final, never_allowed)
