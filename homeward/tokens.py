"""Bearer tokens of a home, for a person at the keyboard or a script."""

import sys

from homeward.home import SERVICES, Home
from homeward.keys import PERSON_TTL_S

ROLES = ("practitioner", "manager", "dsl", "dpo", "ig_lead", "ops", "partner", "service")


def show(
    home: Home, role: str, *, sub: str | None, service: str | None, ttl_s: float | None
) -> int:
    """Print a token; return 2 where role or service is unknown or the time is not positive."""
    if role not in ROLES:
        print(f"homeward: no role {role}; there are: {' '.join(ROLES)}", file=sys.stderr)
        return 2
    if service is not None and service not in SERVICES:
        print(f"homeward: no service {service}; there are: {' '.join(SERVICES)}", file=sys.stderr)
        return 2
    if ttl_s is not None and ttl_s <= 0:
        print("homeward: --ttl must be more than 0 seconds", file=sys.stderr)
        return 2
    services = [service] if service else SERVICES
    print(home.token(role, sub, services, PERSON_TTL_S if ttl_s is None else ttl_s))
    return 0
