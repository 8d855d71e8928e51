"""Which holds may not wait: something about harm, held back from those who could protect."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

ON_CALL_AFTER = timedelta(hours=1)
"""How long the DSL has before the on-call manager is called (scenario S5: 11:42, then 12:42)."""
TELL_CHILD_WITHIN = timedelta(hours=1)
"""How long a release waits for the child to be told before somebody is called."""

Held = tuple[str, str, str, bool, Sequence[str]]
"""Item, recipient, its type, whether the item is urgent, and the rules that held it."""


def urgent_pairs(held: Iterable[Held], protecting: frozenset[str]) -> frozenset[str]:
    """Return names of the pairs that are urgent holds towards a type in `protecting`, H1 apart."""
    return frozenset(
        f"{item}|{recipient}"
        for item, recipient, kind, urgent, rules in held
        if urgent and kind in protecting and "H1" not in rules
    )
