"""A home that runs: side by side with another, restarted when something dies, stopped cleanly."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from homeward import processes
from homeward.home import SERVICES, Home

WITHIN_S = 90.0


def homeward(*words: str, home: Home, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command for one home."""
    return subprocess.run(
        [sys.executable, "-m", "homeward", *words, "--home", str(home.path)],
        capture_output=True, text=True, timeout=180, check=False, env={**os.environ, **env},
    )  # fmt: skip


def status(home: Home) -> dict[str, Any]:
    """Return what `homeward status --json` says."""
    found: dict[str, Any] = json.loads(homeward("status", "--json", home=home).stdout)
    return found


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < end, f"not within {WITHIN_S:g} s: {what}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Home]]:
    """Two homes that are up at the same time; the second has the test clock."""
    first, second = (Home.at(tmp_path_factory.mktemp("homes") / name) for name in ("one", "two"))
    try:
        for home, clock in ((first, "real"), (second, "test")):
            started = homeward("up", "--detach", home=home, HOMEWARD_CLOCK=clock)
            assert started.returncode == 0, started.stderr
            assert ("test clock" in started.stderr) == (clock == "test")
        yield first, second
    finally:
        for home in (first, second):
            homeward("down", home=home)


def pids(home: Home) -> dict[str, int]:
    """Return the process ids of all parts."""
    return {name: part["pid"] for name, part in home.state()["parts"].items()}


def test_two_homes_run_side_by_side(homes: tuple[Home, Home]):
    first, second = homes

    assert status(first)["ready"]
    assert status(second)["ready"]
    assert not set(first.ports.values()) & set(second.ports.values())
    assert not set(pids(first).values()) & set(pids(second).values())


def test_status_says_what_runs_where(homes: tuple[Home, Home]):
    found = status(homes[0])

    assert found["home"] == str(homes[0].path)
    assert set(found["services"]) == set(SERVICES)
    for one in (*found["services"].values(), found["nats"], found["opa"]):
        assert psutil.pid_exists(one["pid"])
        assert one["url"].split("//")[1].startswith("127.0.0.1:")
    assert found["opa"]["kind"] in {"server", "library"}
    assert found["opa"]["version"]


def test_everything_listens_on_this_machine_alone(homes: tuple[Home, Home]):
    for pid in pids(homes[0]).values():
        process = psutil.Process(pid)
        listening = [c for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]

        assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


def test_a_home_that_is_up_is_not_started_twice(homes: tuple[Home, Home]):
    before = pids(homes[0])

    again = homeward("up", "--detach", home=homes[0])
    in_front = homeward("up", home=homes[0])

    assert again.returncode == 0
    assert in_front.returncode == 1
    assert "up already" in in_front.stderr
    assert pids(homes[0]) == before


@pytest.mark.parametrize("name", ["scheduling", "nats", "opa"])
def test_what_dies_is_started_again_and_it_is_said(homes: tuple[Home, Home], name: str):
    home = homes[0]
    before = pids(home)[name]

    os.kill(before, signal.SIGKILL)

    eventually(lambda: pids(home)[name] != before and status(home)["ready"], f"{name} is back")
    assert (
        f"{name} ended (killed by SIGKILL); starting it again"
        in (home.logs / "supervisor.log").read_text()
    )
    assert status(home)["restarts"][name] >= 1


def test_no_log_holds_a_secret(homes: tuple[Home, Home]):
    home = homes[0]
    logs = "".join(file.read_text(errors="replace") for file in home.logs.iterdir())

    for secret in (home.opa_token, *home.keys_dir.glob("*.nk"), *home.keys_dir.rglob("*.jwt")):
        assert secret.read_text().strip() not in logs


def test_a_killed_supervisor_leaves_nothing_that_the_next_start_does_not_clean(
    homes: tuple[Home, Home],
):
    home, other = homes
    left = pids(home)
    os.kill(home.state()["supervisor"]["pid"], signal.SIGKILL)
    assert all(psutil.pid_exists(pid) for pid in left.values())

    started = homeward("up", "--detach", home=home)

    assert started.returncode == 0, started.stderr
    assert not [name for name, pid in left.items() if psutil.pid_exists(pid)]
    assert status(home)["ready"]
    assert status(other)["ready"]


def test_down_stops_only_its_own(homes: tuple[Home, Home]):
    home, other = homes
    mine, theirs = pids(home), pids(other)

    stopped = homeward("down", home=home)

    assert stopped.returncode == 0
    assert not [pid for pid in mine.values() if psutil.pid_exists(pid)]
    assert all(psutil.pid_exists(pid) for pid in theirs.values())
    assert status(other)["ready"]
    assert homeward("status", home=home).returncode == 1


def test_what_only_has_the_number_of_a_part_is_left_alone(tmp_path: Path):
    home = Home.at(tmp_path / "home").make()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        remembered = {"pid": stranger.pid, "created": 1.0, "url": "", "restarts": 0}
        home.write_state({"parts": {"referral": remembered}, "supervisor": remembered})

        assert "nothing runs" in homeward("down", home=home).stdout
        assert processes.find(processes.known(stranger.pid)) is not None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_engine_that_is_missing_is_said_plainly(tmp_path: Path):
    home = Home.at(tmp_path / "home")

    ended = homeward("up", "--detach", home=home, HOMEWARD_OPA="/nowhere/opa")

    assert ended.returncode == 1
    assert "go install github.com/open-policy-agent/opa" in ended.stderr
    assert not [p for p in pids(home).values() if psutil.pid_exists(p)]


def test_a_broken_database_stops_the_start_and_is_said(tmp_path: Path):
    home = Home.at(tmp_path / "home").make()
    home.db("referral").write_bytes(b"this is no database" * 100)

    ended = homeward("up", "--detach", home=home)

    assert ended.returncode == 1
    assert "could not be migrated" in ended.stderr
    assert not [pid for pid in pids(home).values() if psutil.pid_exists(pid)]
