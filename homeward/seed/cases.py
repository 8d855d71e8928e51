"""What a child's interviews leave to decide on: facts that change from epoch to epoch.

Shares of what is common and rare are ours, in the shape of the statistics (domain.md, section 6):
most children agree, most interviews show no harm, a third of what the safeguarding lead judges
comes hours later, and some children take back what they agreed to.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from homeward.seed.history import AREAS, Child, Episode, name
from services.sharing.domain.birthdays import ADULT, age_at, birthday
from services.sharing.domain.facts import (
    GIVEN,
    ChildFacts,
    Facts,
    ItemFacts,
    Judged,
    Line,
    RecipientFacts,
)

HOUR = timedelta(hours=1)
CATEGORIES = {
    "push_pull": 9, "wishes": 8, "narrative": 9, "whereabouts": 7, "associates": 5, "harm": 4,
    "health": 4, "safety_plan": 6, "contact_address": 2,
}  # fmt: skip
"""What interviews record, and how often."""
TRUTHS = {
    "narrative": ("more_detrimental", "safety_critical"),
    "push_pull": ("factor_about_carer", "school_related"),
    "whereabouts": (),
    "associates": ("other_child_at_risk", "on_site_risk", "tracing_or_safety"),
    "harm": ("consensual_peer", "local_area_of_harm", "suspect_clinical", "would_prejudice_action"),
    "health": ("safety_critical", "sexual_health", "self_harm_plan", "open_missing"),
    "safety_plan": (),
    "wishes": ("quote_deidentified",),
    "contact_address": ("safety_need", "open_missing"),
}
CODES: dict[str, dict[str, tuple[Any, ...]]] = {
    "push_pull": {"police_purpose": ("prevention", "trigger_plan", "other")},
    "whereabouts": {
        "place_type": ("own_home", "third_party_home", "public_place", "business", "school",
                       "transport", "online"),
        "distance_to_school_m": (200, 800, 1_500, 6_000),
        "place_la": AREAS,
        "urgency": ("tonight", "routine", "routine"),
    },
    "associates": {"person_age_band": ("adult", "under_18"), "reliability": tuple("ABCDE")},
    "wishes": {"wish_scope": ("approach", "placement", "for_carer", "general", "private")},
}  # fmt: skip
GIVENS = {
    "narrative": ("necessity_reason", "summary_text", "care_need"),
    "harm": ("necessity_reason",),
    "health": ("care_need",),
}
LISTS = {
    "narrative": ("extract_ids",),
    "safety_plan": ("plan_actions_for_police", "plan_actions_for_carer", "plan_actions_for_school"),
}
GATES = ("G2", "G3", "G4", "G5", "G6")
HARM = (("G2",), ("G2",), ("G2", "G5"), ("G2", "G3"), ("G3",), ("G3", "G6"), ("G4",), ("G5",))
"""What is true where there is harm."""


@dataclass
class Moment:
    """The facts at one epoch, and what of them is new."""

    at: datetime
    epoch: int
    facts: Facts
    items: tuple[ItemFacts, ...] = ()
    recipients: tuple[RecipientFacts, ...] = ()
    lines: tuple[Line, ...] = ()
    judged: tuple[Judged, ...] = ()
    episode: Episode | None = None
    """Whose interview this is; None where facts changed later."""


@dataclass
class _Life:
    """A child's case as it grows."""

    rng: random.Random
    child: Child
    host: str | None
    identity: str = "verified"
    competence: str | None = None
    items: list[ItemFacts] = field(default_factory=list)
    recipients: list[RecipientFacts] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    episodes: dict[str, str] = field(default_factory=dict)
    epoch: int = 0


def moments(number: int, episodes: Sequence[Episode], until: datetime) -> Iterator[Moment]:
    """Yield the epochs of one child's case in the order of time."""
    child = episodes[0].child
    rng = random.Random(f"{number} {child.number}")  # noqa: S311 - made-up data
    away = child.legal_status == "looked_after" and rng.random() < 0.3
    life = _Life(rng, child, rng.choice(AREAS) if away else None)
    life.identity = "unverified" if rng.random() < 0.04 else "verified"
    life.competence = _competence(rng, child, episodes[0].returned_at)
    last = episodes[0].returned_at
    for one in sorted(episodes, key=lambda each: each.returned_at):
        if not one.interviewed:
            continue
        last = max(one.returned_at + 51 * HOUR, last + HOUR)
        if last >= until:
            return
        life.episodes[one.id] = one.setting
        for found in _interview(number, life, one, last):
            last = found.at
            yield found


def _interview(number: int, life: _Life, one: Episode, at: datetime) -> Iterator[Moment]:
    """Yield what an interview leaves, then what people judge and change about it."""
    rng = life.rng
    first = not life.items
    items = tuple(_items(number, life, one, at))
    recipients = tuple(_recipients(life)) if first else ()
    if not first and rng.random() < 0.1:
        recipients = tuple(_later_recipients(life))
    life.items += items
    life.recipients = sorted([*life.recipients, *recipients], key=lambda each: each.key)
    lines = tuple(_lines(life, at))
    together = rng.random() < 0.6
    judged = [*_by_worker(life, one, items, at)]
    if together:
        judged += _by_dsl(life, one, items, at)
    yield _moment(life, at, one, items=items, recipients=recipients, lines=lines, judged=judged)
    if not together:
        at += timedelta(minutes=rng.randrange(30, 600))
        yield _moment(life, at, None, judged=[*_by_dsl(life, one, items, at)])
    if rng.random() < 0.15:
        at += timedelta(hours=rng.randrange(5, 200))
        yield _change(life, items, at)


def _change(life: _Life, items: tuple[ItemFacts, ...], at: datetime) -> Moment:
    """Return a later change: a yes taken back, danger, who the child is, what an authority says."""
    rng = life.rng
    what = rng.choice(
        ("withdrawn", "withdrawn", "danger", "strategy", "identity", "signed", "back")
    )
    lines: list[Line] = []
    judged: list[Judged] = []
    if what == "withdrawn":
        who = rng.choice([None, *(one.key for one in life.recipients)])
        lines.append(_line(life, "withdrawn", at, recipient=who))
    elif what == "danger":
        judged.append(_judged(life, rng.choice(("G3", "G4", "G6")), True, "dsl", at))
    elif what == "strategy":
        told = rng.choice(("carer_may_be_told", "carer_not_to_be_told", "not_held"))
        judged.append(_judged(life, "strategy_decision", told, "dsl", at))
    elif what == "identity":
        life.identity = "verified"
    elif what == "signed":
        names = ("dsl_signoff", "la_lead", "la_agrees", "police_no_objection")
        scope = (rng.choice(items).id,)
        judged.append(_judged(life, rng.choice(names), True, "dsl", at, item_ids=scope))
    else:  # a judgement taken back
        judged.append(_judged(life, rng.choice(GATES), None, "dsl", at))
    return _moment(life, at, None, lines=tuple(lines), judged=judged)


def _moment(  # noqa: PLR0917 - what may be new
    life: _Life,
    at: datetime,
    episode: Episode | None,
    items: tuple[ItemFacts, ...] = (),
    recipients: tuple[RecipientFacts, ...] = (),
    lines: tuple[Line, ...] = (),
    judged: Sequence[Judged] = (),
) -> Moment:
    life.epoch += 1
    life.lines += lines
    life.judged += judged
    facts = Facts(
        child=child_facts(life.child, at, life.identity, life.host),
        episodes=dict(life.episodes),
        items=tuple(sorted(life.items, key=lambda one: one.id)),
        recipients=tuple(life.recipients),
        lines=tuple(life.lines),
        judgements=tuple(life.judged),
    )
    return Moment(at, life.epoch, facts, items, recipients, lines, tuple(judged), episode)


def child_facts(child: Child, at: datetime, identity: str, host: str | None) -> ChildFacts:
    """Return the child as `referral` tells of them at a moment."""
    age = age_at(child.born_on, at)
    return ChildFacts(
        id=child.id, controller="charity", identity_status=identity,
        legal_status=child.legal_status, responsible_la=child.area, host_la=host,
        address_confidential=child.number % 5 != 0, age=age,
        next_birthday_at=birthday(child.born_on, age + 1),
        adult_at=birthday(child.born_on, ADULT),
    )  # fmt: skip


def _competence(rng: random.Random, child: Child, at: datetime) -> str | None:
    if rng.random() < 0.06:
        return None
    young = age_at(child.born_on, at) < 13
    return "not_competent" if rng.random() < (0.6 if young else 0.08) else "competent"


def _items(number: int, life: _Life, one: Episode, at: datetime) -> Iterator[ItemFacts]:
    rng = life.rng
    yield ItemFacts(
        id=name(number, "IO", one.number), version=1, episode_id=one.id, category="basic_outcome",
        subject="child", provenance="worker_view", existed_at=at - 2 * HOUR,
    )  # fmt: skip
    several = rng.choices(list(CATEGORIES), list(CATEGORIES.values()), k=rng.choice((2, 3, 3, 4)))
    for place, category in enumerate(dict.fromkeys(several)):
        yield ItemFacts(
            id=f"{name(number, 'IT', one.number)}{place}", version=1, episode_id=one.id,
            category=category, interview_id=name(number, "IN", one.number),
            subject=rng.choices(("child", "other_child", "other_adult", "place"), (88, 4, 5, 3))[0],
            provenance=rng.choices(
                ("child_said", "carer_said", "professional_said", "known_before", "worker_view",
                 "other_child_said"), (80, 4, 4, 3, 7, 2))[0],
            verbatim=rng.random() < 0.2,
            third_parties=(GIVEN,) * rng.choice((0, 0, 0, 0, 1, 2)),
            counselling=rng.random() < 0.05, offence_data=category == "harm",
            special=("health",) if category == "health" else (),
            facts=_facts(rng, category), existed_at=at - HOUR,
        )  # fmt: skip


def _facts(rng: random.Random, category: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for fact in TRUTHS[category]:
        if rng.random() < 0.6:
            found[fact] = rng.random() < 0.3
    for fact, codes in CODES.get(category, {}).items():
        if rng.random() < 0.85:
            found[fact] = rng.choice(codes)
    for fact in GIVENS.get(category, ()):
        if rng.random() < 0.6:
            found[fact] = GIVEN
    for fact in LISTS.get(category, ()):
        if rng.random() < 0.6:
            found[fact] = [GIVEN] * rng.choice((0, 1, 1, 2))
    if rng.random() < 0.06:
        found["telling_raises_risk"] = rng.random() < 0.5
    return found


def _recipients(life: _Life) -> Iterator[RecipientFacts]:
    rng, area = life.rng, life.child.area
    looked_after = life.child.legal_status == "looked_after"
    yield RecipientFacts(f"{area}-childrens-services", "childrens_services", "responsible_la", True)
    if life.host and life.host != area:
        key = f"{life.host}-childrens-services"
        yield RecipientFacts(key, "childrens_services", "host_la", True)
    yield RecipientFacts(f"{area}-commissioner", "commissioner", "contract_team", True)
    yield RecipientFacts(
        f"{area}-police", "police", rng.choices(("missing_unit", "investigator"), (9, 1))[0], True
    )
    yield RecipientFacts("self", "young_person", "self", True)
    if rng.random() < (0.15 if looked_after else 0.6):
        who = rng.choice(("mother", "mother", "father"))
        home = not looked_after
        yield RecipientFacts(
            who, "carer_parent", who, rng.random() < 0.9, pr=True, lives_with_child=home
        )
    if looked_after and rng.random() < 0.7:
        who = rng.choice(("foster_carer", "keyworker"))
        yield RecipientFacts(who, "carer_professional", who, True, lives_with_child=True)
    if rng.random() < 0.35:
        yield RecipientFacts("school", "school_dsl", "dsl", rng.random() < 0.85)
    yield from _later_recipients(life, usual=False)


def _later_recipients(life: _Life, *, usual: bool = True) -> Iterator[RecipientFacts]:
    rng, have = life.rng, {one.key for one in life.recipients}
    chance = 0.5 if usual else 0.12
    if "clinic" not in have and rng.random() < chance:
        facts = {"open_case": rng.random() < 0.8}
        yield RecipientFacts("clinic", "health", "named_clinician", rng.random() < 0.9, facts=facts)
    if "panel" not in have and rng.random() < chance:
        facts = {"panel_membership": True, "panel_has_police_la": rng.random() < 0.7}
        yield RecipientFacts("panel", "lscp_panel", "panel_member", True, facts=facts)


def _line(life: _Life, status: str, at: datetime, **scope: str | None) -> Line:
    rng = life.rng
    by = "child"
    if life.competence == "not_competent" and rng.random() < 0.5:
        by = "la" if life.child.legal_status == "looked_after" else "pr_holder"
    seq = len(life.lines) + 1
    explained = rng.random() < 0.96
    return Line(status, by, explained, at, seq=seq, **scope)


def _lines(life: _Life, at: datetime) -> Iterator[Line]:
    rng = life.rng
    found: list[Line] = []

    def says(status: str, **scope: str | None) -> None:
        line = _line(life, status, at, **scope)
        found.append(replace(line, seq=line.seq + len(found)))

    status = rng.choices(("agreed", "declined", "not_asked", None), (58, 22, 5, 15))[0]
    if status:
        says(status)
    other = "declined" if status == "agreed" else "agreed"
    if rng.random() < 0.25:
        says(other, recipient=rng.choice(life.recipients).key)
    if rng.random() < 0.15:
        says(other, category=rng.choice(life.items).category)
    if rng.random() < 0.08:
        says(other, item_id=life.items[-1].id, recipient=rng.choice(life.recipients).key)
    yield from found


def _judged(  # noqa: PLR0917 - what a judgement is made of
    life: _Life, what: str, value: Any, role: str, at: datetime, count: int = 0, **scope: Any
) -> Judged:
    by = f"dsl-{life.child.number % 7}" if role != "practitioner" else f"W-{life.epoch % 5}"
    seq = len(life.judged) + count + 1
    return Judged(what, value, by, role, at, at, reason=GIVEN, seq=seq, **scope)


def _by_worker(
    life: _Life, one: Episode, items: Sequence[ItemFacts], at: datetime
) -> Iterator[Judged]:
    rng, count = life.rng, 0
    if life.competence is not None:
        yield _judged(life, "competence", life.competence, "practitioner", at)
        count += 1
    for item in items:
        if rng.random() < 0.45:
            scope: dict[str, Any] = {"item_ids": (item.id,), "episode_id": one.id}
            if rng.random() < 0.3:
                some = {rng.choice(life.recipients).key for _ in range(2)}
                scope["recipients"] = tuple(sorted(some))
            yield _judged(life, "G1", rng.random() < 0.7, "practitioner", at, count, **scope)
            count += 1
    if rng.random() < 0.05:
        to = tuple(one.key for one in life.recipients if one.type == "police")
        what = rng.choice(("locate_child", "investigate_crime"))
        yield _judged(life, "purpose", what, "practitioner", at, count, recipients=to)


def _by_dsl(
    life: _Life, one: Episode, items: Sequence[ItemFacts], at: datetime
) -> Iterator[Judged]:
    rng, found = life.rng, list[tuple[str, Any, dict[str, Any]]]()
    harm = rng.choices(("none", "some", "partly", "unassessed"), (74, 12, 7, 7))[0]
    true = rng.choice(HARM) if harm == "some" else ()
    gates: tuple[str, ...] = () if harm == "unassessed" else GATES
    if harm == "partly":
        gates = tuple(rng.sample(GATES, rng.randrange(1, 5)))
    found += [(gate, gate in true, {"episode_id": one.id}) for gate in gates]
    if gates and not any(each.name == "child_alleged_perpetrator" for each in life.judged):
        who = "none"
        if true or rng.random() < 0.03:
            who = rng.choice(("none", "familial", "household", "other", "other"))
        found.append(("child_alleged_perpetrator", who, {}))
    unsaid = [
        each.key
        for each in life.recipients
        if each.key != "self"
        and not any(each.key in (j.recipients or ()) for j in life.judged if j.role == "dsl")
    ]
    if unsaid and rng.random() < 0.92:
        for fact in ("recipient_alleged_perpetrator", "connected_to_perpetrator"):
            found.append((fact, "no", {"recipients": tuple(unsaid)}))
        if true and rng.random() < 0.1:
            whom = (rng.choice(unsaid),)
            fact = rng.choice(("recipient_alleged_perpetrator", "connected_to_perpetrator"))
            found.append((fact, "yes", {"recipients": whom}))
    if true and rng.random() < 0.4:
        held = rng.choice(("carer_may_be_told", "carer_not_to_be_told"))
        found.append(("strategy_decision", held, {}))
    if true and rng.random() < 0.5:
        fact = rng.choice(("dsl_signoff", "la_lead", "police_no_objection"))
        found.append((fact, rng.random() < 0.8, {"item_ids": (rng.choice(items).id,)}))
    if rng.random() < 0.004:
        found += [("G7", True, {"episode_id": one.id}), ("approvals", ["dsl"], {})]
    for count, (fact, value, scope) in enumerate(found):
        yield _judged(life, fact, value, "dsl", at, count, **scope)
