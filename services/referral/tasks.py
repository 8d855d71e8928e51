"""Questions that only a person can answer, each asked once."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from messaging.app import App
from services.referral.tables import Task

About = Literal[
    "alike", "identity", "overlap", "return_differs", "time_ambiguous", "locality_unknown",
    "over_age",
]  # fmt: skip
ANSWER_WITHIN: Final = timedelta(hours=24)
"""Like first contact: whatever is in doubt is settled while the case is young."""

_ASKED: Final[dict[About, tuple[str, str, str]]] = {
    "alike": (
        "compare", "manager",
        "{child} has the name and birth date of {about}. Compare the records; nothing was merged.",
    ),
    "identity": (
        "compare", "manager",
        "A referral names {child} but gives another name or birth date. Check who it is about.",
    ),
    "overlap": (
        "question", "practitioner",
        "Episodes {about} of {child} overlap. Ask the sources whether they are one.",
    ),
    "return_differs": (
        "question", "practitioner",
        "Two sources give another return for {about}. Ask; the clock runs from the first.",
    ),
    "time_ambiguous": (
        "question", "practitioner",
        "A local time of {about} exists twice (end of summer time); the first was taken. "
        "Ask the police which it was.",
    ),
    "locality_unknown": (
        "triage", "manager",
        "Referral {about} names a locality that is not configured. Find who is responsible.",
    ),
    "over_age": (
        "triage", "manager",
        "Referral {about} is about somebody over the upper age. Decide whether a talk is offered.",
    ),
}  # fmt: skip
"""Kind, owner and text; texts name ids, never a child."""


@dataclass(frozen=True)
class Question:
    """What is in doubt about which child; `cause` makes it the same question again."""

    about: About
    child_id: str
    cause: tuple[str, ...]


async def ask(app: App, session: AsyncSession, question: Question) -> None:
    """Leave a task, unless this very question was asked before."""
    task_id = app.ids.after("TK", question.about, question.child_id, *question.cause)
    if await session.get(Task, task_id) is not None:
        return
    kind, owner, text = _ASKED[question.about]
    about = ", ".join(part for part in question.cause if part[2:3] == "-")  # ids alone
    session.add(
        Task(
            id=task_id, kind=kind, child_id=question.child_id, owner=owner,
            due_at=app.clock.now() + ANSWER_WITHIN,
            text=text.format(child=question.child_id, about=about),
        )
    )  # fmt: skip
    await session.flush()
