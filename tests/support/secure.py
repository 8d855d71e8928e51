"""A site as production has it: services in processes of their own, everything over TLS alone."""

import json
import os
import secrets
import ssl
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import asyncpg
import httpx
from support.apart import run
from support.broker import Broker, environment, free_port
from support.certificates import replace
from support.postgres import Postgres, ask
from support.running import Running

from messaging.migrate import migrate
from messaging.nats_config import Tls, render
from messaging.provision import provision

LOCALITIES = "northshire: {authority: northshire}\n"


class SecureBroker(Broker):
    """The broker with a certificate; `keys` may hold several keys of a service."""

    def __init__(self, directory: Path, certificate: tuple[Path, Path], ca: Path) -> None:
        super().__init__(directory)
        self.tls = Tls(*certificate)
        self.ca = ca
        self.url = f"tls://localhost:{self.port}"

    def configure(self) -> None:
        text = render(
            self.topology,
            host="127.0.0.1",
            port=self.port,
            store_dir=self.store,
            users=self.users,
            provisioner=self.provisioner,
            partners=self._soon | self.partners,
            tls=self.tls,
        )
        (self.directory / "nats.conf").write_text(text)

    async def provision(self) -> None:
        await provision(self.url, self.seed("provisioner"), self.topology, self.partners, self.ca)


class SecurePostgres:
    """A running server made to take TLS and a password alone, but for us at its socket."""

    def __init__(self, plain: Postgres, directory: Path) -> None:
        self._data = plain._directory / "data"
        self._port = plain.url.rpartition(":")[2]
        self._owner = plain._who
        self._socket = f"postgresql://homeward@/postgres?host={plain._directory}&port={self._port}"
        self.password = directory / "postgres.password"

    def take(self, certificate: tuple[Path, Path]) -> None:
        """Answer with this certificate from now on; as ops would do it, without a restart."""
        for source, name in zip(certificate, ("server.crt", "server.key"), strict=True):
            self._give(name, source.read_bytes())
        hba = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
        self._give("pg_hba.conf", hba.encode())
        self.ask("alter system set ssl = on")
        self.ask("select pg_reload_conf()")

    def change_password(self) -> None:
        """Ask `homeward` for another password, and tell it in the file."""
        fresh = secrets.token_hex(16)
        self.ask(f"alter role homeward password '{fresh}'")
        replace(self.password, fresh.encode() + b"\n")

    def database(self, name: str) -> str:
        """Return the URL of a database of a service, which is made where it is not there."""
        with suppress(asyncpg.DuplicateDatabaseError):
            self.ask(f"create database {name}")
        return f"postgresql://homeward@localhost:{self._port}/{name}?ssl=verify-full"

    def ask(self, statement: str) -> None:
        run(ask(self._socket, statement))

    def _give(self, name: str, content: bytes) -> None:
        replace(self._data / name, content)
        if "user" in self._owner:
            os.chown(self._data / name, self._owner["user"], self._owner["group"])


class Site:
    """Makes and runs the services of one test."""

    def __init__(self, directory: Path, broker: SecureBroker, postgres, issuer, authority) -> None:
        self.directory, self.broker, self.postgres = directory, broker, postgres
        self.issuer, self.authority = issuer, authority
        self.running: list[Running] = []
        self._mark = secrets.token_hex(4)  # the server is shared, databases are not
        (directory / "ids.key").write_bytes(secrets.token_bytes(32))
        (directory / "localities.yaml").write_text(LOCALITIES)

    def settings(self, name: str, **changes) -> dict[str, str]:
        """Return the environment of a service of a production."""
        certificate, key = self.authority.issue(name)
        found = {
            "production": "true",
            "listen": f"127.0.0.1:{free_port()}",
            "tls_certificate": certificate,
            "tls_key": key,
            "tls_ca": self.authority.ca,
            **self._database(name),
            "nats_url": self.broker.url,
            "nats_nkey": self.broker.seed(name),
            "nats_ca": self.authority.ca,
            "issuer": "urn:homeward:test",
            "jwks": self.issuer.jwks,
            "tokens": self.issuer.edges(self.directory, name, self.broker.topology.services),
            "peers": json.dumps({r.name: r.url for r in self.running}),
            "id_key": self.directory / "ids.key",
            "localities": self.directory / "localities.yaml",
        } | changes
        return {f"HOMEWARD_{key.upper()}": str(value) for key, value in found.items()}

    def _database(self, name: str) -> dict[str, object]:
        if self.postgres is None:
            return {"database_url": f"sqlite:///{self.directory}/{name}.sqlite"}
        return {
            "database_url": self.postgres.database(f"{name}_{self._mark}"),
            "database_ca": self.authority.ca,
            "database_password": self.postgres.password,
        }

    def log(self, name: str) -> list[dict]:
        """Return what a service has said so far, without lines that are not ours."""
        lines = (self.directory / f"{name}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    async def migrate(self, name: str, variables: dict[str, str]) -> None:
        """Bring its database to today's tables, over TLS as everything."""
        versions = Path(str(import_module(f"services.{name}").__file__)).parent / "migrations"
        found = {key: variables.get(f"HOMEWARD_DATABASE_{key}") for key in ("CA", "PASSWORD")}
        paths = [Path(value) if value else None for value in found.values()]
        await migrate(variables["HOMEWARD_DATABASE_URL"], versions / "versions", *paths)

    async def __call__(self, name: str, *, wait: bool = True, **changes) -> Running:
        """Migrate and start a service; it answers at https://localhost alone."""
        variables = self.settings(name, **changes)
        if wait:
            await self.migrate(name, variables)
        port = variables["HOMEWARD_LISTEN"].rpartition(":")[2]
        running = Running(name, f"https://localhost:{port}", self.issuer)
        running._client = httpx.AsyncClient(
            base_url=running.url, timeout=10,
            verify=ssl.create_default_context(cafile=str(self.authority.ca)),
        )  # fmt: skip
        log = (self.directory / f"{name}.log").open("ab")
        running.process = subprocess.Popen(  # noqa: ASYNC220 - starting takes no time
            [sys.executable, "-m", f"services.{name}"],
            env=environment() | variables, stdout=log, stderr=log,
        )  # fmt: skip
        self.running.append(running)
        if wait:
            await running.until_ready()
        return running

    async def stop(self) -> None:
        for running in reversed(self.running):
            await running.stop()
