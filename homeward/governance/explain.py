"""One decision told as sentences: why, by which path, and what would have had to be different."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from homeward.engine import NoAnswerError, policy_digest
from homeward.governance import words
from homeward.governance.explain_asked import FALSE, TRUE, UNKNOWN, Asked, asking
from homeward.governance.explain_changes import kind_of, smallest
from homeward.governance.explain_fields import Change
from homeward.governance.titles import titles_of

Data = dict[str, Any]

SHOWN = 4
"""Changes that are told for each other answer; how many more there are is said."""

_MET_BY = {"G2": ("G2", "G3", "G4", "G6"), "G3": ("G3", "G6")}
"""Which judgements a reader may look for where a gate is unknown; the engine decides what it is."""
_LACKS = {
    "agreed": "whether the child is competent is not judged",
    "objects": "whether the child is competent is not judged",
    "competent": "whether the child is competent is not judged",
    "a_person_decides": "nobody but a person can say",
    "approved": "approvals are not given",
    "place_in_host_area": "the place's authority is not given",
    "la_has_decided": "there is no strategy decision",
}
"""What a reader may look for where one of the rules is unknown."""
_PATH = {TRUE: "open", UNKNOWN: "not known", FALSE: "closed"}
_GOALS = {
    "more": "To be told with less taken out",
    "told": "To be told",
    "held": "To be held for a person",
    "refused": "Not to be told",
}


def explain(policies: Path, document: Data) -> Data:
    """Return how `policies` decide `document`, which fits the contract, and what would change it.

    Raises BrokenPoliciesError, EngineMissingError, NoAnswerError.
    """
    titles = titles_of(policies)
    with asking(policies) as asked:
        (steps,) = asked.steps([document])
        if "decision" not in steps:
            raise NoAnswerError("the policies give no decision on this document")
        decision, row = steps["decision"], str(steps.get("row_id", ""))
        row_asked = asked.row(steps)
        paths = row_asked.judged([document])[0]
        found = smallest(asked, row_asked, document, steps)
        whom = words.recipient(document["recipient"]["type"], asked.data)
        return {
            "kind": "explain",
            "policy": policy_digest(policies),
            "version": decision["policy_version"],
            "row": row,
            "about": f"{words.thing(document['item']['category'])}, to {words.inside(whom)}",
            "answer": _answer(decision, asked.data),
            "decision": decision,
            "why": [*decision["reasons"], *_row_says(asked.data["table"].get(row))],
            "paths": [
                _path(place, (path, told), steps, document, asked)
                for place, (path, told) in enumerate(zip(row_asked.paths, paths, strict=True))
            ],
            "before_the_row": list(_before(steps, titles, asked.data)),
            "obligations": [
                words.OBLIGATIONS.get(o, words.spaced(o)) for o in decision["obligations"]
            ],
            "otherwise": [_otherwise(goal, some, asked.data) for goal, some in found.items()],
            "asked": asked.count,
        }


def _answer(decision: Mapping[str, Any], data: Data, verb: str = "is") -> str:
    kind = kind_of(decision)
    if kind == "told":
        bases = words.listed(f"{one} ({words.BASES.get(one, '')})" for one in decision["basis"])
        named = f" Basis in law: {bases}." if bases and verb == "is" else ""
        return f"It {verb} told: {words.transforms(decision['transforms'], data)}.{named}"
    rules = decision["rule_ids"][:-1]
    by = f" ({words.listed(rules)})" if rules else ""
    if kind == "held":
        owner = words.OWNERS.get(decision["defer_to"]["owner"], decision["defer_to"]["owner"])
        return f"It {verb} held{by} for {owner}, within {decision['defer_to']['due_h']} h."
    return f"It {'is not' if verb == 'is' else 'would not be'} told{by}."


def _row_says(row: Any) -> Iterator[str]:
    if isinstance(row, dict):
        never = row.get("never") or "nothing that it names."
        yield f"The row says: {row.get('why')} Never: {never}"


def _path(
    place: int, told_of: tuple[Data, list[Data]], steps: Data, document: Data, asked: Asked
) -> Data:
    path, conditions = told_of
    by_worth: dict[int, list[str]] = {TRUE: [], UNKNOWN: [], FALSE: []}
    for one in conditions:
        if one["condition"] != "always" or one["worth"] != TRUE:
            told = words.condition(one["condition"])
            if one["worth"] == UNKNOWN:
                told += f" ({words.listed(_missing(one, steps, document, asked.data))})"
            by_worth[one["worth"]].append(told)
    worth = steps["worth"][place] if place < len(steps.get("worth", ())) else FALSE
    return {
        "says": f"{words.transforms(path['transforms'], asked.data)}, "
        + _when(path["when"] if not conditions else [one["condition"] for one in conditions]),
        "is": _PATH[worth],
        "opened": _is_the_one(place, steps),
        "true": by_worth[TRUE],
        "false": by_worth[FALSE],
        "unknown": by_worth[UNKNOWN],
    }


def _when(conditions: Sequence[Any]) -> str:
    told = words.conditions(conditions)
    return "whether agreed or not" if told == "always" else f"when {told}"


def _is_the_one(place: int, steps: Data) -> bool:
    """Tell whether the engine took this path: the first of those like the one that it names."""
    cell, opened = steps.get("cell") or {}, steps.get("opened")
    if opened is None or kind_of(steps["decision"]) != "told":
        return False
    like = [
        i for i in cell["fewest_first"] if cell["paths"][i] == opened and steps["worth"][i] == TRUE
    ]
    return like[:1] == [place]


def _missing(one: Data, steps: Data, document: Data, data: Data) -> list[str]:
    """Say what nobody has given, for a condition that the engine calls unknown."""
    parts = [part for part in one["parts"] if part["worth"] == UNKNOWN]
    if parts:
        return [
            told
            for part in parts
            for told in _missing({**part, "parts": []}, steps, document, data)
        ]
    condition = one["condition"]
    while isinstance(condition, dict) and len(condition) == 1:
        ((name, inner),) = condition.items()
        condition = inner if name == "not" else name
    if condition in words.GATE_NAMES:
        known = steps.get("recorded", {})
        wanted = [gate for gate in _MET_BY.get(condition, (condition,)) if gate not in known]
        return [_gate_lacks(gate, document["gates"].get(gate)) for gate in wanted]
    if condition in data["facts"] or str(condition).startswith("vir."):
        name = str(condition).removeprefix("vir.")
        held = document["item"]["facts"].get(condition)
        return [
            f"{words.spaced(name)} is {'not given' if held is None else 'no value that is known'}"
        ]
    return [_LACKS.get(str(condition), "what it needs is not given")]


def _gate_lacks(name: str, gate: Any) -> str:
    if not isinstance(gate, dict) or gate.get("value") is None:
        return f"nobody has judged {name}"
    parts = {"by": "who judged", "role": "in which role", "at": "when", "reason": "why"}
    lacks = [
        said
        for part, said in parts.items()
        if not isinstance(gate.get(part), str) or not gate[part]
    ]
    return f"the judgement of {name} does not say {words.listed(lacks, 'or') or 'yes or no'}"


def _before(steps: Data, titles: Mapping[str, str], data: Data) -> Iterator[str]:
    """Tell of each rule before the row that is not plainly out of the way."""
    for number, worth in enumerate(steps.get("hard_denies", ()), 1):
        name = f"HD{number}"
        title = titles.get(name.lower(), "").removeprefix(name).strip()
        if worth == TRUE:
            yield f"{name} refuses: {title}. {data['reasons'].get(name, '')}"
        elif worth == UNKNOWN:
            told = data["reasons"].get("unknown", {}).get(name, "")
            yield f"{name} is not known: {title}. {told}"
    h1 = steps.get("h1")
    if h1 in ("deny", "defer"):
        how = "refuses" if h1 == "deny" else "holds"
        yield f"H1 {how}: {data['reasons'].get('H1', '')}"
    if steps.get("asked_for"):
        yield f"REQ: {data['reasons'].get('REQ', '')}"
    if steps.get("unlocked") is False:
        yield f"LOCKDOWN: {data['reasons'].get('LOCKDOWN', '')}"
    if steps.get("provisional"):
        yield "It is not certain who the child is: only harm and danger open anything."
    if "SWEEP" in steps["decision"]["rule_ids"]:
        yield f"SWEEP: {data['reasons'].get('SWEEP', '')}"


def _otherwise(goal: str, some: Sequence[tuple[tuple[Change, ...], Data]], data: Data) -> Data:
    return {
        "goal": goal,
        "says": _GOALS[goal],
        "changes": [
            {"if": [one.phrase for one in changes], "then": decision["decision"],
             "says": f"If {words.listed(c.phrase for c in changes)}, "
             f"{words.inside(_answer(decision, data, 'would be').strip())}"}
            for changes, decision in some[:SHOWN]
        ],
        "more": max(0, len(some) - SHOWN),
    }  # fmt: skip


def as_text(told: Data) -> str:
    """Return an explanation for a terminal."""
    lines = [f"{told['row']}: {told['about']} (policy {told['version']})", "", told["answer"]]
    lines += _section("Why", told["why"])
    lines += _section("Before the row", told["before_the_row"])
    paths = []
    for number, path in enumerate(told["paths"], 1):
        mark = "this one opened" if path["opened"] else path["is"]
        paths.append(f"Path {number}, {mark}: {path['says']}")
        paths += [f"  {how}: {one}" for how in ("true", "false", "unknown") for one in path[how]]
    lines += _section("The paths", paths or ["None: nothing opens this row for them."])
    lines += _section("What must be done", told["obligations"])
    for other in told["otherwise"]:
        more = f" (and {other['more']} more)" if other["more"] else ""
        lines += _section(f"{other['says']}{more}", [one["says"] for one in other["changes"]])
    return "\n".join(lines)


def _section(title: str, lines: Iterable[str]) -> list[str]:
    told = [line if line.startswith("  ") else words.sentence(line) for line in lines]
    return (
        ["", title, *(f"    {o.strip()}" if o.startswith("  ") else f"  - {o}" for o in told)]
        if told
        else []
    )
