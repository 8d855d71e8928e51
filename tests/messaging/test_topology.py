"""One file says who tells whom what; everything else follows from it."""

from importlib import import_module
from pathlib import Path

import pytest
from pydantic import ValidationError

from contracts.interview import ItemAmended
from messaging import event_map
from messaging.provision import provision
from messaging.subscriptions import Subscriptions, UnknownSubscriptionError
from messaging.topology import Topology, load, stream_of, subject_of

ROOT = Path(__file__).parents[2]


def test_the_event_map_is_fresh():
    page = (ROOT / "docs/event-map.md").read_text()

    assert page == event_map.render(load()), (
        "run: python -m messaging.event_map > docs/event-map.md"
    )


@pytest.mark.parametrize("service", load().services)
def test_a_service_publishes_exactly_what_its_contract_declares(service):
    facts = {subject_of(service, fact) for fact in load().services[service].publishes}

    assert facts == set(event_map.events_of(service))


@pytest.mark.parametrize("service", load().services)
def test_a_service_handles_exactly_what_it_is_given(service):
    heard = {s for durable in load().durables_of(service) for s in durable.subjects}
    handlers = import_module(f"services.{service}.handlers")
    handled = handlers.events.subjects if hasattr(handlers, "events") else frozenset()

    assert handled == heard


def test_hearing_what_the_topology_does_not_give_is_refused():
    events = Subscriptions()

    @events.on(ItemAmended, by="referral.listen")
    async def listen(event, app) -> None: ...

    with pytest.raises(UnknownSubscriptionError):
        events.fit("referral", load())


@pytest.mark.parametrize(
    "change",
    [
        {"a": {"consumes": {"z": ["x.v1"]}}},
        {"a": {"consumes": {"b": ["unknown.v1"]}}},
        {"a": {"calls": ["z"]}},
        {"a": {"feeds": True}, "b": {"feeds": True}},
        {"a": {"publish": ["misspelt.v1"]}},
    ],
    ids=str,
)
def test_a_name_that_leads_nowhere_is_refused(change):
    valid = load().model_dump() | {"services": {"a": {}, "b": {}}}
    assert Topology.model_validate(valid)

    with pytest.raises(ValidationError):
        Topology.model_validate(valid | {"services": {"a": {}, "b": {}} | change})


@pytest.mark.parametrize(
    ("subject", "stream"),
    [
        ("evt.sharing.release_held.v1", "EVT_SHARING"),
        ("dlq.notify.evt.x", "DLQ_NOTIFY"),
        ("feed.northshire-police.release", "FEED_northshire-police"),
    ],
)
def test_a_subject_has_one_stream(subject, stream):
    assert stream_of(subject) == stream


async def test_provisioning_again_changes_what_differs_and_loses_nothing(nats):
    client = await nats.connect("provisioner")
    js = client.jetstream()
    await js.publish("evt.referral.episode_referred.v1", b"{}")
    changed = nats.topology.model_copy(
        update={
            "durables": nats.topology.durables.model_copy(update={"ack_wait_s": 45}),
            "streams": nats.topology.streams.model_copy(update={"max_age_days": 60}),
        }
    )
    for _ in range(2):
        await provision(nats.url, nats.seed("provisioner"), changed, [])

    stream = await js.stream_info("EVT_REFERRAL")
    durable = await js.consumer_info("EVT_REFERRAL", "scheduling-referral")
    await client.close()
    assert (stream.config.max_age, stream.state.messages) == (60 * 86_400, 1)
    assert (durable.config.ack_wait, durable.num_pending) == (45, 1)


async def test_streams_are_as_durable_as_they_have_to_be(nats):
    await nats.add_partner("northshire-police")
    client = await nats.connect("provisioner")
    js = client.jetstream()
    events = (await js.stream_info("EVT_REFERRAL")).config
    feed = (await js.stream_info("FEED_northshire-police")).config
    durable = (await js.consumer_info("EVT_REFERRAL", "sharing-referral")).config
    await client.close()

    assert (events.deny_delete, events.deny_purge, events.discard) == (True, True, "new")
    assert (feed.deny_delete, feed.deny_purge, feed.max_age) == (False, True, 0)
    assert (durable.max_deliver, durable.deliver_policy) == (-1, "all")


def test_each_consumer_may_ask_its_publishers_what_they_told_and_no_more():
    topology = load()

    assert topology.may_compare("notify", "sharing")
    assert not topology.may_call("notify", "sharing")
    assert not topology.may_compare("sharing", "notify")
    assert ("notify", "sharing") in topology.http_edges()
    assert len(topology.http_edges()) == len(set(topology.http_edges()))
