"""`homeward seed` makes histories in the shape of the statistics, which policy can be asked on."""

import asyncio
import json
import sqlite3
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from contracts import ledger
from homeward.engine.fit import checker
from homeward.seed import command
from homeward.seed.history import history
from services.sharing.domain.document import digest, document
from services.sharing.domain.facts import of_snapshot
from services.sharing.policy_data import load

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """Connections to the three databases, of 300 episodes and 200 decisions."""
    folder = tmp_path_factory.mktemp("seeded")
    urls = {name: f"sqlite:///{folder}/{name}.sqlite" for name in command.SERVICES}

    made = asyncio.run(command.fill(urls, 300, 200))
    assert (made["episodes"], made["decisions"]) == (300, 200)
    found = {name: sqlite3.connect(folder / f"{name}.sqlite") for name in urls}
    for one in found.values():
        one.row_factory = sqlite3.Row
    yield found, urls
    for one in found.values():
        one.close()


def test_a_few_children_have_many_of_the_episodes():
    per_child = Counter(one.child.id for one in history(7, 20_000, NOON))
    most = sorted(per_child.values(), reverse=True)

    assert 0.60 < 1 - len(per_child) / 20_000 < 0.75
    assert 0.28 < sum(most[: len(most) * 6 // 100]) / 20_000 < 0.40


def test_nothing_lies_in_the_future_and_the_same_number_makes_the_same_history():
    once, again = list(history(7, 500, NOON)), list(history(7, 500, NOON))

    assert once == again
    assert all(one.missing_from < one.returned_at < one.received_at < NOON for one in once)
    assert max(one.received_at for one in once) - min(one.received_at for one in once) > timedelta(
        days=1_000
    )


def test_each_episode_has_one_offer(seeded):
    found, _ = seeded
    referred = {row["id"] for row in found["referral"].execute("SELECT id FROM episodes")}
    offered = {row[0] for row in found["scheduling"].execute("SELECT episode_id FROM offers")}

    assert referred == offered


def test_each_decision_can_be_asked_again_from_the_facts_that_were_kept(seeded):
    found, _ = seeded
    data, fault_of = load(command.POLICIES), checker(command.POLICIES)
    rows = found["sharing"].execute(
        "SELECT d.*, s.facts FROM decision d JOIN facts_snapshot s "
        "ON s.child_id = d.child_id AND s.epoch = d.snapshot_epoch"
    )
    asked = 0
    for row in rows:
        facts = of_snapshot(json.loads(row["facts"]))
        item = next(one for one in facts.items if one.id == row["item_id"])
        recipient = next(one for one in facts.recipients if one.key == row["recipient"])
        at = datetime.fromisoformat(row["decided_at"]).replace(tzinfo=UTC)
        made = document(facts, item, recipient, data.types[recipient.type], data.law, at)
        asked += 1

        assert fault_of(made) is None
        if recipient.type != "commissioner":  # who alone is told a pseudonym, made with a key
            assert digest(made) == row["document"]

    assert asked == 200


def test_the_ledger_holds_the_decisions_in_one_chain(seeded):
    found, _ = seeded
    prev, count = ledger.GENESIS, 0
    for row in found["sharing"].execute("SELECT * FROM ledger_entry ORDER BY seq"):
        body = json.loads(row["body"])
        assert row["hash"] == ledger.entry_hash(row["seq"], row["at"], row["kind"], body, prev)
        prev, count = row["hash"], row["seq"]

    head = found["sharing"].execute("SELECT seq, hash FROM ledger_head").fetchone()
    assert (count, prev) == tuple(head)
    assert count == 200


async def test_a_database_that_holds_something_is_left_alone(seeded):
    _, urls = seeded

    with pytest.raises(command.NotEmptyError):
        await command.fill(urls, 10, 0)
