"""What was put aside can be looked at by ops, and is handed to the handlers again."""

import json

import pytest
from nats.errors import Error as NatsError
from support.running import eventually
from support.small_services import an_episode, body_of, effects, takes

from contracts.referral import EpisodeReferred
from messaging.errors import NotYetError


@pytest.fixture
async def hearer(small, nats, monkeypatch):
    """A consumer whose handler does what `hearer.app.state["then"]` says."""
    monkeypatch.setattr("messaging.consuming.FAILURES_MAX", 1)

    async def before(_) -> None:
        if (error := running.app.state.get("then")) is not None:
            raise error

    running = await small("scheduling", events=takes(before=before))
    running.app.state["then"] = RuntimeError("broken")
    return running


async def put_in(nats, body: bytes, **headers: str) -> None:
    client = await nats.connect("provisioner")
    await client.jetstream().publish(EpisodeReferred.subject, body, headers=headers or None)
    await client.close()


async def listed(hearer, count: int):
    async def enough():
        items = (await hearer.call("GET", "/dead-letters")).json()["items"]
        return items if len(items) >= count else None

    return await eventually(enough)


async def test_a_letter_leaves_only_when_it_was_handled(hearer, nats):
    await put_in(nats, body_of(an_episode(1)), **{"ce-id": "EV-1"})
    (letter,) = await listed(hearer, 1)
    path = f"/dead-letters/{letter['id']}"

    failed = (await hearer.call("POST", f"{path}/retry")).json()
    hearer.app.state["then"] = NotYetError()
    waits = (await hearer.call("POST", f"{path}/retry")).json()
    still = (await hearer.call("GET", "/dead-letters")).json()["items"]
    hearer.app.state["then"] = None
    handled = (await hearer.call("POST", f"{path}/retry")).json()

    assert (letter["event_id"], letter["reason"], letter["error"]) == (
        "EV-1", "failed", "RuntimeError",
    )  # fmt: skip
    assert (failed["result"], failed["error"]) == ("failed", "RuntimeError")
    assert (waits["result"], len(still)) == ("waits", 1)
    assert handled == {"id": letter["id"], "result": "handled", "error": ""}
    assert await effects(hearer.app) == ["EV-1"]
    assert (await hearer.call("GET", "/dead-letters")).json() == {"items": [], "next": None}
    assert (await hearer.call("POST", f"{path}/retry")).status_code == 404


async def test_what_was_handled_meanwhile_is_not_done_twice(hearer, nats):
    await put_in(nats, body_of(an_episode(1)))
    (letter,) = await listed(hearer, 1)
    hearer.app.state["then"] = None
    await put_in(nats, body_of(an_episode(1)))
    await eventually(lambda: _has(hearer, 1))

    answer = (await hearer.call("POST", f"/dead-letters/{letter['id']}/retry")).json()

    assert answer["result"] == "handled"
    assert await effects(hearer.app) == ["EV-1"]


async def _has(hearer, count: int) -> bool:
    return len(await effects(hearer.app)) >= count


async def test_bytes_that_are_no_event_stay_and_are_shown_as_they_came(hearer, nats):
    await put_in(nats, b'{"id": "EV-9", \xff')
    (letter,) = await listed(hearer, 1)

    whole = (await hearer.call("GET", f"/dead-letters/{letter['id']}")).json()
    again = (await hearer.call("POST", f"/dead-letters/{letter['id']}/retry")).json()

    assert whole["body"].startswith('{"id": "EV-9"')
    assert set(letter) == set(whole) - {"body"}
    assert again["result"] == "unparseable"
    assert len(await listed(hearer, 1)) == 1


async def test_letters_come_in_pages_and_to_ops_alone(hearer, nats):
    for number in range(5):
        await put_in(nats, json.dumps({"no": number}).encode())
    await listed(hearer, 5)

    ids, after = [], 0
    while after is not None:
        page = (
            await hearer.call("GET", "/dead-letters", params={"limit": 2, "after": after})
        ).json()
        ids += [one["id"] for one in page["items"]]
        after = page["next"]
    refused = [
        (await hearer.call(method, path, role=role)).status_code
        for role in ("manager", "practitioner", "service")
        for method, path in (
            ("GET", "/dead-letters"), ("GET", "/dead-letters/1"), ("POST", "/dead-letters/1/retry"),
        )
    ]  # fmt: skip

    assert ids == sorted(set(ids))
    assert len(ids) == 5
    assert set(refused) == {403}


async def test_nobody_reads_or_removes_the_dead_letters_of_another(nats):
    client = await nats.connect("notify")
    js = client.jetstream(prefix="JSC.API", timeout=1)
    try:
        with pytest.raises(NatsError):
            await js.get_msg("DLQ_SCHEDULING", 1)
        with pytest.raises(NatsError):
            await js.delete_msg("DLQ_SCHEDULING", 1)
    finally:
        await client.close()
