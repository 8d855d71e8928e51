"""One folder that holds everything Homeward knows on a single machine."""

import json
import os
import secrets
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from homeward import keys

SERVICES = ("referral", "scheduling", "interview", "sharing", "notify")
PORTS = (*SERVICES, "nats", "opa")
"""In this order from HOMEWARD_PORT on, where that is set."""

DATABASES, PLACE = "HOMEWARD_DATABASES", "{service}"
"""Setting with the address of databases on a server, and what stands in it for the service."""

LOCALITIES: dict[str, Any] = {
    "localities": {
        name: {
            "name": name.capitalize(),
            "authority": name,
            "area": name,
            "controller": "charity",
            "dsl": f"dsl@{name}.homeward.invalid",
            "on_call": f"on-call@{name}.homeward.invalid",
            "manager": f"manager@{name}.homeward.invalid",
        }
        for name in ("northshire", "eastvale")
    }
}
"""Made-up localities; an adopter's own file replaces them (`generated/localities.yaml`)."""


class HomeError(Exception):
    """A home cannot be used as asked; the message says what to do."""


@dataclass(frozen=True)
class Home:
    """Paths, keys, ports and tokens of the home in `path`."""

    path: Path

    @classmethod
    def at(cls, path: str | Path | None = None) -> "Home":
        """Return the home in `path`, else in HOMEWARD_HOME, else in `.homeward` here.

        Where `path` holds the keys of a Compose site, that site: to be used in the same way.
        """
        chosen = Path(path or os.environ.get("HOMEWARD_HOME") or ".homeward").expanduser().resolve()
        if (chosen / "site.json").exists():
            from homeward.compose import Site  # noqa: PLC0415 # it needs this module

            return Site(chosen)
        return cls(chosen)

    # Folders and files

    @property
    def keys_dir(self) -> Path:
        """Folder of secrets (0700)."""
        return self.path / "keys"

    @property
    def generated(self) -> Path:
        """Folder of what is made from topology, policies and keys, and may be made again."""
        return self.path / "generated"

    @property
    def logs(self) -> Path:
        """Folder of logs, one file for each part."""
        return self.path / "logs"

    @property
    def nats_conf(self) -> Path:
        """Configuration of the broker with an account per service and partner."""
        return self.generated / "nats.conf"

    @property
    def nats_data(self) -> Path:
        """What the broker keeps; may be deleted whole without losing a fact."""
        return self.path / "nats"

    @property
    def localities(self) -> Path:
        """Who is responsible where."""
        return self.generated / "localities.yaml"

    @property
    def opa_bundle(self) -> Path:
        """The policies as the engine loads them."""
        return self.generated / "opa-bundle"

    @property
    def policies(self) -> Path:
        """Folder of versions of the policies, by digest, and `current`: which is to be loaded."""
        return self.path / "policy"

    @property
    def opa_token(self) -> Path:
        """The one token that the policy engine answers to."""
        return self.keys_dir / "opa.token"

    @property
    def partners(self) -> Path:
        """Folder of partners: `<key>/<key>.public.json`, in a demo home their private keys too."""
        return self.path / "partners"

    @property
    def mail(self) -> Path:
        """Where messages go as files while no mail server is named."""
        return self.path / "mail"

    @property
    def state_file(self) -> Path:
        """What runs: ports, process ids with their start times."""
        return self.path / "state.json"

    def db(self, service: str) -> Path:
        """Return the database file of `service`."""
        return self.path / "db" / f"{service}.sqlite"

    @property
    def databases(self) -> Path:
        """Holds HOMEWARD_DATABASES as it was when this home was made; absent where files do."""
        return self.keys_dir / "databases.url"

    def database_url(self, service: str) -> str:
        """Return the address of the database of `service`, which may hold a password."""
        if self.databases.exists():
            return self.databases.read_text().strip().replace(PLACE, service)
        return f"sqlite+aiosqlite:///{self.db(service)}"

    def partner(self, key: str) -> Path:
        """Return the folder of partner `key`."""
        return self.partners / key

    def nkey(self, user: str) -> Path:
        """Return the seed file of the broker's user for a service or the `provisioner`."""
        return self.keys_dir / f"{user}.nk"

    def edge_tokens(self, service: str) -> Path:
        """Return the folder with the tokens that `service` shows to others, `<target>.jwt`."""
        return self.keys_dir / "tokens" / service

    # Making one

    def make(self) -> "Home":
        """Make what is missing: folders, keys, localities. What is there stays as it is.

        Raises `HomeError` where HOMEWARD_DATABASES names other databases than this home has.
        """
        self._choose_databases()
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.keys_dir, self.keys_dir / "tokens", self.partners):
            folder.mkdir(exist_ok=True, mode=0o700)
        for folder in (self.generated, self.logs, self.nats_data, self.mail, self.path / "db"):
            folder.mkdir(exist_ok=True, mode=0o700)
        self.make_keys(*SERVICES, "provisioner")
        if not self.localities.exists():
            self.localities.write_text(yaml.safe_dump(LOCALITIES, sort_keys=False))
        return self

    def make_keys(self, *users: str) -> None:
        """Make the keys that are missing; `users` are those of the broker."""
        for private, public in (
            ("issuer", "issuer"),
            ("signing", "homeward"),
            ("ledger", "ledger"),
        ):
            if not (self.keys_dir / f"{private}.jwk.json").exists():
                keys.make_signing_pair(
                    self.keys_dir / f"{private}.jwk.json", self.keys_dir / f"{public}.jwks.json"
                )
        for user in users:
            if not self.nkey(user).exists():
                keys.make_nkey(self.nkey(user))
        if not (self.keys_dir / "ids.key").exists():
            keys.write_secret(self.keys_dir / "ids.key", secrets.token_bytes(32))
        if not self.opa_token.exists():
            keys.write_secret(self.opa_token, secrets.token_urlsafe(32))

    def _choose_databases(self) -> None:
        """Keep where the databases are; a home that silently began with others would be empty."""
        wanted = os.environ.get(DATABASES, "").strip()
        if not wanted:
            return
        if PLACE not in wanted or not wanted.startswith("postgresql"):
            raise HomeError(f"{DATABASES} must be a postgresql:// address with {PLACE} in it")
        if not self.exists:
            keys.write_secret(self.databases, wanted + "\n")
        elif not self.databases.exists() or self.databases.read_text().strip() != wanted:
            raise HomeError(
                f"{DATABASES} is not what this home was made with; after a change of address or "
                f"password edit {self.databases}, for other databases make another home"
            )

    @property
    def exists(self) -> bool:
        """Tell whether a home was made here."""
        return (self.keys_dir / "issuer.jwk.json").exists()

    # What runs

    def state(self) -> dict[str, Any]:
        """Return what the supervisor last wrote, or nothing where none ever ran."""
        try:
            found: dict[str, Any] = json.loads(self.state_file.read_text())
        except FileNotFoundError:
            return {}
        return found

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Replace what is known of the running parts, whole or not at all."""
        keys.write_secret(self.state_file, json.dumps(state, indent=2) + "\n")

    @property
    def ports(self) -> dict[str, int]:
        """Return the port of each part as it runs now.

        Raises `HomeError` where this home is not up.
        """
        found = self.state().get("ports")
        if not found:
            raise HomeError(f"nothing runs in {self.path}: start it with `homeward up`")
        return {part: int(port) for part, port in found.items()}

    def url(self, service: str) -> str:
        """Return the address of a running service."""
        return f"http://127.0.0.1:{self.ports[service]}"

    @property
    def nats_url(self) -> str:
        """Return the address of the running broker."""
        return f"nats://127.0.0.1:{self.ports['nats']}"

    @property
    def partners_url(self) -> str:
        """Return the address of the running broker as partners reach it."""
        return self.nats_url

    @property
    def ca(self) -> Path | None:
        """Certificate authority of what runs here; None where that speaks no TLS."""
        return None

    def verify(self) -> ssl.SSLContext | bool:
        """Return what an HTTP client is to hold for ours, for its `verify`."""
        return True if self.ca is None else ssl.create_default_context(cafile=str(self.ca))

    def reload_broker(self) -> None:
        """Let the running broker know all partners there are now, and make their streams.

        Call it after a partner's `<key>.public.json` is in place or gone; not from a running
        event loop. Raises `HomeError` where the home is not up or the broker refuses.
        """
        from homeward import broker  # noqa: PLC0415 # it needs this module

        broker.reload(self)

    # Who calls

    @property
    def issuer(self) -> str:
        """Name in which this home signs tokens."""
        return keys.ISSUER

    def token(
        self,
        role: str,
        sub: str | None = None,
        services: Sequence[str] = SERVICES,
        ttl: float = keys.PERSON_TTL_S,
    ) -> str:
        """Return a bearer token for a person or part in `role`, good for `ttl` seconds."""
        if not self.exists:
            raise HomeError(f"there is no home in {self.path}: make one with `homeward up`")
        key = self.keys_dir / "issuer.jwk.json"
        return keys.sign_token(
            key, sub=sub or role, roles=[role], audience=services, ttl_s=ttl, issuer=self.issuer
        )

    def issue_edge_tokens(self, edges: Sequence[tuple[str, str]]) -> None:
        """Write a fresh token for each pair of services where the first may ask the second."""
        for service, target in edges:
            fresh = self.token("service", service, [target], keys.EDGE_TTL_S)
            keys.write_secret(self.edge_tokens(service) / f"{target}.jwt", fresh)


def choose_ports(previous: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return a port for each part.

    A row from HOMEWARD_PORT on where that is set, else those used before, else free ones.
    All sockets stay open until all are chosen, so that two parts never get the same one.
    Raises `HomeError` where a port of the row is taken.
    """
    first = os.environ.get("HOMEWARD_PORT")
    if first:
        try:
            wanted = {part: int(first) + place for place, part in enumerate(PORTS)}
        except ValueError as error:
            raise HomeError("HOMEWARD_PORT must be a number") from error
        taken = [port for port in wanted.values() if not _is_free(port)]
        if taken:
            raise HomeError(f"port {taken[0]} is taken (HOMEWARD_PORT is {first})")
        return wanted
    if previous and set(previous) == set(PORTS) and all(map(_is_free, previous.values())):
        return dict(previous)
    sockets = {part: socket.create_server(("127.0.0.1", 0)) for part in PORTS}
    chosen = {part: int(opened.getsockname()[1]) for part, opened in sockets.items()}
    for opened in sockets.values():
        opened.close()
    return chosen


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
