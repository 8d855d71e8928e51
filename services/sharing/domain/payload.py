"""What of an item a recipient may read: one function for the preview, the task and the feed.

Policy data names for each transform which parts pass; nothing else does. Where policy data does not
know a transform, nothing passes.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from services.sharing.domain.birthdays import LONDON
from services.sharing.domain.facts import ItemFacts

PARTS = frozenset({"fields", "extracts", "summary", "text", "event_at", "third_parties"})
"""What `interview` gives of an item on request, by name."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z")
"""A moment as services write it; people read it on London's clock."""
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,79}\Z")


@dataclass(frozen=True)
class Transform:
    """What passes under one transform. `parts` None: it only marks or takes away."""

    parts: frozenset[str] | None = None
    codes: bool = False
    """Of `fields` only codes, numbers and truths pass, no text."""
    fields: Mapping[str, frozenset[str]] | None = None
    """Names of fields that pass, by recipient type; `*` is every type. None: all."""
    without: frozenset[str] = frozenset()
    without_fields: frozenset[str] = frozenset()

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Transform":
        """Return the transform that policy data describes."""
        parts, fields = plain.get("parts"), plain.get("fields")
        if isinstance(fields, list):
            fields = {"*": fields}
        return cls(
            parts=None if parts is None else frozenset(parts) & PARTS,
            codes=plain.get("codes") is True,
            fields=None if fields is None else {k: frozenset(v) for k, v in fields.items()},
            without=frozenset(plain.get("without", ())),
            without_fields=frozenset(plain.get("without_fields", ())),
        )


class UnknownTransformError(Exception):
    """Policy asked for a transform that policy data does not describe: nothing may pass."""


def permitted_parts(
    names: Sequence[str], known: Mapping[str, Transform], whole: Transform
) -> frozenset[str]:
    """Return the parts of an item that pass, by name. Raises UnknownTransformError."""
    passing = whole.parts or frozenset()
    for one in _those(names, known):
        if one.parts is not None:
            passing &= one.parts
        passing -= one.without
    if names:
        # the child's account as such passes only where there is no transform
        passing -= {"text"}
    return passing


def content(
    item: ItemFacts,
    parts: Mapping[str, Any],
    recipient_type: str,
    names: Sequence[str],
    *,
    known: Mapping[str, Transform],
    whole: Transform,
) -> dict[str, Any] | None:
    """Return `item` of the payload, or None where nothing of it passes.

    `parts` are what `interview` gave; what is in it beyond the permitted parts is left out here.
    """
    passing = permitted_parts(names, known, whole)
    transforms = _those(names, known)
    fields: dict[str, Any] = {}
    if "fields" in passing:
        for name, value in (parts.get("fields") or {}).items():
            if all(_field_passes(name, value, recipient_type, one) for one in transforms):
                fields[name] = value
    for part in sorted(passing - {"fields"}):
        if parts.get(part):
            fields[part] = parts[part]
    if not any(_says(value) for value in fields.values()):
        return None
    return {
        "category": item.category,
        "fields": fields,
        "provenance": item.provenance,
        "subject": item.subject,
        "verbatim": item.verbatim,
    }


def with_counts(
    parts: Mapping[str, Any], counts: Any, names: Sequence[str], known: Mapping[str, Transform]
) -> Mapping[str, Any]:
    """Return `parts` with the judged counts, where a transform lets counts pass by name.

    Counts are judged (by a manager), not said by the child, so `interview` does not hold them.
    """
    asked = any("cell_counts" in some for one in _those(names, known) for some in _named(one))
    if counts is None or not asked:
        return parts
    return {**parts, "fields": {**(parts.get("fields") or {}), "cell_counts": counts}}


def _named(one: Transform) -> Iterable[frozenset[str]]:
    return () if one.fields is None else one.fields.values()


def _those(names: Iterable[str], known: Mapping[str, Transform]) -> list[Transform]:
    try:
        return [known[name] for name in names]
    except KeyError as error:
        raise UnknownTransformError from error


def _field_passes(name: str, value: Any, recipient_type: str, one: Transform) -> bool:
    if name in one.without_fields:
        return False
    if one.fields is not None and name not in (
        one.fields.get(recipient_type, frozenset()) | one.fields.get("*", frozenset())
    ):
        return False
    return not one.codes or _coded(value)


def _coded(value: Any) -> bool:
    match value:
        case bool() | int() | float() | None:
            return True
        case str():
            return _CODE.match(value) is not None
        case list() | tuple():
            return all(_coded(one) for one in value)
    return False


def _says(value: Any) -> bool:
    return value is not None and value not in ("", [], {})


def key_of(item: Mapping[str, Any], transforms: Sequence[str]) -> str:
    """Return what is the same exactly when the permitted content is: part of a release's id."""
    text = json.dumps(
        [item, sorted(transforms)], sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return sha256(text.encode()).hexdigest()


def spoken(content: Mapping[str, Any]) -> str:
    """Return the permitted content as text for the worker who tells it; nothing is added."""
    item = content["item"]
    lines = [f"{item['category'].replace('_', ' ')} ({item['provenance'].replace('_', ' ')})"]
    for name, value in item["fields"].items():
        lines.append(f"{name.replace('_', ' ')}: {_said(value)}")
    return "\n".join(lines)


def _said(value: Any) -> str:
    match value:
        case True:
            return "yes"
        case False:
            return "no"
        case list() | tuple():
            return "; ".join(_said(one) for one in value)
        case Mapping():
            return "; ".join(f"{name}: {_said(one)}" for name, one in value.items())
        case str() if _INSTANT.match(value):
            return f"{datetime.fromisoformat(value).astimezone(LONDON):%A %-d %B %Y, %H:%M}"
    return str(value)
