"""The known cases: asked of a running engine before a version may decide."""

from typing import Any

from messaging.app import App
from services.sharing import policy_life
from services.sharing.domain.answer import Answer
from services.sharing.policy import Policy
from services.sharing.policy_tables import PolicyVersion

DANGER = "G4"


async def answered_otherwise(app: App, candidate: Policy) -> list[int]:
    """Return the places of the known cases that the engine answers otherwise than is right.

    Of a lockdown no answer was known before: there nothing may be released but by gate G4, asked of
    the cases of the version that it locks. Raises NoDecisionError where one has no answer at all.
    """
    async with app.db.reading() as session:
        version = await session.get_one(PolicyVersion, candidate.digest)
        of = version
        if version.locked and version.base is not None:
            of = await session.get(PolicyVersion, version.base) or version
        cases = await policy_life.known_cases(session, of)
    wrong = []
    for place, case in enumerate(cases):
        answer = await candidate.decide(case["input"])
        right = _locked(answer) if version.locked else told(answer) == case["answer"]
        if not right:
            wrong.append(place)
    return wrong


def _locked(answer: Answer) -> bool:
    return not answer.releases or DANGER in answer.gates_used


def told(answer: Answer) -> dict[str, Any]:
    """Return an answer as the engine gives it and as people approved it."""
    return {
        "decision": answer.decision,
        "rule_ids": list(answer.rule_ids),
        "gates_used": list(answer.gates_used),
        "basis": list(answer.basis),
        "transforms": list(answer.transforms),
        "obligations": list(answer.obligations),
        "reasons": list(answer.reasons),
        "defer_to": None
        if answer.defer_to is None
        else {"owner": answer.defer_to.owner, "due_h": answer.defer_to.due_h},
        "policy_version": answer.policy_version,
    }
