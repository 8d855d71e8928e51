"""A spoilt file costs a stream its end; durables go on with what comes then."""

SUBJECT = "evt.referral.episode_referred.v1"
STREAM, DURABLE = "EVT_REFERRAL", "scheduling-referral"


async def test_a_durable_that_was_told_more_than_there_is_waits_for_nothing(nats):
    await publish(nats, "first", "second")
    await pull(nats, 2, ack=False)
    nats.stop(hard=True)
    for file in nats.store.rglob(f"{STREAM}/msgs/*"):
        file.unlink()
    nats.start()

    await nats.provision()

    assert await waiting(nats) == 0
    await publish(nats, "third")
    assert await pull(nats, 1, ack=True) == [b"third"]


async def test_a_durable_keeps_its_place_where_nothing_was_lost(nats):
    await publish(nats, "first", "second")
    assert await pull(nats, 1, ack=True) == [b"first"]
    nats.stop()
    nats.start()

    await nats.provision()

    assert await pull(nats, 2, ack=True) == [b"second"]


async def publish(nats, *words: str) -> None:
    client = await nats.connect("referral")
    js = client.jetstream(prefix="JSC.API", timeout=5)
    for word in words:
        await js.publish(SUBJECT, word.encode(), stream=STREAM, headers={"Nats-Msg-Id": word})
    await client.close()


async def pull(nats, count: int, *, ack: bool) -> list[bytes]:
    client = await nats.connect("scheduling")
    durable = await client.jetstream(prefix="JSC.API").pull_subscribe_bind(DURABLE, STREAM)
    messages = await durable.fetch(count, timeout=2)
    if ack:
        for message in messages:
            await message.ack_sync()
    await client.close()
    return [message.data for message in messages]


async def waiting(nats) -> int:
    client = await nats.connect("provisioner")
    found = await client.jetstream().consumer_info(STREAM, DURABLE)
    await client.close()
    return found.num_pending + found.num_ack_pending
