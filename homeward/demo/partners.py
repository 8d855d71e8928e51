"""The made-up agencies of a demo: the demo home makes their keys itself, and reads as each."""

import asyncio
import json
from typing import Any

import nats

from homeward import enrolment, feed
from homeward.home import Home

AREA = "northshire"
LA = "northshire-childrens-services"
POLICE = "northshire-police"
COMMISSIONER = "northshire-commissioning"
PANEL = "northshire-missing-panel"
STRATEGIC = "northshire-strategic-group"
HEALTH = "northshire-sarc"
PARTNERS = {
    POLICE: ("police", "missing_unit"),
    LA: ("childrens_services", "responsible_la"),
    COMMISSIONER: ("commissioner", "contract_team"),
    PANEL: ("lscp_panel", "panel_member"),
    STRATEGIC: ("lscp_strategic", "strategic_group"),
    HEALTH: ("health", "named_clinician"),
}
"""Type and role of each."""


def join(home: Home) -> None:
    """Make each agency's keys, register them all, write what each needs to read its feed."""
    agencies = []
    for key, (kind, role) in PARTNERS.items():
        *_, public = enrolment.make_keys(key, home.partner(key))
        agencies.append(enrolment.Agency(key, json.loads(public.read_text()), kind, role, AREA))
    enrolment.add_all(home, agencies)
    for key in PARTNERS:
        enrolment.write_context(home, key, home.partner(key))


def read(home: Home, key: str) -> list[dict[str, Any]]:
    """Return what the agency can decrypt, read with its own keys alone.

    Everything is handed back unread: whoever keeps the home can read it again as the agency.
    """
    return asyncio.run(_look(feed.Creds.read(home.partner(key), key)))


async def _look(creds: feed.Creds) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    numbers = feed.Numbers()
    await feed.pull(creds, found.append, numbers, ack=False)
    client = await nats.connect(
        str(creds.context["url"]),
        nkeys_seed=str(creds.folder / f"{creds.key}.nk"),
        inbox_prefix=str(creds.context["inbox_prefix"]).encode(),
        tls=creds.tls(),
    )
    try:
        for place in numbers.unacknowledged:
            await client.publish(place, b"-NAK")
        await client.flush()
    finally:
        await client.close()
    return found
