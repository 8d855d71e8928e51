"""Alerts: each is well formed, fires in its condition and no other, and has its page."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ALERTS, DASHBOARD = ROOT / "deploy" / "alerts", ROOT / "deploy" / "dashboards" / "homeward.json"
RULES = [
    rule
    for group in yaml.safe_load((ALERTS / "homeward.rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]
_NAME = re.compile(r"\b(?:homeward|process)_[a-z_]+")


def promtool(*words: str, cwd: Path = ALERTS) -> subprocess.CompletedProcess[str]:
    """Run promtool; skip where it is not to be had."""
    if shutil.which("promtool") is None:
        pytest.skip("no promtool: apt-get install prometheus")
    return subprocess.run(
        ["promtool", *words], capture_output=True, text=True, check=False, cwd=cwd
    )


def test_the_rules_are_well_formed():
    checked = promtool("check", "rules", "homeward.rules.yaml")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_fires_in_its_condition_and_is_quiet_beside_it():
    tested = promtool("test", "rules", "homeward.test.yaml")

    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_tested_both_ways_and_has_a_page(rule):
    tests = yaml.safe_load((ALERTS / "homeward.test.yaml").read_text())["tests"]
    alerts = [one["exp_alerts"] for test in tests for one in test["alert_rule_test"]
              if one["alertname"] == rule["alert"]]  # fmt: skip
    page = ROOT / rule["annotations"]["runbook"]

    assert sorted(map(bool, alerts)) == [False, True]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert page.is_file(), page
    assert rule["alert"] in page.read_text(), "the page does not say which alert leads to it"


@pytest.mark.parametrize("name", ["compose", "kubernetes"])
def test_prometheus_takes_the_configuration(name, tmp_path):
    text = (ROOT / "deploy" / "prometheus" / f"{name}.yaml").read_text()
    # Debian's build knows no Kubernetes; all else of that file is checked
    text = text.replace(
        "kubernetes_sd_configs:\n      - role: pod", "static_configs:\n      - targets: ['a:1']"
    )
    (tmp_path / "ca.crt").touch()
    shutil.copy(ALERTS / "homeward.rules.yaml", tmp_path)
    (tmp_path / "prometheus.yaml").write_text(text.replace("/etc/prometheus", str(tmp_path)))

    checked = promtool("check", "config", "prometheus.yaml", cwd=tmp_path)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_alerts_and_dashboard_ask_only_for_what_is_documented():
    asked = {name for rule in RULES for name in _NAME.findall(rule["expr"])}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked |= {n for p in panels for t in p["targets"] for n in _NAME.findall(t["expr"])}
    documented = set(_NAME.findall((ROOT / "docs" / "metrics.md").read_text()))
    plain = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in asked}

    assert plain - documented == set()
