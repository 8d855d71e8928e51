"""What a measurement comes to: medians on both sides, their ratio, and whether the bar is met."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil


@dataclass
class Side:
    """Repeated measurements of ours or of the floor."""

    name: str
    values: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    """Processor time per unit of work, which a loaded machine distorts less."""

    def add(self, value: float, cpu_ms: float | None = None) -> None:
        """Add one measurement."""
        self.values.append(value)
        if cpu_ms is not None:
            self.cpu_ms.append(cpu_ms)

    @property
    def median(self) -> float:
        """Return the middle one."""
        return statistics.median(self.values)


@dataclass
class Figure:
    """One bar: what is measured, on ours and on the floor where there is one."""

    name: str
    bar: float
    unit: str = "/s"
    at_least: bool = True
    """Whether the bar is a least; else it is a most."""
    sides: list[Side] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def ours(self) -> Side:
        """Return our side."""
        return self.sides[0]

    @property
    def ratio(self) -> float | None:
        """Return ours against the floor."""
        return self.ours.median / self.sides[1].median if len(self.sides) > 1 else None

    @property
    def reached(self) -> float:
        """Return what is held against the bar."""
        return self.ratio if self.ratio is not None else self.ours.median

    @property
    def met(self) -> bool:
        """Tell whether the bar is met."""
        return self.reached >= self.bar if self.at_least else self.reached <= self.bar

    def row(self) -> list[str]:
        """Return the row of the table: bar, ours, floor, ratio, met."""
        floor = f"{self.sides[1].median:.4g} {self.unit}" if self.ratio is not None else ""
        return [
            self.name,
            f"{'≥' if self.at_least else '≤'} {self.bar:g}{'' if floor else ' ' + self.unit}",
            f"{self.ours.median:.4g} {self.unit}",
            floor,
            f"{self.ratio:.2f}" if self.ratio is not None else "",
            "yes" if self.met else "no",
        ]

    def text(self) -> str:
        """Return one line for a person, with processor time where it was taken."""
        cpu = [f"{s.name} {statistics.median(s.cpu_ms):.3f} ms CPU" for s in self.sides if s.cpu_ms]
        return " | ".join([*self.row(), *cpu])

    def plain(self) -> dict[str, Any]:
        """Return everything that was measured, as plain JSON."""
        reached = {"ratio": self.ratio, "reached": self.reached, "met": self.met}
        return asdict(self) | reached


HEAD = ["what", "bar", "ours", "floor", "ratio", "met"]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table with even columns."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "| "
        + " | ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        + " |"
        for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def cpu_s(process: psutil.Process) -> float:
    """Return the processor time a process has taken."""
    times = process.cpu_times()
    return float(times.user + times.system)


def rss_mb(process: psutil.Process) -> float:
    """Return the resident memory of a process, in MB of 10^6 bytes."""
    return float(process.memory_info().rss) / 1e6
