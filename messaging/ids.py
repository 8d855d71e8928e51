"""Ids that derive from their cause: a retry makes the same one and nobody outside can guess one."""

import hmac
import json
from base64 import b32encode
from hashlib import sha256
from pathlib import Path

_LENGTH = 20
"""Base32 characters, 100 bits: no collision among all episodes of a nation and no guessing."""


class Ids:
    """Makes ids under one key, which never changes for the life of a site."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("the id key needs 32 bytes")
        self._key = key

    @classmethod
    def of(cls, path: Path) -> "Ids":
        """Read the key from a file."""
        return cls(path.read_bytes())

    def after(self, prefix: str, *cause: str | int) -> str:
        """Return `<prefix>-` and 20 characters that follow from the prefix and the cause.

        Causes are ids, codes and times, never a name or a birth date.
        """
        text = json.dumps(
            [prefix, *cause], separators=(",", ":")
        )  # unambiguous: ("a","bc") ≠ ("ab","c")
        digest = hmac.new(self._key, text.encode(), sha256).digest()
        return f"{prefix}-{b32encode(digest).decode()[:_LENGTH]}"
