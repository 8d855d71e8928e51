"""The list of metrics in docs/metrics.md, as a running home's scrape has it."""

import re
from collections.abc import Mapping

HEAD = """# Metrics

Each service answers `GET /metrics` in Prometheus' format, without a token: nothing in it is about
anybody. Labels are codes, routes, handlers, services and the keys of partner agencies; never an
id, a name or a place. What can be expected reads 0 from the start, and NaN where it cannot be
known just now; a scrape answers in time also where the database or the broker hangs.

A home writes a scrape configuration for its own ports, `generated/prometheus.yaml`; for Compose
and Kubernetes see `deploy/prometheus/`. Alerts are in `deploy/alerts/`, each with a page in
[runbooks](runbooks/README.md); the dashboard is `deploy/dashboards/homeward.json`.

This table is what the scrape of a running home says; a test fails when it is stale
(`UPDATE_METRICS=1 .venv/bin/pytest -n 0 tests/seeing/test_metrics.py` writes it).

| metric | kind | labels | services | what it says |
|---|---|---|---|---|
"""
_EVERY = ("referral", "scheduling", "interview", "sharing", "notify")
_LABEL = re.compile(r'(\w+)="')


def render(scrapes: Mapping[str, str]) -> str:
    """Return the page for the text of each service's scrape."""
    about: dict[str, tuple[str, str]] = {}
    labels: dict[str, set[str]] = {}
    services: dict[str, list[str]] = {}
    for service, text in scrapes.items():
        for line in text.splitlines():
            words = line.split(" ", 3)
            if words[:2] == ["#", "HELP"]:
                about[words[2]] = ("", words[3] if len(words) > 3 else "")
                services.setdefault(words[2], []).append(service)
            elif words[:2] == ["#", "TYPE"]:
                about[words[2]] = (words[3], about[words[2]][1])
            else:
                name = line.partition("{")[0].partition(" ")[0]
                family = re.sub(r"_(bucket|sum|count)$", "", name)
                family = family if family in about else name
                labels.setdefault(family, set()).update(_LABEL.findall(line))
    rows = [
        f"| `{name.removesuffix('_total')}` | {kind} | {_codes(labels.get(name, set()) - {'le'})} "
        f"| {_whose(services[name])} | {text} |"
        for name, (kind, text) in sorted(about.items())
    ]
    return HEAD + "\n".join(rows) + "\n"


def _codes(names: set[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "-"


def _whose(names: list[str]) -> str:
    return "all" if set(names) == set(_EVERY) else ", ".join(names)
