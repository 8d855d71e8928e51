"""Who can reach what on the broker, tried with a stock client and the real server."""

import asyncio
import json

import nats.errors
import nats.js.errors
import pytest
from support.apart import run
from support.broker import Broker, new_user
from support.running import eventually

from messaging.nats_config import API_PREFIX, BadNameError, render

POLICE, HEALTH = "northshire-police", "northshire-health"
REFUSED = (
    nats.errors.Error,
    nats.js.errors.Error,
    asyncio.TimeoutError,
)


@pytest.fixture(scope="module")
def feeds(tmp_path_factory):
    """A server with two partners, of whom one came while it ran, and a release for each."""
    broker = Broker(tmp_path_factory.mktemp("nats"))
    broker.partners[POLICE] = new_user(broker.seed(POLICE))
    broker.start()
    try:
        run(broker.provision())
        run(broker.add_partner(HEALTH))
        run(release(broker, POLICE, b"for the police"))
        run(release(broker, HEALTH, b"for health"))
        yield broker
    finally:
        broker.stop()


async def release(broker, partner: str, body: bytes) -> int:
    client = await broker.connect("sharing")
    stored = await js_of(client).publish(f"feed.{partner}.release", body)
    await client.close()
    return stored.seq


def js_of(client):
    return client.jetstream(prefix=API_PREFIX, timeout=0.4)


async def refused(client, count: int = 1) -> bool:
    """Tell whether the server has refused so much; its word comes a moment later."""
    await client.flush()
    await eventually(lambda: len(client.refused) >= count, 2, "the server refused nothing")
    return True


async def connected(broker, name: str):
    said: list[str] = []

    async def note(error: Exception) -> None:
        said.append(str(error))

    client = await broker.connect(name, error_cb=note)
    client.refused = said
    return client


async def lasts(broker, stream: str) -> int:
    """Return the last number of a stream, asked by the provisioner."""
    client = await broker.connect("provisioner")
    state = (await client.jetstream().stream_info(stream)).state
    await client.close()
    return state.last_seq


class TestAPartner:
    """A partner that holds its own credentials and a stock client."""

    @pytest.mark.parametrize("partner", [POLICE, HEALTH])
    async def test_reads_and_acknowledges_its_own_feed(self, feeds, partner):
        await release(feeds, partner, b"one more")
        client = await feeds.connect(partner)
        feed = await js_of(client).pull_subscribe_bind(durable=partner, stream=f"FEED_{partner}")
        read = await feed.fetch(10, timeout=2)
        for message in read:
            await message.ack_sync()

        assert read[-1].data == b"one more"
        watcher = await feeds.connect("sharing")
        info = await js_of(watcher).consumer_info(f"FEED_{partner}", partner)
        assert (info.num_pending, info.num_ack_pending) == (0, 0)
        await client.close()
        await watcher.close()

    async def test_reads_no_other_feed(self, feeds):
        await release(feeds, HEALTH, b"for health")
        client = await connected(feeds, POLICE)
        for prefix in (API_PREFIX, "$JS.API"):
            js = client.jetstream(prefix=prefix, timeout=0.3)
            with pytest.raises(REFUSED):
                await js.consumer_info(f"FEED_{HEALTH}", HEALTH)
            feed = await js.pull_subscribe_bind(durable=HEALTH, stream=f"FEED_{HEALTH}")
            with pytest.raises(REFUSED):
                await feed.fetch(1, timeout=0.4)
        await client.close()

    @pytest.mark.parametrize(
        "subject",
        [">", "*.>", "_INBOX.>", "_INBOX_sharing.>", f"_INBOX_{HEALTH}.>", "$JS.>", "$SYS.>",
         "feed.>", f"feed.{POLICE}.>", "evt.>", "_R_.>", "$JS.EVENT.ADVISORY.>", "JSC.API.>"],
    )  # fmt: skip
    async def test_listens_to_nothing_but_its_inbox(self, feeds, subject):
        client = await connected(feeds, POLICE)
        heard = await client.subscribe(subject)
        assert await refused(client)
        await release(feeds, HEALTH, b"for health")
        await release(feeds, POLICE, b"for the police")

        with pytest.raises(nats.errors.TimeoutError):
            await heard.next_msg(timeout=0.2)
        await client.close()

    @pytest.mark.parametrize(
        "subject",
        [f"feed.{POLICE}.release", f"feed.{HEALTH}.release", "evt.referral.episode_referred.v1",
         "evt.sharing.release_permitted.v1", "dlq.sharing.x", "_INBOX_sharing.x",
         f"_INBOX_{HEALTH}.x", "$SYS.REQ.SERVER.PING"],
    )  # fmt: skip
    async def test_publishes_nothing(self, feeds, subject):
        before = [
            await lasts(feeds, s) for s in ("EVT_REFERRAL", f"FEED_{POLICE}", f"FEED_{HEALTH}")
        ]
        client = await connected(feeds, POLICE)
        with pytest.raises(REFUSED):
            await client.request(subject, b"forged", timeout=0.3)

        assert await refused(client)
        after = [
            await lasts(feeds, s) for s in ("EVT_REFERRAL", f"FEED_{POLICE}", f"FEED_{HEALTH}")
        ]
        assert before == after
        await client.close()

    @pytest.mark.parametrize(
        ("verb", "body"),
        [
            ("STREAM.LIST", {}),
            ("STREAM.NAMES", {}),
            ("INFO", {}),
            (f"STREAM.INFO.FEED_{POLICE}", {}),
            (f"STREAM.PURGE.FEED_{POLICE}", {}),
            (f"STREAM.DELETE.FEED_{POLICE}", {}),
            (f"STREAM.MSG.GET.FEED_{POLICE}", {"seq": 1}),
            (f"STREAM.MSG.GET.FEED_{HEALTH}", {"seq": 1}),
            (f"STREAM.MSG.DELETE.FEED_{HEALTH}", {"seq": 1}),
            (f"DIRECT.GET.FEED_{HEALTH}", {"seq": 1}),
            (f"CONSUMER.NAMES.FEED_{POLICE}", {}),
            (f"CONSUMER.DELETE.FEED_{POLICE}.{POLICE}", {}),
            (f"CONSUMER.CREATE.FEED_{HEALTH}", {"stream_name": f"FEED_{HEALTH}", "config": {}}),
            ("STREAM.CREATE.MINE", {"name": "MINE", "subjects": ["feed.>"]}),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("prefix", [API_PREFIX, "$JS.API"])
    async def test_lists_makes_and_removes_nothing(self, feeds, verb, body, prefix):
        client = await connected(feeds, POLICE)
        try:
            answer = await client.request(
                f"{prefix}.{verb}", json.dumps(body).encode(), timeout=0.3
            )
            assert "error" in json.loads(answer.data)
            assert "not enabled for account" in answer.data.decode()
        except REFUSED:
            pass
        await client.close()

    async def test_acknowledges_for_nobody_else(self, feeds):
        await release(feeds, HEALTH, b"for health")
        health = await feeds.connect(HEALTH)
        feed = await js_of(health).pull_subscribe_bind(durable=HEALTH, stream=f"FEED_{HEALTH}")
        [*_, message] = await feed.fetch(10, timeout=2)
        thief = await connected(feeds, POLICE)
        await thief.publish(message.reply, b"+ACK")
        assert await refused(thief)
        forged = message.reply.replace(f"FEED_{HEALTH}.{HEALTH}", f"FEED_{POLICE}.{POLICE}")
        await thief.publish(forged, b"+ACK")
        await thief.flush()

        watcher = await feeds.connect("sharing")
        info = await js_of(watcher).consumer_info(f"FEED_{HEALTH}", HEALTH)
        assert info.num_ack_pending > 0
        await message.ack_sync()
        for client in (health, thief, watcher):
            await client.close()

    async def test_steers_no_answer_into_a_stream(self, feeds):
        """A reply subject makes the server itself write where the caller may not."""
        before = [await lasts(feeds, s) for s in ("EVT_REFERRAL", f"FEED_{HEALTH}")]
        client = await connected(feeds, POLICE)
        for reply in ("evt.referral.episode_referred.v1", f"feed.{HEALTH}.release"):
            asked = f"{API_PREFIX}.CONSUMER.INFO.FEED_{POLICE}.{POLICE}"
            await client.publish(asked, b"", reply=reply)
            pull = f"{API_PREFIX}.CONSUMER.MSG.NEXT.FEED_{POLICE}.{POLICE}"
            await client.publish(pull, b'{"batch":1}', reply=reply)
        await client.flush()
        await asyncio.sleep(0.1)

        assert before == [await lasts(feeds, s) for s in ("EVT_REFERRAL", f"FEED_{HEALTH}")]
        await client.close()

    async def test_without_its_key_gets_nothing(self, feeds):
        new_user(feeds.seed("stranger"))
        with pytest.raises(nats.errors.Error):
            await feeds.connect("stranger")
        with pytest.raises(nats.errors.Error):
            await nats.connect(feeds.url, allow_reconnect=False)


class TestAService:
    """A service that has been taken over by somebody."""

    async def test_tells_only_its_own_facts(self, feeds):
        before = await lasts(feeds, "EVT_REFERRAL")
        client = await connected(feeds, "scheduling")
        js = js_of(client)
        assert (await js.publish("evt.scheduling.offer_made.v1", b"{}")).seq
        for subject in (
            "evt.referral.episode_referred.v1",
            f"feed.{POLICE}.release",
            "dlq.sharing.x",
        ):
            with pytest.raises(REFUSED):
                await js.publish(subject, b"{}")

        assert await lasts(feeds, "EVT_REFERRAL") == before
        await client.close()

    async def test_hears_only_along_its_edges(self, feeds):
        client = await connected(feeds, "interview")
        js = js_of(client)
        assert await js.consumer_info("EVT_REFERRAL", "interview-referral")
        for stream, durable in (
            ("EVT_REFERRAL", "sharing-referral"),
            ("EVT_SCHEDULING", "sharing-scheduling"),
            ("EVT_SHARING", "notify-sharing"),
            (f"FEED_{POLICE}", POLICE),
        ):
            with pytest.raises(REFUSED):
                await js.consumer_info(stream, durable)
            pull = await js.pull_subscribe_bind(durable=durable, stream=stream)
            with pytest.raises(REFUSED):
                await pull.fetch(1, timeout=0.3)
        for subject in (">", "evt.>", "_INBOX_sharing.>"):
            await client.subscribe(subject)
        assert await refused(client, 3)
        await client.close()

    async def test_makes_and_changes_no_stream(self, feeds):
        client = await connected(feeds, "sharing")
        js = js_of(client)
        with pytest.raises(REFUSED):
            await js.add_stream(name="MINE", subjects=["evt.>"])
        with pytest.raises(REFUSED):
            await js.purge_stream(f"FEED_{POLICE}")
        with pytest.raises(REFUSED):
            await js.streams_info()
        await client.close()

    async def test_that_feeds_erases_what_lies_unread(self, feeds):
        seq = await release(feeds, POLICE, b"to be withdrawn, word for word")
        client = await feeds.connect("sharing")
        js = js_of(client)
        assert (await js.get_msg(f"FEED_{POLICE}", seq)).data
        assert await js.delete_msg(f"FEED_{POLICE}", seq)
        await client.close()

        on_disk = b"".join(p.read_bytes() for p in feeds.store.rglob("*") if p.is_file())
        assert b"to be withdrawn, word for word" not in on_disk


async def test_partners_come_while_services_stay_connected(nats):
    cut = []

    async def note() -> None:
        cut.append(True)

    services = {
        name: await nats.connect(name, disconnected_cb=note) for name in nats.topology.services
    }
    for partner in (POLICE, HEALTH):
        await nats.add_partner(partner)
    assert cut == []
    for partner in (POLICE, HEALTH):
        stored = await js_of(services["sharing"]).publish(f"feed.{partner}.release", b"x")
        assert stored.stream == f"FEED_{partner}"
    for client in services.values():
        await client.close()


@pytest.mark.parametrize(
    "key", ["CORE", "Police", "a b", "p\n}", "a.b", "-a", "", 'x"', "a>", "p*"]
)
def test_a_partner_key_that_is_no_plain_word_is_refused(key, tmp_path):
    broker = Broker(tmp_path)
    with pytest.raises(BadNameError):
        render(
            broker.topology,
            host="127.0.0.1",
            port=1,
            store_dir=tmp_path,
            users=broker.users,
            provisioner=broker.provisioner,
            partners={key: broker.provisioner},
        )


def test_a_partner_named_like_a_service_is_another_account(tmp_path):
    broker = Broker(tmp_path)
    broker.partners["sharing"] = new_user(broker.seed("partner"))
    broker.start()
    broker.stop()


def test_the_configuration_is_durable_and_has_no_open_door(tmp_path):
    broker = Broker(tmp_path)
    broker.configure()
    text = (tmp_path / "nats.conf").read_text()

    assert "sync_interval: always" in text
    assert "max_file_store" in text
    for door in ("no_auth_user", "mqtt", "leafnodes", "websocket", "gateway", "password"):
        assert door not in text
