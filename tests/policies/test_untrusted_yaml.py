"""A draft's files are plain, or refused in a sentence before anything takes them in."""

import json
import os
import shutil
from pathlib import Path

import pytest

from homeward.engine import BrokenPoliciesError
from homeward.engine.bundle import policy_digest, read_data
from homeward.engine.fit import checker
from homeward.engine.plain import FILE_BYTES_MAX, read_yaml
from tests.policies.conftest import POLICIES

BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 12)
)


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder)
    return folder


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "meant in two places"),
        ("a: &x {b: 1}\nc: {<<: *x}\n", "in two places|merge"),
        ("a: {<<: {b: 1}}\n", "merge"),
        ("a: !!python/object/apply:os.system [id]\n", "not allowed"),
        ("a: !mine 1\n", "not allowed"),
        ("a: !!binary aGk=\n", "binary"),
        ("a: 2026-11-30\n", "timestamp"),
        ("a: .inf\n", "Out of range|not JSON"),
        ("a: .nan\n", "Out of range|not JSON"),
        ("a: " + "[" * 30 + "]" * 30, "too deep"),
        ("a: " + "[" * 100_000 + "]" * 100_000, "nesting"),
        ("1: a\n", "no word"),
        ("a: 1\na: 2\n", "stands twice"),
        ("? [a]\n: b\n", "no word|unhashable"),
        ("- a\n", "not a set of names"),
        ("", "not a set of names"),
        ("a: 1\n---\nb: 1\n", "single document"),
        ("a: \x00\n", "not allowed"),
    ],
)
def test_yaml_with_a_trick_in_it_is_refused(text: str, said: str) -> None:
    with pytest.raises(Exception, match=said):
        read_yaml(text.encode())


def test_the_sentence_names_the_file(draft: Path) -> None:
    (draft / "more.yaml").write_text(BOMB)

    with pytest.raises(BrokenPoliciesError, match=r"^more\.yaml: line \d+: is meant in two places"):
        read_data(draft)


@pytest.mark.parametrize("name", ["more.yaml", "more.rego"])
def test_a_link_a_pipe_or_a_huge_file_is_refused_unread(draft: Path, name: str) -> None:
    file = draft / name
    file.symlink_to("/etc/hostname")
    with pytest.raises(BrokenPoliciesError, match="out of the folder"):
        policy_digest(draft)

    file.unlink()
    os.mkfifo(file)  # reading it would wait for ever
    with pytest.raises(BrokenPoliciesError, match="no plain file"):
        policy_digest(draft)

    file.unlink()
    with file.open("wb") as huge:
        huge.truncate(FILE_BYTES_MAX + 1)
    with pytest.raises(BrokenPoliciesError, match="larger than"):
        policy_digest(draft)


def test_a_schema_that_points_elsewhere_is_refused_and_not_followed(draft: Path) -> None:
    schema = draft / "schema" / "decision-input.schema.json"
    for elsewhere in ("http://127.0.0.1:1/schema.json", "file:///etc/hostname"):
        schema.write_text(json.dumps({"$ref": elsewhere}))

        with pytest.raises(BrokenPoliciesError, match="elsewhere"):
            checker(draft)
