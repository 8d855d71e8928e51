"""Services that are forked from one process are as if each had been started by its command."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from homeward.forked import Mother
from homeward.parts import Part

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="nobody adopts here")

SAYS = "import os; print(os.environ['WHO'], flush=True); raise SystemExit(3)"
STAYS = "import time; print('begun', flush=True); time.sleep(600)"


def a_service(folder: Path, name: str, code: str) -> Part:
    """A program that is started like a service, by the name of its module."""
    (folder / f"{name}.py").write_text(code)
    return Part(name, (sys.executable, "-m", name), "", {**os.environ, "WHO": f"I am {name}"})


async def a_mother(folder: Path) -> Mother:
    made = await Mother.begin(folder / "forked.log", folder)
    assert made is not None
    return made


async def test_each_has_its_own_environment_log_and_return_code(tmp_path):
    two = [a_service(tmp_path, name, SAYS) for name in ("one", "other")]
    born = await (await a_mother(tmp_path)).bear(two, tmp_path)

    assert [await process.wait() for process in born.values()] == [3, 3]
    assert (tmp_path / "one.log").read_text() == "I am one\n"
    assert (tmp_path / "other.log").read_text() == "I am other\n"


async def test_it_is_a_child_of_ours_in_a_session_of_its_own_and_ends_when_asked(tmp_path):
    born = await (await a_mother(tmp_path)).bear([a_service(tmp_path, "one", STAYS)], tmp_path)
    process = born["one"]

    assert psutil.Process(process.pid).ppid() == os.getpid()
    assert os.getsid(process.pid) == process.pid
    process.terminate()
    assert await process.wait() == -15
    assert process.returncode == -15
    with pytest.raises(ProcessLookupError):
        process.kill()


async def test_what_it_cannot_do_is_said_in_its_log(tmp_path):
    broken = a_service(tmp_path, "one", "raise ValueError('of no use')")
    born = await (await a_mother(tmp_path)).bear([broken], tmp_path)

    assert await born["one"].wait() == 1
    assert "of no use" in (tmp_path / "one.log").read_text()


async def test_where_it_fails_there_are_no_processes_and_nothing_is_left_over(tmp_path):
    mother = await a_mother(tmp_path)
    mother._process.kill()

    assert await mother.bear([a_service(tmp_path, "one", STAYS)], tmp_path) == {}
    assert [p for p in psutil.Process().children() if "homeward.forked" in p.cmdline()] == []
