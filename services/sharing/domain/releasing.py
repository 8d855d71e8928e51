"""The states of a release, and which of them may follow which."""

from collections.abc import Callable

WAITING = "waiting_child_told"
TELL = "tell"
QUEUED = "queued"
CLAIMED = "claimed"
SENT = "sent"
DELIVERED = "delivered"
WITHDRAWN = "withdrawn"
CANCELLED = "cancelled"
SUPERSEDED = "superseded"
ERASED = "erased"
VOID = "void"

FOLLOWS: dict[str, frozenset[str]] = {
    WAITING: frozenset({TELL, QUEUED, CANCELLED, SUPERSEDED, DELIVERED}),
    TELL: frozenset({WAITING, QUEUED, DELIVERED, CANCELLED, SUPERSEDED}),
    QUEUED: frozenset({WAITING, TELL, CLAIMED, CANCELLED, SUPERSEDED}),
    CLAIMED: frozenset({SENT, WITHDRAWN, DELIVERED}),
    SENT: frozenset({DELIVERED, WITHDRAWN, ERASED, VOID}),
    WITHDRAWN: frozenset({ERASED, VOID, SENT, DELIVERED}),
    DELIVERED: frozenset(),
    CANCELLED: frozenset({DELIVERED}),
    SUPERSEDED: frozenset({DELIVERED}),
    ERASED: frozenset(),
    VOID: frozenset(),
}
"""A worker may report that somebody was told although it had been cancelled: the truth is kept."""

STOPPABLE = frozenset({WAITING, TELL, QUEUED})
"""Nothing has left yet, so the gate takes it back by itself."""
LIVE = frozenset({WAITING, TELL, QUEUED, CLAIMED, SENT, DELIVERED})
"""The recipient has it or will: the same content is not released once more."""


class ForbiddenMoveError(Exception):
    """A release was to take a state that cannot follow the one it is in."""

    def __init__(self, state: str, to: str) -> None:
        super().__init__(f"{state} -> {to}")


def move(state: str, to: str) -> str:
    """Return `to`, or raise ForbiddenMoveError where it cannot follow `state`."""
    if to != state and to not in FOLLOWS[state]:
        raise ForbiddenMoveError(state, to)
    return to


def first_state(feed: bool, told_first: bool, child_told: bool) -> str:
    """Return where a permitted release starts: nobody hears of it before the child, where owed."""
    if told_first and not child_told:
        return WAITING
    return QUEUED if feed else TELL


def release_id(
    make: Callable[[int], str], state_of: Callable[[str], str | None]
) -> tuple[str, bool]:
    """Return the id of a release, and whether it is a new one.

    The id follows from item version, recipient and permitted content, so that nothing is released
    twice for the same facts. Where an earlier one was taken back unread, a count makes another;
    while it is not known whether it was, there is none.
    """
    count = 0
    while True:
        name = make(count)
        state = state_of(name)
        if state is None:
            return name, True
        if state in LIVE or state == WITHDRAWN:
            return name, False
        count += 1
