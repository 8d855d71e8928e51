"""What is read from files, read again once they were replaced: keys change without a restart."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from messaging.telemetry import get_logger

log = get_logger()

Found = TypeVar("Found")
Mark = tuple[tuple[int, int, int], ...]


def mark(*files: Path) -> Mark | None:
    """Return what differs once a file was replaced; None where one is not there.

    A secret of Kubernetes is a link that leads to another file then.
    """
    try:
        found = [file.stat() for file in files]
    except OSError:
        return None
    return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in found)


class Reread(Generic[Found]):
    """What `read` makes of `files`, made anew when one of them was replaced.

    Where the new ones cannot be used (a certificate is there and its key not yet), what was read
    before stays, and it is said once.
    """

    def __init__(self, name: str, read: Callable[[], Found], *files: Path) -> None:
        """Read now. Raises what `read` raises."""
        self._name, self._read, self._files = name, read, files
        self._seen = mark(*files)
        self._found = read()

    def __call__(self) -> Found:
        """Return what the files say now."""
        seen = mark(*self._files)
        if seen != self._seen:
            self._seen = seen
            try:
                self._found = self._read()
                log.info("file.read_again", name=self._name)
            except (OSError, ValueError) as error:  # SSLError is an OSError
                log.warning("file.not_read", name=self._name, error=type(error).__name__)
        return self._found
