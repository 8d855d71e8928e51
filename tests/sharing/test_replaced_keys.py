"""The gate's keys are replaced while it runs; what was signed before stays good."""

import io
import json
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from support.running import eventually
from typer.testing import CliRunner

from contracts import feed
from homeward import replace
from homeward.engine import EngineMissingError, build_bundle, find_engine, server_command
from homeward.enrolment import make_keys
from homeward.feed_open import BadEventError, Opener
from homeward.home import Home
from homeward.ledger_check import Checkpoint, check, trusted
from messaging.reread import Reread
from services.sharing.checkpoints import make_checkpoint, signer_of
from services.sharing.policy import Policy
from services.sharing.sealing import Keys, envelope, pseudonym, sign_void

from .test_ledger import NOON, an_export, db, write  # noqa: F401 - a fixture

POLICIES = Path(__file__).parents[2] / "policies"
PARTNER = "northshire-police"


@pytest.fixture
def home(tmp_path):
    return Home.at(tmp_path / "home").make()


def step(home, word: str, name: str) -> None:
    done = CliRunner().invoke(replace.app, [word, name, "--home", str(home.path)])
    assert done.exit_code == 0, done.output


def a_void(keys: Keys, number: int) -> bytes:
    told = {"release_id": f"R-{number}", "number": number, "at": NOON}
    signed = sign_void(keys, partner=PARTNER, **told)
    return envelope(feed.VOID, signed, event_id=f"R-{number}.void", source="urn:x", **told)


def test_a_new_signing_key_is_taken_up_and_partners_verify_both(home, tmp_path):
    signing, ids = home.keys_dir / "signing.jwk.json", home.keys_dir / "ids.key"
    keys = Reread("signing_key", lambda: Keys.read(signing, ids), signing)
    make_keys(PARTNER, tmp_path)
    jwk = json.loads((tmp_path / f"{PARTNER}.jwk.json").read_text())

    def a_partner() -> Opener:
        return Opener(PARTNER, jwk, json.loads((home.keys_dir / "homeward.jwks.json").read_text()))

    before, known = a_partner(), pseudonym(keys().pseudonym, "p", "child", "C-1")
    old = a_void(keys(), 1)
    step(home, "next", "signing")
    assert before.open(a_void(keys(), 2))["number"] == 2  # not used before everybody has it
    step(home, "use", "signing")
    new = a_void(keys(), 3)

    both = a_partner()
    assert [both.open(event)["number"] for event in (old, new)] == [1, 3]
    with pytest.raises(BadEventError):
        before.open(new)
    assert pseudonym(keys().pseudonym, "p", "child", "C-1") == known
    step(home, "drop", "signing")
    with pytest.raises(BadEventError):
        a_partner().open(old)
    assert a_partner().open(new)["number"] == 3


@pytest.mark.parametrize(("word", "name"), [("use", "signing"), ("next", "ids")])
def test_a_step_that_cannot_be_is_refused(home, word, name):
    done = CliRunner().invoke(replace.app, [word, name, "--home", str(home.path)])

    assert done.exit_code == 1


async def test_a_ledger_is_verified_over_a_change_of_its_key(home, db):  # noqa: F811
    app = SimpleNamespace(
        state={}, settings=SimpleNamespace(ledger_key=home.keys_dir / "ledger.jwk.json")
    )
    public = home.keys_dir / "ledger.jwks.json"
    await write(db, 3)
    first = await make_checkpoint(db, signer_of(app), NOON)
    step(home, "next", "ledger")
    step(home, "use", "ledger")
    await write(db, 2)
    second = await make_checkpoint(db, signer_of(app), NOON)
    data = await an_export(db, second)

    keys = trusted(json.loads(public.read_text()))
    held = Checkpoint(first["seq"], first["hash"], first["at"], first["kid"])
    assert first["kid"] != second["kid"]
    assert check(io.BytesIO(data), keys, held).seq == 5
    step(home, "drop", "ledger")
    assert check(io.BytesIO(data), trusted(json.loads(public.read_text()))).seq == 5


async def test_the_engine_takes_the_old_and_the_new_token_while_it_is_replaced(tmp_path):
    try:
        engine = find_engine()
    except EngineMissingError as reason:
        pytest.skip(str(reason))
    build_bundle(POLICIES, tmp_path / "bundle")
    token, sent = tmp_path / "engine.token", tmp_path / "sharing.token"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    token.write_text("the-old-one\nthe-new-one\n")
    command = server_command(engine, tmp_path / "bundle", port, token)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet)  # noqa: ASYNC220 - starting takes no time
    policy = Policy(f"http://127.0.0.1:{port}", "", SimpleNamespace(), sent)
    try:
        await eventually(lambda: is_up(port), 60)
        answers = []
        for content in (
            "the-old-one\n",
            "the-old-one\nthe-new-one\n",
            "the-new-one\n",
            "another\n",
        ):
            sent.write_text(content)
            answers.append(await asked(policy))
    finally:
        process.kill()
        process.wait()
        await policy.close()

    assert answers == ["digest", "digest", "digest", "status_4xx"]


async def is_up(port: int) -> bool:
    try:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{port}/health")).is_success
    except httpx.TransportError:
        return False


async def asked(policy: Policy) -> str:
    """Return why there is no decision: `digest` stands for an answer, which is all that counts."""
    try:
        await policy.decide({})
    except Exception as error:
        return str(error)
    return "decided"
