"""Reading a feed as its partner does, to its end and no longer."""

from contextlib import suppress

from nats.js.client import JetStreamContext

FOR_WHAT_COMES_S = 0.3
"""Only what was taken back between the broker's word and our question is waited for in vain."""


async def read(feed: JetStreamContext.PullSubscription, count: int = 100) -> list:
    """Return what lies there, at most `count`, acknowledged; the broker says how much that is."""
    found: list = []
    while len(found) < count:
        waiting = (await feed.consumer_info()).num_pending or 0
        if waiting == 0:
            break
        before = len(found)
        with suppress(TimeoutError):
            for message in await feed.fetch(min(waiting, count - len(found)), FOR_WHAT_COMES_S):
                await message.ack_sync()
                found.append(message)
        if len(found) == before:
            break
    return found
