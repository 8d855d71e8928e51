"""A version of the policies, its twin in lockdown, and what a report's digest is taken over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.policies import (
    UnfitPoliciesError,
    blocking,
    check,
    digest,
    label,
    report_digest,
    twin,
)

FILES = {
    "codes.yaml": b'codes: {}\npolicy_version: "2026.11.1"  # by hand\n',
    "lockdown.yaml": b"# The switch.\nlockdown: false\n",
    "decision.rego": b"package homeward.sharing\n",
    "table/police.yaml": b"table: {}\n",
}


def with_files(**changes: bytes | None) -> dict[str, bytes]:
    """The files with some changed, added or left out, by their names without the dot."""
    named = {name.replace("__", "."): content for name, content in changes.items()}
    return {n: c for n, c in {**FILES, **named}.items() if c is not None}


def code_of(files) -> str:
    with pytest.raises(UnfitPoliciesError) as refused:
        check(files)
    return refused.value.code


def test_the_digest_is_over_names_and_contents_and_no_test_counts():
    assert digest(FILES) == digest({**FILES, "decision_test.rego": b"package x\n"})
    assert digest(FILES) == digest(dict(reversed(FILES.items())))
    assert digest(FILES) != digest(with_files(decision__rego=b"package other\n"))
    moved = with_files(decision__rego=None, decisions__rego=FILES["decision.rego"])
    assert digest(FILES) != digest(moved)


def test_a_twin_differs_in_the_switch_and_in_its_label_alone():
    locked = twin(FILES)
    assert locked["lockdown.yaml"] == b"# The switch.\nlockdown: true\n"
    assert label(locked) == "2026.11.1-lockdown"
    assert locked["codes.yaml"].endswith(b"  # by hand\n")
    assert {n for n in FILES if FILES[n] != locked[n]} == {"codes.yaml", "lockdown.yaml"}


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, "policy.no_files"),
        (with_files(lockdown__yaml=None), "policy.no_lockdown"),
        (with_files(lockdown__yaml=b"lockdown: true\n"), "policy.no_lockdown"),
        (with_files(lockdown__yaml=b'lockdown: "false"\n'), "policy.no_lockdown"),
        (with_files(lockdown__yaml=b"lockdown: false\nlockdown: false\n"), "policy.no_lockdown"),
        (with_files(codes__yaml=b"codes: {}\n"), "policy.no_label"),
        (with_files(codes__yaml=b"policy_version: two words\n"), "policy.no_label"),
        (with_files(codes__yaml=b"\xff"), "policy.no_label"),
        (with_files(codes__yaml=b"policy_version: 1-lockdown\n"), "policy.label_of_a_lockdown"),
        (with_files(decision_test__rego=b""), "policy.file_not_loaded"),
        ({**FILES, "../codes.yaml": b""}, "policy.file_not_loaded"),
        ({**FILES, "/etc/codes.yaml": b""}, "policy.file_not_loaded"),
        ({**FILES, "read.me": b""}, "policy.file_not_loaded"),
        (with_files(decision__rego=b" " * 1_000_000), "policy.too_large"),
    ],
)
def test_what_is_no_version_is_refused_with_the_reason(files, code):
    assert code_of(files) == code


def test_the_policies_of_this_tree_are_a_version(pytestconfig):
    folder = pytestconfig.rootpath / "policies"
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in (".rego", ".yaml") and not path.name.endswith("_test.rego")
    }
    from homeward.engine import policy_digest

    assert check(files) == label(files)
    assert digest(files) == policy_digest(folder)


@given(st.text(), st.integers(), st.sampled_from(["took_s", "at", "machine"]))
def test_when_and_where_it_ran_is_no_part_of_a_report(text, number, name):
    report = {"kind": "whatif", "findings": [{"id": "F-1", "text": text, "count": number}]}
    assert report_digest(report) == report_digest({name: number, **report})
    assert report_digest(report) != report_digest({**report, "findings": []})


def test_what_stops_a_warning_blocks_and_a_finding_without_a_kind_does_too():
    found = [{"kind": "newly_learn"}, {"kind": "safety_stop"}, {"kind": "invariant"}, {}]
    assert blocking(found) == found[1:]
