"""A real OPA loads what our key signed, and goes on with it whatever else it is offered."""

import base64
import io
import json
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from joserfc.jwk import OKPKey
from support.broker import free_port

from homeward.engine import (
    BrokenPoliciesError,
    EngineMissingError,
    find_engine,
    offering,
    signing,
)

KEYID = "site"


@pytest.fixture(scope="module")
def opa() -> str:
    try:
        engine = find_engine()
    except EngineMissingError as error:
        pytest.skip(str(error))
    if engine.path is None:
        pytest.skip("no opa command: see `homeward doctor`")
    return engine.path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    signing.make_keys(folder)
    return folder


def a_bundle(place: Path, revision: str, **data: object) -> Path:
    """Lay out a small bundle whose decision is its revision."""
    folder = place / f"bundle-{revision}"
    (folder / "table").mkdir(parents=True)
    (folder / ".manifest").write_text(json.dumps({"revision": revision, "rego_version": 1}))
    (folder / "decision.rego").write_text(f'package homeward.sharing\n\ndecision := "{revision}"\n')
    (folder / "table" / "police.yaml").write_text("POL-01: {}\n")
    (folder / "data.json").write_text(json.dumps(data))
    return folder


def names_and_hashes(signatures: bytes) -> dict[str, str]:
    token = json.loads(signatures)["signatures"][0].split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return {one["name"]: one["hash"] for one in told["files"]}


def test_our_hashes_are_those_of_opa_s_own_signer(opa: str, keys: Path, tmp_path: Path) -> None:
    odd = {
        "words": "O’Neill & <b> \u2028 \x7f \x01 é 😀",
        "z": None,
        "a": True,
        "list": [[], {}, ""],
    }
    folder = a_bundle(tmp_path, "one", numbers=[0, -1, 1.5, 1e300, 10**20], **odd)
    subprocess.run(
        [opa, "sign", "--signing-key", str(keys / signing.PRIVATE),
         "--signing-alg", signing.ALGORITHM, "--bundle", "."], cwd=folder, check=True,
    )  # fmt: skip
    theirs = names_and_hashes((folder / signing.SIGNATURES).read_bytes())
    (folder / signing.SIGNATURES).unlink()
    files = {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*.*")}
    ours = names_and_hashes(signing.signatures(files, keys / signing.PRIVATE, KEYID))

    assert {name.removeprefix("./"): one for name, one in theirs.items()} == ours


class Engine:
    """OPA as it runs beside the gate, polling what is offered to it."""

    def __init__(self, opa: str, keys: Path, place: Path) -> None:
        self.offered = place / "offered"
        self.offered.mkdir()
        self.bundle = self.offered / "bundle.tar.gz"
        self._log = place / "opa.log"
        self._serving = offering.server(self.offered, "127.0.0.1", 0)
        threading.Thread(target=self._serving.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{self._serving.server_port}"
        config = yaml.safe_load(signing.opa_config(keys / signing.PUBLIC, KEYID, url))
        polling = {"min_delay_seconds": 1, "max_delay_seconds": 1}
        config["bundles"]["homeward"]["polling"] = polling
        (place / "opa.yaml").write_text(yaml.safe_dump(config))
        self._url = f"http://127.0.0.1:{free_port()}"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [opa, "run", "--server", "--addr", self._url.removeprefix("http://"),
                 "--skip-version-check", "--log-level", "error",
                 "--config-file", str(place / "opa.yaml")], stdout=log, stderr=log,
            )  # fmt: skip

    def decides(self) -> object:
        try:
            asked = f"{self._url}/v1/data/homeward/sharing/decision"
            return httpx.post(asked, trust_env=False).json().get("result")
        except httpx.HTTPError:
            return None

    def errors(self) -> list[str]:
        lines = self._log.read_text().splitlines()
        return [line for line in lines if '"level":"error"' in line]

    def has_refused(self, offered: bytes) -> str:
        """Offer this, and return why OPA did not take it."""
        before = len(self.errors())
        self.put(offered)
        until(lambda: len(self.errors()) > before)
        return self.errors()[-1]

    def put(self, offered: bytes) -> None:
        aside = self.offered / "aside"
        aside.write_bytes(offered)
        aside.replace(self.bundle)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._serving.shutdown()


def until(holds) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.05)


@pytest.fixture
def engine(opa: str, keys: Path, tmp_path: Path) -> Iterator[Engine]:
    running = Engine(opa, keys, tmp_path)
    yield running
    running.stop()


def unpacked(bundle: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(bundle), mode="r:gz") as opened:
        return {m.name.lstrip("/"): opened.extractfile(m).read() for m in opened}


def test_only_what_our_key_signed_is_loaded_and_the_old_goes_on_otherwise(
    engine: Engine, keys: Path, tmp_path: Path
) -> None:
    def signed(revision: str, keyid: str = KEYID, by: Path = keys) -> bytes:
        file = tmp_path / f"{revision}.tar.gz"
        signing.pack(a_bundle(tmp_path, revision), file, by / signing.PRIVATE, keyid)
        return file.read_bytes()

    one, two, older = signed("one"), signed("two"), tmp_path / "older"
    signing.make_keys(older)

    engine.put(one)
    until(lambda: engine.decides() == "one")
    engine.put(two)
    until(lambda: engine.decides() == "two")

    evil = b'package homeward.sharing\n\ndecision := "evil"\n'
    files = unpacked(two)
    unsigned = {name: text for name, text in files.items() if name != signing.SIGNATURES}
    for why, offered in {
        "digest mismatch": signing.packed(files | {"decision.rego": evil}),
        "not included in bundle signature": signing.packed(files | {"more.rego": evil}),
        "missing .signatures.json": signing.packed(unsigned | {"decision.rego": evil}),
        "failed to verify": signed("three", by=older),
        "verify JWT signature": signed("four", keyid="other", by=older),
        "gzip": b"nothing that OPA could read",
    }.items():
        assert why in engine.has_refused(offered)
        assert engine.decides() == "two"

    # the name that a bundle gives its own key counts for nothing: the configuration names it
    engine.put(signed("five", keyid="other"))
    until(lambda: engine.decides() == "five")


def test_an_engine_that_was_never_offered_a_good_bundle_has_no_decision(
    engine: Engine, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    signing.make_keys(other)
    file = tmp_path / "bundle.tar.gz"
    signing.pack(a_bundle(tmp_path, "one"), file, other / signing.PRIVATE, KEYID)

    assert "failed to verify" in engine.has_refused(file.read_bytes())
    assert engine.decides() is None


# What the command refuses


def homeward(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "homeward", "policy", *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_keys_are_made_once_and_the_private_one_is_its_owner_s_alone(tmp_path: Path) -> None:
    out = tmp_path / "keys"
    homeward("bundle-keys", str(out), "--keyid", "site")
    first = (out / signing.PRIVATE).read_bytes()
    homeward("bundle-keys", str(out), "--keyid", "site")

    assert first == (out / signing.PRIVATE).read_bytes()
    assert (out / signing.PRIVATE).stat().st_mode & 0o077 == 0
    assert b"PRIVATE" not in (out / signing.CONFIG).read_bytes()
    config = yaml.safe_load((out / signing.CONFIG).read_text())
    assert config["bundles"]["homeward"]["signing"] == {"keyid": "site"}


@pytest.mark.parametrize(
    "words",
    [
        ["x.tar.gz"],
        ["x.tar.gz", "--sign", "k.pem"],
        ["x", "--sign", "k.pem", "--keyid", "site"],
        ["x.tar.gz", "--sign", "no-such.pem", "--keyid", "site"],
    ],
)
def test_a_bundle_in_one_file_is_signed_or_is_not_made(words: list[str], tmp_path: Path) -> None:
    into, *options = words
    done = homeward("bundle", str(tmp_path / into), *options)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / into).exists()


def test_a_key_of_another_kind_does_not_sign(tmp_path: Path) -> None:
    other = tmp_path / "ed.pem"
    other.write_bytes(OKPKey.generate_key("Ed25519").as_pem(private=True))

    with pytest.raises(signing.WrongKeyError):
        signing.signatures({}, other, "site")


def test_a_file_that_opa_would_take_for_data_is_refused(keys: Path, tmp_path: Path) -> None:
    folder = a_bundle(tmp_path, "one")
    (folder / "table" / "data.yaml").write_text("x: 1\n")

    with pytest.raises(BrokenPoliciesError, match="by itself"):
        signing.pack(folder, tmp_path / "b.tar.gz", keys / signing.PRIVATE, KEYID)
