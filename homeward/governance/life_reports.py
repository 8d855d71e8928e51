"""The two reports that others make of a draft, as the life of a version needs them."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from homeward.governance.client import WRONG_USE, Access, LifeError, Sharing
from homeward.governance.drafts import write
from homeward.home import Home
from homeward.keys import write_secret


class Reports(Protocol):
    """What is computed by the author, and again by the second person."""

    def prove(self, folder: Path) -> dict[str, Any]:
        """Return the report of the safety envelope on the policies in `folder`."""

    def whatif(
        self, folder: Path, access: Access, since: datetime | None, until: datetime | None
    ) -> dict[str, Any]:
        """Return what they would have changed in history, from `since` on and before `until`."""


@dataclass(frozen=True)
class Ours:
    """Both, as the commands `prove` and `whatif` make them."""

    databases: str | None = None
    """Where the history is, if it is not that of the home."""

    def prove(self, folder: Path) -> dict[str, Any]:
        """See Reports."""
        from homeward.governance import prove  # noqa: PLC0415 - only approving needs it

        return prove.report(folder)

    def whatif(
        self, folder: Path, access: Access, since: datetime | None, until: datetime | None
    ) -> dict[str, Any]:
        """See Reports."""
        from homeward.governance import whatif  # noqa: PLC0415 - images have no services

        with ExitStack() as opened:
            home = access.home
            if access.url:
                if self.databases is None:
                    raise LifeError("--databases has to say where the history is", WRONG_USE)
                home = Home(Path(opened.enter_context(TemporaryDirectory(prefix="homeward-"))))
                _lay_out(access, home)
            return whatif.report(folder, home, since=since, until=until, databases=self.databases)


def _lay_out(access: Access, home: Home) -> None:
    """Write the versions of a server as a home keeps them: each decision names one of them."""
    with Sharing(access) as sharing:
        found = sharing.get()
        for one in found["versions"]:
            told = sharing.get(f"/{one['digest']}/files")["files"]
            files = {path: text.encode() for path, text in told.items()}
            write(files, home.policies / str(one["digest"]))
    write_secret(home.policies / "current", str(found["active"]["digest"]) + "\n")
