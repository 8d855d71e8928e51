"""Children and episodes as the statistics describe them: a few children go missing very often.

Two thirds of episodes are repeats and 6 % of the children have a third of them (domain.md,
section 6); reports peak in the evening, Friday to Sunday; what is newest is still open.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

TAIL = 1.65
"""Exponent of the Pareto distribution of episodes per child, which gives both shares."""
MOST = 150
YEARS = 5
OPEN_SHARE, OPEN_LEAST = 0.002, 60
"""Of all episodes, the newest: about four days of a nation's; at least a page of the work queue."""
INTERVIEWED = 0.5
AREAS = ("northshire", "eastvale")
SETTINGS = ("home", "residential", "foster", "semi_independent", "other")
SETTING_WEIGHTS = (45, 30, 15, 7, 3)
GRADINGS = ("no_apparent_risk", "low", "medium", "high")
GRADING_WEIGHTS = (3, 13, 68, 16)
HOUR_WEIGHTS = (20 / 6,) * 6 + (35 / 12,) * 12 + (45 / 6,) * 6
"""Hours of the day: 45 % of reports after six in the evening, 20 % before six in the morning."""


@dataclass(frozen=True)
class Child:
    """A child who went missing."""

    id: str
    number: int
    area: str
    born_on: date
    legal_status: str


@dataclass(frozen=True)
class Episode:
    """One time of them, and how it went."""

    id: str
    number: int
    child: Child
    setting: str
    missing_from: datetime
    returned_at: datetime
    received_at: datetime
    grading: str
    is_open: bool
    interviewed: bool
    attempts: int
    worker: str


def name(seed: int, prefix: str, *cause: object) -> str:
    """Return an id like the services' own: the same for the same seed, spread over its index."""
    text = repr((seed, prefix, cause)).encode()
    return f"{prefix}-{hashlib.blake2b(text, digest_size=10).hexdigest().upper()}"


def history(seed: int, episodes: int, until: datetime) -> Iterator[Episode]:
    """Yield so many episodes, a child's together; their order in time is that of life."""
    rng = random.Random(seed)  # noqa: S311 - made-up data, the same for the same seed
    open_share = max(OPEN_SHARE, min(1.0, OPEN_LEAST / max(episodes, 1)))
    opened = until - timedelta(days=365 * YEARS * open_share)
    made, number = 0, 0
    while made < episodes:
        number += 1
        child = _child(rng, seed, number, until)
        for _ in range(min(int(rng.paretovariate(TAIL) * 1.2 + rng.random()), MOST)):
            if made == episodes:
                return
            made += 1
            yield _episode(rng, seed, made, child, until, opened)


def _child(rng: random.Random, seed: int, number: int, until: datetime) -> Child:
    age_days = int(rng.triangular(10, 20, 17) * 365.25)
    return Child(
        id=name(seed, "CH", number),
        number=number,
        area=rng.choice(AREAS),
        born_on=until.date() - timedelta(days=age_days),
        legal_status=rng.choices(("home", "looked_after", "care_leaver"), (57, 40, 3))[0],
    )


def _episode(  # noqa: PLR0917 - what an episode depends on
    rng: random.Random, seed: int, number: int, child: Child, until: datetime, opened: datetime
) -> Episode:
    back = timedelta(days=rng.random() ** 0.9 * 365 * YEARS)
    day = (until - back).replace(minute=rng.randrange(60), second=rng.randrange(60), microsecond=0)
    missing = day.replace(hour=rng.choices(range(24), HOUR_WEIGHTS)[0])
    # 79 % are found within a day, under 2 % are away for more than a week
    returned = missing + timedelta(hours=min(rng.lognormvariate(1.9, 1.35), 24 * 30))
    received = returned + timedelta(hours=rng.uniform(1, 20))
    late = max(timedelta(0), received + timedelta(minutes=1) - until)
    missing, returned, received = (moment - late for moment in (missing, returned, received))
    is_open = received > opened
    return Episode(
        id=name(seed, "EP", number),
        number=number,
        child=child,
        setting=rng.choices(SETTINGS, SETTING_WEIGHTS)[0],
        missing_from=missing,
        returned_at=returned,
        received_at=received,
        grading=rng.choices(GRADINGS, GRADING_WEIGHTS)[0],
        is_open=is_open,
        interviewed=not is_open and rng.random() < INTERVIEWED,
        attempts=rng.randint(0, 2) if is_open else rng.randint(2, 6),
        worker=f"W-{rng.randrange(200)}",
    )


def yesterday() -> datetime:
    """Return when a history ends, so that nothing of it lies in the future."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
