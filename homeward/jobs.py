"""What is done once, or in a loop, beside the services of a site: `python -m homeward.jobs JOB`.

Each job has a container of its own that sees what this job needs and nothing else.
"""

import asyncio
import json
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path

WITHIN_S = 60.0
LOOK_S = 60.0
OFFER = "127.0.0.1:8182"
"""Where bundles are offered unless HOMEWARD_LISTEN says otherwise."""


def accounts(folder: str) -> None:
    """Write the broker's accounts, from this version's topology and the public keys in `folder`."""
    from homeward.compose import write_accounts  # noqa: PLC0415 - each job loads what it needs

    here = Path(folder)
    users = json.loads((here / "users.json").read_text())
    write_accounts(here, users, json.loads((here / "partners.json").read_text()))


def provision(folder: str) -> None:
    """Make streams and durables, those of the partners in `folder` too, once the broker answers."""
    from messaging import provision as making  # noqa: PLC0415
    from messaging.errors import AwayError  # noqa: PLC0415
    from messaging.topology import load  # noqa: PLC0415

    partners = json.loads((Path(folder) / "partners.json").read_text())
    url, seed = os.environ["HOMEWARD_NATS_URL"], Path(os.environ["HOMEWARD_NATS_NKEY"])
    ca = os.environ.get("HOMEWARD_NATS_CA")
    end = time.monotonic() + WITHIN_S
    while True:
        try:
            asyncio.run(making.provision(url, seed, load(), partners, Path(ca) if ca else None))
            return
        except AwayError as error:
            if time.monotonic() > end:
                sys.exit(f"provision: {error}")
            time.sleep(0.5)


def issue(folder: str) -> None:
    """Keep the tokens of every edge fresh in `folder`, for as long as this runs."""
    from homeward import keys  # noqa: PLC0415
    from messaging.topology import load  # noqa: PLC0415

    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # process 1 would not hear of it
    key = Path(os.environ["HOMEWARD_ISSUER_KEY"])
    name = os.environ["HOMEWARD_ISSUER"]
    issued = float("-inf")
    while True:
        # by the clock on the wall: a machine that slept would wake up with tokens that had ended
        if time.time() - issued > keys.EDGE_TTL_S / 2:
            for service, target in load().http_edges():
                token = keys.sign_token(
                    key, sub=service, roles=["service"], audience=[target],
                    ttl_s=keys.EDGE_TTL_S, issuer=name,
                )  # fmt: skip
                keys.write_secret(Path(folder) / service / f"{target}.jwt", token)
            issued = time.time()
        time.sleep(LOOK_S)


def issued(folder: str) -> None:
    """End with 0 only where every edge has a token that lasts: the health of `issue`."""
    from homeward import keys  # noqa: PLC0415
    from messaging.topology import load  # noqa: PLC0415

    for service, target in load().http_edges():
        age = time.time() - (Path(folder) / service / f"{target}.jwt").stat().st_mtime
        if age > keys.EDGE_TTL_S * 3 / 4:
            sys.exit(f"the token of {service} for {target} is old")


def offer(folder: str) -> None:
    """Offer the signed bundle in `folder` to the policy engine, for as long as this runs."""
    from homeward.engine import offering  # noqa: PLC0415

    host, _, port = os.environ.get("HOMEWARD_LISTEN", OFFER).rpartition(":")
    offering.offer(folder, host, int(port))


def offered(_folder: str) -> None:
    """End with 0 only where a bundle is offered: the health of `offer`."""
    port = os.environ.get("HOMEWARD_LISTEN", OFFER).rpartition(":")[2]
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/bundle.tar.gz", timeout=5).close()
    except OSError as error:
        sys.exit(f"no bundle is offered: {error}")


JOBS = {job.__name__: job for job in (accounts, provision, issue, issued, offer, offered)}


def main() -> None:
    """Do one job on one folder."""
    match sys.argv[1:]:
        case [name, folder] if name in JOBS:
            JOBS[name](folder)
        case _:
            sys.exit(f"usage: python -m homeward.jobs ({' | '.join(JOBS)}) FOLDER")


if __name__ == "__main__":
    main()
