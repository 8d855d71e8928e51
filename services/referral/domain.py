"""What a referral may say, what of it is kept, and when episodes pass a trigger. No I/O."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

IdentityStatus = Literal["verified", "unverified"]
LegalStatus = Literal["home", "looked_after", "care_leaver"]
Safe = Literal["safe", "unsafe", "unknown"]
ChannelKind = Literal["text", "phone", "email", "letter"]
Whose = Literal["child", "carer"]
Grading = Literal["no_apparent_risk", "very_low", "low", "medium", "high", "absent_legacy"]
"""Of the police; a versioned code list that never decides who is offered a talk (F09)."""
TriageReason = Literal["locality_unknown", "over_age"]

Fault = tuple[str, str]
"""Path of a field and a code, never the value: it may be about a child."""

UNKNOWN_AUTHORITY: Final = "unknown"
"""Responsible authority of a child whose locality is not configured: matches no recipient."""
DISTANT_PAST: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""Earlier than any case a service can still work; keeps arithmetic far from year 1."""


# Times


class TimeRefusedError(ValueError):
    """A time that names no moment; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Read:
    """A moment as it was given."""

    at: datetime
    ambiguous: bool = False
    """The local time exists twice (end of summer time); the first was taken."""


def read_instant(text: str, zone: ZoneInfo) -> Read:
    """Return the moment that an ISO time names; without an offset it is local time in `zone`.

    Raises TimeRefusedError `time.nonexistent` for a local time that the change to summer time
    skips, `time.invalid` for anything that is no time of a day.
    """
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise TimeRefusedError("time.invalid") from None
    if "T" not in text.upper() and " " not in text.strip():  # a day is not a moment
        raise TimeRefusedError("time.invalid")
    try:
        if given.tzinfo is not None:
            return Read(_not_ancient(given.astimezone(UTC)))
        first, second = (given.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        exists = first.astimezone(zone).replace(tzinfo=None) == given
    except OverflowError:
        raise TimeRefusedError("time.invalid") from None
    if not exists:
        raise TimeRefusedError("time.nonexistent")
    return Read(_not_ancient(first), ambiguous=first != second)


def _not_ancient(at: datetime) -> datetime:
    if at < DISTANT_PAST:
        raise TimeRefusedError("time.invalid")
    return at


@dataclass(frozen=True)
class Times:
    """The moments of one referral."""

    missing_from: datetime
    returned_at: datetime
    received_at: datetime
    reported_missing_at: datetime | None = None

    def faults(self, now: datetime) -> list[Fault]:
        """Return what is wrong with the moments at `now`; no moment may be in the future."""
        named = {
            "episode.missing_from": self.missing_from,
            "episode.returned_at": self.returned_at,
            "episode.reported_missing_at": self.reported_missing_at,
            "received_at": self.received_at,
        }
        faults = [
            (name, "time.in_future") for name, at in named.items() if at is not None and at > now
        ]
        if self.returned_at < self.missing_from:
            faults.append(("episode.returned_at", "time.returned_before_missing"))
        return faults


def faults_of_birth(born: date, missing_from: datetime) -> list[Fault]:
    """Return what is wrong with a birth date: nobody goes missing before they are born."""
    late = born > missing_from.date()
    return [("child.date_of_birth", "date.after_missing")] if late else []


def age_at(born: date, moment: datetime, zone: ZoneInfo) -> int:
    """Return the age in whole years on the local day of `moment`."""
    day = moment.astimezone(zone).date()
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def triage_reasons(
    *, locality_known: bool, born: date, missing_from: datetime, zone: ZoneInfo, upper_age: int
) -> tuple[TriageReason, ...]:
    """Return why a person has to look before the usual road fits (R04, R07); empty for most.

    Age counts on the day the child went missing: a birthday during the episode takes nothing away.
    """
    reasons: list[TriageReason] = []
    if not locality_known:
        reasons.append("locality_unknown")
    if age_at(born, missing_from, zone) >= upper_age:
        reasons.append("over_age")
    return tuple(reasons)


# Names

_STROKES: Final = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)
"""Letters that Unicode does not take apart into a letter and a mark."""


def name_key(given_name: str, family_name: str) -> str:
    """Return both names so that spellings of one name agree: no case, accents, spaces, hyphens.

    Names that agree are a reason to compare two records, never to merge them (S10).
    """
    return f"{_plain(given_name)}|{_plain(family_name)}"


def _plain(name: str) -> str:
    apart = unicodedata.normalize("NFKD", name).casefold().translate(_STROKES)
    return "".join(letter for letter in apart if letter.isalnum())


# Facts held about a child


@dataclass(frozen=True)
class Channel:
    """A way to reach a child or a carer. Unknown is unsafe (R14)."""

    kind: ChannelKind
    address: str
    safe: Safe = "unknown"
    whose: Whose = "carer"
    """Not said: a carer's, which is the more careful guess."""


@dataclass(frozen=True)
class ChannelSaid:
    """A channel as a referral gives it; None is what it does not say."""

    kind: ChannelKind
    address: str
    safe: Safe | None = None
    whose: Whose | None = None


@dataclass(frozen=True)
class Said:
    """What one referral says about the child; None is what it does not say."""

    given_name: str
    family_name: str
    date_of_birth: date
    identity_status: IdentityStatus | None = None
    legal_status: LegalStatus | None = None
    responsible_la: str | None = None
    host_la: str | None = None
    address_confidential: bool | None = None
    channels: tuple[ChannelSaid, ...] = ()

    @property
    def name_key(self) -> str:
        """Return the key under which spellings of this name agree."""
        return name_key(self.given_name, self.family_name)


@dataclass(frozen=True)
class Facts:
    """What is held about a child and may change. Defaults are those of design section 5."""

    given_name: str
    family_name: str
    date_of_birth: date
    locality: str
    responsible_la: str
    host_la: str | None = None
    identity_status: IdentityStatus = "unverified"
    legal_status: LegalStatus = "home"
    address_confidential: bool = True
    channels: tuple[Channel, ...] = ()

    @property
    def name_key(self) -> str:
        """Return the key under which spellings of this name agree."""
        return name_key(self.given_name, self.family_name)

    @classmethod
    def first(cls, said: Said, locality: str, authority: str) -> "Facts":
        """Return the facts of a new child: what was said, and defaults for the rest."""
        unsaid = cls(said.given_name, said.family_name, said.date_of_birth, locality, authority)
        return unsaid.after_referral(said, locality)

    def after_referral(self, said: Said, locality: str | None) -> "Facts":
        """Return the facts after a later referral: what it says changes, what it leaves out stays.

        Names and birth date are not taken over: every referral has to give some, and a guess of
        today must not replace an identity that was verified (S10). `identity_in_doubt` tells.
        `locality` is None where nobody knows it: an unknown route moves no child.
        """
        return replace(
            self,
            locality=locality or self.locality,
            identity_status=said.identity_status or self.identity_status,
            legal_status=said.legal_status or self.legal_status,
            responsible_la=said.responsible_la or self.responsible_la,
            host_la=said.host_la or self.host_la,
            address_confidential=(
                self.address_confidential
                if said.address_confidential is None
                else said.address_confidential
            ),
            channels=_merged(self.channels, said.channels),
        )

    def identity_in_doubt(self, said: Said) -> bool:
        """Tell whether a referral gives this child another name or birth date."""
        return said.name_key != self.name_key or said.date_of_birth != self.date_of_birth


def _merged(known: Sequence[Channel], said: Sequence[ChannelSaid]) -> tuple[Channel, ...]:
    """Return the channels known with those said.

    `unknown` says nothing, and an unsafe channel stays unsafe: only a person who knows the child
    may call it safe (PATCH), because a referral can come from the home that it would reach.
    """
    merged = {(channel.kind, channel.address): channel for channel in known}
    for channel in said:
        key = (channel.kind, channel.address)
        held = merged.get(key, Channel(channel.kind, channel.address))
        safe = held.safe
        if channel.safe in {"safe", "unsafe"} and held.safe != "unsafe":
            safe = channel.safe
        merged[key] = replace(held, safe=safe, whose=channel.whose or held.whose)
    return tuple(merged.values())


# Triggers


@dataclass(frozen=True)
class TriggerRule:
    """`count` episodes of one child within `window_days` call for `action` (F17); configuration."""

    count: int
    window_days: int
    action: str
    setting: str | None = None
    """Only episodes from there count, where given."""


@dataclass(frozen=True)
class Missing:
    """One episode, as far as a trigger looks at it."""

    episode_id: str
    missing_from: datetime


@dataclass(frozen=True)
class Fired:
    """A trigger that fired, by the first and last start of the episodes that made it fire."""

    trigger_id: str
    first_at: datetime
    last_at: datetime
    window_days: int


@dataclass(frozen=True)
class Attach:
    """The episode belongs to a trigger that fired already: no second alert (S3)."""

    trigger_id: str


@dataclass(frozen=True)
class Fire:
    """These episodes make the trigger fire."""

    founders: tuple[Missing, ...]


def trigger_step(
    rule: TriggerRule, arrived: Missing, free: Sequence[Missing], fired: Sequence[Fired]
) -> Attach | Fire | None:
    """Return what the arrival of one episode does to one rule.

    `fired` are the child's triggers that call for the same action by this rule or one with a
    narrower window: 3 in 30 days are 3 in 90 as well, and one alert is enough (S3), whereas 3 in
    90 must not silence 3 in 30 that follow. `free` are the other episodes that belong to none of
    these, so that an episode counts once and a window's episodes alert once. The window is
    elapsed time between starts, its edge included. Order of arrival does not matter: an older
    episode that is referred late completes a set just as well.
    """
    for trigger in fired:
        open_for = timedelta(days=trigger.window_days)
        if trigger.last_at - open_for <= arrived.missing_from <= trigger.first_at + open_for:
            return Attach(trigger.trigger_id)
    window = timedelta(days=rule.window_days)
    row = sorted([*free, arrived], key=lambda one: (one.missing_from, one.episode_id))
    place = row.index(arrived)
    for start in range(min(place, len(row) - rule.count), max(-1, place - rule.count), -1):
        founders = row[start : start + rule.count]
        if founders[-1].missing_from - founders[0].missing_from <= window:
            return Fire(tuple(founders))
    return None
