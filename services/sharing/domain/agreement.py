"""Which of the things said about sharing holds for one item and one recipient (R64, R65)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from services.sharing.domain.facts import ChildFacts, ItemFacts, Line

NOT_ASKED: dict[str, Any] = {"status": "not_asked", "by": "child", "consequences_explained": False}


def resolve(
    lines: Iterable[Line], child: ChildFacts, item: ItemFacts, recipient: str, now: datetime
) -> dict[str, Any]:
    """Return `agreement` of the decision document.

    An item's line beats a category's, a category's one for everything, the later the earlier. What
    was taken back is gone whole: nothing said before a withdrawal in its scope counts any more. A
    yes from before the 18th birthday is no adult's yes; a no stays a no.
    """
    about = [line for line in lines if _about(line, item, recipient)]
    taken_back = max(
        ((one.at, one.seq) for one in about if one.status == "withdrawn"), default=None
    )
    if taken_back is not None:
        about = [line for line in about if (line.at, line.seq) >= taken_back]
    if not about:
        return dict(NOT_ASKED)
    line = max(about, key=lambda one: (_narrow(one), one.at, one.seq))
    if line.status == "agreed" and child.adult(now) and line.at < child.adult_at:
        return dict(NOT_ASKED)
    return {
        "status": line.status,
        "by": line.by,
        "consequences_explained": line.consequences_explained,
    }


def _about(line: Line, item: ItemFacts, recipient: str) -> bool:
    return (
        line.recipient in (None, recipient)
        and line.category in (None, item.category)
        and line.item_id in (None, item.id)
    )


def _narrow(line: Line) -> tuple[bool, bool, bool]:
    return (line.item_id is not None, line.category is not None, line.recipient is not None)
