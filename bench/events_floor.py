"""The floor of handling events: pull, one transaction, acknowledge, send on, and no code of ours.

The statements are those of `scheduling` for a referred episode, in the same order, on the driver as
it comes. Run by bench.events in a process of its own.
"""

import asyncio
import json
import sys
from base64 import b32encode
from datetime import UTC, datetime, timedelta
from typing import Any

import aiosqlite
import nats
from nats.errors import TimeoutError as NothingError

CLAIM = "INSERT INTO inbox (event_id, handler, handled_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
PREVIOUS = (
    "SELECT coalesce((SELECT worker FROM talks WHERE child_id = ? "
    "ORDER BY started_at DESC, interview_id LIMIT 1), (SELECT worker FROM bookings "
    "WHERE child_id = ? ORDER BY starts_at DESC, id LIMIT 1))"
)
ADD_OFFER = (
    "INSERT INTO offers (episode_id, id, child_id, locality, setting, missing_from, returned_at, "
    "received_at, return_time_ambiguous, made_at, state, next_due_at, contact_due_at, rhi_due_at, "
    "phone_discussion, door_open_sent, reports, closings) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 'open', ?, ?, ?, 0, 0, 0, 0) ON CONFLICT DO NOTHING"
)
ADD_CLOCK = (
    "INSERT INTO clocks (episode_id, clock, started_at, due_at, next_at, near_told, missed_told, "
    "met_told) VALUES (?, ?, ?, ?, ?, 0, 0, 0)"
)
SEEN = (
    "SELECT occurred_at FROM answers WHERE child_id = ? AND \"by\" = 'child' AND outcome IN "
    "('accepted', 'not_ready') AND occurred_at >= ? "
    "ORDER BY occurred_at LIMIT 1"
)
TELL = (
    "INSERT INTO outbox (event_id, subject, body, occurred_at, written_at) VALUES (?, ?, ?, ?, ?)"
)
WAITING = "SELECT * FROM outbox WHERE sent_at IS NULL ORDER BY seq LIMIT 256"
SENT = "UPDATE outbox SET sent_at = ? WHERE seq IN ({})"
SUBJECT = "evt.scheduling.offer_made.v1"


def stored(moment: datetime) -> str:
    """Return a moment as the database keeps it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


async def opened(database: str) -> aiosqlite.Connection:
    """Return a connection that is as safe against a power cut as the product's."""
    db = await aiosqlite.connect(database, isolation_level=None)
    for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON",
                   "secure_delete=ON"):  # fmt: skip
        await db.execute(f"PRAGMA {pragma}")
    return db


async def one(db: aiosqlite.Connection, statement: str, values: tuple[object, ...]) -> object:
    """Return the first row."""
    async with db.execute(statement, values) as cursor:
        return await cursor.fetchone()


async def handle(db: aiosqlite.Connection, body: bytes, named: str) -> None:
    """Make the offer of one episode and start its clocks."""
    event = json.loads(body)
    episode, child, now = event["episode_id"], event["child_id"], datetime.now(UTC)
    received = datetime.fromisoformat(event["received_at"])
    returned = datetime.fromisoformat(event["returned_at"])
    missing = datetime.fromisoformat(event["missing_from"])
    contact_due, rhi_due = received + timedelta(hours=24), returned + timedelta(hours=72)
    made = max(received, now)
    offer = f"OF-{b32encode(episode.encode()).decode()[:20]}"
    await db.execute("BEGIN IMMEDIATE")
    claimed = await db.execute(CLAIM, (event["id"], named, stored(now)))
    if claimed.rowcount == 0:
        await db.rollback()
        return
    await one(db, PREVIOUS, (child, child))
    await db.execute(
        ADD_OFFER,
        (episode, offer, child, event["locality"], event["setting"], stored(missing),
         stored(returned), stored(received), stored(made), stored(min(contact_due, rhi_due)),
         stored(contact_due), stored(rhi_due)),
    )  # fmt: skip
    clocks = (("contact", received, contact_due, 4), ("rhi", returned, rhi_due, 12))
    await db.executemany(
        ADD_CLOCK,
        [
            (episode, name, stored(began), stored(due), stored(due - timedelta(hours=near)))
            for name, began, due, near in clocks
        ],
    )
    await one(db, SEEN, (child, stored(max(received, returned))))
    told = {
        "id": f"EV-{offer}", "occurred_at": made.isoformat(), "offer_id": offer,
        "episode_id": episode, "child_id": child, "contact_due_at": contact_due.isoformat(),
        "rhi_due_at": rhi_due.isoformat(),
    }  # fmt: skip
    row = (told["id"], SUBJECT, json.dumps(told), stored(made), stored(now))
    await db.execute(TELL, row)
    await db.commit()


async def send_on(db: aiosqlite.Connection, js: object, lock: asyncio.Lock) -> int:
    """Publish what waits and mark it; return how much it was."""
    async with db.execute(WAITING) as cursor:
        rows = list(await cursor.fetchall())
    if not rows:
        return 0
    slots = asyncio.Semaphore(64)

    async def publish(row: Any) -> None:
        async with slots:
            headers = {"Nats-Msg-Id": row[1], "ce-id": row[1], "ce-type": SUBJECT}
            await js.publish(  # type: ignore[attr-defined]
                SUBJECT, str(row[3]).encode(), timeout=5, stream="EVT_SCHEDULING", headers=headers
            )

    await asyncio.gather(*(publish(row) for row in rows))
    async with lock:
        await db.execute("BEGIN IMMEDIATE")
        marks = ",".join("?" * len(rows))
        await db.execute(SENT.format(marks), (stored(datetime.now(UTC)), *(row[0] for row in rows)))
        await db.commit()
    return len(rows)


async def main(url: str, seed: str, database: str) -> None:
    """Handle for ever what the durable of `scheduling` hands out."""
    client = await nats.connect(url, nkeys_seed=seed, inbox_prefix=b"_INBOX_scheduling")
    js = client.jetstream(prefix="JSC.API", timeout=5)
    writer, sender = await opened(database), await opened(database)
    lock, woken = asyncio.Lock(), asyncio.Event()

    async def relay() -> None:
        while True:
            await woken.wait()
            woken.clear()
            while await send_on(sender, js, lock):
                pass

    relaying = asyncio.create_task(relay())
    pull = await js.pull_subscribe_bind("scheduling-referral", "EVT_REFERRAL")
    while not relaying.done():
        try:
            messages = await pull.fetch(8, timeout=1)
        except NothingError:
            continue
        for message in messages:
            async with lock:
                await handle(writer, message.data, "scheduling.make_offer")
            woken.set()
            await message.ack()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
