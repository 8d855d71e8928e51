"""How a message leaves: one small interface, and what can be said for certain afterwards."""

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Protocol

from messaging.errors import AwayError


class ChannelAwayError(AwayError):
    """Certainly not sent: the channel could not be reached, or asked to come back later."""

    def __init__(self, channel: str, why: str) -> None:
        super().__init__(channel, why)


class AddressRefusedError(Exception):
    """Certainly not sent: the address is none, or is not accepted. Carries no address."""


class DeliveryUnknownError(Exception):
    """It broke off after the message was handed over and before it was confirmed."""


@dataclass(frozen=True)
class Outgoing:
    """A message that is ready to leave. Lives in memory only."""

    message_id: str
    to: str
    subject: str
    body: str
    at: datetime


class Channel(Protocol):
    """A way for a message to leave."""

    async def send(self, message: Outgoing) -> None:
        """Send it, or raise one of the three errors above."""

    async def check(self) -> None:
        """Prove that the channel can be reached. Raises ChannelAwayError."""


def letter(message: Outgoing, sender: str) -> tuple[str, bytes]:
    """Return the one address and the bytes of an e-mail.

    The Message-ID is the message's own id, so that a second copy is recognisable as one. Raises
    AddressRefusedError for anything but exactly one plain address: `a@x, b@y` would tell two.
    """
    to = one_address(message.to)
    mail = EmailMessage(policy=SMTP)
    mail["Message-ID"] = f"<{message.message_id}@{Address(addr_spec=sender).domain}>"
    mail["Date"] = message.at
    mail["From"] = Address(addr_spec=sender)
    mail["To"] = to
    mail["Subject"] = message.subject
    mail["Auto-Submitted"] = "auto-generated"  # so that no out-of-office note answers
    mail.set_content(message.body, cte="quoted-printable")
    return to.addr_spec, mail.as_bytes()


def one_address(text: str) -> Address:
    """Return the address that `text` is, whole. Raises AddressRefusedError."""
    try:
        address = Address(addr_spec=text.strip())
    except (ValueError, IndexError, LookupError) as error:
        raise AddressRefusedError from error
    if not (address.username and address.domain and address.addr_spec.isascii()):
        raise AddressRefusedError
    if not address.addr_spec.isprintable() or len(address.addr_spec) > 254:
        raise AddressRefusedError
    return address
