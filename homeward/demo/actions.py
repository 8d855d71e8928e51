"""What people do in a case: each function returns an action that calls a public API."""

from collections.abc import Mapping, Sequence
from typing import Any

from homeward.demo.case import Action, london
from homeward.demo.world import World

R16_POINTS = (
    "who_we_are",
    "what_we_do",
    "independent",
    "voluntary",
    "need_not_talk",
    "we_care_what_you_think",
    "want_to_know_what_is_going_on",
    "not_telling_off",
)
"""What is said in the first minute of a first call (R16)."""


def iso(text: str) -> str:
    """Return a local time of London as an instant of the API."""
    return london(text).isoformat()


def refer(
    case: str, episode: str, child: Mapping[str, Any], *, missing_from: str, returned: str, at: str,
    reference: str,
) -> Action:  # fmt: skip
    """Police refer one episode; a second one joins the child by the id they hold."""

    async def act(world: World) -> None:
        ids = world.of(case)
        body = {
            "source": "police",
            "police_reference": reference,
            "locality": "northshire",
            "child": dict(child),
            "episode": {
                "setting": "home",
                "missing_from": iso(missing_from),
                "returned_at": iso(returned),
            },
            "received_at": iso(at),
        }
        answer = await world.call("worker", "POST", "referral", "/referrals", body, key=reference)
        ids.child = answer["child_id"]
        ids.episodes[episode] = answer["episode_id"]

    return act


def add_recipient(case: str, key: str, **facts: Any) -> Action:
    """A worker adds somebody who could be told."""

    async def act(world: World) -> None:
        path = f"/children/{world.of(case).child}/recipients/{key}"
        await world.call("worker", "PUT", "sharing", path, facts)

    return act


def worker_is(who: str, gender: str) -> Action:
    """A worker is put on the list of those who can be booked."""

    async def act(world: World) -> None:
        sub = {"worker": "W-1", "other worker": "W-2"}[who]
        body = {
            "name": {"W-1": "Sam Okafor", "W-2": "Lee Marsh"}[sub],
            "gender": gender,
            "trained_until": "2027-12-31",
            "dbs_until": "2027-12-31",
        }
        await world.call("manager", "PUT", "scheduling", f"/workers/{sub}", body)

    return act


def attempt(
    case: str, episode: str, at: str, method: str, *, outcome: str, preference: str | None = None
) -> Action:
    """The worker tries to reach the child."""

    async def act(world: World) -> None:
        body: dict[str, Any] = {"method": method, "occurred_at": iso(at), "outcome": outcome}
        if outcome == "contact":
            body["points_told"] = list(R16_POINTS)
        if preference:
            body["preference"] = {"worker_gender": preference}
        path = f"/episodes/{world.of(case).episodes[episode]}/attempts"
        await world.call("worker", "POST", "scheduling", path, body)

    return act


def book(
    case: str, episode: str, at: str, venue: str, worker: str = "W-1", *, refused: bool = False
) -> Action:
    """A talk is booked; `refused` notes whether scheduling turned the worker down."""

    async def act(world: World) -> None:
        body = {"worker": worker, "venue": venue, "starts_at": iso(at)}
        path = f"/episodes/{world.of(case).episodes[episode]}/booking"
        expect = (409, 422) if refused else (200, 201)
        await world.call("worker", "POST", "scheduling", path, body, expect=expect)
        if refused:
            world.of(case).notes[f"{worker} refused"] = True

    return act


def talk(
    case: str, name: str, episodes: Sequence[str], *, started: str, ended: str,
    items: Mapping[str, Mapping[str, Any]], kind: str = "interview", **more: Any,
) -> Action:  # fmt: skip
    """The worker writes down a talk; `items` are named for the rest of the case."""

    async def act(world: World) -> None:
        ids = world.of(case)
        body = {
            "kind": kind,
            "episode_ids": [ids.episodes[episode] for episode in episodes],
            "started_at": iso(started),
            "ended_at": iso(ended),
            "items": [dict(item) for item in items.values()],
            **more,
        }
        key = f"{case}-{name}"
        answer = await world.call("worker", "POST", "interview", "/interviews", body, key=key)
        ids.interviews[name] = answer["interview_id"]
        ids.items |= dict(zip(items, answer["item_ids"], strict=True))

    return act


def said(
    category: str, text: str, *, facts: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Return one thing that the child said of themselves, with what `more` changes."""
    return {
        "category": category,
        "text": text,
        "subject": "child",
        "provenance": "child_said",
        "facts": dict(facts or {}),
        **more,
    }


def amend(case: str, talk_name: str, name: str, item: Mapping[str, Any], **facts: Any) -> Action:
    """The worker writes a new version of an item with more facts about it."""

    async def act(world: World) -> None:
        ids = world.of(case)
        path = f"/interviews/{ids.interviews[talk_name]}/items/{ids.items[name]}"
        body = {**item, "facts": {**item["facts"], **facts}}
        await world.call("worker", "PUT", "interview", path, body)

    return act


def line(recipient: str, status: str, of: str | None = None) -> dict[str, Any]:
    """Return one line of an agreement: about the item or category `of`, or about everything."""
    return {"recipient": recipient, "status": status, "of": of}


def agree(case: str, at: str, *lines: Mapping[str, Any]) -> Action:
    """The child says who may be told what, knowing what would follow."""

    async def act(world: World) -> None:
        ids = world.of(case)
        items = []
        for one in lines:
            about = one["of"]
            asked = one["status"] != "not_asked"
            items.append(
                {
                    "recipient": one["recipient"],
                    "status": one["status"],
                    "consequences_explained": asked,
                    **({"item_id": ids.items[about]} if about in ids.items else {}),
                    **({"category": about} if about and about not in ids.items else {}),
                }
            )
        body = {"by": "child", "items": items, "occurred_at": iso(at)}
        await world.call("worker", "PUT", "sharing", f"/children/{ids.child}/agreement", body)

    return act


def judged(
    name: str, value: Any, reason: str, *, to: Sequence[str] | None = None,
    items: Sequence[str] | None = None, categories: Sequence[str] | None = None,
    episode: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return one judgement; what is left out covers all."""
    return {
        "name": name, "value": value, "reason": reason, "recipients": to,
        "items": items, "categories": categories, "episode": episode,
    }  # fmt: skip


def judge(case: str, who: str, at: str, *judgements: Mapping[str, Any]) -> Action:
    """Somebody judges; in which role, the token says."""

    async def act(world: World) -> None:
        ids = world.of(case)
        rows = []
        for one in judgements:
            row = {"name": one["name"], "value": one["value"], "reason": one["reason"]}
            if one["recipients"]:
                row["recipients"] = list(one["recipients"])
            if one["categories"]:
                row["categories"] = list(one["categories"])
            if one["episode"]:
                row["episode_id"] = ids.episodes[one["episode"]]
            if one["items"]:
                row["item_ids"] = [ids.items[name] for name in one["items"]]
            rows.append(row)
        body = {"judgements": rows, "occurred_at": iso(at)}
        await world.call(who, "PUT", "sharing", f"/children/{ids.child}/judgements", body)

    return act


def end(case: str, episode: str, at: str, outcome: str, **more: Any) -> Action:
    """The worker writes down how the offer ended."""

    async def act(world: World) -> None:
        body = {"outcome": outcome, "by": "child", "occurred_at": iso(at), **more}
        path = f"/episodes/{world.of(case).episodes[episode]}/outcome"
        await world.call("worker", "POST", "scheduling", path, body)

    return act


def follow_up(case: str, episode: str, at: str, whom: str) -> Action:
    """The worker asks a week later what was done: `child` or `professional`."""

    async def act(world: World) -> None:
        body = {"with": whom, "occurred_at": iso(at)}
        path = f"/episodes/{world.of(case).episodes[episode]}/follow-ups"
        await world.call("worker", "POST", "scheduling", path, body)

    return act


def close(case: str, episode: str, *, refused: bool = False) -> Action:
    """The worker closes an episode; `refused` notes that something is still owed."""

    async def act(world: World) -> None:
        path = f"/episodes/{world.of(case).episodes[episode]}/close"
        expect = (409, 422) if refused else (200, 201, 202, 204)
        await world.call("worker", "POST", "scheduling", path, {}, expect=expect)
        world.of(case).notes[f"{episode} {'not closed' if refused else 'closed'}"] = True

    return act


def tell(case: str, recipient: str, at: str, how: str) -> Action:
    """A worker tells somebody without a feed exactly what is permitted, and says so."""

    async def act(world: World) -> None:
        ids = world.of(case)
        await world.rest()
        tasks = await world.all_of("worker", "sharing", "/tasks")
        for task in tasks:
            if task["kind"] != "tell" or task["child_id"] != ids.child:
                continue
            if task.get("recipient") not in (None, recipient):
                continue
            for release in task["release_ids"]:
                body = {"occurred_at": iso(at), "how": how}
                await world.call(
                    "worker", "POST", "sharing", f"/releases/{release}/delivered", body
                )
            ids.notes.setdefault("told", {}).setdefault(recipient, []).append(task)

    return act


def note_tasks(case: str, name: str) -> Action:
    """Remember who has which tasks about the child now."""

    async def act(world: World) -> None:
        ids = world.of(case)
        ids.notes[name] = {
            who: [
                task
                for task in await world.all_of(who, "sharing", "/tasks")
                if task["child_id"] == ids.child
            ]
            for who in ("worker", "dsl")
        }

    return act


def note_mail(case: str, name: str) -> Action:
    """Remember to whom mail has gone so far: addresses alone, never what it says."""

    async def act(world: World) -> None:
        found = []
        for mail in sorted(world.home.mail.glob("**/*.eml")):
            head = mail.read_text(errors="replace").splitlines()
            found += [line[3:].strip() for line in head if line.lower().startswith("to:")]
        world.of(case).notes[name] = found

    return act


def note_triggers(case: str) -> Action:
    """Remember which triggers the latest episode fired."""

    async def act(world: World) -> None:
        ids = world.of(case)
        episode = list(ids.episodes.values())[-1]
        answer = await world.call("manager", "GET", "referral", f"/episodes/{episode}")
        ids.notes["triggers"] = answer["triggers"]

    return act


def note_decisions(case: str, name: str) -> Action:
    """Remember the latest decision of each item and recipient as they stand now."""

    async def act(world: World) -> None:
        ids = world.of(case)
        found = await world.all_of("manager", "sharing", "/decisions", child_id=ids.child)
        latest = {(one["item_id"], one["recipient"]): one for one in found}
        ids.notes[name] = list(latest.values())

    return act


def tell_by_phone(case: str, recipient: str, items: Sequence[str], at: str) -> Action:
    """An agency is told by telephone what also goes to its feed."""

    async def act(world: World) -> None:
        ids = world.of(case)
        wanted = {ids.items[name] for name in items}
        await world.rest()
        found = await world.all_of("manager", "sharing", "/releases", child_id=ids.child)
        for release in found:
            if release["recipient"] == recipient and release["item_id"] in wanted:
                path = f"/releases/{release['release_id']}/delivered"
                body = {"occurred_at": iso(at), "how": "telephone"}
                await world.call("worker", "POST", "sharing", path, body)

    return act
