"""One document for the holder of the token, nothing else loaded, and its digest said."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from pydantic import ValidationError

from homeward.engine import (
    BrokenPoliciesError,
    EngineMissingError,
    build_bundle,
    find_engine,
    policy_digest,
    server_command,
)
from homeward.engine.bundle import read_data
from homeward.engine.reads import facts_read
from services.sharing import policy_data
from services.sharing.settings import SharingSettings
from tests.policies.conftest import POLICIES, decide_all, is_here
from tests.policies.documents import a_document

DECISION = "/v1/data/homeward/sharing/decision"


@pytest.fixture(scope="module", params=["command", "library"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """Each engine in turn, one for all who only ask: nobody may change anything in it."""
    if not is_here(request.param):
        pytest.skip(f"the engine as {request.param} is not on this machine")
    folder = tmp_path_factory.mktemp("server")
    token = folder / "token"
    token.write_text("a-secret-of-this-test\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.MonkeyPatch.context() as chosen:
        chosen.setenv("HOMEWARD_OPA", request.param)
        build_bundle(POLICIES, folder / "bundle")
        command = server_command(find_engine(), folder / "bundle", port, token)
        assert "a-secret-of-this-test" not in " ".join(command)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    headers = {"Authorization": "Bearer a-secret-of-this-test"}
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None:
            try:
                client.get("/health")
                break
            except httpx.TransportError:
                time.sleep(0.02)
        yield client
    process.kill()
    process.wait()


def test_a_bundle_is_all_that_the_gate_needs_of_the_policies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the engine loads and what `sharing` reads come from one folder, under one digest."""
    digest = build_bundle(POLICIES, tmp_path / "bundle")
    for name in ("DATABASE_URL", "NATS_URL", "NATS_NKEY", "ISSUER", "JWKS", "TOKENS", "ID_KEY"):
        monkeypatch.setenv(f"HOMEWARD_{name}", "made-up")
    monkeypatch.setenv("HOMEWARD_OPA_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HOMEWARD_POLICIES", str(tmp_path / "bundle"))

    assert digest == SharingSettings().policy_digest
    assert policy_data.load(POLICIES) == policy_data.load(tmp_path / "bundle")


def test_policies_that_are_no_bundle_need_their_digest_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DATABASE_URL", "NATS_URL", "NATS_NKEY", "ISSUER", "JWKS", "TOKENS", "ID_KEY"):
        monkeypatch.setenv(f"HOMEWARD_{name}", "made-up")
    monkeypatch.setenv("HOMEWARD_OPA_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HOMEWARD_POLICIES", str(tmp_path))
    with pytest.raises(ValidationError, match="policy_digest"):
        SharingSettings()


def test_health_is_for_everybody(server: httpx.Client) -> None:
    answer = server.get("/health", headers={"Authorization": ""})

    assert answer.status_code == 200


def test_the_holder_of_the_token_gets_the_decision_with_the_digest(server: httpx.Client) -> None:
    asked = {"provenance": "true", "strict-builtin-errors": "true"}
    answer = server.post(DECISION, params=asked, json={"input": a_document()}).json()

    assert answer["result"]["rule_ids"] == ["POL-03"]
    (bundle,) = answer["provenance"]["bundles"].values()
    assert bundle["revision"] == policy_digest(POLICIES)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/policies/mine"),
        ("DELETE", "/v1/policies/decision.rego"),
        ("GET", "/v1/policies"),
        ("PUT", "/v1/data/table"),
        ("PATCH", "/v1/data/table"),
        ("DELETE", "/v1/data/table"),
        ("GET", "/v1/data"),
        ("GET", DECISION),
        ("POST", "/v1/data/homeward/sharing"),
        ("POST", "/v1/data"),
        ("POST", "/v1/query"),
        ("POST", "/v1/compile"),
        ("POST", "/"),
        ("GET", "/metrics"),
        ("GET", "/v1/config"),
        ("POST", f"/v0/{DECISION}"),
    ],
)
def test_nothing_else_is_answered(server: httpx.Client, method: str, path: str) -> None:
    answer = server.request(method, path, json={"input": {}})

    assert answer.status_code == 401


def test_without_the_token_there_is_no_decision(server: httpx.Client) -> None:
    for held in ("", "Bearer another", "Basic a-secret-of-this-test"):
        answer = server.post(DECISION, json={"input": {}}, headers={"Authorization": held})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "line",
    [
        'x := http.send({"method": "GET", "url": "http://127.0.0.1"})',
        "x := opa.runtime()",
        "x := time.now_ns()",
        'x := rand.intn("a", 5)',
        'x := net.lookup_ip_addr("localhost")',
        'x := trace("told")',
        "x if print(input)",
        'x := uuid.rfc4122("a")',
        "x if {\n\ty := f(1) with f as http.send\n\ty == 1\n}\n\nf(y) := y",
        'x if { every y in [1] { http.send({"url": "a"}).status_code == y } }',
        'x := [a | a := http.send({"url": "b"})]',
        "print(y) := y\n\nx := print(1)",
        "x if {\n\ttime.parse_rfc3339_ns(input.now) > 1 with time.now_ns as 5\n}",
    ],
)
def test_a_built_in_that_is_not_allowed_keeps_policies_out(
    engine_kind: str, line: str, tmp_path: Path
) -> None:
    """One file alone: each is looked at for itself, and the others only cost time."""
    drafts = tmp_path / "policies"
    drafts.mkdir()
    (drafts / "draft.rego").write_text(f"package homeward.sharing\n\n{line}\n")

    refused = r"draft\.rego: the (built-in \S+ is not allowed|name print belongs to OPA)"
    with pytest.raises(BrokenPoliciesError, match=refused):
        build_bundle(drafts, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_row_that_stands_twice_keeps_policies_out(tmp_path: Path) -> None:
    drafts = tmp_path / "policies"
    shutil.copytree(POLICIES, drafts)
    with (drafts / "table" / "police.yaml").open("a") as file:
        file.write("POL-05: {paths: [{when: [always], transforms: []}]}\n")

    with pytest.raises(BrokenPoliciesError, match="POL-05"):
        build_bundle(drafts, tmp_path / "bundle")


def test_the_digest_changes_with_any_rule_and_not_with_a_test(tmp_path: Path) -> None:
    drafts = tmp_path / "policies"
    shutil.copytree(POLICIES, drafts)
    (drafts / "more_test.rego").write_text("package homeward.sharing_test\n")
    assert policy_digest(drafts) == policy_digest(POLICIES)

    with (drafts / "law.yaml").open("a") as file:
        file.write("# seen\n")
    assert policy_digest(drafts) != policy_digest(POLICIES)


def test_a_row_not_yet_valid_opens_nothing(tmp_path: Path) -> None:
    drafts = tmp_path / "policies"
    shutil.copytree(POLICIES, drafts)
    table = drafts / "table" / "police.yaml"
    table.write_text(table.read_text().replace('"2014-01-01"', '"2027-01-01"'))

    (answer,) = decide_all([a_document(agreement__status="agreed")], drafts)

    assert answer["decision"] == "defer"


def test_an_earlier_text_applies_until_the_new_one_does(engine_kind: str, tmp_path: Path) -> None:
    drafts = tmp_path / "policies"
    shutil.copytree(POLICIES, drafts)
    table = drafts / "table" / "police.yaml"
    rows = yaml.safe_load(table.read_text())
    rows["POL-03"]["valid_from"] = "2027-01-01"
    rows["POL-03"]["earlier"] = [
        {"valid_from": day, "basis": ["PT"], "paths": [{"when": ["agreed"], "transforms": marks}]}
        for day, marks in (("2014-01-01", ["codes_only"]), ("2020-01-01", []))
    ]
    table.write_text(yaml.safe_dump(rows))
    days = ["2027-01-01", "2026-11-30", "2019-12-31", "2013-12-31"]

    answers = decide_all(
        [a_document(agreement__status="agreed", law__as_of=d) for d in days], drafts
    )

    assert [answer["decision"] for answer in answers] == [
        "allow_redacted", "allow", "allow_redacted", "defer",
    ]  # fmt: skip


def test_a_rule_that_takes_the_whole_input_is_sent_the_whole_of_it() -> None:
    data = read_data(POLICIES)
    for rule in ("x := input", "x := input.item", "x := input.item.facts[name]", 'x := input["a"]'):
        assert facts_read(data, rule) == {}

    read = facts_read(data, "x := input.item.facts.open_missing")
    assert "police_purpose" in read["police"]["push_pull"]
    assert "open_missing" in read["lscb"]["wishes"]
    assert "reliability" not in read["police"]["push_pull"]


def test_no_engine_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEWARD_OPA", "/nowhere/opa")

    with pytest.raises(EngineMissingError, match="go install"):
        find_engine()


def run(*words: str, given: str, **env: str) -> "subprocess.CompletedProcess[str]":
    program = "from homeward.policy import app; app()"
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )


def test_one_document_on_standard_input_is_decided(engine_kind: str) -> None:
    done = run("eval", given=json.dumps(a_document()))

    assert (done.returncode, json.loads(done.stdout)["rule_ids"]) == (0, ["POL-03"])


def test_what_does_not_fit_is_refused_by_its_field_and_never_echoed(engine_kind: str) -> None:
    done = run("eval", given=json.dumps(a_document(child__age="Marked Name")))

    assert done.returncode == 2
    assert json.loads(done.stderr) == {"error": {"field": "child.age", "code": "wrong_type"}}
    assert "Marked" not in done.stdout + done.stderr


def test_a_batch_goes_on_after_a_line_that_does_not_fit(engine_kind: str) -> None:
    def without(name: str) -> dict[str, Any]:
        return {key: value for key, value in a_document().items() if key != name}

    lines = [
        json.dumps(a_document()),
        "{",
        json.dumps(without("purpose")),
        json.dumps(a_document(item__category="gossip")),
        '{"age": NaN}',
        json.dumps(a_document(child__host_la="\ud800")),
        json.dumps(a_document(agreement__status="agreed")),
    ]
    done = run("eval", "--batch", given="\n".join(lines) + "\n")

    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a.get("error") for a in answers] == [
        None,
        {"field": "", "code": "malformed_json"},
        {"field": "purpose", "code": "missing"},
        {"field": "item.category", "code": "unknown_code"},
        {"field": "", "code": "malformed_json"},
        {"field": "", "code": "malformed_json"},
        None,
    ]
    assert [answers[0]["decision"], answers[-1]["decision"]] == ["deny", "allow_redacted"]


def test_raw_hands_over_what_does_not_fit(engine_kind: str) -> None:
    done = run("eval", "--raw", given="[]")

    assert (done.returncode, json.loads(done.stdout)["rule_ids"]) == (0, ["INCOMPLETE"])


def test_the_policies_are_in_order(engine_kind: str) -> None:
    checked, tested = run("check", given=""), run("test", given="")

    assert (checked.returncode, checked.stderr) == (0, "")
    assert tested.returncode == 0, tested.stderr


def test_a_table_with_a_fault_is_not_in_order(tmp_path: Path) -> None:
    drafts = tmp_path / "policies"
    shutil.copytree(POLICIES, drafts)
    table = drafts / "table" / "police.yaml"
    table.write_text(table.read_text().replace("POL-03:", "POL-13:").replace("[G1]", "[G9]"))

    done = run("check", "--policies", str(drafts), given="")

    assert done.returncode == 1
    assert "row POL-03 is missing" in done.stderr
    assert "condition G9 is not known" in done.stderr


def test_the_table_is_shown_with_all_its_rows() -> None:
    done = run("table", "--json", given="")

    assert len(json.loads(done.stdout)) == 79
    assert "POL-03" in run("table", given="").stdout


def test_without_any_engine_it_exits_75() -> None:
    done = run("test", given="", HOMEWARD_OPA="/nowhere/opa")

    assert done.returncode == 75
