"""The rows that a history leaves in `referral` and `scheduling`, table by table."""

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from homeward.seed.history import Episode, name

COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "referral": {
        "children": (
            "id", "version", "name_key", "given_name", "family_name", "date_of_birth",
            "identity_status", "legal_status", "locality", "responsible_la", "host_la",
            "address_confidential", "channels", "recorded_at",
        ),
        "episodes": (
            "id", "child_id", "referral_id", "locality", "setting", "legal_status",
            "responsible_la", "missing_from", "returned_at", "reported_missing_at", "grading",
            "received_at", "return_time_ambiguous",
        ),
        "referrals": (
            "id", "child_id", "episode_id", "source", "police_reference", "missing_from",
            "report_digest", "body_digest", "locality", "state", "triage", "received_at",
            "recorded_at", "recorded_by",
        ),
    },
    "scheduling": {
        "offers": (
            "episode_id", "id", "child_id", "locality", "setting", "missing_from", "returned_at",
            "received_at", "return_time_ambiguous", "made_at", "state", "next_due_at",
            "contact_due_at", "rhi_due_at", "contact_at", "interviewed_at", "interview_id",
            "phone_discussion", "worker", "outcome", "outcome_at", "rhi_outcome",
            "door_open_sent", "reports", "closings", "closed_at",
        ),
        "clocks": (
            "episode_id", "clock", "started_at", "due_at", "met_at", "stopped_at", "next_at",
            "near_told", "missed_told", "met_told",
        ),
        "attempts": (
            "id", "episode_id", "worker", "method", "outcome", "points_told", "door_open",
            "occurred_at", "recorded_at",
        ),
        "answers": (
            "id", "episode_id", "child_id", "outcome", "by", "helpline_given_to", "recorded_by",
            "occurred_at", "recorded_at",
        ),
        "talks": (
            "episode_id", "interview_id", "child_id", "kind", "worker", "started_at", "ended_at",
            "rhi_outcome",
        ),
    },
}  # fmt: skip
"""Columns that are filled, by service and table; parents before what refers to them."""

Row = tuple[Any, ...]
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_POINTS = json.dumps(["not_in_trouble", "independent", "confidential_with_limits"])


def referral_rows(seed: int, one: Episode, *, first: bool) -> Iterator[tuple[str, Row]]:
    """Yield the rows of one episode; with those of its child where it is the child's first."""
    child = one.child
    referral = name(seed, "RF", one.number)
    given, family = f"Given{child.number % 997}", f"Family{child.number}"
    if first:
        key = f"{given} {family}".lower()
        yield "children", (
            child.id, 1, key, given, family, child.born_on, "verified", child.legal_status,
            child.area, child.area, None, True, "[]", one.received_at,
        )  # fmt: skip
    yield "episodes", (
        one.id, child.id, referral, child.area, one.setting, child.legal_status, child.area,
        one.missing_from, one.returned_at, one.missing_from + _HOUR, one.grading,
        one.received_at, False,
    )  # fmt: skip
    digest = hashlib.sha256(referral.encode()).hexdigest()
    yield "referrals", (
        referral, child.id, one.id, "police", f"SEED/{one.number:07}", one.missing_from, digest,
        digest, child.area, "accepted", "[]", one.received_at, one.received_at, "seed",
    )  # fmt: skip


def scheduling_rows(seed: int, one: Episode) -> Iterator[tuple[str, Row]]:
    """Yield the rows of one episode's offer: its clocks, what was tried, answered and held."""
    contact_due, rhi_due = one.received_at + _DAY, one.returned_at + 3 * _DAY
    reached = one.received_at + 5 * _HOUR if one.attempts > 1 else None
    talked = one.returned_at + 2 * _DAY if one.interviewed else None
    ended = None if one.is_open else max(rhi_due, one.received_at + _DAY)
    interview = name(seed, "IN", one.number) if talked else None
    outcome = None if one.is_open else "accepted" if talked else "declined_by_child"
    yield "offers", (
        one.id, name(seed, "OF", one.number), one.child.id, one.child.area, one.setting,
        one.missing_from, one.returned_at, one.received_at, False, one.received_at,
        "open" if one.is_open else "closed", min(contact_due, rhi_due), contact_due, rhi_due,
        reached, talked, interview, False, one.worker, outcome, ended,
        "completed_engaged" if talked else None, False, 0 if one.is_open else 1,
        0 if one.is_open else 1, ended,
    )  # fmt: skip
    for clock, began, due, met in (
        ("contact", one.received_at, contact_due, reached),
        ("rhi", one.returned_at, rhi_due, talked),
    ):
        stopped = ended if met is None else None
        yield "clocks", (one.id, clock, began, due, met, stopped, None, True, met is None, True)
    for number in range(one.attempts):
        at = one.received_at + number * 3 * _HOUR
        got = "contact" if reached and number == one.attempts - 1 else "no_answer"
        attempt = name(seed, "AT", one.number, number)
        yield "attempts", (attempt, one.id, one.worker, "telephone", got, _POINTS, False, at, at)
    if outcome:
        yield "answers", (
            name(seed, "AN", one.number), one.id, one.child.id, outcome, "child", "[\"child\"]",
            one.worker, ended, ended,
        )  # fmt: skip
    if talked:
        yield "talks", (
            one.id, interview, one.child.id, "interview", one.worker, talked, talked + _HOUR,
            "completed_engaged",
        )  # fmt: skip
