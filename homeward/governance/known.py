"""Fifty cases whose right answer is known: those in which a child could be hurt come first.

They are data (`known.json`): the usual document, and for each case what is changed in it. A version
is approved with the answers that it gives to them, and every engine is asked them before it counts.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from contracts import policies as contract
from homeward.engine import NoAnswerError
from homeward.engine.batch import decide_lines

CASES = Path(__file__).with_name("known.json")
_WIDTH = {"deny": 0, "defer": 1, "allow_redacted": 2, "allow": 3}
_MUST = {
    "be_told": "is to be told",
    "not_be_told": "is not to be told",
    "be_asked": "is to be held",
}


@dataclass(frozen=True)
class Known:
    """One case: what it says in words, the document, and what must hold of the answer."""

    id: str
    says: str
    must: Literal["be_told", "not_be_told", "be_asked"] | None
    """What a change would make dangerous; None where the case only shows that engines agree."""
    decision: str
    """As it is known to be right."""
    document: Mapping[str, Any]

    def is_worse(self, decision: str) -> bool:
        """Tell whether another decision would leave a child in danger, or tell whom it must not."""
        if self.must == "be_told":
            return _WIDTH.get(decision, 0) < _WIDTH[self.decision]
        if self.must == "not_be_told":
            return _WIDTH.get(decision, 3) > _WIDTH["defer"]
        return self.must == "be_asked" and decision != "defer"


def cases() -> tuple[Known, ...]:
    """Return the cases in their order."""
    told = json.loads(CASES.read_text(encoding="utf-8"))
    return tuple(
        Known(one["id"], one["says"], one["must"], one["decision"],
              _changed(told["usual"], one["change"]))
        for one in told["cases"]
    )  # fmt: skip


def answers(policies: Path, known: Sequence[Known]) -> list[dict[str, Any]]:
    """Return what `policies` answer, asked of an engine of our own. Raises NoAnswerError."""
    lines = [json.dumps(one.document).encode() for one in known]
    told = b"".join(decide_lines([lines], policies, raw=True, cores=1)).splitlines()
    given = [json.loads(line) for line in told]
    silent = [one.id for one, answer in zip(known, given, strict=True) if "decision" not in answer]
    if silent:
        raise NoAnswerError(f"the policies give no answer to {', '.join(silent)}")
    return given


def findings(
    known: Sequence[Known], given: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield a finding for each case that would be answered in a dangerous way."""
    for one, answer in zip(known, given, strict=True):
        if one.is_worse(str(answer["decision"])):
            yield {
                "id": one.id,
                "kind": contract.KNOWN_CASE,
                "text": f"{one.says}. This {_MUST[one.must or 'be_asked']} ({one.decision}); "
                f"the draft says {answer['decision']} by {' '.join(answer['rule_ids'])}",
                "children": [],
            }


def _changed(usual: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    document = copy.deepcopy(dict(usual))
    for path, value in change.items():
        *way, last = path.split(".")
        place = document
        for name in way:
            place = place[name]
        place[last] = value
    return document
