"""Puts messages into a folder: for a home without a mail server, and for people who post."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from services.notify.channels import ChannelAwayError, Outgoing, letter


@dataclass(frozen=True)
class FolderChannel:
    """A folder with one file per message, which only its owner can read."""

    folder: Path
    kind: str
    """email, text or letter."""
    sender: str

    async def send(self, message: Outgoing) -> None:
        """Write the file; the same message again replaces it, so that there is never a second."""
        if self.kind == "email":
            content, ending = letter(message, self.sender)[1], "eml"
        else:
            content, ending = f"To: {message.to}\n\n{message.body}".encode(), "txt"
        try:
            await asyncio.to_thread(self._write, f"{message.message_id}.{ending}", content)
        except OSError as error:
            raise ChannelAwayError(self.kind, type(error).__name__) from None

    async def check(self) -> None:
        """Prove that the folder is there."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ChannelAwayError(self.kind, type(error).__name__) from None

    def _write(self, name: str, content: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        half = self.folder / f".{name}"
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(self.folder / name)
