"""Dashboard and alerts ask what the running system answers."""

import math

import pytest
import yaml
from seeing_home import RULES, Watched, dashboard

ASKED = dashboard()
ALERTS = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
}


@pytest.mark.parametrize(("title", "expression"), ASKED, ids=[f"{t}: {e}" for t, e in ASKED])
def test_a_panel_shows_numbers(watched: Watched, title: str, expression: str):
    values = [float(one["value"][1]) for one in watched.ask(expression)]

    assert values, f"{title} is empty"
    assert not any(math.isnan(value) for value in values), values


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_asked_of_metrics_that_exist(watched: Watched, name: str):
    watched.ask(ALERTS[name])
    for part in ALERTS[name].replace(" or ", " > ").split(" > ")[:1]:
        quiet = part.partition(" == ")[0]
        assert watched.ask(quiet), f"{name} asks for what is not there: {quiet}"


def test_a_case_that_went_well_calls_nobody(watched: Watched):
    """But about the test clock, and about what a test's partners never acknowledge."""
    firing = {one["metric"]["alertname"] for one in watched.ask('ALERTS{alertstate="firing"}')}

    assert firing <= {"ClockWrong", "FeedBehind"}, firing
