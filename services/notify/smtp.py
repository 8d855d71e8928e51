"""Sends e-mail over SMTP, telling apart what certainly did not leave from what may have."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiosmtplib

from services.notify.channels import (
    AddressRefusedError,
    ChannelAwayError,
    DeliveryUnknownError,
    Outgoing,
    letter,
)
from services.notify.domain import STEP_WITHIN_S

_FOR_GOOD = 500
"""From here a reply says no for good; below it asks to come back later (RFC 5321, 4.2.1)."""


@dataclass(frozen=True)
class SmtpChannel:
    """One SMTP server."""

    host: str
    port: int
    sender: str
    tls: bool = False
    """TLS from the first byte (smtps)."""
    starttls: bool = False
    """Required, not merely tried, when set."""
    user: str | None = None
    password_file: Path | None = None
    ca: Path | None = None

    async def send(self, message: Outgoing) -> None:
        """Send one message. Raises ChannelAwayError, AddressRefusedError, DeliveryUnknownError."""
        to, content = letter(message, self.sender)
        async with self._connected() as client:
            try:
                await client.mail(self.sender)
                await client.rcpt(to)
            except aiosmtplib.SMTPResponseException as error:
                if error.code >= _FOR_GOOD and isinstance(error, aiosmtplib.SMTPRecipientRefused):
                    raise AddressRefusedError from None  # the reply may quote the address
                raise ChannelAwayError("smtp", f"reply_{error.code}") from None
            except (aiosmtplib.SMTPException, OSError) as error:
                raise ChannelAwayError("smtp", type(error).__name__) from None
            await _hand_over(client, content)

    async def check(self) -> None:
        """Prove that the server greets us."""
        async with self._connected():
            pass

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        try:
            client = aiosmtplib.SMTP(
                hostname=self.host,
                port=self.port,
                timeout=STEP_WITHIN_S,
                use_tls=self.tls,
                start_tls=self.starttls,
                tls_context=self._trust(),
                username=self.user,
                password=self._password(),
            )
            await client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            raise ChannelAwayError("smtp", type(error).__name__) from None
        try:
            yield client
        finally:
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit()
            client.close()

    def _trust(self) -> ssl.SSLContext | None:
        if not (self.tls or self.starttls):
            return None
        return ssl.create_default_context(cafile=str(self.ca) if self.ca else None)

    def _password(self) -> str | None:
        return self.password_file.read_text().strip() if self.password_file else None


async def _hand_over(client: aiosmtplib.SMTP, content: bytes) -> None:
    """Hand the text over; from here a broken connection leaves it open whether it arrived."""
    try:
        await client.data(content)
    except aiosmtplib.SMTPDataError as error:
        if error.code >= _FOR_GOOD:
            raise AddressRefusedError from None
        raise ChannelAwayError("smtp", f"reply_{error.code}") from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise DeliveryUnknownError from error
