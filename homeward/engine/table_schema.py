"""The schema from which editors complete a row: the form of a row with the closed lists filled in.

The form (`table.schema.json` beside this file) is ours, so that no draft can loosen it. The lists
are the draft's own. `homeward policy check` says where the file among the policies is another one.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homeward.engine.rows import GATES, NAMES

FORM = Path(__file__).with_name("table.schema.json")
PUBLISHED = Path("schema") / "table.schema.json"
"""Within the policies' folder, where the first line of each file of the table points to."""

_BARE = ("truth", "text", "list")
"""Kinds of facts that stand by their name alone: true, or not empty."""


def form() -> dict[str, Any]:
    """Return the form of the table: any draft's must have it."""
    schema: dict[str, Any] = json.loads(FORM.read_bytes())
    return schema


def condition_names(data: Mapping[str, Any]) -> list[str]:
    """Return every condition that stands by its name alone."""
    return [*sorted(NAMES), *(name for name, kind in data["facts"].items() if kind in _BARE)]


def filled(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form with the lists of `data`, which must have the form of the policies' data."""
    schema = form()
    parts = schema["$defs"]
    gates = {name: about["title"] for name, about in data["judging"].items() if name in GATES}
    names = condition_names(data)
    parts["condition_name"] |= {
        "enum": names,
        "enumDescriptions": [gates.get(name, name.replace("_", " ")) for name in names],
    }
    transforms = data["transforms"]
    parts["transform"] |= {
        "enum": list(transforms),
        "enumDescriptions": [about["says"] for about in transforms.values()],
    }
    recipients = data["recipients"]
    parts["recipient_type"] |= {
        "enum": list(recipients),
        "enumDescriptions": [about["title"] for about in recipients.values()],
    }
    roles = recipients.get("childrens_services", {}).get("roles", [])
    parts["seat"] |= {"enum": [one for one in recipients if one != "childrens_services"] + roles}
    parts["category"] |= {"enum": [*data["codes"]["category"], "any"]}
    one_of_facts = parts["condition"]["anyOf"][1]
    one_of_facts["properties"] |= {
        name: _coded(data["codes"][name]) if kind == "code" else {"$ref": "#/$defs/limit"}
        for name, kind in data["facts"].items()
        if kind in ("code", "number")
    }
    one_of_facts["additionalProperties"] = False
    return schema


def _coded(codes: list[str]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": codes}}


def as_text(schema: Mapping[str, Any]) -> str:
    """Return the schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
