"""A home: its keys, its paths, the ports of its parts."""

import json
import socket
import stat
from pathlib import Path

import pytest

from homeward import broker, keys
from homeward.home import PORTS, SERVICES, Home, HomeError, choose_ports
from messaging.settings import HOME_ISSUER


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that was just made."""
    return Home.at(tmp_path / "home").make()


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_can_read_a_key(home: Home):
    assert mode(home.keys_dir) == 0o700
    assert {mode(file) for file in home.keys_dir.rglob("*") if file.is_file()} == {0o600}


def test_each_service_has_a_broker_key_of_its_own(home: Home):
    public = {keys.public_nkey(home.nkey(user)) for user in (*SERVICES, "provisioner")}

    assert len(public) == len(SERVICES) + 1
    assert all(key.startswith("U") for key in public)


def test_making_a_home_again_keeps_its_keys(home: Home):
    before = {file.name: file.read_bytes() for file in home.keys_dir.iterdir() if file.is_file()}

    home.make()

    after = {file.name: file.read_bytes() for file in home.keys_dir.iterdir() if file.is_file()}
    assert after == before


def test_two_homes_share_no_key(home: Home, tmp_path: Path):
    other = Home.at(tmp_path / "other").make()

    for name in ("issuer.jwk.json", "signing.jwk.json", "ledger.jwk.json", "ids.key", "opa.token"):
        assert (home.keys_dir / name).read_bytes() != (other.keys_dir / name).read_bytes()


def test_public_key_sets_hold_no_private_part(home: Home):
    for name in ("issuer", "homeward", "ledger"):
        document = json.loads((home.keys_dir / f"{name}.jwks.json").read_text())

        assert [sorted(set(key) & {"d", "k"}) for key in document["keys"]] == [[]]


def test_the_issuer_of_a_home_is_one_that_production_refuses():
    assert keys.ISSUER.startswith(HOME_ISSUER)


def test_a_home_is_found_by_option_then_by_setting_then_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert Home.at().path == tmp_path / ".homeward"

    monkeypatch.setenv("HOMEWARD_HOME", str(tmp_path / "set"))
    assert Home.at().path == tmp_path / "set"
    assert Home.at(tmp_path / "said").path == tmp_path / "said"


def test_a_home_that_is_not_up_says_how_to_start_it(home: Home):
    with pytest.raises(HomeError, match="homeward up"):
        _ = home.ports


def test_ports_are_free_and_each_part_has_its_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HOMEWARD_PORT", raising=False)

    chosen = choose_ports()

    assert list(chosen) == list(PORTS)
    assert len(set(chosen.values())) == len(PORTS)


def test_ports_stay_the_same_while_they_are_free(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HOMEWARD_PORT", raising=False)
    chosen = choose_ports()

    assert choose_ports(chosen) == chosen


def test_ports_are_a_row_where_the_first_is_given(monkeypatch: pytest.MonkeyPatch):
    first = choose_ports()["nats"]
    monkeypatch.setenv("HOMEWARD_PORT", str(first))
    taken = [port for port in range(first, first + len(PORTS)) if not is_free(port)]
    if taken:
        with pytest.raises(HomeError, match="taken"):
            choose_ports()
    else:
        assert list(choose_ports().values()) == list(range(first, first + len(PORTS)))


def test_a_row_with_a_taken_port_is_refused(monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("HOMEWARD_PORT", str(taken.getsockname()[1]))

        with pytest.raises(HomeError, match="taken"):
            choose_ports()


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a port."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_the_brokers_configuration_names_each_partner_once(home: Home):
    seed = home.path / "alpha.nk"
    keys.make_nkey(seed)
    folder = home.partner("alpha-police")
    folder.mkdir()
    public = {"key": "alpha-police", "nkey": keys.public_nkey(seed), "jwk": {}}
    (folder / "alpha-police.public.json").write_text(json.dumps(public))

    broker.write_config(home, dict.fromkeys(PORTS, 4222))

    assert home.nats_conf.read_text().count(public["nkey"]) == 1
    assert mode(home.nats_conf) == 0o600
