"""Which recorded judgement holds for one item and one recipient."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.sharing.domain.facts import ItemFacts, Judged

HARM_GATES = ("G3", "G4", "G6")
"""Judged for the child: true counts for every item, false for those that existed then."""
PERSISTING = frozenset(
    {
        "competence",
        "purpose",
        "child_alleged_perpetrator",
        "recipient_alleged_perpetrator",
        "connected_to_perpetrator",
        "strategy_decision",
    }
)
"""Facts about the child or a recipient: they stay true when another item comes. All others are
judgements of items, and nobody judged an item that was not there."""

_SKEW = timedelta(seconds=2)
"""Clocks of two services differ a little; nobody judges an item so soon after its writing."""


def holding(
    judgements: Iterable[Judged], name: str, item: ItemFacts | None, recipient: str | None
) -> Judged | None:
    """Return the judgement `name` that holds, or None where it is unassessed.

    The narrower beats the wider, the later the earlier. A null value takes a judgement back.
    """
    return among([one for one in judgements if one.name == name], name, item, recipient)


def by_name(judgements: Iterable[Judged]) -> dict[str, list[Judged]]:
    """Return the judgements under their names, to look at those of one name only."""
    found: dict[str, list[Judged]] = {}
    for one in judgements:
        found.setdefault(one.name, []).append(one)
    return found


def among(
    named: list[Judged], name: str, item: ItemFacts | None, recipient: str | None
) -> Judged | None:
    """Return which of the judgements `named` so holds, as `holding` says."""
    if name in HARM_GATES and item is not None:
        return _of_the_child(named, item, recipient)
    about = [one for one in named if one.about(item, recipient)]
    if name not in PERSISTING and item is not None:
        about = [one for one in about if _existed(item, one.recorded_at)]
    if not about:
        return None
    best = max(about, key=lambda one: (_narrow(one), one.at, one.seq))
    return None if best.value is None else best


def _of_the_child(named: list[Judged], item: ItemFacts, recipient: str | None) -> Judged | None:
    """Return the latest of the trues, which count for every item, and the falses about this one.

    A false does not clear an item that came after it: that one is unassessed. Of a true and a
    false at the same moment the true one counts.
    """
    about = [one for one in named if one.value is True or one.about(item, recipient)]
    if not about:
        return None
    latest = max(about, key=lambda one: (one.at, one.value is True, one.seq))
    if latest.value is True:
        return latest
    if latest.value is False and _existed(item, latest.recorded_at):
        return latest
    return None


def _existed(item: ItemFacts, at: datetime) -> bool:
    return item.existed_at <= at + _SKEW


def _narrow(one: Judged) -> tuple[bool, bool, bool, bool]:
    return (
        one.item_ids is not None,
        one.categories is not None,
        one.episode_id is not None,
        one.recipients is not None,
    )


def approvals(judgements: Iterable[Judged], item: ItemFacts, recipient: str) -> list[str] | None:
    """Return which of dpo and dsl approved, each for itself: a role cannot approve for another."""
    judgements = [one for one in judgements if one.name == "approvals"]
    found: list[str] = []
    for role in ("dpo", "dsl"):
        own = among([one for one in judgements if one.role == role], "approvals", item, recipient)
        if own is not None and (
            own.value is True or (isinstance(own.value, list) and role in own.value)
        ):
            found.append(role)
    return found if judgements else None
