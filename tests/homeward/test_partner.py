"""Partners: they make their own keys, ops registers them while everything runs."""

import json
import stat

import nkeys
import pytest
from joserfc.jwk import OKPKey
from typer.testing import CliRunner

from homeward.enrolment import Agency, PartnerError, check, make_keys, write_creds
from homeward.home import Home
from homeward.partner import app

PARTNER = "northshire-police"


def run(*words):
    return CliRunner().invoke(app, list(words))


def public_of(folder, key=PARTNER):
    make_keys(key, folder)
    return json.loads((folder / f"{key}.public.json").read_text())


def test_keys_needs_no_home_and_keeps_the_secrets_to_the_owner(tmp_path):
    made = run("keys", PARTNER, "--out", str(tmp_path / "new"))

    assert made.exit_code == 0
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "new").iterdir()}
    assert modes[f"{PARTNER}.nk"] == modes[f"{PARTNER}.jwk.json"] == 0o600
    assert set(modes) == {f"{PARTNER}.nk", f"{PARTNER}.jwk.json", f"{PARTNER}.public.json"}


def test_what_is_sent_to_us_fits_the_secrets_and_holds_none(tmp_path):
    public = public_of(tmp_path)
    seed = bytearray((tmp_path / f"{PARTNER}.nk").read_bytes())
    secret = json.loads((tmp_path / f"{PARTNER}.jwk.json").read_text())

    assert set(public) == {"key", "nkey", "jwk"}
    assert public["nkey"] == nkeys.from_seed(seed).public_key.decode()
    assert public["jwk"]["x"] == secret["x"]
    assert "d" in secret
    assert "d" not in public["jwk"]


def test_keys_are_never_replaced(tmp_path):
    run("keys", PARTNER, "--out", str(tmp_path))
    before = (tmp_path / f"{PARTNER}.nk").read_bytes()

    assert run("keys", PARTNER, "--out", str(tmp_path)).exit_code == 2
    assert (tmp_path / f"{PARTNER}.nk").read_bytes() == before


@pytest.mark.parametrize(
    "key", ["", "Police", "a b", "a_b", "-a", "a-", "a--b", "1a", "../a", "a/b", "a\n", "é"]
)
def test_a_key_is_lower_case_words_with_hyphens(tmp_path, key):
    with pytest.raises(PartnerError):
        make_keys(key, tmp_path)

    assert list(tmp_path.iterdir()) == []


def an_agency(folder, **changes):
    usual = {"key": PARTNER, "public": public_of(folder), "type": "police", "role": "missing_unit"}
    return Agency(**(usual | changes))


def test_an_agency_as_it_should_be_is_fine(tmp_path):
    check(an_agency(tmp_path))
    check(an_agency(tmp_path / "2", role=None))
    check(an_agency(tmp_path / "3", type="lscb", role="panel_member"))


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "army"},
        {"role": "responsible_la"},
        {"role": ""},
        {"key": "eastvale-police"},
        {"key": "Bad Key"},
        {"public": {}},
        {"public": {"key": PARTNER, "nkey": "U", "jwk": {}}},
    ],
)
def test_an_agency_that_could_not_be_right_is_refused_before_anything_is_touched(tmp_path, changes):
    with pytest.raises(PartnerError):
        check(an_agency(tmp_path, **changes))


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        {"kty": "oct", "k": "AA"},
        OKPKey.generate_key("Ed25519").as_dict(private=False),
        OKPKey.generate_key("X25519").as_dict(private=True),
    ],
)
def test_a_wrong_or_private_encryption_key_is_refused(tmp_path, jwk):
    public = public_of(tmp_path) | {"jwk": jwk}

    with pytest.raises(PartnerError):
        check(Agency(PARTNER, public, "police"))


def test_a_private_nats_key_is_refused(tmp_path):
    public = public_of(tmp_path) | {"nkey": (tmp_path / f"{PARTNER}.nk").read_text()}

    with pytest.raises(PartnerError):
        check(Agency(PARTNER, public, "police"))


def test_adding_needs_a_home_that_is_up(tmp_path):
    public_of(tmp_path)
    home = Home.at(tmp_path / "home").make()
    words = ["--public", str(tmp_path / f"{PARTNER}.public.json"), "--type", "police"]
    found = run("add", PARTNER, *words, "--home", str(home.path))

    assert found.exit_code == 75
    assert not home.partner(PARTNER).exists()


def test_adding_without_the_public_file_is_wrong_use(tmp_path):
    words = ["--public", str(tmp_path / "none"), "--type", "police", "--home", str(tmp_path)]

    assert run("add", PARTNER, *words).exit_code == 2


def test_a_file_that_is_no_key_is_wrong_use(tmp_path):
    for text in ("", "[]", "{}", "null"):
        (tmp_path / "p.json").write_text(text)
        words = ["--public", str(tmp_path / "p.json"), "--type", "police", "--home", str(tmp_path)]

        assert run("add", PARTNER, *words).exit_code == 2


def test_creds_exist_only_where_the_home_made_the_partners_keys(tmp_path):
    home = Home.at(tmp_path / "home").make()
    with pytest.raises(PartnerError) as refused:
        write_creds(home, PARTNER, tmp_path / "out")

    assert refused.value.code == 1
    assert not (tmp_path / "out").exists()


def test_creds_of_a_demo_home_are_all_four_files(tmp_path):
    home = Home.at(tmp_path / "home").make()
    home.write_state({"ports": {"nats": 4222}})
    make_keys(PARTNER, home.partner(PARTNER))
    out = tmp_path / "out"
    found = run("creds", PARTNER, "--out", str(out), "--home", str(home.path))

    assert found.exit_code == 0
    names = {f"{PARTNER}.nk", f"{PARTNER}.jwk.json", f"{PARTNER}.json", "homeward.jwks.json"}
    assert {path.name for path in out.iterdir()} == names
    context = json.loads((out / f"{PARTNER}.json").read_text())
    assert context["nkey"] == str(out / f"{PARTNER}.nk")
    assert context["inbox_prefix"] == f"_INBOX_{PARTNER}"
    assert context["jetstream_api_prefix"] == "JSC.API"
    assert stat.S_IMODE((out / f"{PARTNER}.nk").stat().st_mode) == 0o600


def test_ls_of_a_home_that_is_not_up_is_75(tmp_path):
    home = Home.at(tmp_path / "home").make()

    assert run("ls", "--json", "--home", str(home.path)).exit_code == 75
