"""Valid events and bodies, each a case of S1 until a test changes one thing about it."""

from datetime import UTC, datetime

from contracts.interview import InterviewRecorded
from contracts.referral import EpisodeReferred


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def referred(episode: str = "EP-1", child: str = "CH-1", **changes) -> EpisodeReferred:
    """Return one referral event: S1 unless changed."""
    facts = {
        "id": f"EV-{episode}", "occurred_at": utc(2026, 11, 28, 9, 15), "referral_id": "RF-1",
        "child_id": child, "episode_id": episode, "locality": "northshire", "setting": "home",
        "missing_from": utc(2026, 11, 27, 18), "returned_at": utc(2026, 11, 27, 22, 40),
        "received_at": utc(2026, 11, 28, 9, 15),
    } | changes  # fmt: skip
    return EpisodeReferred(**facts)


def talked(*episodes: str, child: str = "CH-1", **changes) -> InterviewRecorded:
    """Return one recorded talk: S1's interview unless changed."""
    facts = {
        "id": "EV-IN-1", "occurred_at": utc(2026, 11, 30, 17, 20), "interview_id": "IN-1",
        "child_id": child, "episode_ids": episodes or ("EP-1",), "kind": "interview",
        "worker": "W-1", "started_at": utc(2026, 11, 30, 16, 30),
        "ended_at": utc(2026, 11, 30, 17, 20), "outcome": "completed_engaged",
        "service_outcome": "accepted",
    } | changes  # fmt: skip
    return InterviewRecorded(**facts)


def an_attempt(at: datetime, **changes) -> dict:
    body = {"method": "phone", "occurred_at": at.isoformat(), "outcome": "no_answer"}
    return body | changes
