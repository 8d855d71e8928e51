"""Kinds of case as policy decided them: made once with stand-ins for ids, then filled in often.

Policy is asked about some thousand documents and not about a million; what differs between two
children of one kind are ids and times, which no decision depends on.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from homeward.engine.batch import CHUNK, decide_lines
from services.sharing.domain.document import Law, document, without_times
from services.sharing.domain.facts import (
    ChildFacts,
    Facts,
    ItemFacts,
    Judged,
    Line,
    RecipientFacts,
    pairs,
    snapshot,
)
from services.sharing.policy_data import PolicyData, load

POLICIES = Path(__file__).parents[2] / "policies"
KINDS = 240
"""Of each of the two states of the law."""
CHILD, EPISODE, INTERVIEW, ITEM, AREA = "CH-@", "EP-@", "IN-@", "IT-@", "@area"
PSEUDONYM = "PS-@"
SAID = datetime(2001, 1, 1, tzinfo=UTC)
EXISTED = SAID - timedelta(hours=1)
BIRTHDAY, ADULT = datetime(2002, 1, 1, tzinfo=UTC), datetime(2003, 1, 1, tzinfo=UTC)
"""Stand-ins for moments; each text has them in this form."""
CATEGORIES = (
    "push_pull", "wishes", "narrative", "whereabouts", "associates", "harm", "health",
    "safety_plan",
)  # fmt: skip
NO_HARM = ("G2", "G3", "G4", "G5", "G6")


@dataclass(frozen=True)
class Told:
    """One pair of a kind: what was asked, without times, and what policy said."""

    item: int
    recipient: str
    type: str
    text: str
    purpose: str
    answer: Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of case."""

    facts: Facts
    snapshot: str
    told: tuple[Told, ...]


def kinds(rng: random.Random, count: int = KINDS) -> dict[bool, list[Kind]]:
    """Return kinds of case by whether section 16LA was in force. Raises NoAnswerError."""
    data = load(POLICIES)
    return {
        in_force: _decided([_facts(rng) for _ in range(count)], data, in_force=in_force)
        for in_force in (False, True)
    }


def in_force_from() -> date:
    """Return since when section 16LA is in force."""
    return load(POLICIES).law.s16la_from


def _decided(cases: Sequence[Facts], data: PolicyData, *, in_force: bool) -> list[Kind]:
    as_of = max(data.law.s16la_from, date(2026, 11, 30)) if in_force else date(2024, 6, 1)
    law = Law(date.min if in_force else date.max, data.law.csa_duty_in_force)
    asked: list[list[tuple[int, str, str, dict[str, Any]]]] = []
    for facts in cases:
        asked.append([])
        for item, recipient in pairs(facts, data.carers):
            pseudonym = PSEUDONYM if recipient.type == "commissioner" else ""
            kind = data.types[recipient.type]
            made = document(facts, item, recipient, kind, law, SAID, pseudonym)
            asked[-1].append((int(item.id[-1]), recipient.key, recipient.type, made))
    lines = [
        json.dumps(made | {"law": made["law"] | {"as_of": as_of.isoformat()}}).encode()
        for several in asked
        for *_, made in several
    ]
    chunks = [lines[start : start + CHUNK] for start in range(0, len(lines), CHUNK)]
    answers = _answers(decide_lines(chunks, POLICIES))
    return [
        Kind(
            facts,
            json.dumps(snapshot(facts)),
            tuple(
                Told(item, key, kind, without_times(made), made["purpose"], next(answers))
                for item, key, kind, made in several
            ),
        )
        for facts, several in zip(cases, asked, strict=True)
    ]


def _answers(blocks: Iterator[bytes]) -> Iterator[Mapping[str, Any]]:
    for block in blocks:
        for line in block.splitlines():
            answer: Mapping[str, Any] = json.loads(line)
            if "error" in answer:
                raise ValueError(f"a made-up document does not fit the contract: {answer['error']}")
            yield answer


def _facts(rng: random.Random) -> Facts:
    """Return the facts of one kind; most children agree, and most interviews show no harm."""
    categories = rng.sample(CATEGORIES, rng.choice((2, 3, 3, 4)))
    legal = rng.choices(("home", "looked_after", "care_leaver"), (57, 40, 3))[0]
    return Facts(
        child=ChildFacts(
            id=CHILD, controller="charity", identity_status="verified", legal_status=legal,
            responsible_la=AREA, host_la=None, address_confidential=True,
            age=rng.choice((11, 13, 14, 15, 15, 16, 17)), next_birthday_at=BIRTHDAY,
            adult_at=ADULT,
        ),
        episodes={EPISODE: rng.choice(("home", "residential", "foster"))},
        items=tuple(
            ItemFacts(
                id=f"{ITEM}{place}", version=1, episode_id=EPISODE, category=category,
                subject="child", provenance="child_said", existed_at=EXISTED,
                interview_id=INTERVIEW, verbatim=rng.random() < 0.2,
                facts={"police_purpose": rng.choice(("prevention", "investigation"))},
            )
            for place, category in enumerate(categories)
        ),
        recipients=tuple(_recipients(rng)),
        lines=tuple(_lines(rng)),
        judgements=tuple(_judgements(rng)),
    )  # fmt: skip


def _recipients(rng: random.Random) -> Iterator[RecipientFacts]:
    yield RecipientFacts(f"{AREA}-childrens-services", "childrens_services", "responsible_la", True)
    yield RecipientFacts(f"{AREA}-commissioner", "commissioner", "contract_team", True)
    if rng.random() < 0.3:
        yield RecipientFacts("mother", "carer_parent", "mother", True, pr=True)
    yield RecipientFacts(f"{AREA}-police", "police", "missing_unit", True)
    if rng.random() < 0.2:
        yield RecipientFacts("school", "school_dsl", "dsl", rng.random() < 0.8)
    yield RecipientFacts("self", "young_person", "self", True)


def _lines(rng: random.Random) -> Iterator[Line]:
    status = rng.choices(("agreed", "declined", None), (60, 25, 15))[0]
    if status:
        yield Line(status, "child", True, SAID, seq=1)
    if rng.random() < 0.2:
        other = "declined" if status == "agreed" else "agreed"
        yield Line(other, "child", True, SAID, seq=2, recipient=f"{AREA}-police")


def _judgements(rng: random.Random) -> Iterator[Judged]:
    judged: list[tuple[str, Any, str, str]] = [("competence", "competent", "W-1", "practitioner")]
    harm = rng.choices(("none", "some", "unassessed"), (80, 12, 8))[0]
    if harm != "unassessed":
        true = {rng.choice(NO_HARM)} if harm == "some" else set()
        judged += [(gate, gate in true, "dsl-1", "dsl") for gate in NO_HARM]
        judged.append(("child_alleged_perpetrator", "none", "dsl-1", "dsl"))
    if rng.random() < 0.9:
        for name in ("recipient_alleged_perpetrator", "connected_to_perpetrator"):
            judged.append((name, "no", "dsl-1", "dsl"))
    for seq, (name, value, by, role) in enumerate(judged, 1):
        yield Judged(name, value, by, role, SAID, SAID, reason="given", seq=seq)
