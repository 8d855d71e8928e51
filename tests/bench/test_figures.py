"""The floors do the same work as the product, and a figure says what it was held against."""

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from bench import events_floor
from bench.events import an_episode
from bench.measure import HEAD, Figure, Side, percentile, table
from bench.plot import lines
from messaging.clock import Clock
from messaging.database import Database
from messaging.ids import Ids
from messaging.migrate import migrate
from services import scheduling
from services.scheduling.handlers import make_offer

VERSIONS = Path(str(scheduling.__file__)).with_name("migrations") / "versions"
MADE_THEN = {"handled_at", "made_at", "written_at", "seq", "id", "event_id", "body", "occurred_at"}
"""Moments of the run, and ids that a key of ours goes into."""


def rows(file: Path) -> dict[str, list[dict]]:
    """What was written, but for what differs from run to run."""
    database = sqlite3.connect(file)
    database.row_factory = sqlite3.Row
    found = {}
    for name in ("inbox", "offers", "clocks", "outbox"):
        order = "clock" if name == "clocks" else "1"
        every = database.execute(f"SELECT * FROM {name} ORDER BY 1, {order}").fetchall()  # noqa: S608
        found[name] = [{k: r[k] for k in r.keys() if k not in MADE_THEN} for r in every]  # noqa: SIM118
    database.close()
    return found


async def test_the_floor_writes_what_the_service_writes(tmp_path):
    events = [an_episode(number) for number in range(4)]
    files = {name: tmp_path / f"{name}.sqlite" for name in ("ours", "floor")}
    for file in files.values():
        await migrate(f"sqlite:///{file}", VERSIONS)
    db = Database(f"sqlite:///{files['ours']}")
    app = SimpleNamespace(db=db, clock=Clock(), ids=Ids(bytes(32)))
    bare = await events_floor.opened(str(files["floor"]))
    for event in events:
        await make_offer(event, app)
        body = event.model_dump_json().encode()
        await events_floor.handle(bare, body, "scheduling.make_offer")
    await bare.close()
    await db.dispose()

    assert rows(files["ours"]) == rows(files["floor"])


def test_a_ratio_is_of_medians_and_is_held_against_the_bar():
    figure = Figure("x", 0.6, sides=[Side("ours", [1, 7, 100]), Side("floor", [10, 10, 10])])

    assert figure.ratio == pytest.approx(0.7)
    assert figure.met


def test_a_most_is_met_below_it():
    assert Figure("x", 8, "s", at_least=False, sides=[Side("ours", [5, 6, 9])]).met
    assert not Figure("x", 8, "s", at_least=False, sides=[Side("ours", [9])]).met


def test_a_table_has_a_column_for_each_word_of_its_head():
    figure = Figure("x", 8, "s", at_least=False, sides=[Side("ours", [5])])

    assert [line.count("|") for line in table([HEAD, figure.row()]).splitlines()] == [7, 7, 7]


def test_a_percentile_is_one_of_the_values():
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(range(100), 0.95) == 95


def test_a_plot_is_an_image_with_a_line_for_each_series():
    drawn = ElementTree.fromstring(lines("t", "x", "y", [0, 1], {"a": [1, 2], "b": [3, 4]}))  # noqa: S314

    assert len(drawn.findall("{*}polyline")) == 2
