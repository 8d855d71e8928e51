"""Marked names, words, addresses and birth dates go in everywhere and come out nowhere else.

A whole case is played with a mark in each text, then every call is made in every wrong way and
what the home stands on fails under it. What was written by then, anywhere, is searched.
"""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import nats
import pytest
from canary_marks import Marks
from canary_places import cores_in, files_of, leaks_in_databases, messages_of
from canary_surroundings import databases, mail_server
from canary_world import MarkedWorld
from support import postgres
from support.running import eventually

from homeward import probe, up
from homeward.demo import partners
from homeward.demo.cases import CASES
from homeward.home import SERVICES, Home
from messaging.nats_config import API_PREFIX, inbox_of

CASE = CASES["S5"]
AFTER_IT_S = 20


@dataclass
class Seen:
    """Everything that was written while it ran, and where nothing marked may be."""

    home: Home
    marks: Marks
    world: MarkedWorld
    texts: dict[str, bytes] = field(default_factory=dict)
    bus: list[tuple[str, bytes]] = field(default_factory=list)
    cores: list[str] = field(default_factory=list)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def seen(request, tmp_path_factory):
    """A home that was played, broken in every way and stopped."""
    folder = tmp_path_factory.mktemp(f"canary-{request.param}")
    with contextlib.ExitStack() as stack:
        env = {"HOMEWARD_CLOCK": "test", "HOMEWARD_SMTP_URL": stack.enter_context(mail_server())}
        log = None
        if request.param == "postgres":
            try:
                url, log = stack.enter_context(databases())
            except postgres.NoPostgresError as reason:
                pytest.skip(f"no Postgres: {reason}")
            env["HOMEWARD_DATABASES"] = url
        stack.enter_context(_settings(env))
        home = Home.at(folder / "home")
        up.start_detached(home)
        stack.callback(up.stop, home)
        partners.join(home)
        found = asyncio.run(_everything(home))
        for words in (["status", "--json"], ["ledger", "export", "--out", f"{home.path}/ledger"]):
            said = subprocess.run(
                [sys.executable, "-m", "homeward", *words, "--home", str(home.path)],
                capture_output=True, check=False, timeout=60,
            )  # fmt: skip
            found.texts[f"homeward {words[0]}"] = said.stdout + said.stderr
        found.texts["a start that fails"] = _start_that_fails(home, found.marks)
        up.stop(home)
        found.texts["postgres log"] = log.read_bytes() if log else b""
        found.cores = cores_in(home.path, Path.cwd(), folder)
        yield found


@contextlib.contextmanager
def _settings(env: dict[str, str]):
    before = {name: os.environ.get(name) for name in env}
    cores = resource.getrlimit(resource.RLIMIT_CORE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (cores[1], cores[1]))  # a site may allow them
    os.environ.update(env)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, cores)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


async def _everything(home: Home) -> Seen:
    world = MarkedWorld(home, Marks())
    seen = Seen(home, world.marks, world)
    try:
        await world.learn()
        await _play(world)
        await world.break_everything()
        await _no_table(world)
        await _poison(home)
        await _engine_away(world)
        await _crash(home)
        with contextlib.suppress(TimeoutError):  # on a busy machine hundreds of items take long
            async with asyncio.timeout(AFTER_IT_S):
                await world.rest()
        async with httpx.AsyncClient(trust_env=False) as client:
            for name in SERVICES:
                answer = await client.get(f"{home.url(name)}/metrics")
                seen.texts[f"metrics of {name}"] = answer.content
        seen.bus = await messages_of(home)
    finally:
        await world.close()
    return seen


async def _play(world: MarkedWorld) -> None:
    """Play the case; what it tells the recipients is not looked at here."""
    for step in sorted(CASE.steps, key=lambda one: one.at):
        if step.actions:
            await world.set_time(step.at)
        for act in step.actions:
            await act(world)
            await world.rest()


async def _no_table(world: MarkedWorld) -> None:
    """Take away a table under the feet of a request and of an event."""
    home = world.home
    who, path, body = world.good["POST referral/referrals"]
    await _sql(home, "scheduling", "ALTER TABLE offers RENAME TO offers_away")
    await _sql(home, "referral", "ALTER TABLE children RENAME TO children_away")
    name = world.marks.word("referral.child.given_name 2")
    child = {**body["child"], "external_ids": {}, "given_name": name}
    reference = world.marks.word("referral.police_reference 2")
    other = {**body, "police_reference": reference, "child": child}
    await world.ask(who, "POST", "referral", path, other)
    await asyncio.sleep(1)
    await _sql(home, "referral", "ALTER TABLE children_away RENAME TO children")
    await world.ask(who, "POST", "referral", path, other)
    await asyncio.sleep(2)
    await _sql(home, "scheduling", "ALTER TABLE offers_away RENAME TO offers")


async def _sql(home: Home, service: str, statement: str) -> None:
    url = home.database_url(service)
    if url.startswith("sqlite"):
        import sqlite3

        with contextlib.closing(sqlite3.connect(home.db(service), timeout=10)) as db:
            db.execute(statement)
            db.commit()
    else:
        await postgres.ask(url.replace("+asyncpg", ""), statement)


async def _poison(home: Home) -> None:
    """Send what cannot be parsed, and what no handler can take, as `referral` would."""
    client = await nats.connect(
        home.nats_url,
        nkeys_seed=str(home.nkey("referral")),
        inbox_prefix=inbox_of("referral"),
    )
    js = client.jetstream(prefix=API_PREFIX)
    try:
        subject = "evt.referral.episode_referred.v1"
        for number, body in enumerate((b"\xff\xfe", b"{}", b'{"id": ""}', b"[" * 5000)):
            await js.publish(subject, body, headers={"Nats-Msg-Id": f"poison-{number}"})
    finally:
        await client.close()


async def _engine_away(world: MarkedWorld) -> None:
    """Write an interview down while the engine hangs, and again while it is gone."""
    who, path, body = world.good["POST interview/interviews"]
    pid = world.home.state()["parts"]["opa"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    await world.ask(who, "POST", "interview", path, body)
    await asyncio.sleep(1.5)
    os.kill(pid, signal.SIGCONT)
    os.kill(pid, signal.SIGKILL)
    await world.ask(who, "POST", "interview", path, body)


async def _crash(home: Home) -> None:
    """Let every service die as it does by a fault of its own, and wait until all are back."""
    before = {name: home.state()["parts"][name]["pid"] for name in SERVICES}
    for pid in before.values():
        os.kill(pid, signal.SIGABRT)
    os.kill(home.state()["parts"]["nats"]["pid"], signal.SIGKILL)

    def back() -> bool:
        parts = home.state()["parts"]
        return all(
            parts[name]["pid"] != before[name] and probe.is_ready(parts[name]["url"])
            for name in SERVICES
        )

    await eventually(back, 90, "not all came back")


def _start_that_fails(home: Home, marks: Marks) -> bytes:
    """Start a service whose files are not what they should be; return what it said."""
    wrong = home.path / "db" / "localities.yaml"
    wrong.write_text(f"localities: {{northshire: {{dsl: [{marks.sentence('localities')}]}}}}\n")
    said = b""
    for settings in (
        {"HOMEWARD_LOCALITIES": str(wrong)},
        {"HOMEWARD_CLOCK": marks.word("setting")},
        {"HOMEWARD_DATABASE_URL": marks.sentence("setting.url")},
    ):
        env = {**os.environ, **_of_process(home, "referral"), **settings}
        ended = subprocess.run(
            [sys.executable, "-m", "services.referral"], env=env, capture_output=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert ended.returncode != 0
        said += ended.stdout + ended.stderr
    return said


def _of_process(home: Home, service: str) -> dict[str, str]:
    from homeward import parts

    return dict(parts.service(home, {**home.ports, service: 1}, service, {}).env)


def test_every_field_that_takes_words_was_given_marked_ones(seen: Seen):
    """A new field is found in the service's own description: it cannot be forgotten."""
    broken = set(seen.marks.where.values())
    for one in seen.world.operations:
        for place, _ in one.leaves():
            where = ".".join([one.service, *(str(step) for step in place if isinstance(step, str))])
            assert one.template == "/clock" or f"{where} wrong" in broken, (one.name, place)
    assert len(seen.world.marked) >= 15, sorted(seen.world.marked)


def test_every_wrong_way_was_tried(seen: Seen):
    statuses = {status for _, status, _ in seen.world.refusals}

    assert statuses >= {401, 403, 404, 405, 409, 413, 422, 500}
    assert len(seen.world.refusals) > 500


def test_no_refusal_repeats_what_was_wrong(seen: Seen):
    leaks = {
        asked: (status, found)
        for asked, status, whole in seen.world.refusals
        if (found := seen.marks.found_in(whole))
    }

    assert leaks == {}


def test_no_file_of_the_home_holds_a_mark(seen: Seen):
    """Logs, crash output, the broker's store, state, what is generated, the exported ledger."""
    assert dict(files_of(seen.home, seen.marks)) == {}


def test_nothing_that_was_printed_or_counted_holds_a_mark(seen: Seen):
    """The server's log told of statements that failed, and not of their values."""
    server = seen.texts["postgres log"]
    assert not server or b"STATEMENT:" in server
    leaks = {
        name: found for name, text in seen.texts.items() if (found := seen.marks.found_in(text))
    }

    assert leaks == {}


def test_no_message_on_the_bus_holds_a_mark(seen: Seen):
    assert any(name.startswith("DLQ_") for name, _ in seen.bus)
    assert any(name.startswith("FEED_") for name, _ in seen.bus)
    leaks = {name: found for name, data in seen.bus if (found := seen.marks.found_in(data))}

    assert leaks == {}


def test_only_the_tables_that_own_them_hold_marks(seen: Seen):
    assert asyncio.run(leaks_in_databases(seen.home, seen.marks)) == []


def test_a_crash_leaves_no_image_of_memory(seen: Seen):
    assert seen.cores == []
