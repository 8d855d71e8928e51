"""A home in which a case was played while a real Prometheus watched, shared by this folder."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from support.broker import free_port

from homeward import probe, seeing, up
from homeward.demo import partners
from homeward.demo.cases import CASES
from homeward.demo.play import _play
from homeward.home import SERVICES, Home

RULES = Path(__file__).parents[2] / "deploy" / "alerts" / "homeward.rules.yaml"
EVERY_S = 1


@dataclass(frozen=True)
class Watched:
    """A home that is up, and what Prometheus has seen of it."""

    home: Home
    prometheus: str

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return what Prometheus answers now; fails where the expression does not."""
        query = urlencode({"query": expression})
        answer = probe.get_json(f"{self.prometheus}/api/v1/query?{query}", timeout_s=30)
        assert answer is not None, f"refused: {expression}"
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def eventually(self, expression: str, *, true: bool = True, within_s: float = 60) -> None:
        """Wait until an expression finds something, or nothing any more."""
        end = time.monotonic() + within_s
        while bool(self.ask(expression)) is not true:
            assert time.monotonic() < end, f"not within {within_s:g} s: {true} {expression}"
            time.sleep(0.3)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with the test clock in which a case is played."""
    home = Home.at(tmp_path_factory.mktemp("seeing") / "home")
    try:
        up.start_detached(home, env={"HOMEWARD_CLOCK": "test"})
        partners.join(home)
        yield home
    finally:
        up.stop(home)


@pytest.fixture(scope="session")
def watched(played: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The same, watched by Prometheus while S4 was played."""
    if shutil.which("prometheus") is None:
        pytest.skip("no prometheus: apt-get install prometheus")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    config = yaml.safe_load((played.generated / "prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": f"{EVERY_S}s", "evaluation_interval": f"{EVERY_S}s"}
    config["rule_files"] = [str(RULES)]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yaml",
             f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log, env={"PATH": os.environ["PATH"], "GOMAXPROCS": "1"},
        )  # fmt: skip
    try:
        seen = Watched(played, f"http://127.0.0.1:{port}")
        end = time.monotonic() + 60
        while probe.get(f"{seen.prometheus}/-/ready")[0] != 200:
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < end, "prometheus does not come up"
            time.sleep(0.1)
        seen.eventually(f'count(up{{job="homeward"}} == 1) == {len(SERVICES)}')
        with contextlib.redirect_stderr(None):
            asyncio.run(_play(played, [CASES["S4"]]))
        time.sleep(2 * EVERY_S)
        yield seen
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@pytest.fixture(scope="session")
def scraped(played: Home) -> seeing.Scrapes:
    """What each service of the home says of itself."""
    urls = {name: played.url(name) for name in SERVICES}
    return seeing.scrape(urls)


def dashboard() -> list[tuple[str, str]]:
    """Return title and expression of each query of the dashboard."""
    file = RULES.parents[1] / "dashboards" / "homeward.json"
    panels = json.loads(file.read_text())["panels"]
    return [(panel["title"], one["expr"]) for panel in panels for one in panel["targets"]]
