"""The programs of a home: what to start, with which settings."""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from homeward import keys
from homeward.home import SERVICES, Home

PASSED_ON = ("HOMEWARD_CLOCK", "HOMEWARD_SMTP_URL", "HOMEWARD_COMPARE_EVERY_S")
"""Settings of the caller that reach the services; any other HOMEWARD_ one belongs to the home."""


@dataclass(frozen=True)
class Part:
    """One program: how to start it and where it answers."""

    name: str
    command: tuple[str, ...]
    url: str
    env: Mapping[str, str] = field(default_factory=dict)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without settings that were meant for another home."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("HOMEWARD_")}
    others.pop("PYTHONDONTWRITEBYTECODE", None)  # without bytecode each start takes twice as long
    return others


def broker(home: Home, ports: Mapping[str, int]) -> Part:
    """Return the broker: the real server, from the wheel of this environment."""
    program = Path(sys.executable).with_name("nats-server")
    found = str(program) if program.exists() else shutil.which("nats-server")
    return Part(
        name="nats",
        command=(found or "nats-server", "--config", str(home.nats_conf)),
        url=f"nats://127.0.0.1:{ports['nats']}",
        env=clean_environment(),
    )


def service(home: Home, ports: Mapping[str, int], name: str, extra: Mapping[str, str]) -> Part:
    """Return one service with its settings; `extra` holds those that only some services know."""
    peers = {peer: f"http://127.0.0.1:{ports[peer]}" for peer in SERVICES if peer != name}
    env = clean_environment() | {
        "HOMEWARD_SERVICE": name,
        "HOMEWARD_LISTEN": f"127.0.0.1:{ports[name]}",
        "HOMEWARD_DATABASE_URL": home.database_url(name),
        "HOMEWARD_NATS_URL": f"nats://127.0.0.1:{ports['nats']}",
        "HOMEWARD_NATS_NKEY": str(home.nkey(name)),
        "HOMEWARD_ISSUER": keys.ISSUER,
        "HOMEWARD_JWKS": str(home.keys_dir / "issuer.jwks.json"),
        "HOMEWARD_TOKENS": str(home.edge_tokens(name)),
        "HOMEWARD_PEERS": json.dumps(peers),
        "HOMEWARD_ID_KEY": str(home.keys_dir / "ids.key"),
        "HOMEWARD_LOCALITIES": str(home.localities),
        "HOMEWARD_SMTP_URL": f"file://{home.mail}",
    }
    env |= {key: os.environ[key] for key in PASSED_ON if os.environ.get(key)}
    env |= extra
    return Part(
        name=name,
        command=(sys.executable, "-m", f"services.{name}"),
        url=f"http://127.0.0.1:{ports[name]}",
        env=env,
    )
