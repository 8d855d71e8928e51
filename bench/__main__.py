"""`python -m bench`: the bars of the design in one run; `--only events,start` narrows.

Prints a table, writes `bench/results/figures.json` and the plots of `docs/performance.md`. Growth
to a million (bar 6) takes longer than all others together and is `python -m bench.growth`.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench import decisions, events, journey, start
from bench.measure import HEAD, Figure, table
from bench.plot import lines
from bench.stage import ROOT, staged

RESULTS = Path(__file__).parent / "results"
PLOTS = ROOT / "docs" / "figures"


async def _decisions(quick: bool) -> list[Figure]:
    return [await decisions.measure(*((1, 6) if quick else (5, 40)))]


async def _events(quick: bool) -> list[Figure]:
    return [await events.measure(*((1, 100) if quick else (5, 600)))]


async def _journey(quick: bool) -> list[Figure]:
    return await journey.measure(3 if quick else 40)


async def _start(quick: bool) -> list[Figure]:
    return [await start.start(1 if quick else 5)]


async def _memory(quick: bool) -> list[Figure]:
    async with staged() as stage:
        figures, course = await start.memory(stage, 200 if quick else start.EVENTS)
    if not quick:
        draw(course)
    return figures


BARS: dict[str, Callable[[bool], Awaitable[list[Figure]]]] = {
    "decisions": _decisions,
    "events": _events,
    "journey": _journey,
    "start": _start,
    "memory": _memory,
}


def draw(course: start.Course) -> None:
    """Write both plots of the course of 10,000 events."""
    PLOTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "course.json").write_text(json.dumps(asdict(course)) + "\n")
    throughput, before = [], (0.0, 0)
    for at, done in zip(course.at_s, course.handled, strict=True):
        throughput.append(max(0.0, (done - before[1]) / max(at - before[0], 1e-9)))
        before = (at, done)
    handled = [float(count) for count in course.handled]
    (PLOTS / "throughput.svg").write_text(
        lines("Events handled by the slowest of three services", "seconds", "per second",
              course.at_s, {"events": throughput})
    )  # fmt: skip
    (PLOTS / "memory.svg").write_text(
        lines("Resident memory while events are handled", "events handled", "MB", handled,
              course.memory_mb)
    )  # fmt: skip


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": platform.platform(),
    }


async def run(names: list[str], *, quick: bool) -> list[Figure]:
    """Measure one bar after the other, telling each as soon as it is known."""
    figures: list[Figure] = []
    for name in names:
        sys.stderr.write(f"{name} …\n")
        for figure in await BARS[name](quick):
            sys.stderr.write(f"  {figure.text()}\n")
            figures.append(figure)
    return figures


def main() -> None:
    """Measure, print the table, keep the figures."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", default=",".join(BARS), help="names, with commas")
    parser.add_argument("--quick", action="store_true", help="show that it runs; no figures")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    before = machine()
    figures = asyncio.run(run(arguments.only.split(","), quick=arguments.quick))
    print(table([HEAD, *(figure.row() for figure in figures)]))
    if not arguments.quick:
        told = {"machine": before, "figures": [figure.plain() for figure in figures]}
        (RESULTS / "figures.json").write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
