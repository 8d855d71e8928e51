"""Times as a person in the United Kingdom reads them."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

LONDON: Final = "Europe/London"
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def day_and_time(at: datetime, zone: str = LONDON) -> str:
    """Return e.g. `Monday 30 November, 4:30 pm`."""
    there = at.astimezone(ZoneInfo(zone))
    day = f"{_DAYS[there.weekday()]} {there.day} {_MONTHS[there.month - 1]}"
    return f"{day}, {_clock(there)}"


def time_only(at: datetime, zone: str = LONDON) -> str:
    """Return e.g. `4:30 pm`."""
    return _clock(at.astimezone(ZoneInfo(zone)))


def one_line(text: str, limit: int = 200) -> str:
    """Return text on one line: a venue must not be able to add lines to a letter."""
    return " ".join(text.split())[:limit]


def _clock(there: datetime) -> str:
    return f"{there.hour % 12 or 12}:{there.minute:02} {'am' if there.hour < 12 else 'pm'}"
