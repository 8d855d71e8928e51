"""The findings of a what-if in words, the gravest first."""

from collections.abc import Iterator, Mapping
from typing import Any

ORDER = (
    "safety_stop",
    "against_the_childs_no",
    "newly_learns",
    "newly_does_not",
    "newly_held",
    "other_reason",
)
"""Kinds of findings as they are read."""
_TEXTS = {
    "safety_stop": "What a gate about harm opened would stop or be cut short",
    "against_the_childs_no": "Would be told against the plain no of the child",
    "newly_learns": "Would be told, or told more",
    "newly_does_not": "Would not be told, or told less",
    "newly_held": "Would be held until somebody has judged",
    "other_reason": "The same answer for another reason",
}
_UNCERTAIN = {
    "no_facts": "the facts that were judged are gone",
    "no_such_pair": "the facts do not have the item or the recipient",
    "not_the_same": "another document comes of the facts than the one that was asked",
}


class Whole:
    """The sums over all children."""

    def __init__(self, sums: Mapping[str, Any]) -> None:
        self._sums = sums

    def count(self, name: str) -> int:
        """Return one number."""
        return int(self._sums.get(name, 0))

    def part(self, name: str) -> dict[str, Any]:
        """Return sums under names."""
        return dict(self._sums.get(name, {}))

    @property
    def recall(self) -> list[dict[str, str]]:
        """What had left and would now be refused."""
        return list(self._sums.get("recall", []))


def findings_of(whole: Whole, titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return one finding for each kind, type of recipient and category, the gravest first."""
    return [*_faults(whole), *(one for kind in ORDER for one in _of_kind(kind, whole, titles))]


def _faults(whole: Whole) -> Iterator[dict[str, Any]]:
    for why, found in sorted(whole.part("uncertain").items()):
        text = (
            f"{found['decisions']:,} decisions could not be made again and are in no number here: "
            f"{_UNCERTAIN[why]}."
        )
        yield {"id": f"not_decided_again.{why}", "kind": "not_decided_again", "text": text,
               "children": [], "decisions": found["some"]}  # fmt: skip


def _of_kind(kind: str, whole: Whole, titles: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for type_, categories in sorted(whole.part("cells").items()):
        for category, cell in sorted(categories.items()):
            found = cell["kinds"].get(kind)
            if found is None:
                continue
            moves = ", ".join(f"{n:,} {move}" for move, n in sorted(found["moves"].items()))
            what = category.replace("_", " ")
            text = (
                f"{_TEXTS[kind]}. {titles.get(type_, type_)}, {what}: {found['decisions']:,} "
                f"decisions about {found['children']:,} children ({moves})."
            )
            shown = dict.fromkeys(one["child"] for one in found["examples"])
            yield {"id": f"{kind}.{type_}.{category}", "kind": kind, "text": text,
                   "children": sorted(found["named"]) or list(shown)}  # fmt: skip
