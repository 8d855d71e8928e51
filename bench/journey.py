"""Bar 3: from an interview that was recorded to its first release on the partner's feed.

A whole home on one machine, idle but for the one case. The partner waits with a pull of its own;
the clock runs from before the request until the release is in the partner's hands. Harm was judged
for the child before, so that nobody has to judge the new items first. Where the time went is read
from the moments that the services have written down.
"""

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.cases import AREA, put_partners, register
from bench.measure import Figure, Side, percentile
from bench.stage import Stage, staged
from homeward.home import SERVICES

POLICE = f"{AREA}-police"
WITHIN_S = 20.0


@dataclass
class Case:
    """One child whose interview can be recorded: referred, reached, agreed and judged."""

    child: str
    episode: str


class Office:
    """The people who work a case."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.worker = stage.caller("practitioner", "W-1")
        self.dsl = stage.caller("dsl", "dsl-1")

    async def refer(self, number: int) -> Case:
        """Take a referral and bring it to where only the interview is missing."""
        now = datetime.now(UTC)
        told = {
            "source": "police", "police_reference": f"BENCH/{number}", "locality": AREA,
            "child": {"given_name": f"Given{number}", "family_name": f"Family{number}",
                      "date_of_birth": "2011-03-02", "identity_status": "verified"},
            "episode": {"setting": "home", "missing_from": _ago(now, 30),
                        "returned_at": _ago(now, 20)},
        }  # fmt: skip
        url = self.stage.url
        answer = await self._do("POST", f"{url('referral')}/referrals", told)
        case = Case(answer["child_id"], answer["episode_id"])
        attempt = {"method": "telephone", "occurred_at": _ago(now, 0), "outcome": "contact"}
        episode, child = f"/episodes/{case.episode}", f"/children/{case.child}"
        await self._do("POST", f"{url('scheduling')}{episode}/attempts", attempt)
        line = {"category": None, "recipient": POLICE, "status": "agreed",
                "consequences_explained": True}  # fmt: skip
        said = {"by": "child", "items": [line]}
        await self._do("PUT", f"{url('sharing')}{child}/agreement", said)
        judged = [("recipient_alleged_perpetrator", "no"), ("connected_to_perpetrator", "no"),
                  ("child_alleged_perpetrator", "none"), ("G4", True)]  # fmt: skip
        body = {"judgements": [{"name": n, "value": v, "reason": "seen"} for n, v in judged]}
        await self._do("PUT", f"{url('sharing')}{child}/judgements", body, self.dsl)
        return case

    async def interview(self, case: Case) -> None:
        """Record an interview of three items."""
        now = datetime.now(UTC)
        items = [
            {"category": category, "text": "Words of a child, a few sentences of them. " * 8,
             "fields": {"codes": ["family_conflict"]}, "summary": "Two lines about it.",
             "provenance": "child_said", "subject": "child",
             "facts": {"police_purpose": "prevention"}}
            for category in ("push_pull", "wishes", "safety_plan")
        ]  # fmt: skip
        body = {
            "kind": "interview", "episode_ids": [case.episode], "started_at": _ago(now, 1),
            "ended_at": _ago(now, 0), "outcome": "completed_engaged", "items": items,
            "confidentiality_explained_at": _ago(now, 1), "first_content_at": _ago(now, 0.9),
            "spoken_alone": True,
        }  # fmt: skip
        await self._do("POST", f"{self.stage.url('interview')}/interviews", body)

    async def _do(self, method: str, url: str, body: Any, who: Any = None) -> Any:
        answer = await (who or self.worker).request(method, url, json=body)
        if answer.is_error:
            raise RuntimeError(f"{method} {url}: {answer.status_code} {answer.text}")
        return answer.json()


def _ago(now: datetime, hours: float) -> str:
    return (now - timedelta(hours=hours)).isoformat()


RECORDED = "evt.interview.interview_recorded.v1"
STAGES = ("recorded", "told", "taken", "decided", "numbered", "sent", "in hands")


def moments(stage: Stage, child: str) -> list[float]:
    """Return when each stage but the last was reached for the first release to the police.

    Nothing, while not all of them are written down.
    """
    with (
        closing(sqlite3.connect(stage.home.db("interview"))) as interview,
        closing(sqlite3.connect(stage.home.db("sharing"))) as sharing,
    ):
        event, written, sent = interview.execute(
            "SELECT event_id, written_at, sent_at FROM outbox "
            "WHERE subject = ? AND body LIKE ? ORDER BY seq DESC LIMIT 1",
            (RECORDED, f"%{child}%"),
        ).fetchone()
        (taken,) = sharing.execute(
            "SELECT max(handled_at) FROM inbox WHERE event_id = ?", (event,)
        ).fetchone()
        rest = sharing.execute(
            "SELECT permitted_at, claimed_at, sent_at FROM release "
            "WHERE child_id = ? AND recipient = ? AND number IS NOT NULL ORDER BY number LIMIT 1",
            (child, POLICE),
        ).fetchone()
    told = [written, sent, taken, *rest]
    if None in told:
        return []
    return [datetime.fromisoformat(one).replace(tzinfo=UTC).timestamp() * 1e3 for one in told]


async def written_down(stage: Stage, child: str) -> list[float]:
    """Return the moments of a case; what was sent is written down after it can be read."""
    end = time.monotonic() + WITHIN_S
    while not (found := await asyncio.to_thread(moments, stage, child)):
        if time.monotonic() > end:
            raise TimeoutError("a stage of the journey is not written down")
        await asyncio.sleep(0.05)
    return found


def stages(courses: Sequence[Sequence[float]]) -> dict[str, float]:
    """Return the median of the milliseconds from the request to each stage; each begins at 0."""
    return {
        name: round(statistics.median(course[place] for course in courses), 1)
        for place, name in enumerate(STAGES)
    }


async def measure(cases: int = 40) -> list[Figure]:
    """Return p50 and p95; the first cases warm up and do not count."""
    took: list[float] = []
    courses: list[list[float]] = []
    async with staged() as stage:
        rows = register(stage.home)
        await stage.open(*SERVICES)
        put_partners(stage.home.db("sharing"), rows)
        office = Office(stage)
        feed = await stage.log_in_partner(POLICE)
        pull = await feed.pull_subscribe_bind(POLICE, f"FEED_{POLICE}")
        for number in range(-5, cases):
            case = await office.refer(number + 1000)
            await asyncio.sleep(0.5)  # the home comes to rest
            await _emptied(pull)
            began, at_ms = time.perf_counter(), time.time() * 1e3
            await office.interview(case)
            (first,) = await pull.fetch(1, timeout=WITHIN_S)
            took_ms = (time.perf_counter() - began) * 1e3
            await first.ack()
            if number >= 0:
                took.append(took_ms)
                reached = await written_down(stage, case.child)
                courses.append([*(one - at_ms for one in reached), took_ms])
    return [
        Figure(f"interview recorded → on the feed, {name}", bar, "ms", at_least=False,
               sides=[Side("ours", [percentile(took, share)])], notes=stages(courses))
        for name, share, bar in (("p50", 0.5, 100), ("p95", 0.95, 250))
    ]  # fmt: skip


async def _emptied(pull: Any) -> None:
    try:
        while True:
            for message in await pull.fetch(50, timeout=0.2):
                await message.ack()
    except TimeoutError:  # the library's own error, or the bare one
        return


if __name__ == "__main__":
    for figure in asyncio.run(measure()):
        print(figure.text())
