"""What the children of a seeded run go through: each road has the fault in which a defect shows."""

from collections.abc import Awaitable, Callable

from faults.defects.house import COUNCIL, POLICE, SERVICES, House, messages
from faults.defects.trouble import away_at_first, refuse_commits

Road = Callable[[House], Awaitable[None]]


async def read_by_both(house: House) -> None:
    """Two agencies may be told, and read all of it."""
    case, _ = await house.told("push_pull")
    await house.no_harm(case)


async def read_and_taken_back(house: House) -> None:
    """Two agencies may be told; one release is read, then the child takes their yes back."""
    case, _ = await house.told("push_pull", "narrative")
    await house.no_harm(case)
    await house.rest()
    await house.read(POLICE, 1)
    await house.withdraw(case)


async def taken_back_while_it_leaves(house: House) -> None:
    """The withdrawal is answered when the relay has chosen a release and not yet locked it."""
    case, _ = await house.told("push_pull")
    once_decided(house, lambda: house.withdraw(case))
    await house.no_harm(case)


async def declined_while_it_leaves(house: House) -> None:
    """The same with a no to one agency, which raises the epoch and is no withdrawal."""
    case, _ = await house.told("push_pull")
    once_decided(house, lambda: house.agree(case, POLICE, "declined"))
    await house.no_harm(case)


async def never_with_a_troubled_engine(house: House) -> None:
    """The child says no, and the engine answers nonsense at first and too late after that."""
    case, items = await house.told(status="declined", troubled=True)
    await house.no_harm(case)
    house.seen.never |= {(items["push_pull"], one) for one in (POLICE, COUNCIL)}


async def harm_that_nobody_judges(house: House) -> None:
    """What the child said about harm waits for the DSL; the engine does not answer at first."""
    case = await house.refer()
    await house.rest()
    house.engine_trouble.children.add(case.child_id)
    await house.talk(case, "harm")


async def referred_while_a_disk_is_full(house: House) -> None:
    """A commit is refused: the referral itself, what follows it, and the offer in turn."""
    for service, nth in (("referral", 1), ("referral", 2), ("scheduling", 1)):
        await house.rest()
        refuse_commits(house.app(service).db, nth)
        await house.refer(times=2)


async def referred_without_broker(house: House) -> None:
    """The broker is away when the referral comes, and back a moment later."""
    await house.rest()
    house.broker.stop(hard=True)
    await house.refer()
    house.broker.start()


async def told_again(house: House) -> None:
    """Everything on the bus comes once more, in the other order, past the broker's memory."""
    await house.told("push_pull")
    client = await house.broker.connect("provisioner")
    js = client.jetstream(timeout=5)
    for name in SERVICES:
        for message in reversed(await messages(js, f"EVT_{name.upper()}")):
            await js.publish(message.subject, message.data)
    await client.close()


async def a_peer_away(house: House) -> None:
    """`interview` does not answer when it is asked for what was said."""
    case = await house.refer()
    await house.rest()
    away_at_first(house.app("sharing").edges["interview"], 2)
    await house.talk(case, "push_pull")


ROADS: tuple[Road, ...] = (
    read_by_both,
    read_and_taken_back,
    taken_back_while_it_leaves,
    declined_while_it_leaves,
    never_with_a_troubled_engine,
    harm_that_nobody_judges,
    referred_while_a_disk_is_full,
    referred_without_broker,
    told_again,
    a_peer_away,
)


def once_decided(house: House, act: Callable[[], Awaitable[object]]) -> None:
    """Do something once, when the relay has chosen what to send next and not yet locked it."""
    outlet = house.app("sharing").state["outlet"]

    async def pause(place: str, _release_id: str) -> None:
        if place == "decided":
            outlet.pause = _go_on
            await act()

    outlet.pause = pause


async def _go_on(_place: str, _release_id: str) -> None:
    pass
