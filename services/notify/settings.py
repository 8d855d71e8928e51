"""What `notify` is told from outside beside what every service is."""

from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from messaging.errors import AwayError
from messaging.settings import Settings, UnsafeSettingError
from messaging.telemetry import get_logger
from services.notify.channels import AddressRefusedError, Channel, one_address
from services.notify.domain import ChannelKind
from services.notify.folder import FolderChannel
from services.notify.smtp import SmtpChannel
from services.notify.wording import LONDON

log = get_logger()

_PORTS = {"smtp": 25, "smtps": 465}


class NotifySettings(Settings):
    """Settings of `notify`."""

    smtp_url: str | None = None
    """`smtp://host:port`, `smtps://host:port`, or `file:///folder` on a single machine."""
    smtp_starttls: bool = False
    smtp_user: str | None = None
    smtp_password_file: Path | None = None
    mail_from: str = "homeward@localhost.localdomain"
    text_url: str | None = None
    """`file:///folder` from which somebody sends texts; there is no provider yet."""
    letter_url: str | None = None
    """`file:///folder` from which somebody posts letters; there is no provider yet."""
    service_name: str = "Homeward"
    """As young people know us; it stands in what we write to them."""

    @model_validator(mode="after")
    def _mail_in_production(self) -> Self:
        """Refuse a production that could not page anybody, or would do so in clear."""
        if not self.production:
            return self
        scheme = urlsplit(self.smtp_url or "").scheme
        if scheme != "smtps" and not (scheme == "smtp" and self.smtp_starttls):
            raise UnsafeSettingError("smtp_url", "production sends mail over TLS")
        if self.localities is None:
            raise UnsafeSettingError("localities", "production needs to know whom to page")
        return self

    @model_validator(mode="after")
    def _channels_can_be_made(self) -> Self:
        try:
            one_address(self.mail_from)
        except AddressRefusedError:
            raise ValueError("mail_from: no address") from None
        self.channels()
        return self

    def channels(self) -> dict[ChannelKind, Channel]:
        """Return the channels there are, by kind. Raises ValueError for an address that is none."""
        urls: dict[ChannelKind, str | None] = {
            "email": self.smtp_url,
            "text": self.text_url,
            "letter": self.letter_url,
        }
        return {kind: self._channel(kind, url) for kind, url in urls.items() if url}

    def _channel(self, kind: ChannelKind, url: str) -> Channel:
        parts = urlsplit(url)
        if parts.scheme == "file" and parts.path and not parts.netloc:
            return FolderChannel(Path(unquote(parts.path)), kind, self.mail_from)
        if kind != "email" or parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(f"{kind}: no such channel")
        return SmtpChannel(
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            sender=self.mail_from,
            tls=parts.scheme == "smtps",
            starttls=self.smtp_starttls,
            user=self.smtp_user,
            password_file=self.smtp_password_file,
            ca=self.tls_ca,
        )


class Locality(BaseModel):
    """Whom to tell in one locality; what other services read there is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    dsl: str
    on_call: str
    manager: str
    time_zone: str = LONDON

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        ZoneInfo(name)
        return name


def localities(file: Path | None) -> dict[str, Locality]:
    """Read whom to tell, afresh each time: a person on call changes without a restart.

    An entry with a mistake in it is left out and logged, so that the others can still be paged.
    Raises AwayError where the file cannot be read; what waits for it then waits.
    """
    if file is None:
        raise AwayError("localities", "not_set")
    try:
        found = yaml.safe_load(file.read_text())
        entries = found.get("localities", found).items()
    except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise AwayError("localities", type(error).__name__) from None
    known = {}
    for code, entry in entries:
        try:
            known[str(code)] = Locality.model_validate(entry)
        except (ValidationError, ZoneInfoNotFoundError):
            log.error("locality.malformed", name=str(code))
    return known
