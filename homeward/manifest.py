"""What a backup says it holds, and whether it does: digests, versions, the ledger's chain."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts import ledger
from homeward.home import HomeError
from homeward.ledger_check import Keys, WrongError, check_checkpoint, trusted
from messaging import topology

FORMAT = "homeward.backup.v1"
NAME = "manifest.json"
_CHUNK = 1 << 20


class TamperedError(HomeError):
    """A backup is not what was written; nothing of it is used."""


@dataclass(frozen=True)
class Manifest:
    """A backup's own description."""

    taken_at: datetime
    kind: str
    """sqlite or postgresql; databases of one cannot be put back into the other."""
    databases: Mapping[str, Mapping[str, Any]]
    """By service: file, revision, copied_at."""
    ledger: Mapping[str, Any]
    """seq and hash of the head, and the newest checkpoint."""
    policy: str | None
    files: Mapping[str, Mapping[str, Any]]
    """By path within the backup: sha256, bytes."""

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read and check a backup: every file is there, as it was, and none besides.

        Raises TamperedError, and HomeError where there is no backup.
        """
        try:
            told = json.loads((folder / NAME).read_bytes())
        except FileNotFoundError as error:
            raise HomeError(f"{folder} is no backup: it has no {NAME}") from error
        except ValueError as error:
            raise TamperedError(f"{NAME} is broken") from error
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise HomeError(f"{folder} is no backup that this version can read")
        try:
            found = cls(
                datetime.fromisoformat(told["taken_at"]),
                told["kind"],
                told["databases"],
                told["ledger"],
                told["policy"],
                told["files"],
            )
        except (LookupError, TypeError, ValueError) as error:
            raise TamperedError(f"{NAME} is broken") from error
        found.check(folder)
        return found

    def check(self, folder: Path) -> None:
        """Compare each file with its digest. Raises TamperedError."""
        there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        there.discard(NAME)
        if missing := sorted(set(self.files) - there):
            raise TamperedError(f"{missing[0]} is missing in the backup")
        if strange := sorted(there - set(self.files)):
            raise TamperedError(f"{strange[0]} does not belong to the backup")
        for name, said in self.files.items():
            if digest(folder / name) != said:
                raise TamperedError(f"{name} is not what was written into the backup")

    def text(self) -> str:
        """Return it as it is written."""
        told = {
            "format": FORMAT,
            "taken_at": self.taken_at.isoformat(),
            "kind": self.kind,
            "databases": self.databases,
            "ledger": self.ledger,
            "policy": self.policy,
            "files": self.files,
        }
        return json.dumps(told, indent=2) + "\n"


def digest(file: Path) -> dict[str, Any]:
    """Return what a manifest says of a file."""
    made, size = hashlib.sha256(), 0
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            made.update(chunk)
            size += len(chunk)
    return {"sha256": made.hexdigest(), "bytes": size}


def order() -> list[str]:
    """Return the services in the order in which their databases are copied: readers first.

    What a reader has taken in, its publisher's later copy still remembers to have told, so that
    what the reader lacks can be told again. The other way round it would hold facts that came from
    nowhere, and nothing could bring the two together.
    """
    services = topology.load().services
    left, found = dict(services), []
    while left:
        free = [name for name in left if not any(name in one.consumes for one in left.values())]
        if not free:
            raise HomeError("services read one another in a circle: no order is right")
        found += free
        for name in free:
            del left[name]
    return found


class Chain:
    """A ledger, hashed anew entry by entry."""

    def __init__(self) -> None:
        self.seq, self.prev = 0, ledger.GENESIS

    def add(self, row: tuple[Any, ...]) -> None:
        """Add the next entry: seq, at, kind, body (text), prev, hash. Raises TamperedError."""
        number, at, kind, body, said, hashed = row
        made = ledger.entry_hash(self.seq + 1, at, kind, json.loads(body), self.prev)
        if (number, said, hashed) != (self.seq + 1, self.prev, made):
            raise TamperedError(f"the ledger in the backup is broken at entry {self.seq + 1}")
        self.seq, self.prev = self.seq + 1, made


def check_signed(checkpoint: Mapping[str, Any] | None, jwks: Path) -> None:
    """Check the newest checkpoint of a backup with its ledger key. Raises TamperedError."""
    if checkpoint is None:
        return
    keys: Keys = trusted(json.loads(jwks.read_bytes()))
    try:
        check_checkpoint(ledger.canonical(dict(checkpoint)), keys)
    except WrongError as error:
        raise TamperedError(f"the backup's checkpoint does not hold: {error.why}") from error
