"""The two reports that others make of a draft, as the life of a version needs them."""

from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from homeward.governance.client import Access


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
        made: dict[str, Any] = import_module("homeward.governance.prove").report(folder)
        return made

    def whatif(
        self, folder: Path, access: Access, since: datetime | None, until: datetime | None
    ) -> dict[str, Any]:
        """See Reports."""
        module = import_module("homeward.governance.whatif")
        made: dict[str, Any] = module.report(
            folder, access.home, since=since, until=until, databases=self.databases
        )
        return made
