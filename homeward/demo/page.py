"""Show what a demo found on one page that needs nothing else: no script, no network."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from homeward.demo import wording
from homeward.demo.results import CaseFound, ClockFound, DecisionFound, DemoFound

LEGEND = (
    ("allow", "all of it left"),
    ("allow_redacted", "only the part that is needed left"),
    ("defer", "a named person has to judge something first"),
    ("deny", "it stays in"),
)


def render(found: DemoFound) -> str:
    """Return the page as HTML; everything in it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    checks = sum(len(case.checks) for case in found.cases.values())
    return environment.get_template("page.html.j2").render(
        found=found,
        cases=[_case(case) for case in found.cases.values()],
        words=wording.DECISIONS,
        legend=LEGEND,
        total=sum(len(case.decisions) for case in found.cases.values()),
        checks=checks,
        failed=len(found.failed),
        played=wording.day_and_time(found.played_at),
    )


def _case(case: CaseFound) -> dict[str, Any]:
    cells = {(one.item, one.recipient): one for one in case.decisions}
    rows = [
        (
            episode,
            [
                {
                    "label": item.label,
                    "category": wording.CATEGORIES.get(item.category, item.category),
                    "cells": [
                        _cell(cells.get((item.item, who.recipient))) for who in case.recipients
                    ],
                }
                for item in items
            ],
        )
        for episode, items in _grouped(case.items, "episode")
    ]
    return {
        "key": case.case,
        "title": case.title,
        "story": case.story,
        "days": _days(case),
        "clocks": [
            (episode, [_clock(clock) for clock in clocks])
            for episode, clocks in _grouped(case.clocks, "episode")
        ],
        "recipients": case.recipients,
        "rows": rows,
        "readable": _readable(case),
        "checks": case.checks,
        "failed": sum(not check.held for check in case.checks),
    }


def _grouped(things: Iterable[Any], name: str) -> list[tuple[str, list[Any]]]:
    groups: dict[str, list[Any]] = {}
    for thing in things:
        groups.setdefault(getattr(thing, name), []).append(thing)
    return list(groups.items())


def _days(case: CaseFound) -> list[tuple[str, list[dict[str, Any]]]]:
    moments = sorted(case.moments, key=lambda moment: moment.at)
    return [
        (
            day,
            [
                {"at": one.at, "hour": wording.hour(one.at), "text": one.text, "kind": one.kind}
                for one in group
            ],
        )
        for day, group in groupby(moments, key=lambda moment: wording.day(moment.at))
    ]


def _clock(clock: ClockFound) -> dict[str, Any]:
    """Return a clock as a bar: the allowed time, the time used, and the rest in words."""
    name, of = wording.CLOCKS.get(clock.clock, (clock.clock, "of its start"))
    allowed = clock.due_at - clock.started_at
    used = (clock.met_at or clock.due_at) - clock.started_at
    whole = max(allowed, used) or timedelta(seconds=1)
    return {
        "name": name,
        "of": of,
        "allowed": wording.span(allowed) if allowed < timedelta(days=4) else f"{allowed.days} days",
        "state": clock.state,
        "verdict": _verdict(clock, used),
        "due_x": round(100 * (allowed / whole), 2),
        "met_x": round(100 * (used / whole), 2) if clock.met_at else 0,
        "started": wording.day_and_time(clock.started_at),
        "due": wording.day_and_time(clock.due_at),
    }


def _verdict(clock: ClockFound, used: timedelta) -> str:
    if clock.clock == "forensic":
        return f"told after {wording.span(used)}"
    if clock.met_at and clock.met_at <= clock.due_at:
        return f"met after {wording.span(used)}"
    if clock.met_at:
        return f"late, after {wording.span(used)}"
    return {"missed": "missed: escalated", "running": "still running"}.get(clock.state, clock.state)


def _cell(decision: DecisionFound | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    transforms = [wording.TRANSFORMS.get(one, one) for one in decision.transforms]
    waits = decision.defer_to and f"waits for {_owner(str(decision.defer_to.get('owner', '')))}"
    return {
        "decision": decision.decision,
        "how": ", ".join(transforms) or waits or "",
        "reasons": decision.reasons,
        "rules": " · ".join(decision.rule_ids),
    }


def _owner(owner: str) -> str:
    return {
        "dsl": "the safeguarding lead",
        "dsl_and_ig": "the safeguarding and governance leads",
        "dpo_and_dsl": "the data protection officer and the safeguarding lead",
        "dpo": "the data protection officer",
    }.get(owner, owner)


def _readable(case: CaseFound) -> list[dict[str, Any]]:
    labels = {item.item: item.label for item in case.items}
    order = list(labels)
    shown = []
    for who in case.recipients:
        read = case.readable.get(who.recipient, [])
        entries = [
            {
                "title": labels[entry["item"]],
                "lines": _lines(entry.get("fields") or {}),
            }
            for entry in sorted(read, key=lambda one: order.index(one["item"]))
        ]
        how = "Decrypted from their own feed" if who.by == "feed" else "Told by a worker"
        shown.append({"label": who.label, "how": how, "entries": entries})
    return shown


def _lines(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": "" if name in {"text", "words"} else name.replace("_", " "),
            "text": _plain(value),
            "quote": name in {"text", "words"},
        }
        for name, value in fields.items()
        if value not in (None, "", [], {})
    ]


def _plain(value: Any) -> str:
    """Return a value as a person would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{key.replace('_', ' ')}: {_plain(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_plain(one) for one in value)
    if isinstance(value, datetime):
        return wording.day_and_time(value)
    text = str(value)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text.replace("_", " ")
    return wording.day_and_time(at) if at.tzinfo else text
