"""When things are due, what an offer allows next, and who may go. No I/O, no framework."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from contracts.scheduling import Clock, OfferOutcome

LONDON: Final = ZoneInfo("Europe/London")
"""Days are counted as people live them (R13); clocks are not, they are elapsed time."""

CONTACT_WITHIN: Final = timedelta(hours=24)
"""From the referral (R11)."""
RHI_WITHIN: Final = timedelta(hours=72)
"""From the return (R12, F02)."""
FOLLOW_UP_WITHIN: Final = timedelta(hours=168)
"""From the end of the interview (R73)."""
LATE_AFTER: Final = timedelta(seconds=1)
"""Exactly on the deadline is met; one second later is late."""

NEAR_BEFORE: Final[Mapping[Clock, timedelta]] = {
    "contact": timedelta(hours=4),
    "rhi": timedelta(hours=12),
    "follow_up_child": timedelta(hours=24),
    "follow_up_professional": timedelta(hours=24),
}
"""How long before its end a clock is called near (design choice)."""
AMBER_PART: Final = 1 / 3
"""A clock shows amber in its last third: S6 opens amber with 18 h 20 min of 72 h left."""

LatenessReason = Literal[
    "late_referral",
    "host_delay",
    "missing_again",
    "child_needs",
    "preference_honoured",
    "in_custody_or_hospital",
    "no_contact",
    "capacity",
]
ClockState = Literal["running", "met", "late", "missed", "stopped"]
"""`late`: it happened after the due time; `missed`: the due time passed and it has not happened."""
Light = Literal["green", "amber", "red"]

POINTS_TO_TELL: Final = (
    "who_we_are",
    "what_we_do",
    "independent",
    "voluntary",
    "need_not_talk",
    "we_care_what_you_think",
    "want_to_know_what_is_going_on",
    "not_telling_off",
)
"""The eight things to say at contact (R16)."""

Fault = tuple[str, str]
"""Path of a field and a code, never the value."""


class NotAllowedError(Exception):
    """A rule of practice forbids this now; `code` names it and `faults` what is missing."""

    def __init__(self, code: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.faults = tuple(faults)


# Clocks


def contact_due(received_at: datetime) -> datetime:
    """Return when first contact is due; the arguments of all three are aware UTC."""
    return received_at + CONTACT_WITHIN


def rhi_due(returned_at: datetime) -> datetime:
    """Return when the interview is due."""
    return returned_at + RHI_WITHIN


def follow_up_due(ended_at: datetime) -> datetime:
    """Return when both follow-ups are due."""
    return ended_at + FOLLOW_UP_WITHIN


def clock_state(
    due_at: datetime, met_at: datetime | None, stopped_at: datetime | None, now: datetime
) -> ClockState:
    """Return how a clock stands, from what happened when, not from what was announced when."""
    if met_at is not None:
        return "met" if met_at <= due_at else "late"
    if stopped_at is not None:
        return "stopped"
    return "running" if now < due_at + LATE_AFTER else "missed"


def light(started_at: datetime, due_at: datetime, state: ClockState, now: datetime) -> Light:
    """Return the colour under which a person sees a clock."""
    if state in {"late", "missed"}:
        return "red"
    if state == "running" and due_at - now <= (due_at - started_at) * AMBER_PART:
        return "amber"
    return "green"


def minutes_left(due_at: datetime, now: datetime) -> int:
    """Return whole minutes until the due time, rounded down; negative when it has passed."""
    return (due_at - now) // timedelta(minutes=1)


@dataclass(frozen=True)
class Alarm:
    """What a clock has to announce now, and when to look at it again."""

    announce: Literal["near", "missed"] | None
    next_at: datetime | None


def alarm(clock: Clock, due_at: datetime, near_told: bool, now: datetime) -> Alarm:
    """Return what a running clock announces at `now`; once each, `near` never after `missed`."""
    missed_at = due_at + LATE_AFTER
    if now >= missed_at:
        return Alarm("missed", None)
    near_at = due_at - NEAR_BEFORE[clock]
    if not near_told and now >= near_at:
        return Alarm("near", missed_at)
    return Alarm(None, missed_at if near_told else near_at)


def lateness_at_opening(
    returned_at: datetime, received_at: datetime, hosted: bool
) -> LatenessReason | None:
    """Return the reason that a late interview would have from the start, if any (S6).

    A referral that arrives after a third of the 72 h has cost the rest of us that time.
    """
    if received_at - returned_at <= RHI_WITHIN * AMBER_PART:
        return None
    return "host_delay" if hosted else "late_referral"


# What an offer allows


@dataclass(frozen=True)
class Tried:
    """One attempt to reach a child."""

    method: str
    at: datetime
    outcome: Literal["no_answer", "left_message", "contact"]


@dataclass(frozen=True)
class Persistence:
    """How much has to be tried before `no_contact` may be said (R13); configuration."""

    attempts: int = 4
    methods: int = 2
    days: int = 2
    """Calendar days in London."""

    def lacking(self, tried: Sequence[Tried]) -> list[Fault]:
        """Return what has not been tried enough."""
        found = {
            "attempts": (len(tried), self.attempts),
            "methods": (len({one.method for one in tried}), self.methods),
            "days": (len({one.at.astimezone(LONDON).date() for one in tried}), self.days),
        }
        return [(name, f"at_least_{least}") for name, (n, least) in found.items() if n < least]


WRITTEN: Final = frozenset({"text", "letter", "email", "message"})
"""Methods that leave it to the child to answer; the door-open message is one of these."""
ENDING: Final[frozenset[OfferOutcome]] = frozenset(
    {"declined_by_child", "no_contact", "not_offered"}
)
"""After these nothing is owed unless the child comes back. A carer's "no" is none of them."""
SPOKEN: Final[frozenset[OfferOutcome]] = frozenset({"accepted", "not_ready", "declined_by_child"})
"""Outcomes that only a child who was spoken to can give: they are contact."""
SEEN: Final[frozenset[OfferOutcome]] = frozenset({"accepted", "not_ready"})
"""Of these, the ones said at a meeting that also counts for the child's other open offers (S3)."""


def may_attempt(
    attempt: Tried, *, declined_at: datetime | None, door_open_sent: bool, closed: bool
) -> bool:
    """Return whether this is the one door-open message; raise NotAllowedError if it may not be.

    After an explicit decline there is persistence no more: one written message that leaves the
    door open, then silence until the next episode (R19). What was tried before the decline and
    is only written down now is an ordinary attempt.
    """
    if declined_at is not None and attempt.at > declined_at:
        written = attempt.method in WRITTEN and attempt.outcome == "left_message"
        if door_open_sent or not written:
            raise NotAllowedError("offer.declined")
        return True
    if closed:
        raise NotAllowedError("episode.closed")
    return False


@dataclass(frozen=True)
class Answer:
    """How an offer was answered, as it was given."""

    outcome: OfferOutcome
    by: str | None = None
    """Who said so, where it was said who."""
    helpline_given_to: tuple[str, ...] = ()
    """Who was given 116 000, e.g. child, carer; or `unsafe_to_give`."""
    reason: str | None = None

    @property
    def speaker(self) -> str:
        """Return who said so, else whose word the outcome usually is."""
        if self.by is not None:
            return self.by
        if self.outcome in SPOKEN:
            return "child"
        return "carer" if self.outcome == "declined_by_carer" else "worker"

    @property
    def spoken_by_child(self) -> bool:
        """Tell whether the child was spoken to, which is contact."""
        return self.outcome in SPOKEN and self.speaker == "child"


def may_answer(
    answer: Answer,
    *,
    standing: OfferOutcome | None,
    interviewed: bool,
    contact: bool,
    tried: Sequence[Tried],
    persistence: Persistence,
) -> None:
    """Raise NotAllowedError where an offer may not be answered so.

    A decline comes with the helpline (R21); one that the child gave is reopened by the child
    alone (R22); `no_contact` needs persistence and that nobody spoke to the child (R13).
    """
    if interviewed:
        raise NotAllowedError("interview.held")
    if answer.outcome == "declined_by_child" and answer.speaker == "carer":
        raise NotAllowedError("outcome.not_the_childs_word", [("by", "contradicts_outcome")])
    if standing in ENDING and answer.by != "child":  # said outright, not taken for granted
        raise NotAllowedError("offer.ended", [("by", "child_only")])
    declined = answer.outcome in {"declined_by_child", "declined_by_carer"}
    if declined and not answer.helpline_given_to:
        raise NotAllowedError("helpline.missing", [("helpline_given_to", "missing")])
    if answer.outcome == "not_offered" and answer.reason is None:
        raise NotAllowedError("reason.missing", [("reason", "missing")])
    if answer.outcome == "no_contact":
        if contact:
            raise NotAllowedError("no_contact.contact_was_made")
        if lacking := persistence.lacking(tried):
            raise NotAllowedError("no_contact.too_soon", lacking)


def may_close(
    *,
    outcome: OfferOutcome | None,
    interviewed: bool,
    follow_ups_open: Collection[Clock],
    late_without_reason: bool,
) -> None:
    """Raise NotAllowedError while an answer, a follow-up or a reason is owed (R12, R73)."""
    if not interviewed and outcome not in ENDING:
        raise NotAllowedError("offer.open")
    if follow_ups_open:
        open_ = [(clock, "open") for clock in sorted(follow_ups_open)]
        raise NotAllowedError("follow_up.open", open_)
    if interviewed and late_without_reason:
        raise NotAllowedError("lateness.reason_missing", [("lateness", "missing")])


# Who may go


@dataclass(frozen=True)
class Worker:
    """An independent interviewer, as far as assigning one needs to know."""

    id: str
    gender: str = "undisclosed"
    active: bool = True
    independent: bool = True
    conflicts: frozenset[str] = frozenset()
    """Children whom this worker may not see: their own family's, their own cases'."""
    trained_until: date | None = None
    dbs_until: date | None = None


@dataclass(frozen=True)
class Wanted:
    """Whom a child wants to talk to."""

    worker_gender: str = "any"


def unfit(
    worker: Worker,
    child_id: str,
    wanted: Wanted,
    on: date,
    *,
    records_required: bool,
    asked_for_by_child: bool = False,
) -> list[str]:
    """Return codes why this worker may not see this child on a day; empty when they may.

    The child's preference is a hard filter that only the child can waive (R26). Independence
    yields to nothing but a child's own wish for a trusted person (R08, F05). Training and DBS
    that lapsed bar (R09); where no date was recorded, `records_required` decides.
    """
    codes = []
    if not worker.active:
        codes.append("worker.inactive")
    if wanted.worker_gender not in {"any", worker.gender}:
        codes.append("worker.not_as_the_child_prefers")
    close = child_id in worker.conflicts or not worker.independent
    if close and not asked_for_by_child:
        codes.append("worker.conflicted")
    for name, until in (("training", worker.trained_until), ("dbs", worker.dbs_until)):
        if until is None and records_required:
            codes.append(f"worker.{name}_not_recorded")
        elif until is not None and until < on:
            codes.append(f"worker.{name}_lapsed")
    return codes
