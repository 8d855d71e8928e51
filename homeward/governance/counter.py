"""A counter-example, reduced to what matters and told in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homeward.governance.envelope import Invariant
from homeward.governance.questions import Questions
from homeward.governance.questions_edits import ABSENT, Edit, look
from homeward.governance.questions_reads import Read
from homeward.governance.questions_tree import Steps
from homeward.governance.space import Cell, Document
from homeward.governance.space_classes import same

_SAID: dict[Steps, dict[str, str]] = {
    ("agreement", "status"): {
        "agreed": "the child agreed", "declined": "the child declined",
        "withdrawn": "the child took the yes back", "not_asked": "the child was not asked",
    },
    ("request", "kind"): {"push": "told unasked", "pull": "asked for"},
    ("child", "identity_status"): {"unverified": "it is not certain who the child is"},
    ("recipient", "alleged_perpetrator"): {"yes": "the recipient is alleged to have done it"},
    ("recipient", "connected_to_perpetrator"): {"yes": "the recipient is close to who did it"},
}  # fmt: skip


@dataclass(frozen=True)
class Example:
    """One case in which an invariant does not hold."""

    invariant: str
    cell: str
    row: str
    facts: tuple[str, ...]
    """What differs from a usual case of this recipient and category, in words."""
    change: tuple[str, ...]
    """What is then changed."""
    before: Any
    after: Any
    document: Document
    """Before the change."""

    @property
    def text(self) -> str:
        """The example as a sentence."""
        told = "; ".join(self.facts) or "a usual case"
        then = f"; then {', '.join(self.change)}" if self.change else ""
        return f"{_place(self.cell)}: {told}{then} -> {_answered(self.before, self.after)}"


def reduced(
    questions: Questions,
    invariant: Invariant,
    here: Cell,
    document: Document,
    way: tuple[Edit, ...],
) -> Example:
    """Return the example with all facts put back to the usual that do not matter.

    Every step is asked of the policies again; nothing is put back that would end the fault.
    """

    def fails(one: Document) -> bool:
        before, after = _answers(questions, invariant, one, way)
        then = _then(invariant, one, way)
        seen = [_seen(then, path) for path in invariant.only]
        seat = str(
            then["recipient"]["role"]
            if look(Read(("recipient", "type")), then) == "childrens_services"
            else look(Read(("recipient", "type")), then)
        )
        bad = invariant.is_broken_by(before, after, seat, questions.data)
        return bad and invariant.concerns(seen)

    simplest = {**here.usual, "gates": dict(here.usual["gates"])}
    differing = list(_differing(simplest, document))
    shrunk = True
    while shrunk:
        shrunk = False
        for path in list(differing):
            tried = _restored(document, simplest, path)
            if fails(tried):
                document, shrunk = tried, True
                differing.remove(path)
    before, after = _answers(questions, invariant, document, way)
    touched = {edit.path for edit in (*invariant.before, *way)}
    return Example(
        invariant.id,
        here.name,
        after["rule_ids"][-1] if after else "none",
        tuple(
            _words(path, look(Read(path), document)) for path in differing if path not in touched
        ),
        tuple(_change(edit) for edit in way),
        before,
        after,
        document,
    )


def _answers(
    questions: Questions, invariant: Invariant, document: Document, way: Sequence[Edit]
) -> tuple[Any, Any]:
    first = document
    for edit in invariant.before:
        first = edit.of(first)
    before, after = questions.decide([first, _then(invariant, document, way)])
    return before, after


def _then(invariant: Invariant, document: Document, way: Sequence[Edit]) -> Document:
    for edit in (*invariant.before, *way):
        document = edit.of(document)
    return document


def _seen(document: Document, path: Steps) -> Any:
    return look(Read(path), document)


def _differing(usual: Any, document: Any, path: Steps = ()) -> Iterator[Steps]:
    """The fields at which two documents differ; a gate is one field."""
    if len(path) == 2 and path[0] == "gates":
        yield path
    elif isinstance(usual, dict) and isinstance(document, dict):
        for name in sorted({*usual, *document}):
            one, other = usual.get(name, ABSENT), document.get(name, ABSENT)
            if one is ABSENT or other is ABSENT or not same(one, other):
                yield from _differing(one, other, (*path, name))
    else:
        yield path


def _restored(document: Document, usual: Document, path: Steps) -> Document:
    value = look(Read(path), usual)
    edit = Edit(path, "remove") if value is ABSENT else Edit(path, "set", value)
    restored: Document = edit.of(document)
    return restored


def _place(cell: str) -> str:
    seat, category, kind = cell.split(" ")
    asked = {"push": "", "pull": ", asked for"}[kind]
    return f"{seat.replace('_', ' ')}, {category.replace('_', ' ')}{asked}"


def _words(path: Steps, value: Any) -> str:
    known = _SAID.get(path, {})
    if isinstance(value, str) and value in known:
        return known[value]
    name = path[-1] if path[0] == "gates" else " ".join(path[-2:] if len(path) > 1 else path)
    name = name.removeprefix("facts ").replace("_", " ")
    if value is ABSENT:
        return f"{name} is missing"
    if path[0] == "gates" and isinstance(value, Mapping):
        return f"{name} {_plain(value.get('value'))}" + ("" if _signed(value) else ", not signed")
    return f"{name}: {_plain(value)}"


def _signed(gate: Mapping[str, Any]) -> bool:
    return all(isinstance(gate.get(m), str) and gate[m] for m in ("by", "role", "at", "reason"))


def _change(edit: Edit) -> str:
    if edit.how == "remove":
        return f"{'.'.join(edit.path)} is removed"
    if edit.how == "rename":
        return f"{'.'.join(edit.path)} has another name"
    return _words(edit.path, edit.value)


def _plain(value: Any) -> str:
    return value.replace("_", " ") if isinstance(value, str) and value else json.dumps(value)


def _answered(before: Any, after: Any) -> str:
    first, then = (_answer(one) for one in (before, after))
    return then if first == then else f"{first}, then {then}"


def _answer(answer: Any) -> str:
    if answer is None:
        return "no decision"
    marks = f" ({', '.join(answer['transforms'])})" if answer["transforms"] else ""
    return f"{answer['decision']}{marks} by {' '.join(answer['rule_ids'])}"
