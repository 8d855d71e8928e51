"""What a home stands on, in the mood in which it tells most: a database and a mail server."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiosmtpd.controller import Controller
from support import postgres
from support.apart import end_with_us, run
from support.broker import free_port

from homeward.home import SERVICES


class Talkative(postgres.Postgres):
    """A Postgres that logs as it does unless told otherwise: each statement that failed."""

    log: Path

    def start(self) -> None:
        self.log = self._directory / "server.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._directory / "data",
                 "-p", str(self._port), "-k", self._directory, "-h", "127.0.0.1",
                 "-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB"],
                stdout=log, stderr=log, cwd=self._directory,
                preexec_fn=end_with_us,  # noqa: PLW1509 - it only asks the kernel
                **self._who,
            )  # fmt: skip
        postgres._wait(self._process, f"{self.url}/postgres")


@contextmanager
def databases() -> Iterator[tuple[str, Path]]:
    """Give the address of a database for each service, and the server's log."""
    directory = Path(tempfile.mkdtemp(prefix="homeward-pg-"))  # its owner is another than ours
    try:
        server = Talkative(directory)
        server.start()
        try:
            for name in SERVICES:
                run(postgres.ask(f"{server.url}/postgres", f"create database hw_{name}"))
            yield f"{server.url}/hw_{{service}}", server.log
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class _Refuses:
    """Knows nobody outside, and says whom it does not know."""

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        if address.endswith("@example.invalid"):
            return f"550 5.1.1 no such user {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, _envelope):  # noqa: N802
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[str]:
    """Give the address of a mail server that refuses young people's addresses by name."""
    port = free_port()
    controller = Controller(_Refuses(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{port}"
    finally:
        controller.stop()
