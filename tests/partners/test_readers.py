"""A partner reads its feed with what docs/partners.md names: each program is run as it stands."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import nats
import pytest
from joserfc.jwk import OKPKey

from contracts import feed
from services.sharing.sealing import Keys, envelope, sign_void

from .conftest import DOCS, tool

POLICE, COUNCIL = "northshire-police", "northshire-childrens-services"
PANEL, STRATEGIC = "northshire-missing-panel", "northshire-strategic-group"


def run(*command, **how) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True, text=True, timeout=120, check=False, **how,
    )  # fmt: skip


def whole(ended, key: str) -> list[dict]:
    """Return the releases of a program's output, which have to be all of them."""
    assert ended.returncode == 0, ended.stderr
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert found
    first = found[0]["number"]
    assert [one["number"] for one in found] == list(range(first, first + len(found)))
    assert {one["aud"] for one in found} == {key}
    assert all(one["child"] and one["item"]["fields"] for one in found)
    return found


def test_the_stock_command_gets_the_events_sealed(creds, tmp_path):
    nats_command, folder = tool("nats"), creds(POLICE)
    contexts = tmp_path / "config" / "nats" / "context"
    contexts.mkdir(parents=True)
    shutil.copy(folder / f"{POLICE}.json", contexts)
    surroundings = os.environ | {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    words = ["--context", POLICE, "consumer", "next", f"FEED_{POLICE}", POLICE]
    ended = run(nats_command, *words, "--count", "1", "--ack", "--raw", env=surroundings)

    event = json.loads(ended.stdout)
    assert event["type"] == "homeward.release.v1"
    assert event["data"].count(".") == 4  # a compact JWE
    listed = run(nats_command, "--context", POLICE, "stream", "ls", env=surroundings)
    assert listed.returncode != 0


def test_a_python_program_reads_checks_and_acknowledges(creds):
    program, folder = DOCS / "reader.py", creds(POLICE)
    whole(run(sys.executable, program, POLICE, folder), POLICE)

    assert run(sys.executable, program, POLICE, folder).stdout == ""  # acknowledged: gone


def test_a_node_program_reads_checks_and_acknowledges(creds, node):
    folder = creds(COUNCIL)
    whole(run(tool("node"), "reader.mjs", COUNCIL, folder, cwd=node), COUNCIL)

    again = run(tool("node"), "reader.mjs", COUNCIL, folder, cwd=node)
    assert (again.returncode, again.stdout) == (0, "")


async def forge(home, key: str) -> None:
    """Put an event into a feed that is right but for who signed it."""
    secret = OKPKey.generate_key("Ed25519", {"kid": ours(home)["keys"][0]["kid"]})
    told = {"release_id": "RL-FORGED", "number": 1, "at": datetime.now(UTC)}
    signed = sign_void(Keys(secret, b"x" * 32), partner=key, **told)
    event = envelope(feed.VOID, signed, event_id="forged", source="urn:x", **told)
    client = await nats.connect(home.nats_url, nkeys_seed=str(home.nkey("provisioner")))
    await client.jetstream().publish(f"feed.{key}.void", event, stream=f"FEED_{key}")
    await client.close()


def ours(home) -> dict:
    return json.loads((home.keys_dir / "homeward.jwks.json").read_text())


@pytest.mark.parametrize(("program", "key"), [("reader.py", PANEL), ("reader.mjs", STRATEGIC)])
async def test_a_program_refuses_what_is_not_signed_by_us(home, creds, program, key, request):
    folder = creds(key)
    await forge(home, key)
    if program == "reader.py":
        command, where = [sys.executable, DOCS / program], None
    else:
        command, where = [tool("node"), program], request.getfixturevalue("node")
    ended = await asyncio.to_thread(run, *command, key, folder, cwd=where)

    assert (ended.returncode, "RL-FORGED" in ended.stdout) == (1, False)
