"""In the end everything has come to rest: nothing waits, nothing is lost, somebody was called."""

from collections import Counter
from collections.abc import Iterator

from faults.rules.violation import Violation
from faults.seen import Seen

URGENT_TYPES = {"police", "childrens_services", "health"}
"""Towards whom a hold about harm calls somebody (design, section 5)."""


def nothing_pending(seen: Seen) -> Iterator[Violation]:
    """All counts of waiting work are zero; one that cannot be known is not."""
    for service, kinds in seen.pending.items():
        for kind, count in kinds.items():
            if count != 0:
                yield Violation.of("rest.pending", service, kind)


def no_dead_letter(seen: Seen) -> Iterator[Violation]:
    """Nothing was put aside but what was broken on purpose."""
    for one in seen.dead_letters:
        ids = {str(one.get("event_id")), str(one.get("subject"))}
        if not ids & seen.poison:
            yield Violation.of("dead_letter.unexpected", one.get("service"), one.get("event_id"))


def urgent_holds_call_somebody(seen: Seen) -> Iterator[Violation]:
    """A hold about harm that nobody has judged calls the DSL; each call is one message."""
    if seen.messages is None:
        return
    types = {
        str(one["body"]["decision_id"]): one["body"]["recipient_type"]
        for one in seen.entries("decision")
    }
    called = {str(one["child_id"]) for one in seen.messages if one["code"] == "urgent_hold"}
    for row in seen.decisions:
        urgent = (
            row["decision"] == "defer"
            and row["category"] == "harm"
            and "H1" not in row["rule_ids"]
            and types.get(str(row["id"])) in URGENT_TYPES
            and row["child_id"] not in seen.harm_judged
        )
        if urgent and row["child_id"] not in called:
            yield Violation.of("page.missing", row["child_id"], row["id"])
    causes = Counter(
        (one["kind"], one["cause_id"], one["to_role"], one["code"]) for one in seen.messages
    )
    for (_, cause, *_), count in causes.items():
        if count > 1:
            yield Violation.of("message.double", cause)


RULES = (nothing_pending, no_dead_letter, urgent_holds_call_somebody)
