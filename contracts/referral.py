"""Events of `referral`: a child came back and someone asked that they be offered a talk."""

from pydantic import AwareDatetime

from contracts.event import Event


class EpisodeReferred(Event, subject="evt.referral.episode_referred.v1"):
    """A missing episode has a referral: an offer is owed (R01, R02). Starts both clocks."""

    referral_id: str
    child_id: str
    episode_id: str
    locality: str
    """Code of the locality whose rules and people apply, e.g. northshire."""
    setting: str
    """Where the child lived when they went missing, e.g. home."""
    missing_from: AwareDatetime
    returned_at: AwareDatetime
    received_at: AwareDatetime
    """When the referral reached us; the 24 h contact clock runs from here (R11)."""
    return_time_ambiguous: bool = False
    """The local time given exists twice (end of summer time); the first was taken."""
    hosted: bool = False
    """The child lives in another authority's area than the responsible one's (S6)."""


class ChildChanged(Event, subject="evt.referral.child_changed.v1"):
    """A fact held about a child changed: identity, status, authorities, address, channels."""

    child_id: str
    version: int
    """Counts up by one with each change; a reader that holds a newer one ignores it."""


class TriggerFired(Event, subject="evt.referral.trigger_fired.v1"):
    """Episodes of one child passed a set number in a window, e.g. 3 in 30 days (F17)."""

    child_id: str
    episode_id: str
    """The episode whose arrival fired it."""
    count: int
    window_days: int
    action: str
