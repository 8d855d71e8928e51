"""Cases to load a home with: each child's road from referral to what was told, with withdrawals."""

import asyncio
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from faults.driving import Outside
from faults.reading import COMMISSIONER, LA, POLICE

from homeward.demo.actions import R16_POINTS
from homeward.demo.cases.fiona_said import ITEMS as OF_HARM
from homeward.demo.cases.laura_said import THIRD as OF_NONE

AGO = timedelta(days=5)
"""All of it happened so long before the round that a clock a day slow refuses none of it."""


GIVEN, FAMILY, WORD = "Quillamarked", "Faultsworth", "Zebrafinchmarked"
"""Marked words of names and of what is told: they may be read by partners and by nobody else."""


@dataclass
class Case:
    """One child as the load knows it."""

    number: int
    seed: int
    child_id: str = ""
    episode_id: str = ""
    harmed: bool = False
    items: dict[str, str] = field(default_factory=dict)
    declined: set[tuple[str, str]] = field(default_factory=set)
    """Item and recipient to which the child said no."""
    withdrawn: bool = False
    done: bool = False

    @property
    def key(self) -> str:
        """Return what the case's idempotency keys begin with."""
        return f"faults-{self.seed}-{self.number}"


class Load:
    """Cases, some at once; each that was begun is brought to its end, whatever breaks."""

    def __init__(self, outside: Outside, seed: int) -> None:
        self.outside = outside
        self.seed = seed
        self.cases: list[Case] = []
        self.enough = asyncio.Event()
        """Once set, no further case is begun."""
        self._dice = random.Random(seed)
        self._began = datetime.now(UTC) - AGO

    @property
    def done(self) -> int:
        """Return how many cases have come to their end."""
        return sum(case.done for case in self.cases)

    async def run(self, *, at_once: int, at_most: int, pace_s: float) -> None:
        """Play cases until it is enough, with pauses around `pace_s` between the steps of each."""
        body = {"name": "Sam Okafor", "trained_until": "2099-12-31", "dbs_until": "2099-12-31"}
        await self.outside.call("manager", "PUT", "scheduling", "/workers/W-1", body)
        slots = asyncio.Semaphore(at_once)

        async def one(case: Case, dice: random.Random) -> None:
            try:
                for step in STEPS:
                    await step(self, case, dice)
                    await asyncio.sleep(dice.uniform(0, 2 * pace_s))
                case.done = True
            finally:
                slots.release()

        async with asyncio.TaskGroup() as group:
            while not self.enough.is_set() and len(self.cases) < at_most:
                await slots.acquire()
                if self.enough.is_set():
                    break
                case = Case(len(self.cases), self.seed)
                self.cases.append(case)
                group.create_task(one(case, random.Random(self._dice.random())))

    def at(self, case: Case, hours: float) -> str:
        """Return an instant of the case, so many hours after its child was back."""
        return (self._began + timedelta(minutes=case.number, hours=hours)).isoformat()


async def refer(load: Load, case: Case, dice: random.Random) -> None:
    """Police refer a child; now and then twice at once, because their system was impatient."""
    body = {
        "source": "police",
        "police_reference": f"NP/{case.seed}/{case.number:05}",
        "locality": "northshire",
        "child": {
            "external_ids": {"northshire_police": f"NP-{case.seed}-{case.number:05}"},
            "given_name": GIVEN,
            "family_name": f"{FAMILY}{case.number}",
            "date_of_birth": "2013-02-20",
            "identity_status": "verified",
            "legal_status": "home",
            "responsible_la": "northshire",
            "address_confidential": False,
        },
        "episode": {
            "setting": "home",
            "missing_from": load.at(case, -6),
            "returned_at": load.at(case, 0),
        },
        "received_at": load.at(case, 1),
    }
    times = 2 if dice.random() < 0.2 else 1
    calls = (
        load.outside.call("worker", "POST", "referral", "/referrals", body, key=case.key)
        for _ in range(times)
    )
    first, *others = await asyncio.gather(*calls)
    assert all(other["episode_id"] == first["episode_id"] for other in others)
    case.child_id, case.episode_id = first["child_id"], first["episode_id"]


async def reach(load: Load, case: Case, dice: random.Random) -> None:
    """The worker reaches the child and books a talk."""
    path = f"/episodes/{case.episode_id}"
    if dice.random() < 0.3:
        body = {"method": "phone", "occurred_at": load.at(case, 2), "outcome": "no_answer"}
        await _scheduling(load, case, f"{path}/attempts", body, "no-answer")
    body = {
        "method": "phone",
        "occurred_at": load.at(case, 3),
        "outcome": "contact",
        "points_told": list(R16_POINTS),
    }
    await _scheduling(load, case, f"{path}/attempts", body, "contact")
    body = {"worker": "W-1", "venue": "youth centre", "starts_at": load.at(case, 20)}
    await _scheduling(load, case, f"{path}/booking", body, "booking")


async def talk(load: Load, case: Case, dice: random.Random) -> None:
    """They talk; a third of the children tell of harm. One item is written down better later."""
    case.harmed = dice.random() < 0.35
    said_here: dict[str, Mapping[str, Any]] = dict(OF_NONE)
    if case.harmed:
        said_here |= {name: OF_HARM[name] for name in ("assault", "flat")}
    for name in dice.sample(sorted(OF_NONE), dice.randint(0, 2)):
        del said_here[name]
    body = {
        "kind": "interview",
        "episode_ids": [case.episode_id],
        "started_at": load.at(case, 20),
        "ended_at": load.at(case, 21),
        "outcome": "completed_engaged",
        "service_outcome": "accepted",
        "confidentiality_explained_at": load.at(case, 20),
        "spoken_alone": True,
        "items": [{**item, "text": f"{item['text']} {WORD}"} for item in said_here.values()],
    }
    interviews = "/interviews"
    key = f"{case.key}-talk"
    found = await load.outside.call("worker", "POST", "interview", interviews, body, key=key)
    case.items = dict(zip(said_here, found["item_ids"], strict=True))
    if dice.random() < 0.3:
        name = dice.choice(sorted(said_here))
        facts = {**said_here[name]["facts"], "telling_raises_risk": False}
        path = f"{interviews}/{found['interview_id']}/items/{case.items[name]}"
        body = {**said_here[name], "text": f"{said_here[name]['text']} {WORD}", "facts": facts}
        key = f"{case.key}-amended"
        await load.outside.call("worker", "PUT", "interview", path, body, key=key)


async def agree(load: Load, case: Case, dice: random.Random) -> None:
    """The child says who may be told what."""
    lines = []
    for name, item_id in case.items.items():
        for recipient, likely in ((LA, 0.9), (POLICE, 0.6), (COMMISSIONER, 0.5)):
            status = "agreed" if dice.random() < likely else "declined"
            if status == "declined":
                case.declined.add((item_id, recipient))
            about = {"item_id": item_id, "recipient": recipient, "status": status}
            lines.append({**about, "consequences_explained": True})
        if name in OF_HARM:
            lines.append({"item_id": item_id, "recipient": "self", "status": "agreed"})
    body = {"by": "child", "items": lines, "occurred_at": load.at(case, 22)}
    path = f"/children/{case.child_id}/agreement"
    await load.outside.call("worker", "PUT", "sharing", path, body)


async def judge(load: Load, case: Case, dice: random.Random) -> None:
    """The worker and the safeguarding lead judge, side by side."""
    harm = [
        {"name": gate, "value": case.harmed and gate != "G4", "reason": "As the child tells it."}
        for gate in ("G2", "G3", "G4", "G5", "G6")
    ]
    nobody = {"name": "child_alleged_perpetrator", "value": "none", "reason": "Nobody is alleged."}
    if case.harmed:
        nobody = {**nobody, "value": "other", "reason": "A man she met."}
    of_worker = [
        {"name": "competence", "value": "competent", "reason": "Weighed what would follow."},
        {"name": "G1", "value": True, "reason": "Relevant to welfare.", "recipients": [LA]},
        {
            "name": "G1", "value": dice.random() < 0.7, "reason": "The missing risk.",
            "recipients": [POLICE], "categories": ["basic_outcome"],
        },
    ]  # fmt: skip
    await asyncio.gather(
        _judge(load, case, "worker", of_worker), _judge(load, case, "dsl", [*harm, nobody])
    )


async def tell_child(load: Load, case: Case, _: random.Random) -> None:
    """The child is told what goes to whom, without which some releases wait."""
    told = [{"name": "child_told", "value": True, "reason": "Told what goes to whom."}]
    await _judge(load, case, "worker", told)


async def hear_later(load: Load, case: Case, dice: random.Random) -> None:
    """Some get a message later on."""
    if dice.random() < 0.2:
        body = {"method": "text", "occurred_at": load.at(case, 30), "outcome": "left_message"}
        await _scheduling(load, case, f"/episodes/{case.episode_id}/attempts", body, "later")


async def withdraw(load: Load, case: Case, dice: random.Random) -> None:
    """Some children take their yes back, from all or from one."""
    if dice.random() > 0.4:
        return
    whom: Any = "all" if dice.random() < 0.5 else [dice.choice((LA, POLICE, COMMISSIONER))]
    body = {"recipients": whom, "occurred_at": load.at(case, 31)}
    path = f"/children/{case.child_id}/withdrawals"
    await load.outside.call("worker", "POST", "sharing", path, body)
    case.withdrawn = True


async def _scheduling(
    load: Load, case: Case, path: str, body: Mapping[str, Any], name: str
) -> None:
    key = f"{case.key}-{name}"
    await load.outside.call("worker", "POST", "scheduling", path, body, key=key)


async def _judge(load: Load, case: Case, who: str, judgements: list[dict[str, Any]]) -> None:
    body = {"judgements": judgements, "occurred_at": load.at(case, 23)}
    path = f"/children/{case.child_id}/judgements"
    await load.outside.call(who, "PUT", "sharing", path, body)


def never(case: Case) -> Iterator[tuple[str, str]]:
    """Give the pairs of item and recipient that no facts of this load ever allow.

    From `sharing-rules.md` 3.4 and what is said and judged above, not from the policies: nobody
    who commissions hears of a child (HD8); G4 is always false; the plan has no action for police
    (POL-09); the narrative has no extract (POL-02), so that only a yes opens it; reasons and places
    are opened by a yes or by harm (POL-03, POL-04), as G1 is true for another category alone.
    """
    for name, item_id in case.items.items():
        yield item_id, COMMISSIONER
        only_yes = name == "party" or (name in {"reasons", "address"} and not case.harmed)
        if name == "plan" or (only_yes and (item_id, POLICE) in case.declined):
            yield item_id, POLICE


STEPS = (refer, reach, talk, agree, judge, tell_child, hear_later, withdraw)
"""The road of a case."""
