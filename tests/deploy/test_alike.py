"""Compose and Kubernetes run the same thing: what one says of a part, the other says as well."""

import json
import re

import pytest
import yaml

from messaging.topology import load

from .conftest import ROOT

SERVICES = tuple(load().services)
PLATFORM = {"HOMEWARD_WORKLOAD_ISSUER", "HOMEWARD_WORKLOAD_JWKS", "HOMEWARD_WORKLOADS"}
"""Settings of Kubernetes alone: its own tokens for services, where Compose has an issuer."""
MAIL = re.compile("HOMEWARD_(SMTP|MAIL)_")
"""Only notify reads these; on Kubernetes they stand among what all are told."""


@pytest.fixture(scope="session")
def compose() -> dict[str, dict]:
    """The parts of the Compose file by name."""
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.fixture(scope="session")
def pods(manifests) -> dict[str, dict]:
    """The pods of a production by the name of the service."""
    return {
        m["metadata"]["name"].removeprefix("homeward-"): m["spec"]["template"]["spec"]
        for m in manifests("production")
        if m["kind"] == "Deployment"
    }


@pytest.fixture(scope="session")
def settings(manifests):
    """`settings(container)`: what a container is told, values from ConfigMaps filled in."""
    maps = {
        m["metadata"]["name"]: m["data"]
        for m in manifests("production")
        if m["kind"] == "ConfigMap"
    }

    def of(container: dict) -> dict[str, str]:
        told = {
            name: value
            for source in container.get("envFrom", [])
            for name, value in maps[source["configMapRef"]["name"]].items()
        }
        return told | {one["name"]: one.get("value", "") for one in container.get("env", [])}

    return of


def container(pod: dict, name: str) -> dict:
    return next(c for c in [*pod["containers"], *pod["initContainers"]] if c["name"] == name)


def mebibytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
    return int(number) * {"m": 1, "Mi": 1, "g": 1024, "Gi": 1024}[unit]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_the_same_things(service, compose, pods, settings):
    here = compose[service]["environment"]
    there = settings(container(pods[service], "service"))

    assert {name for name in here if not MAIL.match(name)} == {
        name for name in there if not MAIL.match(name)
    } - PLATFORM


@pytest.mark.parametrize("service", SERVICES)
def test_its_keys_and_files_lie_in_the_same_places(service, compose, pods, settings):
    here = compose[service]["environment"]
    there = settings(container(pods[service], "service"))
    places = {name for name, value in here.items() if value.startswith(("/run/", "/policies/"))}

    assert "HOMEWARD_ID_KEY" in places
    for name in places - {"HOMEWARD_DATABASE_CA", "HOMEWARD_JWKS"}:  # the site's own there
        assert here[name] == there[name], name


@pytest.mark.parametrize("service", SERVICES)
def test_it_may_call_no_more_on_kubernetes(service, compose, pods, settings):
    here = json.loads(compose[service]["environment"]["HOMEWARD_PEERS"])
    there = json.loads(settings(container(pods[service], "service"))["HOMEWARD_PEERS"])

    assert set(there) == set(load().targets_of(service))
    assert set(there) <= set(here)


@pytest.mark.parametrize("service", SERVICES)
def test_it_runs_as_the_same_user_within_the_same_limits(service, compose, pods):
    part, pod = compose[service], pods[service]
    confined = pod["securityContext"]
    limits = container(pod, "service")["resources"]["limits"]

    assert part["user"] == f"{confined['runAsUser']}:{confined['runAsGroup']}"
    assert mebibytes(part["mem_limit"]) == mebibytes(limits["memory"])
    assert float(part["cpus"]) == float(limits["cpu"])
    assert part["read_only"]
    assert part["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("service", SERVICES)
def test_it_listens_on_the_same_port_and_is_asked_the_same(service, compose, pods):
    part, served = compose[service], container(pods[service], "service")
    port = served["ports"][0]["containerPort"]

    assert part["ports"][0].rpartition(":")[2] == str(port)
    assert part["environment"]["HOMEWARD_LISTEN"].endswith(f":{port}")
    assert part["healthcheck"]["test"][-1] == served["readinessProbe"]["httpGet"]["path"]


def test_the_policy_engine_is_started_alike(compose, pods):
    here, there = compose["opa"], container(pods["sharing"], "opa")
    address = {"--addr=0.0.0.0:8181", "--addr=127.0.0.1:8181"}

    assert [a for a in here["command"] if a not in address] == [
        a for a in there["args"] if a not in address
    ]
    assert here["healthcheck"]["test"][1:] == there["livenessProbe"]["exec"]["command"]
    assert mebibytes(here["mem_limit"]) == mebibytes(there["resources"]["limits"]["memory"])
    assert here["image"] == there["image"]


def test_the_bundle_is_offered_and_read_alike(compose, pods, settings):
    here, there = compose["policies"], container(pods["sharing"], "policies")

    assert here["command"] == there["args"]
    assert here["healthcheck"]["test"][1:] == there["livenessProbe"]["exec"]["command"]
    read = compose["sharing"]["environment"]["HOMEWARD_POLICIES"]
    assert read == settings(container(pods["sharing"], "service"))["HOMEWARD_POLICIES"]
    assert read == f"{here['command'][1]}/bundle.tar.gz"


def test_the_same_versions_of_the_parts_we_do_not_build(compose, manifests):
    (broker,) = (m for m in manifests("production") if m["kind"] == "StatefulSet")

    assert compose["nats"]["image"] == broker["spec"]["template"]["spec"]["containers"][0]["image"]
