"""The broker of a home: its generated configuration, its streams, partners added while it runs."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from homeward import keys, processes
from homeward.home import SERVICES, Home, HomeError
from messaging import nats_config, provision, topology
from messaging.errors import AwayError

UP_WITHIN_S = 15.0
RELOADED_WITHIN_S = 10.0
_RELOADED = "Reloaded server configuration"
_REFUSED = ("Failed to reload server configuration", "[ERR]")


def partner_nkeys(home: Home) -> dict[str, list[str]]:
    """Return the public broker keys of each partner of this home.

    Two while they are being replaced; none where it has left: the account stays, for `sharing`.
    """
    found = {}
    for file in sorted(home.partners.glob("*/*.public.json")):
        key = file.name.removesuffix(".public.json")
        told = json.loads(file.read_text())
        present = [] if told.get("revoked") else [told["nkey"], *told.get("former", [])]
        found[key] = [str(one) for one in present]
    return found


def write_config(home: Home, ports: Mapping[str, int]) -> None:
    """Write the broker's configuration with an account for each service and partner."""
    text = nats_config.render(
        topology.load(),
        host="127.0.0.1",
        port=ports["nats"],
        store_dir=home.nats_data,
        users={name: keys.public_nkey(home.nkey(name)) for name in SERVICES},
        provisioner=keys.public_nkey(home.nkey("provisioner")),
        partners=partner_nkeys(home),
    )
    keys.write_secret(home.nats_conf, text)


async def make_streams(home: Home, ports: Mapping[str, int]) -> None:
    """Make all streams and durables, as soon as the broker answers.

    Raises `HomeError` where it does not within a quarter of a minute.
    """
    end = time.monotonic() + UP_WITHIN_S
    url = f"nats://127.0.0.1:{ports['nats']}"
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", ports["nats"])
            writer.close()  # the library would log a whole traceback of a refused connection
            await provision.provision(
                url, home.nkey("provisioner"), topology.load(), partner_nkeys(home)
            )
            return
        except (AwayError, OSError) as error:
            if time.monotonic() > end:
                raise HomeError(f"the broker does not answer: see {home.logs}/nats.log") from error
            await asyncio.sleep(0.02)


def reload(home: Home) -> None:
    """Let the running broker know all partners there are now; nobody is disconnected.

    Raises `HomeError` where the home is not up, or the broker refuses: then it keeps what it had.
    """
    part = home.state().get("parts", {}).get("nats")
    if processes.find(part) is None:
        raise HomeError(f"nothing runs in {home.path}: start it with `homeward up`")
    before = home.nats_conf.read_text()
    write_config(home, home.ports)
    try:
        # A new account's imports are bound against the exports of before the reload: without a
        # second one the partner, and `sharing` on its behalf, would talk to nobody.
        for _ in range(2):
            _signal(part["pid"], home.logs / "nats.log")
    except HomeError:
        keys.write_secret(home.nats_conf, before)
        raise
    asyncio.run(make_streams(home, home.ports))


def _signal(pid: int, log: Path) -> None:
    """Let the broker read its configuration again. Raises `HomeError` where it refuses it."""
    seen = log.stat().st_size
    os.kill(pid, signal.SIGHUP)
    end = time.monotonic() + RELOADED_WITHIN_S
    while time.monotonic() < end:
        with log.open("rb") as file:
            file.seek(seen)
            said = file.read().decode(errors="replace")
        if _RELOADED in said:
            return
        refused = [line for line in said.splitlines() if any(mark in line for mark in _REFUSED)]
        if refused:
            raise HomeError(f"the broker refused its new configuration: {refused[0]}")
        time.sleep(0.01)
    raise HomeError(f"the broker did not reload: see {log}")
