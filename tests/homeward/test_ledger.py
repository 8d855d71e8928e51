"""An export of the ledger is checked with a public key alone; any change is found and named."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import OKPKey
from typer.testing import CliRunner

from contracts import ledger
from homeward.ledger import app
from homeward.ledger_check import WrongError, check, trusted

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
JWK = OKPKey.import_key(PRIVATE)
KID = "ledger-1"
JWKS = {"keys": [{**JWK.as_dict(private=False), "kid": KID}]}
KEYS = trusted(JWKS)


def entries(count=4, *, start=1, prev=ledger.GENESIS, recipient="northshire-police"):
    """Return the lines of `count` entries that follow one another, and the last one's hash."""
    lines = []
    for seq in range(start, start + count):
        at = ledger.instant(NOON + timedelta(seconds=seq))
        made = ledger.entry(seq, at, "decision", {"recipient": recipient, "number": seq}, prev)
        lines.append(ledger.canonical(made))
        prev = made["hash"]
    return lines, prev


def checkpoint(seq, digest, *, key=PRIVATE, kid=KID):
    at = ledger.instant(NOON)
    signature = key.sign(ledger.signing_input(seq, digest, at, kid))
    return ledger.canonical(ledger.checkpoint(seq, digest, at, kid, signature))


def an_export(count=4):
    lines, digest = entries(count)
    return [ledger.HEADER, *lines, checkpoint(count, digest)]


def text(lines):
    return b"".join(line + b"\n" for line in lines)


def fault(data, held=None):
    """Return how `data` is refused, or None where it is taken for right."""
    try:
        check(io.BytesIO(data), KEYS, held)
    except WrongError as error:
        return str(error)
    return None


@pytest.mark.parametrize("count", [0, 1, 4])
def test_an_export_as_it_was_written_is_right(count):
    assert check(io.BytesIO(text(an_export(count))), KEYS).seq == count


def test_each_bit_of_each_byte_counts():
    lines = an_export(3)
    data = text(lines)
    line_of = [at for at, line in enumerate(lines) for _ in range(len(line) + 1)]
    named = {0: "header:", 1: "entry 1:", 2: "entry 2:", 3: "entry 3:"}

    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            found = fault(bytes(changed))

            assert found is not None, (place, bit)
            if line_of[place] in named:
                assert found.startswith(named[line_of[place]]), (place, bit, found)


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 5000), byte=st.binary(min_size=1, max_size=3), gone=st.integers(0, 3))
def test_nothing_can_be_put_in_or_taken_out(place, byte, gone):
    data = text(an_export(3))
    at = place % (len(data) + 1)
    changed = data[:at] + byte + data[at + gone :]

    assert (fault(changed) is None) == (changed == data)


@pytest.mark.parametrize("left_out", range(6))
def test_a_line_left_out_is_named(left_out):
    lines = an_export(4)
    del lines[left_out]
    wanted = ["header:", *(f"entry {seq}:" for seq in range(1, 6))]

    assert fault(text(lines)).startswith(wanted[left_out])


@pytest.mark.parametrize("kept", range(6))
def test_a_file_cut_short_is_refused(kept):
    assert fault(text(an_export(4)[:kept])) is not None


@pytest.mark.parametrize("first", range(5))
def test_lines_that_changed_places_are_named(first):
    lines = an_export(4)
    lines[first], lines[first + 1] = lines[first + 1], lines[first]

    wanted = ["header:", *(f"entry {seq}:" for seq in range(1, 5))]
    assert fault(text(lines)).startswith(wanted[first])


@pytest.mark.parametrize("twice", range(6))
def test_a_line_that_stands_twice_is_named(twice):
    lines = an_export(4)
    lines.insert(twice, lines[twice])
    found = fault(text(lines))

    wanted = ["entry 1:", "entry 2:", "entry 3:", "entry 4:", "entry 5:", "checkpoint:"]
    assert found.startswith(wanted[twice])


def test_an_entry_that_follows_the_checkpoint_is_found():
    lines, _ = entries(5)
    exported = an_export(4)

    assert fault(text([*exported, lines[4]])) == "checkpoint: something follows it"


def test_an_entry_changed_with_its_own_hash_made_anew_breaks_the_next():
    lines = an_export(4)
    second = json.loads(lines[2])
    second["body"] = {"recipient": "eastvale-police"}
    lines[2] = ledger.canonical(
        ledger.entry(2, second["at"], second["kind"], second["body"], second["prev"])
    )

    assert fault(text(lines)) == "entry 3: does not follow entry 2"


def test_a_ledger_written_anew_does_not_fit_the_signature():
    lines, _ = entries(4, recipient="eastvale-police")

    assert "not what the checkpoint signed" in fault(text([ledger.HEADER, *lines, an_export()[-1]]))


def test_a_ledger_written_anew_and_signed_by_another_key_is_refused():
    other = Ed25519PrivateKey.generate()
    lines, digest = entries(4, recipient="eastvale-police")
    strange = checkpoint(4, digest, key=other, kid="other")
    posing = checkpoint(4, digest, key=other, kid=KID)

    assert "not among yours" in fault(text([ledger.HEADER, *lines, strange]))
    assert "does not fit" in fault(text([ledger.HEADER, *lines, posing]))


def test_whitespace_and_another_order_of_keys_are_changes():
    lines = an_export(2)
    spaced = [lines[0], lines[1].replace(b'":', b'": ', 1), *lines[2:]]
    turned = [lines[0], json.dumps(dict(reversed(json.loads(lines[1]).items()))).encode()]
    ended = [line + b"\r" for line in lines]

    assert fault(text(spaced)).startswith("entry 1:")
    assert fault(text([*turned, *lines[2:]])).startswith("entry 1:")
    assert fault(text(ended)).startswith("header:")


@pytest.mark.parametrize(
    "line", [b"", b"null", b"[]", b"1e999", b"NaN", b"[" * 100_000, b'"\xff"', b"9" * 6000]
)
def test_a_line_of_nonsense_is_named(line):
    assert fault(text([ledger.HEADER, line])).startswith("entry 1:")
    assert fault(text([line])).startswith("header:")


# The command


@pytest.fixture
def there(tmp_path):
    """Return a function that writes a file and gives its path as text."""

    def write(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return write


def verify(*words):
    return CliRunner().invoke(app, ["verify", *words])


def test_verify_says_right_with_0_and_wrong_with_1(there):
    key = there("key.json", json.dumps(JWKS).encode())
    lines = an_export()
    broken = [*lines[:2], *lines[3:]]

    right = verify(there("right", text(lines)), "--key", key)
    wrong = verify(there("wrong", text(broken)), "--key", key)

    assert (right.exit_code, wrong.exit_code) == (0, 1)
    assert "entry 2: left out" in wrong.output


def test_verify_without_file_or_key_is_wrong_use(there, tmp_path):
    key = there("key.json", json.dumps(JWKS).encode())
    good = there("right", text(an_export()))

    assert verify(str(tmp_path / "none"), "--key", key).exit_code == 2
    assert verify(good, "--key", str(tmp_path / "none")).exit_code == 2
    assert verify(good, "--key", there("bad.json", b"{}")).exit_code == 2
    assert verify(good, "--home", str(tmp_path)).exit_code == 2
    assert verify(good, "--key", key, "--head", str(tmp_path / "none")).exit_code == 2
    assert verify(good, "--key", key, "--head", there("head", b"{}")).exit_code == 2


def test_the_key_is_that_of_the_home_where_none_is_named(there, tmp_path):
    (tmp_path / "keys").mkdir()
    there("keys/ledger.jwks.json", json.dumps(JWKS).encode())

    assert verify(there("right", text(an_export())), "--home", str(tmp_path)).exit_code == 0


def test_a_ledger_cut_short_and_signed_again_does_not_contain_the_checkpoint_held(there):
    key = there("key.json", json.dumps(JWKS).encode())
    head = there("head", an_export(4)[-1])
    earlier = there("earlier", text(an_export(2)))

    found = verify(earlier, "--key", key, "--head", head)

    assert found.exit_code == 1
    assert "entry 3: left out" in found.output


def test_a_ledger_written_anew_with_our_own_key_does_not_contain_the_checkpoint_held(there):
    key = there("key.json", json.dumps(JWKS).encode())
    head = there("head", an_export(2)[-1])
    lines, digest = entries(4, recipient="eastvale-police")
    anew = there("anew", text([ledger.HEADER, *lines, checkpoint(4, digest)]))

    found = verify(anew, "--key", key, "--head", head)

    assert found.exit_code == 1
    assert "entry 2:" in found.output


def test_a_longer_ledger_contains_the_checkpoint_export_or_release_held(there):
    key = there("key.json", json.dumps(JWKS).encode())
    later = there("later", text(an_export(4)))

    read = json.dumps({"number": 1, "checkpoint": json.loads(an_export(2)[-1])}).encode()
    for held in (an_export(2)[-1], text(an_export(2)), an_export(4)[-1], read):
        assert verify(later, "--key", key, "--head", there("head", held)).exit_code == 0


# The form


def test_numbers_with_a_fraction_have_no_place_in_the_ledger():
    with pytest.raises(ValueError, match="whole numbers"):
        ledger.canonical({"number": 1.0})


def test_canonical_text_is_the_same_whatever_the_order():
    assert ledger.canonical({"b": [True, None], "a": "é"}) == b'{"a":"\\u00e9","b":[true,null]}'
