"""Reading one place of a document, and changing one: as OPA would see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from homeward.governance.questions_reads import Read
from homeward.governance.questions_tree import Steps

ABSENT: Final = object()
"""What stands where nothing stands."""
AN_OBJECT: Final = object()
"""What a place shows to who only asks whether an object is there."""
RENAMED: Final = "_renamed"


@dataclass(frozen=True)
class Edit:
    """One place set to a value, removed, or put under another name."""

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


def cut_to(reads: Sequence[Read], document: Any) -> Any:
    """Return a document that shows the same at `reads`, sorted, and has nothing else."""
    cut: Any = {} if isinstance(document, dict) else document
    for read in reads:  # what stands above comes first
        value = look(read, document)
        if not read.path:
            return document
        if value is ABSENT or not isinstance(document, dict):
            continue
        place = cut
        for name in read.path[:-1]:
            place = place.setdefault(name, {})
        if value is AN_OBJECT:
            place.setdefault(read.path[-1], {})
        else:
            place[read.path[-1]] = dict(value) if isinstance(value, dict) else value
    return cut
