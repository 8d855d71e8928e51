"""The list of metrics is what a running home says, and no label of it names anybody."""

import os
import re
import time
from pathlib import Path

from metrics_page import render

from homeward import probe
from homeward.home import SERVICES, Home

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
LABELS = {"clock", "state", "partner", "publisher", "kind", "owner", "name", "handler", "result",
          "route", "method", "status", "reason", "code", "decision", "le", "version",
          "policy_version"}  # fmt: skip


OF_HEARING = {
    "homeward_comparison_missing",
    "homeward_events_handled_total",
    "homeward_event_seconds",
}


def scrapes(home: Home) -> dict[str, str]:
    return {n: probe.get(f"{home.url(n)}/metrics", timeout_s=20)[1].decode() for n in SERVICES}


def test_the_page_lists_what_a_running_home_says(played: Home):
    page = render(scrapes(played))
    if os.environ.get("UPDATE_METRICS"):
        PAGE.write_text(page)

    assert page == PAGE.read_text()


def test_no_label_names_anybody(played: Home):
    for service, text in scrapes(played).items():
        for name, value in re.findall(r'(\w+)="([^"]*)"', text):
            assert name in LABELS, (service, name)
            if name != "route":
                assert re.fullmatch(r"[A-Za-z0-9_.+-]{0,80}", value), (service, name, value)
            assert not re.search(r"\b[A-Z]{2}-[A-Za-z0-9]{6,}", value), (service, name, value)


def test_what_can_be_expected_is_zero_and_not_absent(played: Home):
    end = time.monotonic() + 60
    while any(re.search(r"^[^#].* NaN$", text, re.M) for text in scrapes(played).values()):
        assert time.monotonic() < end, "what is up for a minute can be looked up"
        time.sleep(1)
    for service, text in scrapes(played).items():
        for family in re.findall(r"^# TYPE (homeward_\w+) ", text, re.MULTILINE):
            if service == "referral" and family in OF_HEARING:
                continue  # it hears nothing of anybody
            assert re.search(rf"^{family}(_\w+)?[ {{]", text, re.MULTILINE), (service, family)
