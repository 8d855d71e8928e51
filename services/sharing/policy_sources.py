"""The policies as people wrote them, out of the folder or the bundle that the engine loads too."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

from contracts.policies import is_loaded

GENERATED = frozenset({"rows.rego", "authz.rego"})
"""Rego that the builder of a bundle adds; not part of a version, and not under its digest."""
BYTES_MAX = 8 * 1024 * 1024
"""A bundle is under a mebibyte; what unpacks to more is not one of ours."""


class NoPoliciesError(Exception):
    """The file is there and cannot be read as a bundle."""


def sources(path: Path) -> dict[str, bytes]:
    """Return the files of a version: of a folder, or of a bundle as one file (`.tar.gz`).

    Nothing is believed of it: whoever uses them computes their digest, and only the digest that
    was approved may decide. Raises NoPoliciesError, OSError.
    """
    read = _from_bundle if path.is_file() else _from_folder
    return {
        name: content for name, content in read(path) if is_loaded(name) and name not in GENERATED
    }


def _from_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and is_loaded(file.name):
            yield file.relative_to(folder).as_posix(), file.read_bytes()


def _from_bundle(bundle: Path) -> Iterator[tuple[str, bytes]]:
    left = BYTES_MAX
    try:
        with tarfile.open(bundle, "r:gz") as opened:
            for member in opened:
                left -= member.size
                if left < 0:
                    raise NoPoliciesError(f"{bundle.name} unpacks to more than {BYTES_MAX:,} bytes")
                content = opened.extractfile(member) if member.isfile() else None
                if content is not None:
                    yield member.name.removeprefix("./").lstrip("/"), content.read()
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise NoPoliciesError(f"{bundle.name} is no bundle: {error}") from error
