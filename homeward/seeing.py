"""What the services say of themselves when they are scraped, put together for one screen.

A service that is away leaves what it alone knows unknown (None), and nothing else.
"""

import math
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from homeward import probe
from homeward.home import SERVICES

WITHIN_S = 6.0
"""A service that cannot reach its database still answers a scrape within this."""

Sample = tuple[str, Mapping[str, str], float]
Scrapes = Mapping[str, list[Sample] | None]


def scrape(urls: Mapping[str, str | None], tls: ssl.SSLContext | None = None) -> Scrapes:
    """Ask each service for its metrics, all at once; None for one that does not answer."""
    with ThreadPoolExecutor(len(urls)) as pool:
        found = pool.map(_scrape, urls.values(), [tls] * len(urls))
        return dict(zip(urls, found, strict=True))


def _scrape(url: str | None, tls: ssl.SSLContext | None) -> list[Sample] | None:
    from prometheus_client.parser import (  # noqa: PLC0415 - other commands do not need it
        text_string_to_metric_families,
    )

    status, body = probe.get(f"{url}/metrics", WITHIN_S, tls=tls) if url else (0, b"")
    if status != 200:
        return None
    families = text_string_to_metric_families(body.decode())
    return [(one.name, one.labels, one.value) for family in families for one in family.samples]


def summary(scrapes: Scrapes) -> dict[str, Any]:
    """Return what a person has to know, under the names of `homeward status --json`."""
    scheduling, sharing = scrapes.get("scheduling"), scrapes.get("sharing")
    clocks = _by(scheduling, "homeward_clocks", "clock", "state")
    overdue = _by(scheduling, "homeward_clock_overdue_seconds", "clock")
    waiting = _by(sharing, "homeward_feed_unacknowledged", "partner")
    oldest = _by(sharing, "homeward_feed_unacknowledged_oldest_seconds", "partner")
    return {
        "clocks": {
            clock: {
                "near": _count(clocks.get((clock, "near"))),
                "missed": _count(clocks.get((clock, "missed"))),
                "overdue_s": _whole(overdue.get((clock,))),
            }
            for clock in sorted({clock for clock, _ in clocks})
        },
        "urgent_holds": {
            "open": _count(_one(sharing, "homeward_urgent_holds")),
            "escalated": _count(_one(sharing, "homeward_urgent_holds_escalated")),
            "oldest_s": _whole(_one(sharing, "homeward_urgent_hold_oldest_seconds")),
        },
        "feeds": {
            partner: {"unacknowledged": _count(count), "oldest_s": _whole(oldest.get((partner,)))}
            for (partner,), count in sorted(waiting.items())
        },
        "outbox": {
            name: {
                "waiting": _count(_by(samples, "homeward_pending", "kind").get(("outbox",))),
                "oldest_s": _whole(_one(samples, "homeward_outbox_oldest_seconds")),
            }
            for name, samples in scrapes.items()
        },
        "policy": {
            "answers": _true(_by(sharing, "homeward_dependency_up", "name").get(("policy",))),
            "version": next(
                (labels["policy_version"] for name, labels, _ in sharing or ()
                 if name == "homeward_policy_info"), None,
            ),
            "no_answers": _total(sharing, "homeward_policy_no_answers_total"),
        },
        "ledger": {
            "entries": _count(_one(sharing, "homeward_ledger_entries")),
            "unsigned": _count(_one(sharing, "homeward_ledger_unsigned_entries")),
            "unsigned_s": _whole(_one(sharing, "homeward_ledger_unsigned_oldest_seconds")),
        },
        "dead_letters": {
            name: _count(_one(samples, "homeward_dead_letters_waiting"))
            for name, samples in scrapes.items()
        },
        "missing": {
            name: _total(samples, "homeward_comparison_missing")
            for name, samples in scrapes.items()
        },
        "tasks_overdue": _total(sharing, "homeward_tasks_overdue"),
        "quarantine": _true(_one(sharing, "homeward_quarantine")),
    }  # fmt: skip


def lines(found: Mapping[str, Any]) -> list[str]:
    """Return the summary as lines for a person; what needs somebody begins with `!`."""
    clocks, holds = found["clocks"].values(), found["urgent_holds"]
    near, missed = _sum(one["near"] for one in clocks), _sum(one["missed"] for one in clocks)
    behind = {name: one for name, one in found["feeds"].items() if (one["oldest_s"] or 0) > 86_400}
    unread = _sum(one["unacknowledged"] for one in found["feeds"].values())
    if not found["feeds"] and found["ledger"]["entries"] is not None:
        unread = 0  # there is no partner yet
    outbox = _sum(one["waiting"] for one in found["outbox"].values())
    oldest = max((one["oldest_s"] or 0 for one in found["outbox"].values()), default=0)
    aside, lost = _sum(found["dead_letters"].values()), _sum(found["missing"].values())
    policy, ledger = found["policy"], found["ledger"]
    rows = [
        (bool(missed), "clocks", f"{_said(near)} near, {_said(missed)} missed"),
        (
            bool(holds["open"]),
            "urgent holds",
            f"{_said(holds['open'])} open"
            + (f", the oldest {_long(holds['oldest_s'])}" if holds["open"] else "")
            + (f", {holds['escalated']} not acted on in time" if holds["escalated"] else ""),
        ),
        (
            bool(behind),
            "feeds",
            f"{_said(unread)} not acknowledged"
            + "".join(f"; {name} for {_long(one['oldest_s'])}" for name, one in behind.items()),
        ),
        (
            oldest > 60,
            "outbox",
            f"{_said(outbox)} waiting" + (f", the oldest {_long(oldest)}" if oldest else ""),
        ),
        (
            policy["answers"] is False,
            "policy",
            {True: "answers", False: "gives no answer: nothing leaves", None: "not known"}[
                policy["answers"]
            ]
            + (f", version {policy['version']}" if policy["version"] else ""),
        ),
        (
            (ledger["unsigned_s"] or 0) > 1200,
            "ledger",
            f"{_said(ledger['entries'])} entries, {_said(ledger['unsigned'])} not signed yet"
            + (f" for {_long(ledger['unsigned_s'])}" if ledger["unsigned"] else ""),
        ),
        (
            bool(aside or lost),
            "put aside",
            f"{_said(aside)} dead letters, {_said(lost)} found missing",
        ),
        (bool(found["tasks_overdue"]), "tasks", f"{_said(found['tasks_overdue'])} overdue"),
        (
            found["quarantine"] is True,
            "quarantine",
            {True: "nothing leaves until two people end it", False: "none", None: "not known"}[
                found["quarantine"]
            ],
        ),
    ]
    return [f"{'!' if wrong else ' '} {name:<13}{text}" for wrong, name, text in rows]


def scrape_config(urls: Mapping[str, str], rules: Path | None = None) -> str:
    """Return Prometheus' configuration for the services of a home."""
    config: dict[str, Any] = {"global": {"scrape_interval": "15s", "evaluation_interval": "15s"}}
    if rules is not None:
        config["rule_files"] = [str(rules)]
    config["scrape_configs"] = [
        {
            "job_name": "homeward",
            "static_configs": [
                {"targets": [url.partition("//")[2]], "labels": {"service": name}}
                for name, url in urls.items()
            ],
        }
    ]
    return yaml.safe_dump(config, sort_keys=False)


def urls_of(ports: Mapping[str, int]) -> dict[str, str]:
    """Return where each service of a home answers."""
    return {name: f"http://127.0.0.1:{ports[name]}" for name in SERVICES}


def _by(samples: list[Sample] | None, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(found[label] for label in labels): value
        for one, found, value in samples or ()
        if one == name
    }


def _one(samples: list[Sample] | None, name: str) -> float | None:
    return _by(samples, name).get(())


def _total(samples: list[Sample] | None, name: str) -> int | None:
    values = [value for one, _, value in samples or () if one == name]
    return None if samples is None else _count(sum(values))


def _count(value: float | None) -> int | None:
    return None if value is None or math.isnan(value) else int(value)


def _whole(value: float | None) -> int | None:
    return None if value is None or math.isnan(value) else round(value)


def _true(value: float | None) -> bool | None:
    return None if value is None or math.isnan(value) else value == 1


def _sum(values: Iterable[int | None]) -> int | None:
    """Add up; what is not known makes the sum not known, and nothing to add is not known."""
    some = list(values)
    return None if not some or None in some else sum(value or 0 for value in some)


def _said(value: int | None) -> str:
    return "?" if value is None else str(value)


def _long(seconds: int | None) -> str:
    if seconds is None:
        return "?"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
