"""A partner reads its feed with its own files; what is not ours, or not for it, is refused."""

import base64
import json
import os
import shutil
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import OKPKey
from typer.testing import CliRunner

from contracts import feed as contract
from homeward.enrolment import make_keys
from homeward.feed import Numbers, app
from homeward.feed_open import BadEventError, Opener
from services.sharing.sealing import Keys, body, envelope, seal, sign_void

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
PARTNER = "northshire-police"
SIGNING = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "Ed25519"}, auto_kid=True)
JWKS = {"keys": [SIGNING.as_dict(private=False)]}
OURS = Keys(SIGNING, b"p" * 32)
MINE = OKPKey.generate_key("X25519", auto_kid=True)
FIONA = {"given_name": "Fiona", "family_name": "Marked", "identity_status": "verified"}


def sealed(number=1, *, release_id=None, keys=OURS, partner=PARTNER, jwk=None):
    """Return the compact JWE of one release."""
    content = {
        "item": {"category": "push_pull", "fields": {"push": "x"}, "provenance": "child_said"},
        "purpose": "prevent_harm",
        "basis": ["LO"],
        "transforms": [],
        "obligations": [],
        "policy_version": "2026.11.1",
    }
    told = body(
        keys,
        content,
        partner=partner,
        recipient_type="police",
        child_id="C-1",
        episode_id="E-1",
        item_id="I-1",
        child=FIONA,
    )
    return seal(
        keys,
        told,
        partner=partner,
        jwk=jwk or MINE.as_dict(private=False),
        release_id=release_id or f"R-{number}",
        number=number,
        at=NOON,
    )


def an_event(number=1, data=None, *, kind=contract.RELEASE, release_id=None):
    release_id = release_id or f"R-{number}"
    return envelope(
        kind,
        data if data is not None else sealed(number),
        event_id=release_id,
        release_id=release_id,
        number=number,
        at=NOON,
        source="urn:homeward:homeward:sharing",
    )


def a_void(number=1, *, keys=OURS, partner=PARTNER):
    data = sign_void(keys, partner=partner, release_id=f"R-{number}", number=number, at=NOON)
    return an_event(number, data, kind=contract.VOID)


def opener(jwk=MINE, partner=PARTNER):
    return Opener(partner, jwk.as_dict(private=True), JWKS)


# Opening


def test_a_release_opens_to_what_was_sealed():
    opened = opener().open(an_event())

    assert opened["type"] == "homeward.release.v1"
    assert (opened["jti"], opened["number"], opened["aud"]) == ("R-1", 1, PARTNER)
    assert opened["child"]["given_name"] == "Fiona"


def test_a_void_opens_to_its_number():
    assert opener().open(a_void(3))["number"] == 3


STRANGER = Keys(OKPKey.generate_key("Ed25519", auto_kid=True), b"p" * 32)
POSING = Keys(
    OKPKey.import_key({**OKPKey.generate_key("Ed25519").as_dict(private=True), "kid": SIGNING.kid}),
    b"p" * 32,
)


@pytest.mark.parametrize(
    "event",
    [
        an_event(2, sealed(1)),
        an_event(1, release_id="R-9"),
        an_event(1, sealed(partner="eastvale-police")),
        an_event(1, sealed(keys=STRANGER)),
        an_event(1, sealed(keys=POSING)),
        an_event(1, sealed(keys=Keys(SIGNING, b"p" * 32, "somebody"))),
        an_event(1, sealed(jwk=OKPKey.generate_key("X25519").as_dict(private=False))),
        an_event(1, sealed(), kind=contract.VOID),
        a_void(keys=STRANGER),
        a_void(partner="eastvale-police"),
        an_event(1, sign_void(OURS, partner=PARTNER, release_id="R-1", number=1, at=NOON)),
        an_event(1, kind="homeward.other.v1"),
        an_event(1, ""),
        b"{}",
        b"",
        b"\xff",
    ],
    ids=[
        "another_number",
        "another_release",
        "for_another_partner",
        "signed_by_a_stranger",
        "signed_by_a_stranger_with_our_key_id",
        "another_issuer",
        "to_another_key",
        "release_as_void",
        "void_by_a_stranger",
        "void_for_another_partner",
        "void_as_release",
        "unknown_type",
        "empty",
        "nothing",
        "no_bytes",
        "no_text",
    ],
)
def test_what_is_not_ours_or_not_for_this_partner_is_refused(event):
    with pytest.raises(BadEventError):
        opener().open(event)


def unsigned(header):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = {"iss": "homeward", "aud": PARTNER, "jti": "R-1", "number": 1, "iat": 1}
    return f"{part(header)}.{part(claims)}."


@pytest.mark.parametrize("alg", ["none", "HS256", "EdDSA", "ES256", None])
def test_no_other_algorithm_is_taken_whatever_a_header_says(alg):
    data = unsigned({"alg": alg, "typ": contract.VOID_TYP, "kid": SIGNING.kid})

    with pytest.raises(BadEventError):
        opener().open(an_event(1, data, kind=contract.VOID))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_byte_of_what_is_sealed_can_be_changed(data):
    whole = EVENT
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(1, 255))
    changed = bytearray(whole)
    changed[place] ^= byte
    try:
        opened = opener().open(bytes(changed))
    except BadEventError:
        return

    assert opened == opener().open(whole)  # a byte of the envelope that means nothing


EVENT = an_event()


def test_a_p256_key_does_as_well():
    from joserfc.jwk import ECKey

    mine = ECKey.generate_key("P-256", auto_kid=True)
    event = an_event(1, sealed(jwk=mine.as_dict(private=False)))

    assert opener(mine).open(event)["number"] == 1


# Numbers


def test_numbers_that_come_in_order_leave_no_gap():
    numbers = Numbers()
    for number in (1, 2, 3):
        numbers.saw(number, first=number == 1)

    assert (numbers.missing(), numbers.next) == ([], 4)


def test_a_number_left_out_is_told_until_a_void_takes_its_place():
    numbers = Numbers()
    for number in (1, 4):
        numbers.saw(number, first=number == 1)

    assert numbers.missing() == [2, 3]

    numbers.saw(3, first=False)
    numbers.saw(2, first=False)

    assert (numbers.missing(), numbers.next) == ([], 5)


def test_a_feed_that_does_not_begin_with_one_has_a_gap_only_if_nothing_came_before():
    whole, later = Numbers(), Numbers()
    whole.saw(3, first=True)
    later.saw(57, first=False)

    assert whole.missing() == [1, 2]
    assert later.missing() == []


# The command, at a real broker


@pytest.fixture
async def creds(nats, tmp_path):
    """Return a folder with the four files of a partner whose feed is there."""
    folder = tmp_path / "creds"
    make_keys(PARTNER, folder)
    public = json.loads((folder / f"{PARTNER}.public.json").read_text())
    nats.partners[PARTNER] = public["nkey"]
    nats.stop()
    nats.start()
    await nats.provision()
    shutil.copy(folder / f"{PARTNER}.nk", nats.seed(PARTNER))
    context = {
        "url": nats.url,
        "nkey": str(folder / f"{PARTNER}.nk"),
        "inbox_prefix": f"_INBOX_{PARTNER}",
        "jetstream_api_prefix": "JSC.API",
    }
    (folder / f"{PARTNER}.json").write_text(json.dumps(context))
    (folder / "homeward.jwks.json").write_text(json.dumps(JWKS))
    return folder


@pytest.fixture
async def put(nats, creds):
    """Return a function that puts events on the feed as `sharing` does."""
    client = await nats.connect("sharing")
    jwk = json.loads((creds / f"{PARTNER}.public.json").read_text())["jwk"]

    async def put(*events):
        for event in events:
            made = event if isinstance(event, bytes) else an_event(event, sealed(event, jwk=jwk))
            await client.jetstream(prefix="JSC.API").publish(
                f"feed.{PARTNER}.release", made, stream=f"FEED_{PARTNER}"
            )

    yield put
    await client.close()


async def run(*words):
    """Run the command in a thread: it has an event loop of its own."""
    import asyncio

    return await asyncio.to_thread(CliRunner().invoke, app, list(words))


async def test_get_prints_each_release_once(creds, put):
    await put(1, 2)
    found = await run("get", PARTNER, "--creds", str(creds))
    again = await run("get", PARTNER, "--creds", str(creds))

    assert [json.loads(line)["number"] for line in found.stdout.splitlines()] == [1, 2]
    assert (found.exit_code, again.exit_code, again.stdout) == (0, 0, "")


async def test_get_takes_as_many_as_asked(creds, put):
    await put(1, 2, 3)
    found = await run("get", PARTNER, "--creds", str(creds), "--count", "2")
    rest = await run("get", PARTNER, "--creds", str(creds))

    assert len(found.stdout.splitlines()) == 2
    assert json.loads(rest.stdout)["number"] == 3


async def test_get_says_when_a_number_is_left_out(creds, put):
    await put(1, 3)
    found = await run("get", PARTNER, "--creds", str(creds))

    assert "number 2 has not come" in found.stderr

    await put(a_void(2))
    found = await run("get", PARTNER, "--creds", str(creds))

    assert found.stderr == ""


async def test_get_stops_with_1_at_what_is_not_ours_and_leaves_it_unacknowledged(creds, put, nats):
    await put(1, an_event(2, sealed(2, keys=STRANGER)))
    found = await run("get", PARTNER, "--creds", str(creds))

    assert found.exit_code == 1
    assert len(found.stdout.splitlines()) == 1
    assert "not encrypted" in found.stderr or "signature" in found.stderr
    client = await nats.connect("provisioner")
    info = await client.jetstream().consumer_info(f"FEED_{PARTNER}", PARTNER)
    assert (info.ack_floor.stream_seq, info.num_ack_pending) == (1, 1)
    await client.close()


async def test_what_was_taken_without_acknowledging_is_acknowledged_later(creds, put, nats):
    await put(1)
    await run("get", PARTNER, "--creds", str(creds), "--no-ack")
    done = await run("ack", PARTNER, "--creds", str(creds))

    assert (done.exit_code, done.stdout) == (0, "1 acknowledged\n")
    client = await nats.connect("provisioner")
    info = await client.jetstream().consumer_info(f"FEED_{PARTNER}", PARTNER)
    assert (info.ack_floor.stream_seq, info.num_ack_pending) == (1, 0)
    await client.close()


async def test_a_missing_file_is_wrong_use(creds):
    (creds / "homeward.jwks.json").unlink()

    assert (await run("get", PARTNER, "--creds", str(creds))).exit_code == 2


async def test_a_key_that_the_broker_does_not_know_is_refused(creds):
    for name in (f"{PARTNER}.nk", f"{PARTNER}.jwk.json", f"{PARTNER}.public.json"):
        (creds / name).unlink()
    make_keys(PARTNER, creds)

    assert (await run("get", PARTNER, "--creds", str(creds))).exit_code == 1


async def test_a_broker_that_is_away_is_75(creds, nats):
    nats.stop()

    assert (await run("get", PARTNER, "--creds", str(creds))).exit_code == 75


# The stock command


@pytest.fixture
def stock(creds, tmp_path):
    """Return a function that runs the stock `nats` command with the partner's context."""
    found = shutil.which("nats", path=os.environ.get("PATH", "") + ":/root/go/bin")
    if found is None:
        pytest.skip("the stock `nats` command is not on the path")
    contexts = tmp_path / "xdg" / "nats" / "context"
    contexts.mkdir(parents=True)
    shutil.copy(creds / f"{PARTNER}.json", contexts)

    async def run_stock(*words):
        import asyncio

        process = await asyncio.create_subprocess_exec(
            found,
            "--context",
            PARTNER,
            "--timeout",
            "2s",
            *words,
            env={"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "HOME": str(tmp_path), "PATH": "/bin"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), 15)
        except TimeoutError:
            process.kill()
            output, _ = await process.communicate()
        return process.returncode, output.decode()

    return run_stock


async def test_the_stock_command_reads_the_feed(stock, put):
    await put(1)
    code, output = await stock("consumer", "next", f"FEED_{PARTNER}", PARTNER, "--ack")

    assert code == 0
    assert '"homeward.release.v1"' in output


@pytest.mark.parametrize(
    "words",
    [
        ("stream", "ls"),
        ("stream", "info", f"FEED_{PARTNER}"),
        ("sub", ">", "--count", "1", "--wait", "1s"),
        ("pub", f"feed.{PARTNER}.release", "x", "--jetstream"),
        ("pub", "feed.eastvale-police.release", "x", "--jetstream"),
        ("stream", "purge", f"FEED_{PARTNER}", "--force"),
        ("consumer", "next", "FEED_eastvale-police", "eastvale-police"),
    ],
)
async def test_the_stock_command_can_do_nothing_else(stock, put, words):
    await put(1)
    code, output = await stock(*words)

    assert code != 0 or "violation" in output.lower(), output
    assert "homeward.release.v1" not in output
