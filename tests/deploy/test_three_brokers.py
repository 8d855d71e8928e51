"""The brokers of a cluster, with the configuration that is deployed: one may be lost."""

import asyncio
import os
import subprocess
import time

import nats
import pytest
from support.apart import end_with_us
from support.broker import SERVER, Broker, free_port
from support.certificates import Authority

from messaging import nats_config, trust
from messaging.provision import provision

from .conftest import ROOT

NODES = tuple(f"homeward-nats-{number}" for number in range(3))
HOSTS = tuple(f"{node}.homeward-nats-nodes" for node in NODES)


class Cluster(Broker):
    """Three servers on this machine; only addresses and places differ from what is deployed."""

    def __init__(self, directory) -> None:
        super().__init__(directory)
        self.authority = Authority(directory)
        self.certificate = self.authority.issue("nats", ("localhost", "127.0.0.1", *HOSTS))
        self.ports = {node: free_port() for node in NODES}
        self.routes = {node: free_port() for node in NODES}
        self.processes: dict[str, subprocess.Popen] = {}
        self.url = f"tls://localhost:{self.ports[NODES[0]]}"

    def write(self, node: str):
        """Write the node's files and return the place of its configuration."""
        here = self.directory / node
        (here / "accounts").mkdir(parents=True)
        text = nats_config.accounts(
            self.topology,
            users=self.users,
            provisioner=self.provisioner,
            partners={},
        )
        (here / "accounts/accounts.conf").write_text(text)
        certificate, key = self.certificate
        text = (ROOT / "deploy/nats/nats-server.conf").read_text()
        for there, ours in {
            "port: 4222": f"port: {self.ports[node]}",
            "http_port: 8222": f"http_port: {free_port()}",
            "port: 6222": f"port: {self.routes[node]}",
            "/var/run/nats": str(here),
            "/data": str(here / "data"),
            "/etc/nats/tls/tls.crt": str(certificate),
            "/etc/nats/tls/tls.key": str(key),
            "/etc/nats/tls/ca.crt": str(self.authority.ca),
        }.items():
            assert there in text, there
            text = text.replace(there, ours)
        for other, host in zip(NODES, HOSTS, strict=True):
            text = text.replace(f"{host}:6222", f"127.0.0.1:{self.routes[other]}")
        (here / "nats-server.conf").write_text(text)
        return here / "nats-server.conf"

    def start(self) -> None:
        """Start all three."""
        for node in NODES:
            config = self.write(node)
            with (self.directory / f"{node}.log").open("ab") as log:
                self.processes[node] = subprocess.Popen(
                    [SERVER, "-c", config], stdout=log, stderr=log,
                    env={**os.environ, "POD_NAME": node},
                    preexec_fn=end_with_us,  # noqa: PLW1509 - it only asks the kernel
                )  # fmt: skip

    def stop(self, *, hard: bool = False) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait(10)

    def lose(self, node: str) -> None:
        """Take one node away for good."""
        self.processes[node].kill()
        self.processes[node].wait(10)

    async def provision(self) -> None:
        """Make streams on all three, as soon as they have chosen who leads."""
        until = time.monotonic() + 60
        while True:
            try:
                given = (self.url, self.seed("provisioner"), self.topology, [], self.authority.ca)
                return await provision(*given, replicas=3)
            except Exception:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.2)


@pytest.fixture
async def cluster(tmp_path):
    """Three brokers with streams on each."""
    made = Cluster(tmp_path)
    made.start()
    try:
        await made.provision()
        yield made
    finally:
        made.stop()


async def test_with_one_of_three_brokers_lost_facts_are_still_stored(cluster):
    servers = [f"tls://localhost:{port}" for port in cluster.ports.values()]
    client = await nats.connect(
        servers,
        nkeys_seed=str(cluster.seed("referral")),
        inbox_prefix=nats_config.inbox_of("referral"),
        tls=trust.trusting(cluster.authority.ca),
    )
    js = client.jetstream(prefix=nats_config.API_PREFIX, timeout=5)
    first = await js.publish("evt.referral.child_changed.v1", b"1", stream="EVT_REFERRAL")
    cluster.lose(NODES[2])
    second = None
    for _ in range(40):  # the two that are left may have to choose another leader
        try:
            second = await js.publish("evt.referral.child_changed.v1", b"2", stream="EVT_REFERRAL")
            break
        except Exception:
            await asyncio.sleep(0.25)
    await client.close()

    assert first.seq == 1
    assert second is not None
    assert second.seq >= 2
