"""The gate reads the policies out of a folder or a bundle alike, and believes nothing of them."""

import io
import tarfile
from pathlib import Path

import pytest

from contracts import policies as contract
from services.sharing import policy_data, policy_sources
from services.sharing.policy_sources import NoPoliciesError, sources

POLICIES = Path(__file__).parents[2] / "policies"


def packed(into: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(into, "w:gz") as opened:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return into


def test_a_bundle_says_the_same_as_the_folder_it_was_made_from(tmp_path: Path) -> None:
    files = sources(POLICIES)
    generated = {"rows.rego": b"package rows", "authz.rego": b"package authz", "data.json": b"{}"}
    bundle = packed(
        tmp_path / "bundle.tar.gz", {f"/{n}": c for n, c in (files | generated).items()}
    )

    assert contract.digest(files) == contract.digest(sources(bundle))
    assert policy_data.load(POLICIES) == policy_data.load(bundle)


def test_one_word_more_is_another_version(tmp_path: Path) -> None:
    files = sources(POLICIES)
    bundle = packed(tmp_path / "b.tar.gz", files | {"law.yaml": files["law.yaml"] + b"# more\n"})

    assert contract.digest(files) != contract.digest(sources(bundle))


def test_what_is_no_bundle_is_said_to_be_none(tmp_path: Path) -> None:
    bundle = packed(tmp_path / "b.tar.gz", sources(POLICIES))
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(bundle.read_bytes()[:2000])

    with pytest.raises(NoPoliciesError):
        sources(cut)


def test_a_bundle_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    large = {"large.yaml": bytes(policy_sources.BYTES_MAX + 1)}

    with pytest.raises(NoPoliciesError, match="more than"):
        sources(packed(tmp_path / "b.tar.gz", large))
