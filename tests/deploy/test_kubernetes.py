"""The manifests are valid, closed by default, and say the same as the topology."""

import itertools
import json
import subprocess

import pytest
import yaml

from messaging import kubernetes
from messaging.topology import load

from .conftest import ROOT, rendered, tool

OVERLAYS = ("dev", "production")
VERSIONS = ("1.35", "1.36", "1.37")
SERVICES = tuple(load().services)


def of_kind(manifests: list[dict], kind: str) -> dict[str, dict]:
    """Return the manifests of one kind by name."""
    return {m["metadata"]["name"]: m for m in manifests if m["kind"] == kind}


def test_what_is_generated_is_fresh():
    for place, text in kubernetes.files(load()).items():
        there = (ROOT / "deploy" / place).read_text()
        assert there == text, "run: python -m messaging.kubernetes deploy"


# Valid


def validate(file, version: str) -> subprocess.CompletedProcess[str]:
    command = [tool("kubernetes-validate"), "--strict", "--quiet", "-k", version, str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_would_take_the_manifests(overlay, version, tmp_path):
    (tmp_path / "all.yaml").write_text(rendered(overlay))
    done = validate(tmp_path / "all.yaml", version)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_misspelt_field_would_be_found(tmp_path):
    misspelt = rendered("production").replace("terminationGracePeriodSeconds", "graceSeconds", 1)
    (tmp_path / "all.yaml").write_text(misspelt)

    assert validate(tmp_path / "all.yaml", VERSIONS[-1]).returncode != 0


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_scan_of_the_manifests_finds_nothing(overlay, tmp_path):
    (tmp_path / "all.yaml").write_text(rendered(overlay))
    command = [
        tool("trivy"), "config", "--quiet", "--skip-check-update", "--exit-code", "1",
        "--ignorefile", str(ROOT / "deploy/trivy-ignore.yaml"), str(tmp_path / "all.yaml"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


# As the topology says


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_service_of_the_topology_is_deployed(manifests, overlay):
    assert {f"homeward-{name}" for name in SERVICES} == set(
        of_kind(manifests(overlay), "Deployment")
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_holds_tokens_for_those_it_asks_and_no_others(manifests, service):
    deployment = of_kind(manifests("production"), "Deployment")[f"homeward-{service}"]
    volumes = {v["name"]: v for v in deployment["spec"]["template"]["spec"]["volumes"]}
    sources = volumes["tokens"].get("projected", {}).get("sources", [])
    audiences = {source["serviceAccountToken"]["audience"] for source in sources}

    assert set(load().targets_of(service)) == audiences


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_account_of_a_service_is_known_to_all_services(manifests, overlay):
    accounts = of_kind(manifests(overlay), "ServiceAccount")
    names = {
        f"system:serviceaccount:{a['metadata']['namespace']}:{name}" for name, a in accounts.items()
    }
    settings = next(
        m["data"]
        for m in manifests(overlay)
        if m["kind"] == "ConfigMap" and "HOMEWARD_WORKLOADS" in m["data"]
    )
    known = json.loads(settings["HOMEWARD_WORKLOADS"])

    assert names == set(known)
    assert sorted(SERVICES) == sorted(known.values())
    assert all(subject.endswith(f"-{service}") for subject, service in known.items())


def admits(policies: dict[str, dict], a: str, b: str, port: int) -> bool:
    """Tell whether a pod named `a` may open a connection to `port` of a pod named `b`."""

    def one_way(here: str, there: str, direction: str, way: str) -> bool:
        selecting = [
            p["spec"]
            for p in policies.values()
            if direction in p["spec"]["policyTypes"]
            and p["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name", here)
            == here
        ]
        assert selecting, f"nothing closes {here}"
        peer = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": there}}}
        return any(
            peer in rule[way] and port in {p["port"] for p in rule["ports"]}
            for spec in selecting
            for rule in spec.get(direction.lower(), [])
        )

    return one_way(a, b, "Egress", "to") and one_way(b, a, "Ingress", "from")


def test_a_service_reaches_those_it_asks_and_the_broker_and_no_others(manifests):
    policies = of_kind(manifests("production"), "NetworkPolicy")
    edges = set(load().http_edges())

    for a, b in itertools.permutations(SERVICES, 2):
        assert admits(policies, a, b, kubernetes.PORT) == ((a, b) in edges), (a, b)
    for service in SERVICES:
        assert admits(policies, service, "nats", kubernetes.BROKER)
        assert not admits(policies, service, "nats", kubernetes.CLUSTER)
        assert not admits(policies, "nats", service, kubernetes.PORT)
        assert not admits(policies, "provision", service, kubernetes.PORT)


def test_only_the_service_that_mails_reaches_a_mail_server(manifests):
    policies = of_kind(manifests("production"), "NetworkPolicy")
    mailing = {name for name, p in policies.items() if "homeward/mail" in json.dumps(p)}

    assert mailing == {"homeward-notify"}


# Careful


def pods(manifests: list[dict]) -> dict[str, dict]:
    kinds = ("Deployment", "StatefulSet", "Job")
    return {
        m["metadata"]["name"]: m["spec"]["template"]["spec"]
        for m in manifests
        if m["kind"] in kinds
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_container_runs_as_root_or_writes_outside_its_volumes(manifests, overlay):
    for name, pod in pods(manifests(overlay)).items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["automountServiceAccountToken"] is False, name
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            confined = container["securityContext"]
            assert confined["readOnlyRootFilesystem"], (name, container["name"])
            assert confined["allowPrivilegeEscalation"] is False
            assert confined["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} == set(container["resources"]["limits"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_and_no_default_of_one_is_in_the_manifests(manifests, overlay):
    assert not of_kind(manifests(overlay), "Secret")
    for name, pod in pods(manifests(overlay)).items():
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            given = [one for one in container.get("env", []) if "value" in one]
            assert all(one["name"] in {"HOMEWARD_PEERS", "GOMEMLIMIT"} for one in given), name


def test_a_drain_takes_one_of_each_at_a_time(manifests):
    budgets = of_kind(manifests("production"), "PodDisruptionBudget")

    assert {*(f"homeward-{name}" for name in SERVICES), "homeward-nats"} == set(budgets)
    for name, budget in budgets.items():
        assert budget["spec"]["maxUnavailable"] == 1
        labels = budget["spec"]["selector"]["matchLabels"]
        assert labels["app.kubernetes.io/name"] == name.removeprefix("homeward-")


def test_migrations_run_before_a_service_and_with_its_own_settings(manifests):
    for service in SERVICES:
        pod = pods(manifests("production"))[f"homeward-{service}"]
        migrate = next(c for c in pod["initContainers"] if c["name"] == "migrate")
        served = next(c for c in pod["containers"] if c["name"] == "service")

        assert migrate["image"] == served["image"]
        assert migrate["args"] == ["migrate"]
        assert [e for e in served["env"] if e["name"] == "HOMEWARD_DATABASE_URL"] == [
            e for e in migrate["env"] if e["name"] == "HOMEWARD_DATABASE_URL"
        ]


def test_the_brokers_configuration_syncs_always_and_speaks_tls():
    text = (ROOT / "deploy/nats/nats-server.conf").read_text()

    assert "sync_interval: always" in text
    assert "verify: true" in text
    assert "no_auth_user" not in text


def test_a_service_is_a_dozen_lines_of_its_own():
    for service in SERVICES:
        lines = (ROOT / f"deploy/services/{service}/kustomization.yaml").read_text().splitlines()
        assert len(lines) <= 18, service
    listed = yaml.safe_load((ROOT / "deploy/services/kustomization.yaml").read_text())

    assert sorted(SERVICES) == sorted(listed["resources"])
