"""Look at what came of a case, through the public APIs and as the recipients themselves."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from homeward.demo import checks, partners
from homeward.demo.case import Case
from homeward.demo.results import (
    CaseFound,
    ClockFound,
    DecisionFound,
    DemoFound,
    ItemFound,
    Moment,
    RecipientFound,
    ReleaseFound,
)
from homeward.demo.world import World
from homeward.home import Home


async def at_case(world: World, case: Case) -> CaseFound:
    """Return what the services show of one case."""
    ids = world.of(case.key)
    decisions = await world.all_of("manager", "sharing", "/decisions", child_id=ids.child)
    _name_outcomes(case, world, decisions)
    episodes = {value: name for name, value in ids.episodes.items()}
    items = [
        ItemFound(item=ids.items[name], episode=episode, category=category, label=label)
        for name, episode, category, label in case.items
        if name in ids.items
    ]
    shown = {item.item for item in items}
    latest = {(one["item_id"], one["recipient"]): one for one in decisions}
    listed = await world.all_of("manager", "sharing", "/releases", child_id=ids.child)
    releases = [_release(one) for one in listed]
    return CaseFound(
        case=case.key,
        title=case.title,
        story=case.story,
        children=[ids.child],
        moments=[Moment(at=step.at, text=step.text, kind=step.kind) for step in case.steps],
        clocks=await _clocks(world, case),
        items=items,
        recipients=[
            RecipientFound(
                recipient=key,
                type=kind,
                label=label,
                by="feed" if key in partners.PARTNERS else "worker",
            )
            for key, kind, label in case.recipients
        ],
        decisions=[
            _decision(one, episodes.get(one["episode_id"], ""))
            for one in latest.values()
            if one["item_id"] in shown
        ],
        history=[_decision(one, episodes.get(one["episode_id"], "")) for one in decisions],
        releases=releases,
        readable=_told_by_worker(world.of(case.key).notes.get("told", {}), releases),
        tasks=[
            task
            for who in ("worker", "dsl")
            for task in await world.all_of(who, "sharing", "/tasks", child_id=ids.child)
        ],
    )


def _name_outcomes(case: Case, world: World, decisions: Sequence[dict[str, Any]]) -> None:
    """Give the items that `sharing` made itself the names of the case."""
    ids = world.of(case.key)
    for name, episode, category, _ in case.items:
        if category != "basic_outcome":
            continue
        for one in decisions:
            if (one["category"], one["episode_id"]) == (category, ids.episodes[episode]):
                ids.items[name] = one["item_id"]


def _decision(one: dict[str, Any], episode: str) -> DecisionFound:
    return DecisionFound(
        item=one["item_id"],
        episode=episode,
        at=one["decided_at"],
        **{
            name: one[name]
            for name in (
                "recipient",
                "category",
                "decision",
                "rule_ids",
                "reasons",
                "transforms",
                "obligations",
                "defer_to",
                "policy_version",
            )
        },
    )


def _release(one: dict[str, Any]) -> ReleaseFound:
    return ReleaseFound(
        recipient=one["recipient"],
        release_id=one["release_id"],
        item=one["item_id"],
        category=one["category"],
        state=one["state"],
        fields={},
    )


async def _clocks(world: World, case: Case) -> list[ClockFound]:
    found = []
    for name, episode_id in world.of(case.key).episodes.items():
        shown = await world.call("manager", "GET", "scheduling", f"/episodes/{episode_id}")
        ended = max((talk["ended_at"] for talk in shown["talks"]), default=None)
        started = {"contact": shown["received_at"], "rhi": shown["returned_at"]}
        for clock in shown["clocks"]:
            if clock["state"] == "stopped":
                continue
            found.append(
                ClockFound(
                    episode=name,
                    clock=clock["clock"],
                    due_at=clock["due_at"],
                    met_at=clock["met_at"],
                    state=clock["state"],
                    started_at=started.get(clock["clock"], ended) or shown["received_at"],
                )
            )
    return [*found, *await _seven_days(world, case)]


async def _seven_days(world: World, case: Case) -> list[ClockFound]:
    """Return until when evidence of a recent assault can be secured: seven days from it."""
    ids = world.of(case.key)
    found = []
    for name, episode, category, _ in case.items:
        if category != "harm" or name not in ids.items:
            continue
        talk = next(iter(ids.interviews.values()))
        path = f"/interviews/{talk}"
        shown = await world.call("worker", "GET", "interview", path)
        item = next(one for one in shown["items"] if one["item_id"] == ids.items[name])
        at = datetime.fromisoformat(item["event_at"])
        told = datetime.fromisoformat(shown["ended_at"])
        if told - at < timedelta(days=7):
            found.append(
                ClockFound(
                    episode=episode,
                    clock="forensic",
                    started_at=at,
                    met_at=told,
                    due_at=at + timedelta(days=7),
                    state="met",
                )
            )
    return found


def _told_by_worker(
    told: dict[str, list[dict[str, Any]]], releases: Sequence[ReleaseFound]
) -> dict[str, list[dict[str, Any]]]:
    """Return what a worker read out, as the tasks gave it: a paragraph for each release."""
    found: dict[str, list[dict[str, Any]]] = {}
    for recipient, tasks in told.items():
        for task in tasks:
            ids = set(task["release_ids"])
            mine = sorted((r for r in releases if r.release_id in ids), key=lambda r: r.release_id)
            texts = (task["text"] or "").split("\n\n")
            for release, text in zip(mine, texts, strict=False):
                lines = text.splitlines()[1:]
                release.fields = dict(line.partition(": ")[::2] for line in lines if ": " in line)
                found.setdefault(recipient, []).append(
                    {"item": release.item, "category": release.category, "fields": release.fields}
                )
    return found


def at_feeds(home: Home, found: DemoFound) -> None:
    """Read each partner's feed with the partner's own keys, and put it to the cases."""
    place = {
        release.release_id: (case, release)
        for case in found.cases.values()
        for release in case.releases
    }
    for partner in partners.PARTNERS:
        for event in partners.read(home, partner):
            known = place.get(str(event["jti"]))
            if known is None or "item" not in event:  # of another case, or taken back
                continue
            case, release = known
            release.fields = event["item"]["fields"]
            case.readable.setdefault(partner, []).append(
                {
                    "item": release.item,
                    "category": event["item"]["category"],
                    "number": event["number"],
                    "child": event["child"],
                    "purpose": event["purpose"],
                    "fields": event["item"]["fields"],
                }
            )


def at_ledger(home: Home, found: DemoFound) -> None:
    """Export the ledger and let it be verified offline, as anybody with the public key can."""
    out = home.path / "ledger.jsonl"
    export = _run("ledger", "export", "--out", str(out), "--home", str(home.path))
    verified = _run("ledger", "verify", str(out), "--home", str(home.path))
    found.ledger_holds = export.returncode == 0 and verified.returncode == 0
    found.ledger_entries = len(out.read_bytes().splitlines()) - 2 if out.exists() else 0
    found.ledger = (verified.stdout or verified.stderr or export.stderr).strip().splitlines()[-1]


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 # our own command
        [sys.executable, "-m", "homeward", *words], capture_output=True, text=True, check=False
    )


def compare(cases: Sequence[Case], found: DemoFound, world: World) -> None:
    """Add to each case which of its sentences held."""
    for case in cases:
        one = found.cases[case.key]
        one.checks = checks.check(case, one, world)
        found.policy_version = next((d.policy_version for d in one.decisions), "")
