"""Words for people: categories, decisions, clocks and times as they are shown."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")

DECISIONS = {
    "allow": "Told",
    "allow_redacted": "Told in part",
    "defer": "On hold",
    "deny": "Not told",
}

CATEGORIES = {
    "basic_outcome": "That a talk was offered, and how it ended",
    "narrative": "What happened",
    "push_pull": "What drives away, what draws",
    "whereabouts": "Where",
    "associates": "Who with",
    "harm": "Harm",
    "health": "Health",
    "contact_address": "Address",
    "safety_plan": "Safety plan",
    "wishes": "Wishes",
    "aggregates": "Numbers",
}

TRANSFORMS = {
    "actions_for_recipient": "only what they are to do",
    "approach_only": "only how to approach",
    "as_la_decided": "as children's services decided",
    "category_and_action": "only the kind of harm and the action",
    "category_only": "only the kind of harm",
    "codes_only": "codes only",
    "counts_only": "counts only",
    "describe_not_name": "described, not named",
    "extract_only": "the needed extract only",
    "identifiers_only": "who, and why",
    "mark_provisional": "marked as provisional",
    "mark_verbatim": "own words marked",
    "mask_source": "source masked",
    "mask_third_parties": "others masked",
    "minimum_facts": "the minimum facts",
    "no_names": "no names",
    "offered_attended_only": "only offered and attended",
    "plain_codes": "codes in plain words",
    "protective_measures_only": "only how to protect",
    "pseudonymous": "under a pseudonym",
    "safe_contact_route": "a safe way to make contact",
    "safety_critical_only": "only what keeps safe",
    "street_level": "to the street only",
    "summary_only": "the agreed summary only",
    "themes_only": "themes only",
    "voice_callback": "by calling back a known number",
    "without_child_ids": "without the child",
}

CLOCKS = {
    "contact": ("Contact", "of the referral"),
    "rhi": ("Return home interview", "of the return"),
    "follow_up_child": ("Follow-up with the child", "of the interview"),
    "follow_up_professional": ("Follow-up with the professional", "of the interview"),
    "dsl_judgement": ("Judgement by the safeguarding lead", "of the alert"),
    "forensic": ("Forensic window", "of the assault"),
}


def day_and_time(at: datetime) -> str:
    """Return an instant as people in England read it, e.g. `Sat 28 Nov 2026, 09:15`."""
    local = at.astimezone(LONDON)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"


def day(at: datetime) -> str:
    """Return the day of an instant in London, e.g. `Saturday 28 November 2026`."""
    local = at.astimezone(LONDON)
    return f"{local:%A} {local.day} {local:%B %Y}"


def hour(at: datetime) -> str:
    """Return the time of day of an instant in London."""
    return f"{at.astimezone(LONDON):%H:%M}"


def span(length: timedelta) -> str:
    """Return elapsed time in hours and minutes, e.g. `23 h 35 min`."""
    minutes = round(length.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"{hours} h" if not rest else f"{hours} h {rest} min" if hours else f"{rest} min"
