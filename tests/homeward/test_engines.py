"""Which policies the engine of a home loads: its own, whole and unchanged, and no others."""

import shutil

import pytest

from homeward import engines
from homeward.engine import policy_digest
from homeward.home import Home, HomeError


@pytest.fixture
def home(tmp_path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


def a_draft(home: Home) -> str:
    """Keep one more version in the home; return its digest."""
    folder = home.policies / "draft"
    shutil.copytree(engines.POLICIES, folder)
    codes = folder / "codes.yaml"
    codes.write_text(codes.read_text().replace('policy_version: "', 'policy_version: "draft-'))
    return folder.rename(home.policies / policy_digest(folder)).name


def test_a_new_home_keeps_the_policies_of_the_checkout_and_loads_what_it_is_told_to(home):
    first = engines.build(home)
    assert first == engines.wanted(home) == policy_digest(engines.POLICIES)
    assert policy_digest(home.policies / first) == first
    draft = a_draft(home)
    assert engines.build(home) == first
    (home.policies / "current").write_text(draft + "\n")

    assert engines.build(home) == draft
    assert f'"{draft}"' in (home.opa_bundle / ".manifest").read_text()
    assert (home.opa_bundle / "homeward_caller" / "data.json").is_file()


def test_what_was_changed_by_hand_or_is_not_there_is_not_loaded_and_the_old_bundle_stays(home):
    first = engines.build(home)
    before = (home.opa_bundle / ".manifest").read_bytes()
    draft = a_draft(home)
    law = home.policies / draft / "law.yaml"
    law.write_text(law.read_text() + "\n# by hand\n")
    for named in (draft, "f" * 64):
        (home.policies / "current").write_text(named + "\n")
        with pytest.raises(HomeError):
            engines.build(home)
    law.write_text(law.read_text().replace("\n# by hand\n", ""))
    rego = home.policies / draft / "decision.rego"
    rego.write_text(rego.read_text() + "\nx := http.send({})\n")
    bad = policy_digest(home.policies / draft)
    (home.policies / draft).rename(home.policies / bad)
    (home.policies / "current").write_text(bad + "\n")
    with pytest.raises(HomeError, match=r"http\.send"):
        engines.build(home)

    assert (home.opa_bundle / ".manifest").read_bytes() == before
    assert first.encode() in before
