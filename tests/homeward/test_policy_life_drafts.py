"""A draft is a folder or a revision; what is judged is a copy that nobody can change meanwhile."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from homeward.engine import policy_digest
from homeward.governance import drafts
from homeward.governance.drafts import DraftError, opened

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    folder = tmp_path / "draft"
    shutil.copytree(POLICIES, folder)
    return folder


def git(repo: Path, *command: str) -> None:
    subprocess.run(
        ["git", "-C", str(repo), "-c", "user.name=A", "-c", "user.email=a@b.invalid", *command],
        check=True, capture_output=True,
    )  # fmt: skip


def test_a_folder_is_copied_and_has_the_same_digest(draft: Path) -> None:
    with opened(draft) as copy:
        assert policy_digest(draft) == policy_digest(copy)
        assert copy != draft
        (draft / "codes.yaml").write_text("policy_version: other\n")
        assert "policy_version: other" not in (copy / "codes.yaml").read_text()
    assert not copy.exists()


def test_a_revision_of_a_repository_is_what_was_committed(draft: Path) -> None:
    repo = draft.parent
    shutil.copytree(draft, repo / "policies")
    git(repo, "init", "-q")
    git(repo, "add", "policies")
    git(repo, "commit", "-qm", "first")
    committed = policy_digest(draft)
    (repo / "policies" / "codes.yaml").write_text("policy_version: not committed\n")

    for named in ("git:HEAD", "HEAD", "git:HEAD:policies"):
        with opened(named, repo) as copy:
            assert committed == policy_digest(copy)


def test_the_tree_s_own_repository_is_asked_when_none_is_named() -> None:
    with opened("git:HEAD") as copy:
        assert (copy / "decision.rego").exists()


@pytest.mark.parametrize(
    "draft", ["no-such-thing", "git:no-such", "--upload-pack=x", "HEAD:nowhere"]
)
def test_what_is_no_draft_is_said_so(draft: str) -> None:
    with pytest.raises(DraftError), opened(draft):
        pass


def test_a_link_out_of_the_folder_is_refused(draft: Path) -> None:
    (draft / "more.yaml").symlink_to("/etc/hostname")
    with pytest.raises(DraftError, match="link"), opened(draft):
        pass


def test_a_linked_folder_is_refused(draft: Path) -> None:
    (draft / "more").symlink_to("/etc")
    with pytest.raises(DraftError, match="link"), opened(draft):
        pass


def test_a_link_in_a_revision_is_refused(draft: Path) -> None:
    repo = draft.parent
    shutil.copytree(draft, repo / "policies")
    os.symlink("/etc/hostname", repo / "policies" / "more.yaml")
    git(repo, "init", "-q")
    git(repo, "add", "policies")
    git(repo, "commit", "-qm", "first")
    with pytest.raises(DraftError, match="link"), opened("HEAD", repo):
        pass


def test_a_pipe_is_refused_and_not_waited_for(draft: Path) -> None:
    os.mkfifo(draft / "more.yaml")
    with pytest.raises(DraftError, match="link or a device"), opened(draft):
        pass


def test_too_much_is_refused(draft: Path) -> None:
    with (draft / "more.yaml").open("wb") as big:
        big.truncate(drafts.BYTES_MAX)
    with pytest.raises(DraftError, match="bytes"), opened(draft):
        pass


@pytest.mark.parametrize(
    "path", ["../out.yaml", "/etc/x.yaml", "a//b.yaml", "a/./b.yaml", ".x.yaml", "a\n.yaml", ""]
)
def test_a_path_that_leads_out_is_never_written(path: str, tmp_path: Path) -> None:
    with pytest.raises(DraftError):
        drafts.write({path: b""}, tmp_path / "into")
