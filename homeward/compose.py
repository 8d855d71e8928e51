"""A site that runs under Docker Compose, seen from its host: used in the same way as a home.

Its folder holds every secret of the site. Nothing of it is started or stopped from here; services
and broker are reached on the ports that docker-compose.yml publishes on 127.0.0.1.
"""

import asyncio
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from homeward import broker, certificates, keys
from homeward.engine import signing
from homeward.home import LOCALITIES, SERVICES, Home, HomeError
from messaging import provision, reloading, topology
from messaging.errors import AwayError
from messaging.nats_config import RELOADER

ISSUER = "urn:homeward:site"
"""Who signs tokens of a site that has no OpenID Connect provider; HOMEWARD_ISSUER replaces it."""
PORTS = {name: 8101 + place for place, name in enumerate(SERVICES)} | {"nats": 4222}
"""As docker-compose.yml publishes them unless HOMEWARD_PORT_<NAME> says otherwise."""
LISTENING = (*SERVICES, "nats", "postgres")
"""Parts that have a certificate."""
RENEWABLE = ("certificates", "passwords", "opa-token", "bundle-key")
BUNDLE_KEYID = "site"
"""Under this name the policy engine knows the key that bundles are signed with."""
OFFERED_AT = "http://policies:8182"
"""Where the engine asks for bundles, as docker-compose.yml says."""


class Site(Home):
    """The folder of one Compose site."""

    # Folders and files

    @property
    def secrets(self) -> Path:
        """Folder with one folder per container, which holds what that container may see."""
        return self.path / "secrets"

    @property
    def accounts(self) -> Path:
        """Folder of the broker's accounts, mounted into the broker; no private key is in it."""
        return self.generated / "nats"

    @property
    def localities(self) -> Path:
        """Who is responsible where; mounted as a folder, so that an edited file is seen."""
        return self.path / "settings" / "localities.yaml"

    @property
    def bundle(self) -> Path:
        """The signed bundle of policies, which the engine polls and `sharing` reads too."""
        return self.path / "bundle" / "bundle.tar.gz"

    @property
    def bundle_keys(self) -> Path:
        """Folder of the key that bundles are signed with; no container sees the private one."""
        return self.keys_dir / "policies"

    @property
    def ca(self) -> Path:
        """Certificate of the site's own authority."""
        return self.keys_dir / "ca.crt"

    def password(self, role: str) -> Path:
        """Return the file with the password of a role of Postgres."""
        return self.keys_dir / "postgres" / f"{role}.password"

    # Making one

    def make(self) -> Home:
        """Refuse to start a site as if it were a home."""
        raise HomeError(f"{self.path} is a Compose site: start it with docker compose, see docs")

    def make_site(self, names: tuple[str, ...] = (), renew: tuple[str, ...] = ()) -> None:
        """Make what is missing, make anew what is to be renewed, and deal it out to containers.

        `names` are those under which partners reach the broker, beside localhost. The folder is
        its owner's alone. Inside, what containers read is open to any user: Compose mounts files
        as they are, and its containers run as a user that this host does not know.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.chmod(0o700)
        known = self._known()
        known["names"] = sorted({*known.get("names", ()), *names})
        keys.write_secret(self.path / "site.json", json.dumps(known, indent=2) + "\n")
        for folder in (self.keys_dir, self.partners):
            folder.mkdir(exist_ok=True, mode=0o700)
        for folder in (self.generated, self.secrets, self.localities.parent, self.bundle.parent):
            open_folder(folder)
        for folder in (self.accounts, self.mail):  # containers write there
            open_folder(folder, 0o777)
        if "opa-token" in renew:
            self.opa_token.unlink(missing_ok=True)
        self.make_keys(*SERVICES, "provisioner", RELOADER)
        self._make_certificates("certificates" in renew)
        self._make_bundle_key("bundle-key" in renew)
        for role in ("postgres", *SERVICES):
            again = "passwords" in renew and role != "postgres"  # with which the others are set
            if again or not self.password(role).exists():
                keys.write_secret(self.password(role), secrets.token_urlsafe(32))
        if not self.localities.exists():
            self.localities.write_text(yaml.safe_dump(LOCALITIES, sort_keys=False))
        self.localities.chmod(0o644)
        self.write_accounts()
        for container, files in self._dealt().items():
            deal(self.secrets / container, files)

    def _make_certificates(self, again: bool) -> None:
        authority = self.keys_dir / "ca.key"
        if not authority.exists():
            certificates.make_authority(authority, self.ca)
        for part in LISTENING:
            key, certificate = self._certificate(part)
            if again or not certificate.exists():
                names = self._known()["names"] if part == "nats" else ()
                hosts = (part, "localhost", "127.0.0.1", *names)
                certificates.issue(authority, self.ca, hosts, key, certificate)

    def _make_bundle_key(self, again: bool) -> None:
        if again:
            (self.bundle_keys / signing.PRIVATE).unlink(missing_ok=True)
        signing.make_keys(self.bundle_keys)
        config = signing.opa_config(self.bundle_keys / signing.PUBLIC, BUNDLE_KEYID, OFFERED_AT)
        keys.write_secret(self.bundle_keys / signing.CONFIG, config)

    def _certificate(self, part: str) -> tuple[Path, Path]:
        folder = self.keys_dir / "tls"
        return folder / f"{part}.key", folder / f"{part}.crt"

    def _dealt(self) -> dict[str, dict[str, Path]]:
        """Return which file each container gets under which name, and nothing beside."""
        mine = self.keys_dir
        dealt: dict[str, dict[str, Path]] = {}
        for service in SERVICES:
            dealt[service] = {
                "nats.nk": self.nkey(service),
                "database.password": self.password(service),
                "ids.key": mine / "ids.key",
                "issuer.jwks.json": mine / "issuer.jwks.json",
                "ca.crt": self.ca,
            }
        dealt["sharing"] |= {
            "signing.jwk.json": mine / "signing.jwk.json",
            "ledger.jwk.json": mine / "ledger.jwk.json",
            "opa.token": self.opa_token,
        }
        dealt |= {"nats": {}, "postgres": {"postgres.password": self.password("postgres")}}
        for part in LISTENING:
            dealt[part]["tls.key"], dealt[part]["tls.crt"] = self._certificate(part)
        dealt["databases"] = {"ca.crt": self.ca, "postgres.password": self.password("postgres")}
        dealt["databases"] |= {f"{name}.password": self.password(name) for name in SERVICES}
        dealt["provision"] = {"provisioner.nk": self.nkey("provisioner"), "ca.crt": self.ca}
        dealt["opa"] = {signing.CONFIG: self.bundle_keys / signing.CONFIG}
        dealt["issuer"] = {"issuer.jwk.json": mine / "issuer.jwk.json"}
        return dealt

    def _known(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.path / "site.json").read_text())
        except FileNotFoundError:
            found = {"kind": "compose", "names": []}
        return found

    # What runs

    def state(self) -> dict[str, Any]:
        """Return what is known of a site without asking it: nothing of it is ours to stop."""
        return {"ports": self.ports, "opa": {"kind": "server"}}

    @property
    def ports(self) -> dict[str, int]:
        """Return the published port of each part."""
        return {
            part: int(os.environ.get(f"HOMEWARD_PORT_{part.upper()}", port))
            for part, port in PORTS.items()
        }

    def url(self, service: str) -> str:
        """Return the address of a service."""
        return f"https://127.0.0.1:{self.ports[service]}"

    @property
    def nats_url(self) -> str:
        """Return the address of the broker from this host."""
        return f"tls://127.0.0.1:{self.ports['nats']}"

    @property
    def partners_url(self) -> str:
        """Return the address of the broker under the first name that partners know it by."""
        names = self._known()["names"]
        return f"tls://{names[0] if names else '127.0.0.1'}:{self.ports['nats']}"

    @property
    def issuer(self) -> str:
        """Return the issuer that the services were told, for the site's own tokens."""
        return os.environ.get("HOMEWARD_ISSUER", ISSUER)

    def fit_for_demo(self) -> None:
        """Raise `HomeError` where the site is not up, not new, or without the test clock."""
        import httpx  # noqa: PLC0415 - only a demo needs it here

        if any(self.partners.iterdir()):
            raise HomeError(f"{self.path} has partners already: a demo needs a new site")
        headers = {"Authorization": f"Bearer {self.token('ops')}"}
        with httpx.Client(verify=self.verify(), headers=headers, timeout=10) as client:
            for name in SERVICES:
                try:
                    ready = client.get(f"{self.url(name)}/ready").is_success
                    clock = client.put(f"{self.url(name)}/clock", json={}).status_code
                except httpx.HTTPError as error:
                    raise HomeError(f"{name} does not answer at {self.url(name)}") from error
                if not ready:
                    raise HomeError(f"{name} is not ready")
                if clock != httpx.codes.UNPROCESSABLE_ENTITY:
                    raise HomeError("time cannot be set: start it with docker-compose.demo.yml too")

    def write_accounts(self) -> None:
        """Write who may do what on the broker: the public keys, and what follows from them."""
        users = {
            name: keys.public_nkey(self.nkey(name)) for name in (*SERVICES, "provisioner", RELOADER)
        }
        write_accounts(self.accounts, users, broker.partner_nkeys(self))

    def reload_broker(self) -> None:
        """Let the broker know all partners there are now, and make their streams."""
        before = {file: file.read_bytes() for file in self.accounts.glob("*.*")}
        self.write_accounts()
        try:
            asyncio.run(self._reload())
        except reloading.ReloadRefusedError as error:
            for file, content in before.items():
                publish(file, content)
            raise HomeError(f"the broker refused its new accounts: {error}") from error
        except AwayError as error:
            raise HomeError(f"the broker does not answer at {self.nats_url}: {error}") from error

    async def _reload(self) -> None:
        await reloading.reload(self.nats_url, self.nkey(RELOADER), self.ca)
        partners = broker.partner_nkeys(self)
        await provision.provision(
            self.nats_url, self.nkey("provisioner"), topology.load(), partners, self.ca
        )


def write_accounts(folder: Path, users: Mapping[str, str], partners: Mapping[str, Any]) -> None:
    """Write the accounts of the broker, with the public keys they were made from beside them."""
    from messaging import nats_config  # noqa: PLC0415 - most commands do not need it

    services = {name: key for name, key in users.items() if name in SERVICES}
    text = nats_config.accounts(
        topology.load(),
        users=services,
        provisioner=users["provisioner"],
        partners=partners,
        reloader=users[RELOADER],
    )
    publish(folder / "users.json", json.dumps(users, indent=2).encode())
    publish(folder / "partners.json", json.dumps(partners, indent=2).encode())
    publish(folder / "accounts.conf", text.encode())


def deal(folder: Path, files: Mapping[str, Path]) -> None:
    """Make `folder` hold exactly `files`, readable for the container that it is mounted into."""
    open_folder(folder)
    for left in folder.iterdir():
        if left.name not in files:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    for name, source in files.items():
        publish(folder / name, source.read_bytes())


def open_folder(folder: Path, mode: int = 0o755) -> None:
    """Make a folder that any user may enter who has got past the outer one."""
    folder.mkdir(exist_ok=True)
    folder.chmod(mode)


def publish(file: Path, content: bytes) -> None:
    """Replace `file` whole or not at all, for any reader; one that says the same is left alone."""
    if file.exists() and file.read_bytes() == content:
        return
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    aside.write_bytes(content)
    aside.chmod(0o444)
    aside.replace(file)
