"""The Compose file is sound, hardened, and knows the same services as the topology."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from homeward import compose as site
from messaging import nats_config
from messaging.topology import load

from .conftest import ROOT, tool

SERVICES = tuple(load().services)
FILES = (ROOT / "docker-compose.yml", ROOT / "docker-compose.demo.yml")


@pytest.fixture(scope="module")
def as_run(tmp_path_factory) -> dict[str, dict]:
    """What Compose itself makes of the file, all references and settings filled in."""
    command = [tool("docker-compose"), "-f", str(FILES[0]), "config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def parts(as_run: dict) -> list[tuple[str, dict]]:
    return list(as_run["services"].items())


def staying(as_run: dict) -> list[tuple[str, dict]]:
    """The parts that stay, and not those that run once."""
    return [(name, part) for name, part in parts(as_run) if part["restart"] != "no"]


def test_compose_takes_it_with_the_demo_on_top():
    command = [tool("docker-compose"), *(f"--file={file}" for file in FILES), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    assert done.returncode == 0, done.stderr


def test_the_dockerfile_has_no_finding():
    done = subprocess.run([tool("hadolint"), str(ROOT / "Dockerfile")], capture_output=True,
                          text=True, check=False)  # fmt: skip

    assert done.returncode == 0, done.stdout


def test_a_scan_of_the_dockerfile_finds_nothing(tmp_path):
    (tmp_path / "Dockerfile").write_text((ROOT / "Dockerfile").read_text())
    command = [tool("trivy"), "config", "--quiet", "--skip-check-update", "--exit-code", "1",
               str(tmp_path)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


# Hardened


def test_nothing_runs_as_root_or_can_become_it(as_run):
    for name, part in parts(as_run):
        assert part["user"] in {"10001:10001", "999:999"}, name
        assert part["cap_drop"] == ["ALL"], name
        assert "cap_add" not in part, name
        assert "privileged" not in part, name
        assert part["security_opt"] == ["no-new-privileges:true"], name


def test_nothing_can_write_where_it_was_not_allowed_to(as_run):
    for name, part in parts(as_run):
        assert part["read_only"], name


def test_everything_has_limits_and_what_stays_has_a_health(as_run):
    for name, part in parts(as_run):
        assert {"mem_limit", "cpus", "pids_limit"} <= part.keys(), name
        assert part["logging"]["options"]["max-size"], name
    for name, part in staying(as_run):
        assert part["healthcheck"]["test"][0] == "CMD", name
        assert part["restart"] == "unless-stopped", name


def test_only_the_apis_and_the_broker_can_be_reached_and_from_this_host_alone(as_run):
    published = {
        name: [(port["host_ip"], port["target"]) for port in part["ports"]]
        for name, part in parts(as_run)
        if "ports" in part
    }

    assert published == {
        **{name: [("127.0.0.1", 8080)] for name in SERVICES},
        "nats": [("127.0.0.1", 4222)],
    }


def test_the_databases_and_the_engine_have_no_way_out(as_run):
    assert set(as_run["services"]["postgres"]["networks"]) == {"database"}
    assert set(as_run["services"]["opa"]["networks"]) == {"policy"}
    assert as_run["networks"]["database"]["internal"]
    assert as_run["networks"]["policy"]["internal"]
    asking = {name for name, part in parts(as_run) if "policy" in (part.get("networks") or {})}

    assert asking == {"opa", "policies", "sharing"}
    assert set(as_run["services"]["policies"]["networks"]) == {"policy"}


def test_the_engine_gets_the_public_key_and_no_policy_but_over_the_wire(as_run):
    part = as_run["services"]["opa"]

    assert [Path(volume["source"]).name for volume in part["volumes"]] == ["opa"]
    assert "--config-file=/etc/homeward/opa.yaml" in part["command"]
    assert not any("bundle" in word for word in part["command"])


# No secret in it


def test_no_secret_stands_in_the_environment(as_run):
    for name, part in parts(as_run):
        for setting, value in (part.get("environment") or {}).items():
            if re.search("PASSWORD|TOKEN|KEY|SECRET", setting):
                assert str(value).startswith("/run/"), (name, setting)
            assert not re.search(r"://[^/@ ]*:[^/@ ]*@", str(value)), (name, setting)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_sees_its_own_secrets_alone(service, as_run):
    part = as_run["services"][service]
    folders = [v["source"] for v in part["volumes"] if "/secrets/" in v["source"]]
    tokens = [v["source"] for v in part["volumes"] if v["source"].startswith("tokens")]

    assert [Path(folder).name for folder in folders] == [service]
    assert tokens == [f"tokens-{service}"]
    assert all(v.get("read_only") for v in part["volumes"])


# As the topology and the site say


def test_it_knows_every_service_of_the_topology(as_run):
    assert set(SERVICES) <= as_run["services"].keys()
    for name in SERVICES:
        settings = as_run["services"][name]["environment"]
        assert settings["HOMEWARD_PRODUCTION"] == "true"
        assert f"/homeward_{name}?ssl=verify-full" in settings["HOMEWARD_DATABASE_URL"]
        assert f"{name}-migrate" in as_run["services"][name]["depends_on"]


def test_its_ports_are_those_at_which_a_site_looks(as_run):
    published = {
        name: int(part["ports"][0]["published"]) for name, part in parts(as_run) if "ports" in part
    }

    assert published == site.PORTS


def test_the_broker_keeps_to_the_limits_of_a_home():
    conf = (ROOT / "deploy/compose/nats.conf").read_text()

    assert f"max_payload: {nats_config.PAYLOAD_BYTES_MAX}\n" in conf
    assert f"max_file_store: {nats_config.FILE_STORE_BYTES_MAX} " in conf
    assert "sync_interval: always" in conf


def test_images_install_exactly_what_the_lock_names():
    locked = (ROOT / "requirements.lock").read_text().replace("\\\n", "").splitlines()

    for line in (ROOT / "requirements-run.lock").read_text().replace("\\\n", "").splitlines():
        assert line in locked
