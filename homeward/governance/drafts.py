"""A draft of the policies as somebody names it: a folder, or a revision of a git repository."""

import os
import re
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from homeward.engine import BrokenPoliciesError

TREE = Path(__file__).parents[2]
"""The checkout, in whose repository a revision is looked up unless another one is named."""
FOLDER = "policies"
"""Where a revision keeps the policies, unless it is named as `REV:FOLDER`."""

SUFFIXES = (".rego", ".yaml", ".json")
FILES_MAX = 500
BYTES_MAX = 4 * 1024 * 1024
"""The policies of the tree are a twentieth of this; more is a wrong folder or an attack."""

GIT = ("git", "--no-pager", "--no-replace-objects", "-c", "core.fsmonitor=false")
_GIT_S = 30
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@^~{}+-]{0,199}")
_FILE_MODES = {"100644", "100755"}


class DraftError(BrokenPoliciesError):
    """There is no such draft, or it holds what no draft may hold."""

    def __init__(self, why: str) -> None:
        super().__init__([why])


@contextmanager
def opened(draft: str | Path, repo: Path | None = None) -> Iterator[Path]:
    """Give the sources of `draft` in a folder of their own that nobody can write to.

    `draft` is a folder, or `git:REV`, or a bare revision that is no folder here; REV may be
    `REV:FOLDER`. The copy is gone afterwards; an editor at work does not change what is judged.
    Raises DraftError.
    """
    with tempfile.TemporaryDirectory(prefix="homeward-draft-") as place:
        copy = Path(place) / "policies"
        write(files_of(draft, repo), copy)
        _set_modes(copy, 0o444, 0o555)
        try:
            yield copy
        finally:
            _set_modes(copy, 0o644, 0o755)


def files_of(draft: str | Path, repo: Path | None = None) -> dict[str, bytes]:
    """Return what `draft` holds by path: Rego, data and schemas, tests too. Raises DraftError."""
    named = str(draft)
    if not named.startswith("git:") and Path(named).exists():
        files = _from_folder(Path(named))
    else:
        files = _from_git(named.removeprefix("git:"), repo or TREE)
    if not any(path.endswith(".rego") for path in files):
        raise DraftError(f"{named}: there are no policies here")
    return files


def write(files: Mapping[str, bytes], into: Path) -> None:
    """Write `files` to the new folder `into`. Raises DraftError for a path that leads out of it."""
    into.mkdir(parents=True)
    for path, content in files.items():
        safe(path)
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def safe(path: str) -> None:
    """Raise DraftError where `path` is not a plain one below the folder of policies."""
    pure = PurePosixPath(path)
    plain = all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", part) for part in pure.parts)
    if not plain or pure.is_absolute() or pure.as_posix() != path:
        raise DraftError(f"{path!r} is no path that a policy may have")


def _from_folder(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise DraftError(f"{folder} is a file; a draft is a folder of policies, or a revision")
    files: dict[str, bytes] = {}
    left = BYTES_MAX
    try:
        for walked, folders, names in os.walk(folder, onerror=_give_up):
            place = Path(walked)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in folders:
                _not_a_link(place / name)
            for name in sorted(names):
                file = place / name
                if name.startswith(".") or file.suffix not in SUFFIXES:
                    continue
                _not_a_link(file)
                path = file.relative_to(folder).as_posix()
                safe(path)
                with file.open("rb") as opened_file:
                    files[path] = opened_file.read(left + 1)
                left -= len(files[path])
                _within_limits(str(folder), len(files), left)
    except OSError as error:
        raise DraftError(f"{folder} cannot be read: {error}") from error
    return files


def _give_up(error: OSError) -> None:
    raise error


def _not_a_link(path: Path) -> None:
    mode = path.lstat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise DraftError(f"{path} is a link or a device: a draft holds plain files alone")


def _from_git(revision: str, repo: Path) -> dict[str, bytes]:
    name, _, folder = revision.partition(":")
    if not _REVISION.fullmatch(name):
        raise DraftError(f"{revision!r} is neither a folder nor a revision of {repo}")
    commit = _git(
        repo, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
    )
    if commit is None:
        raise DraftError(f"{name} is neither a folder here nor a revision of {repo}")
    if folder:
        safe(folder)
    tree = f"{commit.decode().strip()}:{folder or FOLDER}"
    listed = _git(repo, "ls-tree", "-r", "-l", "-z", "--full-tree", tree)
    if listed is None:
        raise DraftError(f"{name} holds no folder {folder or FOLDER}: say it as {name}:FOLDER")
    files: dict[str, bytes] = {}
    left = BYTES_MAX
    for line in filter(None, listed.split(b"\0")):
        about, _, told = line.partition(b"\t")
        mode, _kind, blob, size = about.decode().split()
        path = told.decode("utf-8", "replace")
        if any(part.startswith(".") for part in path.split("/")) or not path.endswith(SUFFIXES):
            continue
        safe(path)
        if mode not in _FILE_MODES:
            raise DraftError(f"{path} is a link: a draft holds plain files alone")
        left -= int(size)
        _within_limits(revision, len(files) + 1, left)
        content = _git(repo, "cat-file", "blob", blob)
        if content is None:
            raise DraftError(f"{path} of {name} cannot be read from {repo}")
        files[path] = content
    return files


def _git(repo: Path, *command: str) -> bytes | None:
    """Return what git prints, None where it says no. Nothing of the repository is executed."""
    try:
        done = subprocess.run(  # noqa: S603 - revision and paths were checked, no shell
            [*GIT, "-C", str(repo), *command],
            capture_output=True, check=False, timeout=_GIT_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise DraftError("there is no git here: name a folder") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DraftError(f"git cannot read {repo}: {error}") from error
    return done.stdout if done.returncode == 0 else None


def _within_limits(draft: str, files: int, left: int) -> None:
    if files > FILES_MAX or left < 0:
        raise DraftError(f"{draft} is more than {FILES_MAX} files or {BYTES_MAX:,} bytes")


def _set_modes(folder: Path, file: int, directory: int) -> None:
    for place, _, names in os.walk(folder):
        Path(place).chmod(directory)
        for name in names:
            (Path(place) / name).chmod(file)
