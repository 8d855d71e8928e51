"""A demo that nobody asked to keep leaves a page and nothing running."""

import psutil
from support.demo import homeward

from homeward.home import Home


def test_the_demo_stops_what_it_started_and_leaves_its_page(tmp_path):
    home = Home.at(tmp_path / "home")

    ended = homeward("demo", "S4", "--home", str(home.path))

    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    assert home.state()["parts"] == {}
    assert (home.path / "demo.html").exists()
    mine = str(home.path)
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if mine in " ".join(p.info["cmdline"] or [])
    ]
