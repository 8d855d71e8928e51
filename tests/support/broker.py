"""A real nats-server with the generated accounts, for tests."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nats
import nkeys
from support.apart import end_with_us

from messaging.nats_config import inbox_of, reload, render
from messaging.provision import provision
from messaging.topology import load

SERVER = Path(sys.executable).with_name("nats-server")
SOON = ("northshire-police", "northshire-council")
"""Partners whom many tests add. They have an account from the start: a reload takes long, and tests
of reloads have other partners."""


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


def new_user(file: Path) -> str:
    """Write a user's NKey seed to `file` and return the public key."""
    seed = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
    file.write_bytes(seed)
    return nkeys.from_seed(bytearray(seed)).public_key.decode()


class Broker:
    """One server with a store of its own. `seed(name)` is the key file of a service or partner."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.topology = load()
        self.users = {name: new_user(self.seed(name)) for name in self.topology.services}
        self.provisioner = new_user(self.seed("provisioner"))
        self.partners: dict[str, str] = {}
        self._soon = {name: new_user(self.seed(name)) for name in SOON}
        self.process: subprocess.Popen[bytes] | None = None

    def seed(self, name: str) -> Path:
        return self.directory / f"{name}.nk"

    @property
    def store(self) -> Path:
        return self.directory / "store"

    @property
    def log(self) -> str:
        return (self.directory / "nats.log").read_text()

    def configure(self) -> None:
        text = render(
            self.topology,
            host="127.0.0.1",
            port=self.port,
            store_dir=self.store,
            users=self.users,
            provisioner=self.provisioner,
            partners=self._soon | self.partners,
        )
        (self.directory / "nats.conf").write_text(text)

    def start(self) -> None:
        """Start the server and wait until it listens."""
        self.configure()
        with (self.directory / "nats.log").open("ab") as log:
            self.process = subprocess.Popen(
                [SERVER, "-c", self.directory / "nats.conf"],
                stderr=log,
                stdout=log,
                preexec_fn=end_with_us,  # noqa: PLW1509 - it only asks the kernel
            )
        until = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", self.port)):
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(self.log[-2000:])
            time.sleep(0.005)

    def stop(self, *, hard: bool = False) -> None:
        """Stop the server, with `hard` as a crash does it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
            self.process.wait(10)
            self.process = None

    async def provision(self) -> None:
        await provision(self.url, self.seed("provisioner"), self.topology, self.partners)

    async def add_partner(self, key: str) -> None:
        """Give a partner an account and a feed while everything runs."""
        if key in self._soon:
            self.partners[key] = self._soon[key]
        else:
            self.partners[key] = new_user(self.seed(key))
            self.configure()
            assert self.process is not None
            await reload(self.process.pid)
        await self.provision()

    async def connect(self, name: str, **options):
        """Return a stock client with the credentials of a service, a partner or the provisioner."""

        async def quiet(_: Exception) -> None:
            pass

        return await nats.connect(
            self.url,
            nkeys_seed=str(self.seed(name)),
            inbox_prefix=inbox_of(name),
            error_cb=options.pop("error_cb", quiet),
            allow_reconnect=False,
            **options,
        )


def environment() -> dict[str, str]:
    """Return the surroundings without any setting of ours."""
    return {k: v for k, v in os.environ.items() if not k.startswith("HOMEWARD_")}
