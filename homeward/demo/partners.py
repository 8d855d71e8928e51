"""The made-up agencies of a demo: the demo home makes their keys itself, and reads as each."""

from typing import Any

from homeward import feed, partner
from homeward.home import Home

PARTNERS = {
    "northshire-police": ("police", "missing_unit"),
    "northshire-childrens-services": ("childrens_services", "responsible_la"),
    "northshire-commissioning": ("commissioner", "contract_team"),
    "northshire-missing-panel": ("lscp_panel", "panel_member"),
    "northshire-strategic-group": ("lscp_strategic", "strategic_group"),
    "northshire-sarc": ("health", "named_clinician"),
}
"""Type and role of each partner; all of the area northshire."""
