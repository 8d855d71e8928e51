"""When a child turns a year older: at midnight in London."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
ADULT = 18


def birthday(born_on: date, age: int) -> datetime:
    """Return when someone born on `born_on` becomes `age`; 29 February turns into 1 March."""
    year = born_on.year + age
    try:
        day = born_on.replace(year=year)
    except ValueError:
        day = date(year, 3, 1)
    return datetime.combine(day, time(), LONDON).astimezone(UTC)


def age_at(born_on: date, now: datetime) -> int:
    """Return the full years at `now`, as counted in London."""
    today = now.astimezone(LONDON).date()
    age = today.year - born_on.year
    return max(0, age if now >= birthday(born_on, age) else age - 1)


def a_year_after(birthday_at: datetime) -> datetime:
    """Return the next birthday after the one at `birthday_at`.

    Someone born on 29 February is found a day late in a leap year; their 18th is held apart.
    """
    day = birthday_at.astimezone(LONDON).date()
    return birthday(day, 1)
