"""Which localities there are and what holds in each: ops' file, read when the service starts."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

from services.referral.domain import UNKNOWN_AUTHORITY, TriggerRule


class TriggerConfig(BaseModel):
    """One line of `triggers`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int
    window_days: int
    action: str
    setting: str | None = None

    @property
    def rule(self) -> TriggerRule:
        """Return it as the domain has it."""
        return TriggerRule(self.count, self.window_days, self.action, self.setting)


SEEDED = (
    TriggerConfig(count=3, window_days=30, action="strategy_meeting"),
    TriggerConfig(count=3, window_days=90, action="strategy_meeting"),
)
"""3 in 30 days is sourced (F17), 3 in 90 is custom; a locality's own list replaces both."""


class Locality(BaseModel):
    """What `referral` reads of one locality; other services read other keys of the same file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    authority: str
    time_zone: str = "Europe/London"
    upper_age: int = 18
    """Whole years on the day the child went missing; from there on a person decides (R07)."""
    triggers: tuple[TriggerConfig, ...] = SEEDED

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        ZoneInfo(name)
        return name

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone of local times."""
        return ZoneInfo(self.time_zone)

    @property
    def rules(self) -> tuple[TriggerRule, ...]:
        """Return the triggers as the domain has them."""
        return tuple(trigger.rule for trigger in self.triggers)


UNKNOWN = Locality(authority=UNKNOWN_AUTHORITY)
"""What holds for a route nobody configured: defaults, and a person looks (R04)."""


def read(path: Path | None) -> dict[str, Locality]:
    """Return the localities by code; none where no file is given. A file that is wrong raises."""
    if path is None:
        return {}
    content: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
    entries = content.get("localities", content)  # with or without a heading
    return {code: Locality.model_validate(entry) for code, entry in entries.items()}
