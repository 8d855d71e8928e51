"""Reading one place of a document, and changing one: as OPA would see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from homeward.governance.questions_reads import Read
from homeward.governance.questions_tree import Steps

ABSENT: Final = object()
"""What stands where nothing stands."""
AN_OBJECT: Final = object()
"""What a place shows to who only asks whether an object is there."""
RENAMED: Final = "_renamed"


@dataclass(frozen=True, eq=False)
class Edit:
    """One place set to a value, removed, or put under another name; equal to itself alone."""

    path: Steps
    how: Literal["set", "remove", "rename"] = "set"
    value: Any = None

    def of(self, document: Any) -> Any:
        """Return the changed document; what is not changed is shared with the old one."""
        return self._in(document, self.path)

    def touches(self, read: Read) -> bool:
        """Tell whether what stands at `read` may be another thing after it."""
        length = min(len(read.path), len(self.path))
        return read.path[:length] == self.path[:length]

    def seen(self, read: Read, before: Any) -> Any:
        """Return what stands at `read` afterwards, where `before` stood."""
        below = self.path[len(read.path) :]
        if not below:  # at the place, or under it
            if self.how != "set":
                return ABSENT
            return look(Read(read.path[len(self.path) :], read.shape), self.value)
        if read.shape:
            return AN_OBJECT if self.how == "set" else before
        return before if before is ABSENT and self.how != "set" else self._in(before, below)

    def _in(self, node: Any, path: Steps) -> Any:
        if not path:
            return self.value
        name, *rest = path
        if not isinstance(node, dict):
            if self.how != "set":
                return node
            node = {}
        if rest:
            if self.how != "set" and name not in node:
                return node
            return {**node, name: self._in(node.get(name, ABSENT), tuple(rest))}
        if self.how == "set":
            return {**node, name: self.value}
        changed = {key: value for key, value in node.items() if key != name}
        if self.how == "rename" and name in node:
            changed[name + RENAMED] = node[name]
        return changed


def look(read: Read, document: Any) -> Any:
    """Return what stands at `read`: a value, ABSENT, or AN_OBJECT for its shape."""
    node = document
    for name in read.path:
        if not isinstance(node, dict) or name not in node:
            return ABSENT
        node = node[name]
    return AN_OBJECT if read.shape and isinstance(node, dict) else node


Cut = dict[str, "Cut | None"]
"""The places to keep by name, each with those below it; None: all that stands there."""


def cut_of(reads: Iterable[Read]) -> Cut | None:
    """Return what to keep of a document so that it shows the same at `reads`."""
    kept: dict[str, Any] = {}
    for read in reads:
        if not read.path:
            return None
        place: Any = kept
        for name in read.path[:-1]:
            place = place.setdefault(name, {})
            if place is None:  # all of what stands above is kept
                break
        else:
            below = place.setdefault(read.path[-1], {})
            place[read.path[-1]] = below if read.shape else None
    return kept


def in_parts(documents: Sequence[Any], cut: Cut | None) -> tuple[list[Any], list[Any]]:
    """Return each document by where its parts stand in a list, and that list, cut to what is kept.

    Documents that come from one another share most of their parts, which are then told once. A
    document that is no object is one part.
    """
    parts: list[Any] = []
    places: dict[tuple[str | None, int], int] = {}

    def place(name: str | None, value: Any, kept: Cut | None) -> int:
        key = (name, id(value))  # the documents hold all values while this runs
        if key not in places:
            places[key] = len(parts)
            parts.append(_cut_to(kept, value))
        return places[key]

    told: list[Any] = []
    for document in documents:
        if isinstance(document, dict):
            names = document if cut is None else document.keys() & cut
            told.append({name: place(name, document[name], cut and cut[name]) for name in names})
        else:
            told.append(place(None, document, None))
    return told, parts


def _cut_to(cut: Cut | None, value: Any) -> Any:
    if cut is None or not isinstance(value, dict):
        return value
    return {name: _cut_to(below, value[name]) for name, below in cut.items() if name in value}
