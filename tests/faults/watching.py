"""What can be seen of a home from outside once it rests: lists, feeds, the bus, the ledger."""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import nats
from faults.cases import FAMILY, GIVEN, WORD, Load, never
from faults.driving import Outside
from faults.homes import COMPARE_EVERY_S
from faults.reading import PARTNERS, Reader
from faults.seen import Answered, Change, Referral, Seen, Told, Withdrawal
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from homeward.home import SERVICES, Home

REST_WITHIN_S = 400.0
STILL_FOR = 4
"""Looks in a row that find nothing pending: what one service ends, another begins."""


async def rest(outside: Outside, within_s: float = REST_WITHIN_S) -> dict[str, float]:
    """Wait until nothing is pending; return what still is after so long."""
    end, still = time.monotonic() + within_s, 0
    pending: dict[str, float] = {}
    while still < STILL_FOR and time.monotonic() < end:
        pending = await outside.pending()
        still = 0 if pending else still + 1
        await asyncio.sleep(0.25)
    return pending


async def lasting_rest(outside: Outside) -> dict[str, float]:
    """Wait for rest, then until each service has compared once more, and for rest again.

    What the broker lost is pending nowhere until its consumer finds that it lacks it.
    """
    if pending := await rest(outside):
        return pending
    await asyncio.sleep(3 * COMPARE_EVERY_S)
    return await rest(outside)


async def drain(readers: list[Reader], within_s: float = 90) -> frozenset[str]:
    """Let each partner read all that is left; return who came to the end.

    What was handed out to a partner that was cut off comes again only when the broker has waited
    long enough for its acknowledgement; so it is the broker that says whether anything is left.
    """
    drained = set()
    for reader in readers:
        end, left = time.monotonic() + within_s, 1
        while left and time.monotonic() < end:
            with suppress(NatsError, OSError, TimeoutError):
                await reader.read()
                left = await reader.left()
        if not left:
            drained.add(reader.key)
    return frozenset(drained)


async def look(home: Home, outside: Outside, load: Load, readers: list[Reader]) -> Seen:
    """Return everything that was seen; the home rests and the feeds are drained."""
    told, dead = await _bus(home)
    export = await asyncio.to_thread(_ledger, home)
    return Seen(
        referrals=_referrals(outside),
        episodes=await outside.all_of("manager", "referral", "/episodes"),
        offers=await outside.all_of("manager", "scheduling", "/offers"),
        decisions=await outside.all_of("manager", "sharing", "/decisions"),
        releases=await outside.all_of("manager", "sharing", "/releases"),
        reads=sorted((read for reader in readers for read in reader.reads), key=lambda r: r.at),
        withdrawals=_withdrawals(outside),
        changes=_changes(outside),
        clocks=outside.clocks,
        ledger=export,
        ledger_keys=json.loads((home.keys_dir / "ledger.jwks.json").read_text()),
        messages=await outside.all_of("manager", "notify", "/messages"),
        told=told,
        dead_letters=dead,
        expected=frozenset(
            (item, partner) for case in load.cases for item in case.items.values()
            for partner in PARTNERS
        ),
        never=frozenset(pair for case in load.cases for pair in never(case)),
        harm_judged=frozenset(case.child_id for case in load.cases if case.done),
        marked=frozenset({GIVEN, FAMILY, WORD}),
    )  # fmt: skip


def _referrals(outside: Outside) -> list[Referral]:
    found: dict[str, Referral] = {}
    for one in outside.answers:
        if one.path == "/referrals":
            referral = found.setdefault(str(one.key), Referral(str(one.key)))
            referral.sent += one.tries
            ids = (one.body[name] for name in ("referral_id", "child_id", "episode_id"))
            referral.answers.append(Answered(one.status, *ids))
    return list(found.values())


def _withdrawals(outside: Outside) -> list[Withdrawal]:
    return [
        Withdrawal.of(
            one.path.split("/")[2], (one.request or {})["recipients"], one.asked_at,
            one.answered_at, one.body,
        )
        for one in outside.answers if one.path.endswith("/withdrawals")
    ]  # fmt: skip


def _changes(outside: Outside) -> list[Change]:
    """Return what changed the facts of a child, by call; what came by the bus is not among it."""
    return [
        Change(one.path.split("/")[2], one.body["epoch"], one.answered_at)
        for one in outside.answers
        if one.service == "sharing" and one.path.startswith("/children/")
    ]


def _ledger(home: Home) -> bytes:
    out = home.path / "ledger.jsonl"
    command = [sys.executable, "-m", "homeward", "ledger", "export", "--out", str(out)]
    subprocess.run([*command, "--home", str(home.path)], check=True, capture_output=True)
    return out.read_bytes()


async def _bus(home: Home) -> tuple[list[Told], list[dict[str, Any]]]:
    """Return all messages of the event streams and dead letters, as whoever runs the broker can."""
    told: list[Told] = []
    dead: list[dict[str, Any]] = []
    client = await nats.connect(home.nats_url, nkeys_seed=str(home.nkey("provisioner")))
    try:
        jetstream = client.jetstream(timeout=5)
        for kind in ("EVT", "DLQ"):
            for service in SERVICES:
                stream = f"{kind}_{service.upper()}"
                state = (await jetstream.stream_info(stream)).state
                for seq in range(max(1, state.first_seq), state.last_seq + 1):
                    with suppress(NotFoundError):
                        found = await jetstream.get_msg(stream, seq)
                        told.append(Told(str(found.subject), found.data or b""))
                        if kind == "DLQ":
                            dead.append(_dead(service, found))
    finally:
        await client.close()
    return told, dead


def _dead(service: str, found: Any) -> dict[str, Any]:
    try:
        event_id = json.loads(found.data)["id"]
    except (ValueError, LookupError, TypeError):
        event_id = ""
    return {
        "service": service,
        "subject": found.subject.removeprefix(f"dlq.{service}."),
        "event_id": event_id,
        **(found.headers or {}),
    }
