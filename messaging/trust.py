"""Whose certificates count, and our own, read again when their files change: no restart is needed.

A new connection takes what the files say then; those that are open go on: nothing is interrupted.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from messaging.reread import Reread
from messaging.telemetry import get_logger

log = get_logger()

_VERIFYING = {
    9: "not_yet_valid",
    10: "expired",
    18: "unknown_authority",
    19: "unknown_authority",
    20: "unknown_authority",
    21: "unknown_authority",
    23: "revoked",
    62: "other_name",
    64: "other_name",
}
"""OpenSSL's codes for why a certificate does not count."""


class LiveContext(ssl.SSLContext):
    """A TLS context that is made anew for the first connection after its files have changed."""

    _current: Reread[ssl.SSLContext]

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin one connection with what the files say now."""
        return self._current().wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """Begin one connection with what the files say now."""
        return self._current().wrap_socket(*args, **kwargs)


def _live(
    name: str, protocol: int, make: Callable[[], ssl.SSLContext], *files: Path
) -> LiveContext:
    context = LiveContext(protocol)
    context._current = Reread(name, make, *files)
    return context


def trusting(authority: Path | None) -> ssl.SSLContext:
    """Return the context for calls to others: the authority in a file, else those of the system.

    Host names are checked. Raises OSError or ssl.SSLError where the file holds no certificate.
    """
    if authority is None:
        return ssl.create_default_context()

    def make() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(authority))

    return _live("authority", ssl.PROTOCOL_TLS_CLIENT, make, authority)


def serving(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the context that answers with our certificate.

    Raises OSError or ssl.SSLError where the files are no certificate with its key.
    """

    def make() -> ssl.SSLContext:
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        made.load_cert_chain(certificate, key)
        made.sslobject_class = _Answering
        return made

    return _live("certificate", ssl.PROTOCOL_TLS_SERVER, make, certificate, key)


class _Answering(ssl.SSLObject):
    """Says why a handshake failed; asyncio itself closes such a connection without a word."""

    _refused = 0

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            _Answering._refused += 1
            if _Answering._refused & (_Answering._refused - 1) == 0:  # or a scan drowns the log
                log.info("tls.refused", reason=reason(error), count=_Answering._refused)
            raise


def reason(error: BaseException | None) -> str | None:
    """Return why TLS was refused, as a code, from an error or what caused it; None: it was not."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return "certificate." + _VERIFYING.get(error.verify_code, f"code_{error.verify_code}")
        if isinstance(error, ssl.SSLError):
            return "tls." + (error.reason or "failed").lower()
        error = error.__cause__ or error.__context__
    return None
